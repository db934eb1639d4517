"""A member of a consumer group that reads each partition from the committed offset after every rebalance.

kafka-python calls its listener on a thread of its own, and keeps the position of a partition that stays with
its owner through a rebalance. So a service that forgets at a rebalance what it had not finished would go on
behind it: the listener here only notes, and ``poll`` goes back.
"""

import threading
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import structlog
from kafka import ConsumerRebalanceListener, KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.errors import IllegalStateError, KafkaError, KafkaTimeoutError

PATIENCE_MS = 5_000

log = structlog.get_logger()


class _Notes(ConsumerRebalanceListener):  # type: ignore[misc]
    """Notes partitions that are taken away, and mends a rejoin that would hang.

    A group's leader rejoins when it sees other partitions than before (often just after the start, when the
    metadata comes behind the first assignment). kafka-python 3.0 then forgets why it rejoins as soon as it
    has made the new assignment: if ``poll`` has timed out meanwhile, it never takes up the answer, sends no
    heartbeat any more, and reads nothing for ever. Asked for the rejoin explicitly, it remembers.
    """

    def __init__(self, consumer: KafkaConsumer) -> None:
        self._consumer = consumer
        self._lock = threading.Lock()
        self._revoked: set[TopicPartition] = set()

    def on_partitions_revoked(self, revoked: Any) -> None:
        with self._lock:
            self._revoked |= set(revoked)
        self._consumer._coordinator.request_rejoin()  # there is no public way

    def on_partitions_lost(self, lost: Any) -> None:
        with self._lock:
            self._revoked |= set(lost)

    def on_partitions_assigned(self, assigned: Any) -> None:
        pass

    def take(self) -> set[TopicPartition]:
        with self._lock:
            revoked, self._revoked = self._revoked, set()
        return revoked


class Member:
    """A consumer in its group; one thread polls."""

    def __init__(self, consumer: KafkaConsumer) -> None:
        self._consumer = consumer
        self._notes = _Notes(consumer)
        # What we committed last, else where we began: known without asking the broker, which may be slow at a
        # rebalance. If another member owned a partition for a moment, this is too early, and harmless.
        self._safe: dict[TopicPartition, int] = {}
        self._committed: dict[TopicPartition, tuple[int, str]] = {}
        self._read: dict[TopicPartition, int] = {}  # the offset behind the last record that was returned
        self._ends: dict[TopicPartition, int] = {}

    def join(self, topics: Iterable[str]) -> None:
        """Join the group; partitions come with ``poll``."""
        names = list(topics)
        for name in names:
            self._consumer.partitions_for_topic(name)  # else the first assignment may be an empty one
        self._consumer.subscribe(names, listener=self._notes)

    @property
    def assignment(self) -> set[TopicPartition]:
        """The partitions that are ours."""
        return set(self._consumer.assignment() or ())

    def poll(self, timeout_s: float) -> tuple[set[TopicPartition], dict[TopicPartition, list[Any]]]:
        """Return the partitions of which all that is not committed must be forgotten, then new records.

        Of a broker that is away there are none; what cannot get better by itself is raised.
        """
        self._clear_used_up()
        found = self._polled(timeout_s)
        for source, records in found.items():
            self._safe.setdefault(source, records[0].offset)
            self._read[source] = records[-1].offset + 1
        revoked = self.revoked()
        self.rewind(revoked)
        # Whether records of these were read before or after the rebalance is not sure; they come again.
        return revoked, {source: records for source, records in found.items() if source not in revoked}

    def _polled(self, timeout_s: float) -> dict[TopicPartition, list[Any]]:
        began_s = time.monotonic()
        try:
            return dict(self._consumer.poll(timeout_ms=max(1, int(timeout_s * 1000))))
        except KafkaError as error:
            # While it looks for its group's coordinator, kafka-python fails here with what each attempt to
            # connect fails with; at all other times it tries again by itself.
            if not error.retriable:
                raise
            log.warning("not_polled", error=type(error).__name__)
        time.sleep(max(0.0, began_s + timeout_s - time.monotonic()))
        return {}

    def _clear_used_up(self) -> None:
        """Let kafka-python take up again what it put aside of a partition that was held.

        Records that were fetched but not yet returned when their partition was paused are put aside, and the
        partition is not fetched while they lie there. kafka-python 3.0 takes them up only where nothing is in
        line (``is None``), and leaves a used-up batch in line: without this, such a partition would be silent
        for ever. There is no public way.
        """
        fetcher = self._consumer._fetcher
        if not fetcher._next_partition_records:
            fetcher._next_partition_records = None

    def revoked(self) -> set[TopicPartition]:
        """Return the partitions that a rebalance took away since the last call, even if they came back."""
        return self._notes.take()

    def rewind(self, partitions: Iterable[TopicPartition]) -> None:
        """Read these partitions again from their committed offsets, where they are ours."""
        mine = self.assignment
        for partition in partitions:
            self._committed.pop(partition, None)
            self._read.pop(partition, None)
            if partition not in mine:
                self._safe.pop(partition, None)
            elif partition in self._safe:
                self.read_from(partition, self._safe[partition])

    def commit(
        self, offsets: Mapping[TopicPartition, int], notes: Mapping[TopicPartition, str] | None = None
    ) -> bool:
        """Commit offsets where they have changed; say whether the broker took them.

        ``notes``: what is to be known with an offset (``noted``).
        """
        given = {p: (offset, (notes or {}).get(p, "")) for p, offset in offsets.items()}
        wanted = {p: told for p, told in given.items() if self._committed.get(p) != told}
        if not wanted:
            return True
        records = {p: OffsetAndMetadata(offset, note, -1) for p, (offset, note) in wanted.items()}
        try:
            self._consumer.commit(records, timeout_ms=PATIENCE_MS)
        except KafkaError as error:
            # A rebalance, or a broker that is away: what is done is done, and may be read again.
            log.warning("commit_refused", error=type(error).__name__)
            return False
        self._committed |= wanted
        self._safe |= {p: offset for p, (offset, _) in wanted.items()}
        return True

    def noted(self, partition: TopicPartition) -> tuple[int, str] | None:
        """Return a partition's committed offset, and what was committed with it.

        Raises:
            KafkaError: the broker does not say.
        """
        found = self._consumer.committed(partition, metadata=True, timeout_ms=PATIENCE_MS)
        return None if found is None else (found.offset, found.metadata)

    def read_from(self, partition: TopicPartition, offset: int) -> None:
        """Read a partition on from an offset, where it is ours."""
        with suppress(ValueError):  # it is not ours any more
            self._consumer.seek(partition, offset)
            self._read[partition] = offset

    def look(self) -> None:
        """Find out where our partitions end, and where we are in those of which nothing has come yet."""
        mine = self.assignment
        try:
            self._ends = end_offsets(self._consumer, list(mine))
            for partition in mine - {*self._read}:
                position = self._consumer.position(partition, timeout_ms=PATIENCE_MS)
                if position is not None:
                    self._read[partition] = position
        except KafkaError as error:
            # No longer ours, or a broker that is away: ``waiting`` knows less, until records come.
            log.warning("ends_unknown", error=type(error).__name__)

    def waiting(self) -> dict[TopicPartition, int]:
        """Return how many records are known to wait in each partition that is ours."""
        found = {}
        for partition in self.assignment:
            with suppress(IllegalStateError, KeyError):  # it is not ours any more
                end = max(self._consumer.highwater(partition) or 0, self._ends.get(partition, 0))
                found[partition] = max(0, end - self._read.get(partition, end))
        return found

    def begun(self, partition: TopicPartition) -> int | None:
        """Return what we committed of a partition last, else where we began; ``None``: not known yet."""
        return self._safe.get(partition, self._read.get(partition))

    def go_back(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Read partitions again from these offsets, which lie before what was committed."""
        self._safe |= offsets
        self.rewind(offsets)

    def hold(self, held: Collection[TopicPartition]) -> None:
        """Read nothing of these partitions for now, and all others; stay in the group."""
        paused = self._consumer.paused()
        for partition in self.assignment:
            if (partition in held) != (partition in paused):
                with suppress(KeyError):  # it is not ours any more
                    (self._consumer.pause if partition in held else self._consumer.resume)(partition)

    def leave(self) -> None:
        """Leave the group without committing anything more."""
        self._consumer.close(autocommit=False)


def end_offsets(consumer: KafkaConsumer, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
    """Return the offsets behind the last records.

    Of a topic that was made a moment ago, kafka-python leaves partitions out whose leader it has not heard
    of, and fails with ``KeyError``.

    Raises:
        KafkaTimeoutError: it has not heard of them in five seconds.
    """
    deadline = time.monotonic() + PATIENCE_MS / 1000
    while True:
        try:
            return dict(consumer.end_offsets(list(partitions)))
        except KeyError as error:
            if time.monotonic() > deadline:
                raise KafkaTimeoutError(f"no leader of {error}") from error
            time.sleep(0.1)
