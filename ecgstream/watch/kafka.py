"""Looking at Kafka: how far its log and its readers are, how many copies there are, what gateways say.

It takes rights to see topics and groups, and to read what gateways say of themselves; of any patient's data
it reads nothing.
"""

import time
from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Any

import structlog
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from kafka.net.compat import KafkaNetClient
from kafka.protocol.consumer.offsets import OffsetSpec

from ecgstream import clients
from ecgstream.broker.access import ACCESS, Service
from ecgstream.broker.errors import BrokerError
from ecgstream.broker.ready import lacking
from ecgstream.settings import Settings
from ecgstream.watch.rules.limits import BEHIND_S
from ecgstream.watch.rules.pipeline import FOLLOWED, SIGNS
from ecgstream.watch.sight import Copies, Disk, Gateway, Gateways, Group, Log, Spot
from schemas import codec, topics
from schemas.errors import BadRecordError
from schemas.records import GatewayStatus

REQUEST_MS = 5_000
OLD_EVERY_S = 5.0
"""How often it is asked what is old: it takes two questions more."""
GONE_S = 7 * 86_400.0
"""A gateway that has been silent for so long is none any more."""
_UNKNOWN_GROUP = ("GroupIdNotFound", "GROUP_ID_NOT_FOUND")

log = structlog.get_logger()


class Admin:
    """An admin client that is made when it is needed, and anew after every failure."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._made: KafkaAdminClient | None = None

    def __enter__(self) -> KafkaAdminClient:
        if self._made is None:
            self._made = self._connect()
        return self._made

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        if kind is not None:
            self.close()

    def close(self) -> None:
        """Close it, if there is one."""
        made, self._made = self._made, None
        if made is not None:
            made.close()

    def _connect(self) -> KafkaAdminClient:
        started: list[KafkaNetClient] = []

        def start(**more: Any) -> KafkaNetClient:
            started.append(KafkaNetClient(**more))
            return started[-1]

        try:
            return KafkaAdminClient(
                **clients.connection(self._settings),
                kafka_client=start,
                request_timeout_ms=REQUEST_MS,
                bootstrap_timeout_ms=REQUEST_MS,
                reconnect_backoff_max_ms=1000,
            )
        except BaseException:
            for client in started:  # else its thread lives on, one more with every try
                client.close()
                client._net.stop()
            raise


class LogLook:
    """Looks how far the topics and the groups are."""

    def __init__(self, settings: Settings) -> None:
        self._admin = Admin(settings)
        self._spots: list[Spot] = []
        self._old: dict[int, int] = {}
        self._old_s = float("-inf")
        seen = (*chain.from_iterable(FOLLOWED.values()), *SIGNS, topics.GATEWAYS, topics.AUDIT_HEADS)
        self._topics = sorted({t.name for t in seen})

    def __call__(self, now_s: float) -> Log:
        """Return what is seen."""
        with self._admin as admin:
            if not self._spots:
                _check_rights(admin)
                self._spots = _spots(admin, self._topics)
            # The groups first: whoever gets on meanwhile is not ahead of the log's end.
            offsets = admin.list_group_offsets(dict.fromkeys(FOLLOWED, None))
            members = _members(admin)
            ends = _offsets(admin, self._spots, OffsetSpec.LATEST)
            groups = {}
            for group, followed in FOLLOWED.items():
                names = {t.name for t in followed}
                mine = [spot for spot in self._spots if spot[0] in names]
                groups[group] = Group(members[group], _done(admin, mine, offsets[group]))
            if now_s - self._old_s >= OLD_EVERY_S:
                self._old, self._old_s = _old(admin, ends), now_s
        return Log(now_s, ends, groups, self._old)

    def close(self) -> None:
        """Close the client."""
        self._admin.close()


def _check_rights(admin: KafkaAdminClient) -> None:
    missing = sorted(map(str, lacking(admin, Service.WATCH)))
    if missing:
        raise BrokerError(
            f"we may not {', '.join(missing)}: an admin must run `ecgstream kafka grant watch USER`"
        )


def _spots(admin: KafkaAdminClient, names: Iterable[str]) -> list[Spot]:
    found = admin.describe_topics(list(names))
    if missing := sorted(topic["name"] for topic in found if topic["error_code"] or not topic["partitions"]):
        raise BrokerError(f"the broker knows nothing of {', '.join(missing)}: `ecgstream kafka topics` first")
    return [(topic["name"], p["partition_index"]) for topic in found for p in topic["partitions"]]


def _offsets(admin: KafkaAdminClient, spots: Iterable[Spot], spec: int) -> dict[Spot, int]:
    wanted = {TopicPartition(*spot): spec for spot in spots}
    if not wanted:
        return {}
    found = admin.list_partition_offsets(wanted, timeout_ms=REQUEST_MS)
    return {(tp.topic, tp.partition): at.offset for tp, at in found.items()}


def _members(admin: KafkaAdminClient) -> dict[str, int | None]:
    found = {}
    for group, said in admin.describe_groups(list(FOLLOWED)).items():
        error = said["error"] or ""
        if error and not any(words in error for words in _UNKNOWN_GROUP):
            raise KafkaError(f"group {group}: {error}")
        found[group] = None if error or said["group_state"] == "Dead" else len(said["members"])
    return found


def _done(admin: KafkaAdminClient, spots: Iterable[Spot], offsets: Mapping[Any, Any]) -> dict[Spot, int]:
    """Return up to where a group has committed, else where the log begins."""
    done = {(tp.topic, tp.partition): at.offset for tp, at in offsets.items() if at.offset >= 0}
    fresh = [spot for spot in spots if spot not in done]
    begins = _offsets(admin, fresh, OffsetSpec.EARLIEST)
    return {spot: done.get(spot, begins.get(spot, 0)) for spot in spots}


def _old(admin: KafkaAdminClient, ends: Mapping[Spot, int]) -> dict[int, int]:
    """Return, of the ingest topic, the offset behind what came ``BEHIND_S`` before the newest record.

    By the broker's clock alone, which stamps these records; ours may be wrong.
    """
    ingest = [spot for spot in ends if spot[0] == topics.INGEST.name and ends[spot]]
    if not ingest:
        return {}
    newest = admin.list_partition_offsets(
        {TopicPartition(*spot): OffsetSpec.MAX_TIMESTAMP for spot in ingest}, timeout_ms=REQUEST_MS
    )
    before = {tp: at.timestamp - round(BEHIND_S * 1000) for tp, at in newest.items() if at.timestamp > 0}
    if not before:
        return {}
    found = admin.list_partition_offsets(before, timeout_ms=REQUEST_MS)
    return {tp.partition: at.offset for tp, at in found.items() if at.offset >= 0}


class CopiesLook:
    """Looks how many copies of the partitions there are."""

    def __init__(self, settings: Settings) -> None:
        self._admin = Admin(settings)

    def __call__(self, now_s: float) -> Copies:
        """Return what is seen."""
        with self._admin as admin:
            names = [t.name for t in ACCESS[Service.WATCH].topics]
            partitions = [p for topic in admin.describe_topics(names) for p in topic["partitions"]]
        leaderless = sum(p["leader_id"] < 0 for p in partitions)
        thin = sum(len(p["isr_nodes"]) < len(p["replica_nodes"]) for p in partitions)
        return Copies(now_s, leaderless, thin)

    def close(self) -> None:
        """Close the client."""
        self._admin.close()


class BrokerDisksLook:
    """Looks how full the brokers' disks are."""

    def __init__(self, settings: Settings) -> None:
        self._admin = Admin(settings)

    def __call__(self, _now_s: float) -> Mapping[str, Disk]:
        """Return them by name."""
        with self._admin as admin:
            said = admin.describe_log_dirs([topics.GATEWAYS.name])
            if not all(broker["log_dirs"] for broker in said):
                raise BrokerError("Kafka shows no disks to us: we may not DESCRIBE CLUSTER")
        disks = [_disk(broker["broker"], folder) for broker in said for folder in broker["log_dirs"]]
        return {disk.name: disk for disk in disks if disk.total > 0 or disk.trouble}

    def close(self) -> None:
        """Close the client."""
        self._admin.close()


def _disk(broker: int, folder: Mapping[str, Any]) -> Disk:
    name = f"broker {broker} {folder['log_dir']}"
    if folder["error_code"]:
        return Disk(name, trouble=f"Kafka's error {folder['error_code']}")
    return Disk(name, folder["usable_bytes"], folder["total_bytes"])


class GatewaysLook:
    """Reads what gateways say, from the beginning of their topic; after a failure from where it was."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._consumer: KafkaConsumer | None = None
        self._of: dict[str, Gateway] = {}
        self._read: dict[Spot, int] = {}

    def __call__(self, now_s: float) -> Gateways:
        """Return the newest of each gateway."""
        try:
            consumer = self._consumer = self._consumer or self._connect()
            found = consumer.poll(timeout_ms=300, max_records=5000)
            for tp in consumer.assignment():
                for record in found.get(tp, ()):
                    self._take(record, now_s)
                spot = (tp.topic, tp.partition)
                if tp in found or spot not in self._read:
                    self._read[spot] = consumer.position(tp, timeout_ms=REQUEST_MS)
        except BaseException:
            self.close()
            raise
        return Gateways(now_s, dict(self._read), dict(self._of))

    def close(self) -> None:
        """Close the consumer."""
        made, self._consumer = self._consumer, None
        if made is not None:
            made.close(autocommit=False)

    def _connect(self) -> KafkaConsumer:
        consumer = clients.reader(self._settings)
        partitions = consumer.partitions_for_topic(topics.GATEWAYS.name) or set()
        consumer.assign([TopicPartition(topics.GATEWAYS.name, p) for p in sorted(partitions)])
        consumer.seek_to_beginning()
        for tp in consumer.assignment():
            if (read := self._read.get((tp.topic, tp.partition))) is not None:
                consumer.seek(tp, read)  # what was heard before is not heard again
        return consumer

    def _take(self, record: Any, now_s: float) -> None:
        if record.value is None:
            self._of.pop((record.key or b"").decode(errors="replace"), None)
            return
        try:
            status = codec.decode_as(GatewayStatus, record.value)
        except BadRecordError as error:
            log.warning("bad_record", partition=record.partition, offset=record.offset, reason=str(error))
            return
        if time.time() - record.timestamp / 1000 > GONE_S:
            return
        oldest_s = 0.0 if status.oldest_ns is None else (status.time_ns - status.oldest_ns) / 1e9
        lost_s = None if status.lost_ns is None else (status.time_ns - status.lost_ns) / 1e9
        self._of[status.gateway] = Gateway(
            now_s,
            oldest_s,
            status.spooled_records,
            status.disk_free_bytes if status.disk_free_bytes > 0 else None,
            {
                "numbers": status.lost_numbers,
                "wave_s": status.lost_wave_s,
                "ecg_s": status.lost_ecg_s,
                "records": status.lost_records,
            },
            lost_s,
        )
