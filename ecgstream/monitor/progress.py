"""How the services stand, as Kafka shows it: how far each has come, and what gateways say of themselves."""

import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field

import structlog
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import GroupIdNotFoundError, KafkaError

from ecgstream.broker.access import ACCESS, Service
from ecgstream.member import end_offsets
from ecgstream.whole import records
from schemas import topics
from schemas.codec import decode_as
from schemas.errors import BadRecordError
from schemas.records import GatewayStatus

KEPT_S = 5.0
"""What was seen is shown again for so long: many look, and Kafka is asked by one."""
SERVICES = (Service.WORKER, Service.PAGER, Service.SINK)
"""In the way of the data."""
GONE_NS = 7 * 86_400 * 10**9
"""A gateway that has been silent for so long is none any more."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Group:
    """A service: how many processes share its work, and how many records wait for it."""

    service: str
    members: int
    waiting: int


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen at a time, s since the epoch; ``reached``: whether Kafka was."""

    at_s: float
    reached: bool
    groups: list[Group] = field(default_factory=list)
    gateways: list[GatewayStatus] = field(default_factory=list)


class Progress:
    """Looks, no more often than every ``KEPT_S``; any thread may ask.

    Args:
        admin: makes an admin client.
        reader: makes a consumer without a group.
        partitions: of every topic.
    """

    def __init__(
        self, admin: Callable[[], KafkaAdminClient], reader: Callable[[], KafkaConsumer], partitions: int
    ) -> None:
        self._admin = admin
        self._reader = reader
        self._sources = [TopicPartition(topics.GATEWAYS.name, number) for number in range(partitions)]
        self._seen = Seen(0.0, reached=False)
        self._looked_s = float("-inf")
        self._lock = threading.Lock()

    def seen(self) -> Seen:
        """Return what is seen; it waits for Kafka, and for somebody else who asks at this moment."""
        with self._lock:
            if time.monotonic() - self._looked_s >= KEPT_S:
                try:
                    self._seen = self._look()
                except KafkaError as error:
                    log.warning("kafka_not_seen", error=type(error).__name__)
                    self._seen = Seen(time.time(), reached=False)
                self._looked_s = time.monotonic()
            return self._seen

    def _look(self) -> Seen:
        with closing(self._admin()) as admin, closing(self._reader()) as reader:
            groups = [_group(admin, reader, service) for service in SERVICES]
            gateways = self._gateways(reader)
        return Seen(time.time(), reached=True, groups=groups, gateways=gateways)

    def _gateways(self, reader: KafkaConsumer) -> list[GatewayStatus]:
        found: dict[str, GatewayStatus] = {}
        for _, record in records(reader, self._sources):
            with suppress(BadRecordError):
                said = decode_as(GatewayStatus, record.value or b"")
                found[said.gateway] = said
        oldest_ns = time.time_ns() - GONE_NS
        return sorted((g for g in found.values() if g.time_ns > oldest_ns), key=lambda g: g.gateway)


def _group(admin: KafkaAdminClient, reader: KafkaConsumer, service: Service) -> Group:
    name = ACCESS[service].group
    try:
        said = admin.describe_groups([name])[name]
    except GroupIdNotFoundError:  # nobody has ever asked for it
        return Group(str(service), 0, 0)
    members = 0 if said["error"] else len(said["members"])
    done = {spot: at.offset for spot, at in admin.list_group_offsets(name)[name].items() if at.offset >= 0}
    ends = end_offsets(reader, list(done)) if done else {}
    return Group(str(service), members, sum(max(0, ends[spot] - offset) for spot, offset in done.items()))
