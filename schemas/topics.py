"""The topics: what travels where, under which key, in which partition.

All topics of a device's data have the same number of partitions and are written to the partition of
its shard, so that one worker owns everything of a device. Topics are created by ``ecgstream`` before
anything starts; brokers never create them by themselves.
"""

from dataclasses import dataclass, field

MINUTE_MS = 60_000
DAY_MS = 24 * 60 * MINUTE_MS


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic's name and Kafka configuration; ``carries`` names the schemas of its records."""

    name: str
    carries: tuple[str, ...]
    config: dict[str, str] = field(default_factory=dict)


def _kept(days: float, **more: str) -> dict[str, str]:
    return {"cleanup.policy": "delete", "retention.ms": str(int(days * DAY_MS)), **more}


def _compacted(lag_ms: int, segment_ms: int = MINUTE_MS) -> dict[str, str]:
    # segment.ms: only closed segments are compacted. min.compaction.lag.ms: a stale record of a paused former
    # owner must not swallow the newer one before the present owner has written the next.
    return {
        "cleanup.policy": "compact",
        "segment.ms": str(segment_ms),
        "min.compaction.lag.ms": str(lag_ms),
        "min.cleanable.dirty.ratio": "0.2",
        "max.message.bytes": "1048576",
    }


# The broker's clock stamps the ingest topic: one clock for all gateways, never going back within a partition;
# the lost-link timers run on it. Kept for a week: longer than the oldest rewind.
INGEST = Topic("ecg.ingest", ("Bundle", "Control"), _kept(7, **{"message.timestamp.type": "LogAppendTime"}))
# What came later than it could be filled in, in the same partition; stamped as the ingest topic is.
BACKFILL = Topic(
    "ecg.backfill", ("Bundle", "Control"), _kept(7, **{"message.timestamp.type": "LogAppendTime"})
)
BEATS = Topic("ecg.beats", ("Beats",), _kept(7))
RHYTHMS = Topic("ecg.rhythms", ("Rhythms",), _kept(7))
TRENDS = Topic("ecg.trends", ("Trends",), _kept(7))
CONDITIONS = Topic("ecg.conditions", ("Condition",), _kept(7))
SEGMENTS = Topic("ecg.segments", ("Segment",), _kept(7))
STATUS = Topic("ecg.status", ("DeviceStatuses",), _kept(0.125))
ALERTS = Topic("ecg.alerts", ("Alert",), _compacted(10 * MINUTE_MS))
# The pager's notification log, keyed by idempotency key; what people say of alerts, in theirs.
NOTIFICATIONS = Topic("ecg.notifications", ("Notification",), _compacted(10 * MINUTE_MS))
ACKNOWLEDGEMENTS = Topic("ecg.acknowledgements", ("Acknowledgement",), _kept(7))
# Read whole at every restore, so closed and compacted soon. No lag is needed: its keys name their writer.
SNAPSHOTS = Topic("ecg.snapshots", ("Snapshot",), _compacted(0, segment_ms=MINUTE_MS // 4))
DEAD_LETTERS = Topic("ecg.dead-letters", ("DeadLetter",), _kept(30))
# What gateways could not take of devices. Apart from dead letters, by which the watch sees that workers work.
REFUSED = Topic("ecg.refused", ("Refusal",), _kept(30))
# Written by the registry, keyed by device; all that a gateway may read.
ENROLMENT = Topic("ecg.enrolment", ("Enrolment",), _compacted(MINUTE_MS))
# Keyed by gateway; how far each is behind.
GATEWAYS = Topic("ecg.gateways", ("GatewayStatus",), _compacted(MINUTE_MS))
# The duty roster under one key; who is called follows from the newest.
ROSTER = Topic("ecg.roster", ("Roster",), _compacted(MINUTE_MS))
# What services have to say to the audit log, until the sealer has put it there; and the chain's signed heads:
# a chain in the database that was cut is behind the newest of them.
AUDIT = Topic("ecg.audit", ("AuditEntry",), _kept(30))
AUDIT_HEADS = Topic("ecg.audit-heads", ("AuditHead",), _kept(3653))
# It is there, and empty, where a broker is of a training room: recordings may be played as live signals.
TRAINING = Topic("ecg.training", ())

ALL = (
    INGEST,
    BACKFILL,
    BEATS,
    RHYTHMS,
    TRENDS,
    CONDITIONS,
    SEGMENTS,
    STATUS,
    ALERTS,
    NOTIFICATIONS,
    ACKNOWLEDGEMENTS,
    SNAPSHOTS,
    DEAD_LETTERS,
    REFUSED,
    ENROLMENT,
    GATEWAYS,
    ROSTER,
    AUDIT,
    AUDIT_HEADS,
)


def partition_of(shard: int, partitions: int) -> int:
    """Return the partition of a shard.

    >>> partition_of(9, 4)
    1
    """
    return shard % partitions
