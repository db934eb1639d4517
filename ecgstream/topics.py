"""Creating the topics: explicitly, before anything starts."""

import structlog
from kafka import KafkaAdminClient
from kafka.admin import NewTopic
from kafka.errors import TopicAlreadyExistsError

from ecgstream.settings import Settings
from schemas import topics

log = structlog.get_logger()


def create_topics(settings: Settings) -> None:
    """Create the topics that are missing; those that exist stay as they are.

    Raises:
        RuntimeError: a topic exists with another number of partitions than the settings say; devices would be
            looked for in the wrong one.
    """
    admin = KafkaAdminClient(bootstrap_servers=settings.kafka)
    try:
        existing = set(admin.list_topics())
        for topic in topics.ALL:
            if topic.name not in existing:
                _create(admin, topic, settings)
        _check_partitions(admin, settings)
    finally:
        admin.close()


def _create(admin: KafkaAdminClient, topic: topics.Topic, settings: Settings) -> None:
    config = topic.config | {"min.insync.replicas": str(max(1, settings.replication - 1))}
    new = NewTopic(topic.name, settings.partitions, settings.replication, topic_configs=config)
    try:
        admin.create_topics([new])
        log.info("topic_created", topic=topic.name, partitions=settings.partitions)
    except TopicAlreadyExistsError:
        pass  # another service was quicker


def _check_partitions(admin: KafkaAdminClient, settings: Settings) -> None:
    for found in admin.describe_topics([t.name for t in topics.ALL]):
        count = len(found["partitions"])
        if count not in (0, settings.partitions):
            raise RuntimeError(
                f"topic {found['name']} has {count} partitions, the settings say {settings.partitions}: "
                f"set ECGSTREAM_PARTITIONS={count}"
            )
