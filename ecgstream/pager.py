"""The pager: from conditions to alerts. Its truth lives in Kafka; it needs no database.

A step:

1. conditions are read, and go through the stages (``alerts.pipeline``);
2. alerts are written to the partition that their conditions came from, and the broker's acknowledgement is
   awaited;
3. the offsets of the conditions are committed.

Ended anywhere, it starts with the alerts that its own topic tells: conditions that are read again and have
been answered change nothing. Where a write fails, what is in memory is forgotten, and it is the same as after
a start.
"""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import structlog
from kafka import KafkaProducer, TopicPartition
from kafka.errors import KafkaError

from alerts.pipeline import Pipeline
from alerts.state import Event, State
from ecgstream import clients
from ecgstream.broker.access import Service
from ecgstream.broker.ready import be_ready
from ecgstream.lifecycle import set_up_logging, stop_on_signals
from ecgstream.member import Member, end_offsets
from ecgstream.settings import Settings
from schemas import topics
from schemas.codec import decode_as, encode
from schemas.errors import BadRecordError
from schemas.records import Alert, Condition

GROUP = "pager"
POLL_S = 0.2
ACK_PATIENCE_S = 10.0
REBUILD_PATIENCE_S = 60.0
RETRY_S = 0.5

log = structlog.get_logger()


class RebuildError(KafkaError):  # type: ignore[misc]
    """The alerts' topic could not be read to its end; a retry may help."""


@dataclass(slots=True)
class Counts:
    """What a pager has done since it started."""

    conditions: int = 0
    alerts: int = 0
    bad: int = 0
    failures: int = 0


class Pager:
    """Answers conditions with alerts; one thread calls ``step`` again and again.

    ``recorded`` reads what the alerts' topic holds of some partitions.
    """

    def __init__(
        self,
        member: Member,
        sender: KafkaProducer,
        recorded: Callable[[Iterable[int]], Iterable[Alert]],
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self.counts = Counts()
        self._member = member
        self._producer = sender
        self._recorded = recorded
        self._clock_ns = clock_ns
        self._pipelines: dict[int, Pipeline] = {}

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set, then leave the group."""
        self._member.join([topics.CONDITIONS.name])
        try:
            while not stop.is_set():
                if not self.step():
                    stop.wait(RETRY_S)
        finally:
            self._member.leave()
            self._producer.close(timeout=ACK_PATIENCE_S)

    def step(self) -> bool:
        """Read what is there and answer it; say whether that worked, else it is tried again."""
        revoked, found = self._member.poll(POLL_S)
        for partition in revoked:
            self._pipelines.pop(partition.partition, None)
        try:
            self._rebuild()
            answered = self._answer(found)
        except KafkaError as error:
            self.counts.failures += 1
            log.warning("not_answered", error=type(error).__name__)
            self._pipelines.clear()
            self._member.rewind(self._member.assignment | set(found))
            return False
        self._member.rewind(set(found) - set(answered))  # taken away meanwhile; or ours again, then reread
        self._member.commit(answered)
        return True

    def _rebuild(self) -> None:
        """Learn the alerts of partitions that are new to us."""
        new = {p.partition for p in self._member.assignment} - set(self._pipelines)
        if not new:
            return
        of: dict[int, list[Alert]] = {partition: [] for partition in new}
        for alert in self._recorded(sorted(new)):
            of[alert.partition].append(alert)
        for partition, alerts in of.items():
            self._pipelines[partition] = Pipeline(State.of(alerts))
        log.info("alerts_rebuilt", partitions=sorted(new), alerts=sum(map(len, of.values())))

    def _answer(self, found: dict[TopicPartition, list[Any]]) -> dict[TopicPartition, int]:
        """Write the alerts that records call for; return the offsets behind the records."""
        answered: dict[TopicPartition, int] = {}
        waiting: list[Any] = []
        for source, records in found.items():
            pipeline = self._pipelines.get(source.partition)
            if pipeline is not None:
                alerts = pipeline.run(self._events(source, records), self._clock_ns())
                waiting += [self._send(alert, source.partition) for alert in alerts]
                answered[source] = records[-1].offset + 1
        for future in waiting:
            future.get(timeout=ACK_PATIENCE_S)
        self.counts.alerts += len(waiting)
        return answered

    def _send(self, alert: Alert, partition: int) -> Any:
        return self._producer.send(
            topics.ALERTS.name, encode(alert), key=alert.id.encode(), partition=partition
        )

    def _events(self, source: TopicPartition, records: list[Any]) -> Iterable[Event]:
        for record in records:
            self.counts.conditions += 1
            try:
                condition = decode_as(Condition, record.value or b"")
            except BadRecordError as error:
                self.counts.bad += 1
                at = {"topic": source.topic, "partition": source.partition, "offset": record.offset}
                log.warning("bad_record", error=type(error).__name__, **at)
                continue
            yield Event(condition, source.partition, record.offset)


def read_alerts(settings: Settings, partitions: Iterable[int]) -> Iterable[Alert]:
    """Yield what the alerts' topic holds of these partitions, from its beginning to its present end.

    Raises:
        RebuildError: the end is not reached in time.
    """
    reader = clients.reader(settings)
    try:
        mine = [TopicPartition(topics.ALERTS.name, p) for p in partitions]
        reader.assign(mine)
        ends = end_offsets(reader, mine)
        reader.seek_to_beginning(*mine)
        deadline = time.monotonic() + REBUILD_PATIENCE_S
        while any(reader.position(p) < ends[p] for p in mine):
            if time.monotonic() > deadline:
                raise RebuildError("the alerts' topic could not be read to its end")
            for source, records in reader.poll(timeout_ms=200).items():
                for record in records:
                    if record.value is not None:
                        yield from _alert(record.value, source.partition)
    finally:
        reader.close()


def _alert(value: bytes, partition: int) -> Iterable[Alert]:
    try:
        alert = decode_as(Alert, value)
    except BadRecordError as error:
        log.warning("bad_alert", partition=partition, error=type(error).__name__)
        return
    if alert.partition == partition:
        yield alert


def run(settings: Settings) -> None:
    """Run the pager until SIGTERM or Ctrl-C."""
    set_up_logging(settings, "pager")
    be_ready(settings, Service.PAGER)
    with stop_on_signals() as stop:
        pager = Pager(
            Member(clients.consumer(settings, GROUP)),
            clients.producer(settings),
            lambda partitions: read_alerts(settings, partitions),
        )
        log.info("pager_started")
        pager.run(stop)
        log.info("pager_stopped", conditions=pager.counts.conditions, alerts=pager.counts.alerts)
