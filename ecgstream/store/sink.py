"""The sink: from the topics into the database, at least once and idempotent.

A flush, at most every quarter of a second:

1. what the records gave since the last one goes to the database, in one transaction. Of trace blocks, which
   take the longest and are due all at once where devices began together, only some go along; the others wait
   for the next flush, which follows at once, so that no alert waits for all of them;
2. the offsets behind these records are noted in the database, in topics of signals only as far as no trace
   block is open or waits;
3. the same offsets are committed.

Ended in between, the records are read again and change nothing. A database that says, when we connect, that
it has not come as far as was committed, was brought back from a backup: what it lacks is read again. With the
database away the sink stops reading, keeps what it has, and tries again; nothing is committed, so nothing is
lost if it ends meanwhile. When it comes back, and wherever more waits than can be written, ``precedence``
says what is read first. At a rebalance, what is not flushed of a partition is forgotten, and its owner reads
it again (``member``).
"""

import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
import structlog
from kafka import TopicPartition

from ecgstream.broker.access import Service
from ecgstream.broker.ready import be_ready
from ecgstream.clients import consumer
from ecgstream.lifecycle import set_up_logging, stop_on_signals
from ecgstream.member import Member
from ecgstream.metrics import Health, serve
from ecgstream.settings import Settings
from ecgstream.store import metrics, rows
from ecgstream.store.connection import connect
from ecgstream.store.precedence import Precedence
from ecgstream.store.rows import Rows
from ecgstream.store.traces import Block, TraceBuilder
from ecgstream.store.writer import Writer
from schemas import topics
from schemas.bundle import Bundle
from schemas.codec import decode
from schemas.errors import BadRecordError
from schemas.records import Control

GROUP = "sink"
SIGNALS = (topics.INGEST.name, topics.BACKFILL.name)
TOPICS = (*SIGNALS, *rows.OF)
FLUSH_S = 0.25
FLUSH_ROWS = 20_000
FLUSH_BLOCKS = 500
BLOCKS_SHARE = 0.25
"""Of the waiting blocks, what a flush writes at least: so no more than four times what a poll brings wait."""
IDLE_S = 15.0  # after which the open blocks of a silent device are written
FIRST_BACKOFF_S = 0.25
MAX_BACKOFF_S = 5.0

log = structlog.get_logger()


@dataclass(slots=True)
class Counts:
    """What a sink has done since it started."""

    records: int = 0
    rows: int = 0
    blocks: int = 0
    flushes: int = 0
    bad: int = 0
    failures: int = 0


@dataclass(frozen=True, slots=True)
class _Taken:
    """The rows of one record."""

    source: TopicPartition
    offset: int
    rows: Rows


class Sink:
    """Moves records into the database; one thread calls ``step`` again and again."""

    def __init__(
        self,
        member: Member,
        connect_database: Callable[[], psycopg.Connection],
        *,
        clock: Callable[[], float] = time.monotonic,
        idle_s: float = IDLE_S,
    ) -> None:
        self.counts = Counts()
        self._member = member
        self._connect = connect_database
        self._clock = clock
        self._idle_s = idle_s
        self._writer: Writer | None = None
        self._builder = TraceBuilder()
        self._taken: list[_Taken] = []
        self._blocks: list[Block] = []
        self._waiting_rows = 0
        self._precedence = Precedence()
        self._known: set[TopicPartition] = set()  # of which we know where they end
        self._checked: set[TopicPartition] = set()  # of which the database has what was committed
        self._noted: dict[TopicPartition, int] = {}
        self._next: dict[TopicPartition, int] = {}
        self._flush_at = clock() + FLUSH_S
        self._backoff_s = 0.0  # above 0: the database is away

    def run(self, stop: threading.Event, health: Health | None = None) -> None:
        """Work until ``stop`` is set, then write what is open and leave the group."""
        health = health or Health()
        self._member.join(TOPICS)
        try:
            while not stop.is_set():
                self.step()
                health.beat()
                health.ready(bool(self._member.assignment) and not self._backoff_s)
            self.finish()
        finally:
            self.close()
            self._member.leave()

    def step(self) -> None:
        """Read what is there, and flush if it is time."""
        left_s = max(0.0, self._flush_at - self._clock())
        revoked, found = self._member.poll(min(left_s, FLUSH_S))
        self._forget(revoked)
        for source, records in found.items():
            for record in records:
                self._take(source, record)
        self._hold(found)
        full = self._waiting_rows >= FLUSH_ROWS and not self._backoff_s
        if full or self._clock() >= self._flush_at:
            self._flush()

    def _hold(self, came: Collection[TopicPartition]) -> None:
        """Read nothing while the database is away, else what comes first."""
        mine = self._member.assignment
        if self._backoff_s:
            self._known = set()
            self._member.hold(mine)
            return
        if self._known != mine:
            self._known = mine
            self._precedence = Precedence()
            self._member.look()
        self._member.hold(self._precedence.held(self._member.waiting(), came, self._clock()))

    def finish(self) -> None:
        """Write what is open, so that the next sink need not read it again."""
        self._forget(self._member.revoked())
        self._blocks += self._builder.drain()
        self._flush()
        while self._blocks and not self._backoff_s:
            self._flush()

    def close(self) -> None:
        """Close the connection to the database; ``step`` would open it again."""
        self._checked, self._noted = set(), {}
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _take(self, source: TopicPartition, record: Any) -> None:
        try:
            made = self._rows(source, record)
        except BadRecordError as error:
            # The worker puts it among the dead letters; its content may be a patient's, so none is logged.
            self.counts.bad += 1
            metrics.BAD.inc()
            at = {"topic": source.topic, "partition": source.partition, "offset": record.offset}
            log.warning("bad_record", error=type(error).__name__, **at)
            made = {}
        if made:
            self._taken.append(_Taken(source, record.offset, made))
            self._waiting_rows += sum(map(len, made.values()))
        self._next[source] = record.offset + 1
        self.counts.records += 1
        metrics.RECORDS.inc()

    def _rows(self, source: TopicPartition, record: Any) -> Rows:
        if record.value is None:
            return {}  # the tombstone of a compacted topic
        if source.topic not in SIGNALS:
            return rows.OF[source.topic](record.value)
        content = decode(record.value)
        if isinstance(content, Control):
            return rows.of_control(content, record.value, record.offset)
        if not isinstance(content, Bundle):
            return {}  # the worker puts it among the dead letters
        self._builder.add(content, source, record.offset, self._clock())
        return rows.of_bundle(content, record.offset)

    def _forget(self, revoked: set[TopicPartition]) -> None:
        self._checked -= revoked
        self._known -= revoked  # the member has forgotten where it was, though they may be ours again
        for gone in revoked:
            self._next.pop(gone, None)
            self._builder.discard(gone)
            self._blocks = [b for b in self._blocks if b.source != gone]
        if revoked:
            self._taken = [t for t in self._taken if t.source not in revoked]
            self._waiting_rows = sum(len(r) for t in self._taken for r in t.rows.values())

    def _flush(self) -> None:
        self._builder.close_idle(self._clock() - self._idle_s)
        self._blocks += self._builder.take()
        try:
            if self._backoff_s:
                self._opened()  # whether it is back is asked even if there is nothing to write
            self._look_back()  # which may forget some of what waits
            blocks = self._blocks[: max(FLUSH_BLOCKS, round(BLOCKS_SHARE * len(self._blocks)))]
            if self._taken or blocks:
                self._write(self._taken, blocks)
            offsets = self._offsets(self._blocks[len(blocks) :])
            self._note(offsets)
        except psycopg.Error as error:
            self._wait(error)
            return
        self.counts.rows += self._waiting_rows
        self.counts.blocks += len(blocks)
        metrics.written((t.rows for t in self._taken), len(blocks))
        self._taken, self._waiting_rows = [], 0
        del self._blocks[: len(blocks)]
        self._member.commit(offsets)
        self._flush_at = self._clock() + (0.0 if self._blocks else FLUSH_S)
        if self._backoff_s:
            self._backoff_s = 0.0
            metrics.DATABASE_AWAY.set(0)
            log.info("database_back")

    def _write(self, taken: Sequence[_Taken], blocks: Sequence[Block]) -> None:
        """Write; where the database refuses a value, all but the records that hold it."""
        writer = self._opened()
        try:
            writer.write((t.rows for t in taken), blocks)
        except (psycopg.DataError, psycopg.IntegrityError) as error:
            if len(taken) + len(blocks) > 1:
                for some, others in _halves(taken, blocks):
                    self._write(some, others)
                return
            self.counts.bad += 1
            metrics.BAD.inc()
            at = [(t.source.topic, t.source.partition, t.offset) for t in taken]
            at += [(*b.source, b.offset) for b in blocks]
            log.warning("record_refused", error=type(error).__name__, sqlstate=error.sqlstate, at=at)
        self.counts.flushes += 1
        metrics.FLUSHES.inc()

    def _wait(self, error: psycopg.Error) -> None:
        metrics.DATABASE_AWAY.set(1)
        if not self._backoff_s:
            log.error("database_away", error=type(error).__name__, sqlstate=error.sqlstate, exc_info=error)
        self.close()
        self._member.hold(self._member.assignment)  # at once, not behind the next poll
        self._backoff_s = min(max(2 * self._backoff_s, FIRST_BACKOFF_S), MAX_BACKOFF_S)
        self._flush_at = self._clock() + self._backoff_s
        self.counts.failures += 1  # last: whoever sees it from another thread sees that it is away
        metrics.FAILURES.inc()

    def _opened(self) -> Writer:
        if self._writer is None:
            self._writer = Writer(self._connect())
        return self._writer

    def _look_back(self) -> None:
        """Go back where the database knows less than was committed."""
        member = self._member
        begun = {p: member.begun(p) for p in member.assignment - self._checked}
        known = {p: offset for p, offset in begun.items() if offset is not None}
        if not known:
            return
        stored = self._opened().positions()
        behind = {p: stored[p] for p, offset in known.items() if stored.get(p, offset) < offset}
        if behind:
            log.warning("database_is_older", read_again=sum(known[p] - o for p, o in behind.items()))
            self._forget({*behind})
            member.go_back(behind)
        self._checked |= {*known}

    def _offsets(self, waiting: Sequence[Block]) -> dict[TopicPartition, int]:
        """Return before which offsets everything is written, where these blocks are not."""
        low = self._builder.low()
        for block in waiting:
            low[block.source] = min(low.get(block.source, block.offset), block.offset)
        return {source: min(offset, low.get(source, offset)) for source, offset in self._next.items()}

    def _note(self, offsets: dict[TopicPartition, int]) -> None:
        new = {p: offset for p, offset in offsets.items() if self._noted.get(p) != offset}
        if new:
            self._opened().note(new)
            self._noted |= new


def _halves(
    taken: Sequence[_Taken], blocks: Sequence[Block]
) -> list[tuple[Sequence[_Taken], Sequence[Block]]]:
    if taken and blocks:
        return [(taken, ()), ((), blocks)]
    t, b = len(taken) // 2, len(blocks) // 2
    return [(taken[:t], blocks[:b]), (taken[t:], blocks[b:])]


def run(settings: Settings) -> None:
    """Run the sink until SIGTERM or Ctrl-C."""
    set_up_logging(settings, "sink")
    be_ready(settings, Service.SINK)
    url = settings.database.get_secret_value()
    with serve(settings, "sink") as health, stop_on_signals() as stop:
        sink = Sink(
            Member(consumer(settings, GROUP)),
            lambda: connect(url, name="ecgstream-sink", role="ecg_sink"),
            idle_s=IDLE_S / settings.clock_rate,
        )
        log.info("sink_started")
        sink.run(stop, health)
        log.info("sink_stopped", records=sink.counts.records, bad=sink.counts.bad)
