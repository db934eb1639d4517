"""Who may do what on a closed broker: the one table. What does not stand here is refused.

Kafka's authorizer lets nobody do what no rule allows (``allow.everyone.if.no.acl.found=false``). READ or
WRITE of a topic and READ of a group include seeing it (DESCRIBE); an idempotent producer needs no more than
WRITE (KIP-679; Kafka documentation, *Authorization and ACLs*).

What rules cannot say: which partitions of the ingest topic a gateway writes, and for which devices. That a
device is who it says it is, its gateway checks.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from schemas import topics
from schemas.topics import Topic


class Service(StrEnum):
    """Who comes to the broker. A service has as many users as it has places it runs at."""

    GATEWAY = "gateway"
    WORKER = "worker"
    SINK = "sink"
    PAGER = "pager"
    DESK = "desk"
    WEB = "web"
    MONITOR = "monitor"
    REGISTRY = "registry"
    WATCH = "watch"
    SEALER = "sealer"
    ADMIN = "admin"


class Right(NamedTuple):
    """One thing that may be done, in Kafka's words: READ on TOPIC ``ecg.ingest``."""

    operation: str
    kind: str
    name: str

    def __str__(self) -> str:
        """Return it as it is shown to a person."""
        return f"{self.operation} {self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Access:
    """What a service may do.

    Args:
        reads: topics.
        writes: topics.
        group: the consumer group it is a member of; empty: none.
        sees: topics whose length and copies it sees, and nothing of what is in them.
        sees_groups: groups whose members and progress it sees.
        sees_cluster: it sees the brokers' disks, which Kafka shows to none but who also sees users' rights.
        administers: makes topics, users and rules, and sees which there are.
    """

    reads: tuple[Topic, ...] = ()
    writes: tuple[Topic, ...] = ()
    group: str = ""
    sees: tuple[Topic, ...] = ()
    sees_groups: tuple[str, ...] = ()
    sees_cluster: bool = False
    administers: bool = False

    @property
    def topics(self) -> tuple[Topic, ...]:
        """The topics that it has to do with."""
        names = {right.name for right in self.rights()}
        return tuple(t for t in topics.ALL if t.name in names)

    def rights(self) -> frozenset[Right]:
        """Return what the broker must allow.

        >>> sorted(map(str, ACCESS[Service.GATEWAY].rights()))[:2]
        ['READ TOPIC ecg.enrolment', 'WRITE TOPIC ecg.backfill']
        """
        found = {Right("READ", "TOPIC", t.name) for t in self.reads}
        found |= {Right("WRITE", "TOPIC", t.name) for t in self.writes}
        if self.group:
            found.add(Right("READ", "GROUP", self.group))
        found |= {Right("DESCRIBE", "TOPIC", t.name) for t in self.sees}
        found |= {Right("DESCRIBE", "GROUP", group) for group in self.sees_groups}
        if self.sees_cluster:
            found.add(Right("DESCRIBE", "CLUSTER", CLUSTER))
        if self.administers:
            found |= {Right(o, "CLUSTER", CLUSTER) for o in ("CREATE", "ALTER", "DESCRIBE")}
            found |= {Right("DESCRIBE", "TOPIC", t.name) for t in topics.ALL}
        return frozenset(found)


CLUSTER = "kafka-cluster"
"""What Kafka calls the cluster in its rules."""

ACCESS: dict[Service, Access] = {
    Service.GATEWAY: Access(
        reads=(topics.ENROLMENT,),
        writes=(topics.INGEST, topics.BACKFILL, topics.GATEWAYS, topics.REFUSED),
    ),
    Service.WORKER: Access(
        reads=(topics.INGEST, topics.BACKFILL, topics.SNAPSHOTS),
        writes=(
            topics.SNAPSHOTS,
            topics.BEATS,
            topics.RHYTHMS,
            topics.TRENDS,
            topics.CONDITIONS,
            topics.SEGMENTS,
            topics.STATUS,
            topics.DEAD_LETTERS,
            topics.AUDIT,
        ),
        group="ecgstream-worker",
    ),
    Service.SINK: Access(
        reads=(
            topics.INGEST,
            topics.BACKFILL,
            topics.BEATS,
            topics.RHYTHMS,
            topics.TRENDS,
            topics.CONDITIONS,
            topics.SEGMENTS,
            topics.ALERTS,
        ),
        writes=(topics.AUDIT,),
        group="sink",
    ),
    # Of the ingest topic it reads the seconds that a page shows.
    Service.PAGER: Access(
        reads=(
            topics.INGEST,
            topics.CONDITIONS,
            topics.ACKNOWLEDGEMENTS,
            topics.ALERTS,
            topics.NOTIFICATIONS,
            topics.ENROLMENT,
            topics.ROSTER,
        ),
        writes=(topics.ALERTS, topics.NOTIFICATIONS, topics.AUDIT),
        group="pager",
    ),
    # Where people look at alerts, take them on, and keep the roster: `ecgstream alert`, `ecgstream roster`.
    Service.DESK: Access(
        reads=(topics.ALERTS, topics.ROSTER), writes=(topics.ACKNOWLEDGEMENTS, topics.ROSTER, topics.AUDIT)
    ),
    # Of the signals, it draws strips; other programs keep the roster by it.
    Service.WEB: Access(
        reads=(topics.ALERTS, topics.INGEST, topics.ROSTER),
        writes=(topics.ACKNOWLEDGEMENTS, topics.ROSTER, topics.AUDIT),
    ),
    # What people watch, live; and how gateways and services stand.
    Service.MONITOR: Access(
        reads=(
            topics.INGEST,
            topics.STATUS,
            topics.BEATS,
            topics.CONDITIONS,
            topics.ALERTS,
            topics.ROSTER,
            topics.GATEWAYS,
        ),
        writes=(topics.ACKNOWLEDGEMENTS, topics.AUDIT),
        sees=(topics.BACKFILL, topics.RHYTHMS, topics.TRENDS, topics.SEGMENTS),
        sees_groups=("ecgstream-worker", "sink", "pager"),
    ),
    Service.REGISTRY: Access(writes=(topics.ENROLMENT, topics.INGEST, topics.ACKNOWLEDGEMENTS, topics.AUDIT)),
    Service.WATCH: Access(
        reads=(topics.GATEWAYS, topics.ROSTER),
        sees=tuple(t for t in topics.ALL if t not in (topics.GATEWAYS, topics.ROSTER)),
        sees_groups=("ecgstream-worker", "sink", "pager"),
        sees_cluster=True,
    ),
    # Who has done what comes into the audit log by it; it alone says how the log's chain ends.
    Service.SEALER: Access(
        reads=(
            topics.AUDIT,
            topics.AUDIT_HEADS,
            topics.ALERTS,
            topics.NOTIFICATIONS,
            topics.ACKNOWLEDGEMENTS,
            topics.ROSTER,
        ),
        writes=(topics.AUDIT_HEADS,),
    ),
    Service.ADMIN: Access(administers=True),
}
