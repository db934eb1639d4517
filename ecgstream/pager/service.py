"""The pager's loop.

A step:

1. conditions and acknowledgements are read, and go through the stages (``alerts.pipeline``);
2. the alerts that changed are written to the partition that they came from, and the broker's acknowledgement
   is awaited;
3. what is to be told of them is written to the notification log as DUE, and that is awaited;
4. the offsets are committed, with a note of what must be read again since it waits (``note``);
5. pages that are DUE go to the sender, which hands them to the channel on a thread of its own;
6. what the channel has taken is written as SENT, in the next step.

Ended anywhere, it starts with what its own topics tell. Ended before 2, conditions are read again. Between 2
and 3: what must be told of an alert and stands in no entry of the log is found when the log is read. Between
3 and 4: conditions that are read again and have been answered change nothing. Between 5 and 6: the page is
sent again, with the same key, by which its receiver drops it. Where a write fails, what is in memory is
forgotten, and it is the same as after a start.

Conditions and acknowledgements of a partition come to the same pager: both topics have the same number of
partitions, all pagers subscribe to both, and the range assignor deals out topic by topic in the same order.
"""

import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import structlog
from kafka import KafkaProducer, TopicPartition
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.errors import KafkaError

from alerts.pipeline import Rules
from alerts.state import Event, is_no_alarm
from ecgstream import clients
from ecgstream.broker.access import Service
from ecgstream.broker.ready import be_ready
from ecgstream.clock import SignalClock
from ecgstream.lifecycle import set_up_logging, stop_on_signals
from ecgstream.links import links_of
from ecgstream.member import Member
from ecgstream.metrics import Health, serve
from ecgstream.pager import metrics
from ecgstream.pager.channels import Channels, channels_of
from ecgstream.pager.duty import Duty
from ecgstream.pager.note import Note
from ecgstream.pager.pages import Pages, StripOf
from ecgstream.pager.partition import Partition, Reach, Tombstone
from ecgstream.pager.recorded import Entry, read
from ecgstream.settings import Settings
from ecgstream.strips.strips import Strips
from schemas import topics
from schemas.codec import decode_as, encode
from schemas.errors import BadRecordError
from schemas.records import Acknowledgement, Alert, Condition, Notification

GROUP = "pager"
POLL_S = 0.2
ACK_PATIENCE_S = 10.0
RETRY_S = 0.5
MEASURE_S = 5.0
T = TypeVar("T")

log = structlog.get_logger()


@dataclass(slots=True)
class Counts:
    """What a pager has done since it started."""

    conditions: int = 0
    acknowledgements: int = 0
    alerts: int = 0
    bad: int = 0
    failures: int = 0


class Pager:
    """Answers conditions with alerts and pages; one thread calls ``step`` again and again.

    Args:
        member: of the pagers' group.
        producer: writes its topics.
        recorded: reads what these hold of some partitions.
        rules: of alerts.
        pages: go to the channels.
        reach: by which channels an account is reached.
        follow: brings what the rules know up to date.
        clock_ns: the signals' time, which ages are meant in: the wall clock, except in a play.
        signal_ns: what that clock shows at a time of the wall clock.
    """

    def __init__(
        self,
        member: Member,
        producer: KafkaProducer,
        recorded: Callable[[Iterable[int]], Iterable[Entry]],
        rules: Rules,
        pages: Pages,
        reach: Reach,
        *,
        follow: Callable[[], None] = lambda: None,
        clock_ns: Callable[[], int] = time.time_ns,
        signal_ns: Callable[[int], int] = lambda wall_ns: wall_ns,
    ) -> None:
        self.counts = Counts()
        self._member = member
        self._producer = producer
        self._recorded = recorded
        self._pages = pages
        self._reach = reach if pages else None
        self._rules = rules
        self._follow = follow
        self._clock_ns = clock_ns
        self._signal_ns = signal_ns
        self._partitions: dict[int, Partition] = {}
        self._read: dict[TopicPartition, int] = {}
        self._committed: dict[TopicPartition, int] = {}
        self._measured_ns = 0

    def run(self, stop: threading.Event, health: Health | None = None) -> None:
        """Work until ``stop`` is set, then leave the group."""
        health = health or Health()
        self._member.join([topics.CONDITIONS.name, topics.ACKNOWLEDGEMENTS.name])
        try:
            while not stop.is_set():
                worked = self.step()
                health.beat()
                health.ready(worked and bool(self._partitions))
                if not worked:
                    stop.wait(RETRY_S)
            self._finish()
        finally:
            self._member.leave()
            self._producer.close(timeout=ACK_PATIENCE_S)

    def step(self) -> bool:
        """Read what is there and answer it; say whether that worked, else it is tried again."""
        self._follow()
        revoked, found = self._member.poll(POLL_S)
        self._lose(revoked)
        try:
            self._rebuild(found)
            self._report()
            left = self._answer(found)
            self._commit()
            self._forget()
        except KafkaError as error:
            self.counts.failures += 1
            metrics.FAILURES.inc()
            log.warning("not_answered", error=type(error).__name__)
            self._partitions.clear()
            self._read.clear()
            self._member.rewind(self._member.assignment | set(found))
            return False
        self._member.rewind(left)  # taken away meanwhile; or ours again, then reread
        self._pages.send(self._partitions, self._clock_ns())
        self._measure()
        return not left

    def _lose(self, revoked: Collection[TopicPartition]) -> None:
        for source in revoked:
            self._partitions.pop(source.partition, None)
            self._read.pop(source, None)
        if revoked:
            self._pages.keep_only(self._partitions)
            self._acquaint()

    def _acquaint(self) -> None:
        """Let each partition know of the others: a site's devices may lie in several."""
        states = [partition.state for partition in self._partitions.values()]
        for state in states:
            state.siblings = tuple(other for other in states if other is not state)

    def _rebuild(self, found: dict[TopicPartition, list[Any]]) -> None:
        """Learn the alerts of partitions that are new to us, and what of them still must be told.

        Where conditions wait that lie before what is ``found`` of a partition, that is read again.
        """
        owned = {p.partition for p in self._member.assignment if p.topic == topics.CONDITIONS.name}
        new = sorted(owned - set(self._partitions))
        if not new:
            return
        now_ns = self._clock_ns()
        made = {number: self._partition(number, now_ns, found) for number in new}
        told = []
        for entry in self._recorded(new):
            made[entry.partition].learn(entry)
            if isinstance(entry.content, Notification):
                told.append(entry.content)
        self._pages.remember(told, now_ns)
        self._write([n for p in made.values() for n in p.owe(list(p.state.alerts.values()), now_ns)])
        self._partitions |= made
        self._acquaint()
        log.info("alerts_rebuilt", partitions=new, alerts=sum(len(p.state.alerts) for p in made.values()))

    def _partition(self, number: int, now_ns: int, found: dict[TopicPartition, list[Any]]) -> Partition:
        source = TopicPartition(topics.CONDITIONS.name, number)
        noted = self._member.noted(source)
        offset, text = noted or (0, "")
        note = Note.of(offset, text, now_ns)
        if noted is not None:
            self._committed[source], self._read[source] = offset, note.read_from
        if note.read_from < offset:
            self._member.read_from(source, note.read_from)
            found.pop(source, None)
        return Partition(number, self._rules, note.told, self._reach)

    def _answer(self, found: dict[TopicPartition, list[Any]]) -> set[TopicPartition]:
        """Write what records and the time call for; return the partitions whose records are not ours."""
        now_ns = self._clock_ns()
        alerts: list[Alert] = []
        owed: list[Notification] = []
        answered: dict[TopicPartition, int] = {}
        for number, partition in self._partitions.items():
            conditions = TopicPartition(topics.CONDITIONS.name, number)
            said = TopicPartition(topics.ACKNOWLEDGEMENTS.name, number)
            for source in (conditions, said):
                if records := found.get(source):
                    answered[source] = records[-1].offset + 1
            changed, to_tell = partition.answer(
                self._events(conditions, found.get(conditions, [])),
                self._said(said, found.get(said, [])),
                now_ns,
            )
            alerts += changed
            owed += to_tell
        self._write(alerts)
        self._write(owed)
        self.counts.alerts += len(alerts)
        for alert in (alert for alert in alerts if not is_no_alarm(alert)):
            metrics.ALERTS.labels(str(alert.priority)).inc()
        self._read |= answered
        return set(found) - set(answered)

    def _events(self, source: TopicPartition, records: Sequence[Any]) -> Iterator[Event]:
        for offset, condition in self._decoded(Condition, source, records):
            self.counts.conditions += 1
            metrics.CONDITIONS.inc()
            published_ns = self._signal_ns(condition.published_ns)
            yield Event(replace(condition, published_ns=published_ns), source.partition, offset)

    def _said(self, source: TopicPartition, records: Sequence[Any]) -> Iterator[Acknowledgement]:
        for _, said in self._decoded(Acknowledgement, source, records):
            self.counts.acknowledgements += 1
            log.info("acknowledgement", alert=said.alert, by=said.by, partition=source.partition)
            yield replace(said, at_ns=self._signal_ns(said.at_ns))

    def _decoded(
        self, kind: type[T], source: TopicPartition, records: Sequence[Any]
    ) -> Iterator[tuple[int, T]]:
        for record in records:
            try:
                yield record.offset, decode_as(kind, record.value or b"")
            except BadRecordError as error:
                self.counts.bad += 1
                metrics.BAD.inc()
                at = {"topic": source.topic, "partition": source.partition, "offset": record.offset}
                log.warning("bad_record", error=type(error).__name__, **at)

    def _write(self, records: Sequence[Alert | Notification]) -> None:
        """Write records, and return when the broker has them."""
        waiting = []
        for record in records:
            topic, key = (
                (topics.ALERTS, record.id)
                if isinstance(record, Alert)
                else (topics.NOTIFICATIONS, record.key)
            )
            value = encode(record)
            sent = self._producer.send(topic.name, value, key=key.encode(), partition=record.partition)
            waiting.append(sent)
        for future in waiting:
            future.get(timeout=ACK_PATIENCE_S)

    def _commit(self) -> None:
        """Commit what is answered; then what has long been over may be forgotten."""
        now_ns = self._clock_ns()
        over = {number: partition.turn(now_ns) for number, partition in self._partitions.items()}
        offsets, notes = dict(self._read), {}
        for number, partition in self._partitions.items():
            source = TopicPartition(topics.CONDITIONS.name, number)
            if source not in self._read:
                continue  # nothing was ever read of it
            held, read = partition.state.held(), self._read[source]
            notes[source] = str(Note(read if held is None else held, partition.state.told))
            # What is read again for what waits in it is behind what was committed.
            offsets[source] = self._committed[source] = max(self._committed.get(source, 0), read)
        if self._member.commit(offsets, notes):
            for number, alerts in over.items():
                self._partitions[number].may_forget(alerts)

    def _forget(self) -> None:
        """Forget alerts that are over, in memory and on the topics; where that fails, in an hour."""
        gone: list[Tombstone] = [t for partition in self._partitions.values() for t in partition.forget()]
        for t in gone:
            self._producer.send(t.topic, None, key=t.key.encode(), partition=t.partition)

    def _report(self) -> None:
        """Write down how attempts went."""
        now_ns = self._clock_ns()
        changed = self._pages.report(self._partitions, now_ns)
        told = [self._partitions[entry.partition].told_of(entry, now_ns) for entry in changed]
        self._write([*changed, *(alert for alert in told if alert is not None)])
        self._pages.written()

    def _measure(self) -> None:
        """Say how much is open, now and then: it takes a look at every alert."""
        now_ns = self._clock_ns()
        if abs(now_ns - self._measured_ns) < MEASURE_S * 1e9:
            return
        self._measured_ns = now_ns
        metrics.OPEN.set(sum(partition.open_alerts() for partition in self._partitions.values()))
        due = [at for partition in self._partitions.values() if (at := partition.due_since_ns()) is not None]
        metrics.OLDEST_DUE_SECONDS.set((now_ns - min(due)) / 1e9 if due else 0)

    def _finish(self) -> None:
        """End the sender, and write down what it has sent."""
        self._pages.stop()
        try:
            self._report()
        except KafkaError as error:
            log.warning("not_written", error=type(error).__name__)  # it is sent again, with the same key


def _link(settings: Settings) -> Callable[[str, str], str] | None:
    """Return what makes the links of pages; None: no web is named."""
    if not settings.web_url:
        return None
    return links_of(settings, Service.PAGER).to


def run(settings: Settings) -> None:
    """Run the pager until SIGTERM or Ctrl-C."""
    set_up_logging(settings, "pager")
    link = _link(settings)
    be_ready(settings, Service.PAGER)
    channels = channels_of(settings)
    clock = SignalClock.set_by(settings)
    duty = Duty(clients.reader(settings), settings.partitions)
    with (
        closing(duty),
        _strips(settings, channels, clock) as strips,
        serve(settings, "pager") as health,
        stop_on_signals() as stop,
    ):
        duty.load()
        pager = Pager(
            Member(clients.consumer(settings, GROUP, partition_assignment_strategy=[RangePartitionAssignor])),
            clients.producer(settings),
            lambda partitions: read(settings, partitions),
            Rules(settings.late_s, duty.route, duty.place),
            Pages(channels.senders(), channels.budgets, strips, link),
            channels.of,
            follow=duty.follow,
            clock_ns=clock.now_ns,
            signal_ns=clock.of,
        )
        log.info("pager_started")
        pager.run(stop, health)
        log.info("pager_stopped", conditions=pager.counts.conditions, alerts=pager.counts.alerts)


@contextmanager
def _strips(settings: Settings, channels: Channels, clock: SignalClock) -> Iterator[Mapping[str, StripOf]]:
    """Give what draws for each channel that shows pictures; where none does, nothing is kept ready."""
    if not channels.illustrated:
        yield {}
        return
    with closing(Strips(clients.reader(settings), clock)) as strips:
        yield dict.fromkeys(channels.illustrated, strips.of)
