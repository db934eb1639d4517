"""What a service makes sure of before it starts: it is let in, its topics are there, it may do its work.

Clients would find out as they go, some of them without a word: a consumer reads nothing for ever from a topic
that it may not see.
"""

import sys
from collections.abc import Iterator
from typing import Any

from kafka import KafkaAdminClient
from kafka.errors import GroupAuthorizationFailedError, KafkaError, UnknownTopicOrPartitionError

from ecgstream import clients
from ecgstream.audit import told
from ecgstream.broker.access import ACCESS, Right, Service
from ecgstream.broker.errors import BrokerError
from ecgstream.broker.greet import PATIENCE_S, greet
from ecgstream.settings import Settings
from ecgstream.topics import create_topics, describe
from schemas import topics


def be_ready(settings: Settings, service: Service) -> None:
    """Return when the service may start, or end the process with one line that says what to do.

    That it starts, with which version and settings, then stands on the topic of the audit log.
    """
    try:
        check(settings, service)
        if topics.AUDIT in ACCESS[service].writes:
            told.tell(settings, [told.started(settings, service)])
    except (BrokerError, KafkaError) as error:
        sys.exit(f"ecgstream {service}: {error}")


def check(settings: Settings, service: Service, patience_s: float = PATIENCE_S) -> None:
    """Return when the service may start; wait a while for a broker to be there.

    Raises:
        BrokerError: it may not; the message says what to do.
    """
    greet(settings, patience_s)
    create_topics(settings, ACCESS[service].topics)
    admin = clients.admin(settings)
    try:
        missing = sorted(map(str, lacking(admin, service)))
    finally:
        admin.close()
    if missing:
        raise BrokerError(
            f"user {settings.kafka_user} may not {', '.join(missing)}: "
            f"an admin must run `ecgstream kafka grant {service} {settings.kafka_user}`"
        )


def lacking(admin: KafkaAdminClient, service: Service) -> Iterator[Right]:
    """Yield the rights of a service that we do not have, as far as a user may ask for them."""
    access = ACCESS[service]
    found = describe(admin, access.topics)
    for right in access.rights():
        if right.kind == "TOPIC" and not _may(right.operation, found[right.name]):
            yield right
    for right in access.rights():
        if right.kind == "GROUP" and not _may_see(admin, right.name):
            yield right


def _may(operation: str, topic: dict[str, Any]) -> bool:
    if topic["error_code"] == UnknownTopicOrPartitionError.errno:
        return True  # made a moment ago, by ourselves, and not heard of everywhere
    return operation in (topic["authorized_operations"] or ())


def _may_see(admin: KafkaAdminClient, group: str) -> bool:
    try:
        admin.list_group_offsets(group)
    except GroupAuthorizationFailedError:
        return False
    except KafkaError:
        pass  # we may ask, and the group has no coordinator yet, for instance
    return True
