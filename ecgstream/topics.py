"""Creating the topics: explicitly, before anything starts."""

from collections.abc import Iterable, Sequence
from typing import Any

import structlog
from kafka import KafkaAdminClient
from kafka.admin import NewTopic
from kafka.errors import (
    ClusterAuthorizationFailedError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

from ecgstream import clients
from ecgstream.broker.errors import BrokerError
from ecgstream.settings import PREFIX, Settings
from schemas import topics
from schemas.topics import Topic

log = structlog.get_logger()


def create_topics(settings: Settings, wanted: Sequence[Topic] = topics.ALL) -> None:
    """Create those topics that are missing; those that exist stay as they are.

    On a closed broker only an admin may create; whoever finds all it wants need not.

    Raises:
        BrokerError: a topic is missing, and we may not create it; or it exists with another number of
            partitions than the settings say: devices would be looked for in the wrong one.
    """
    admin = clients.admin(settings)
    try:
        found = describe(admin, wanted)
        for topic in wanted:
            if found[topic.name]["error_code"] == UnknownTopicOrPartitionError.errno:
                _create(admin, topic, settings)
        _check_partitions(describe(admin, wanted).values(), settings)
    finally:
        admin.close()


def describe(admin: KafkaAdminClient, wanted: Iterable[Topic]) -> dict[str, dict[str, Any]]:
    """Return what the broker says of topics, by name: ``error_code``, ``partitions``, what we may do."""
    return {found["name"]: found for found in admin.describe_topics([t.name for t in wanted])}


def _create(admin: KafkaAdminClient, topic: Topic, settings: Settings) -> None:
    config = topic.config | {"min.insync.replicas": str(max(1, settings.replication - 1))}
    new = NewTopic(topic.name, settings.partitions, settings.replication, topic_configs=config)
    try:
        admin.create_topics([new])
        log.info("topic_created", topic=topic.name, partitions=settings.partitions)
    except TopicAlreadyExistsError:
        pass  # another service was quicker
    except (TopicAuthorizationFailedError, ClusterAuthorizationFailedError) as error:
        raise BrokerError(
            f"there is no topic {topic.name}, and {settings.kafka_user} may not create it: "
            "an admin must run `ecgstream kafka topics` first"
        ) from error


def _check_partitions(found: Iterable[dict[str, Any]], settings: Settings) -> None:
    for topic in found:
        count = len(topic["partitions"])
        if count not in (0, settings.partitions):
            raise BrokerError(
                f"topic {topic['name']} has {count} partitions, the settings say {settings.partitions}: "
                f"set {PREFIX}PARTITIONS={count}"
            )
