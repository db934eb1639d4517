"""Topics, a database and a sink of a test's own, on real services."""

# ruff: noqa: S608 - queries of our own

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from kafka import KafkaProducer, OffsetAndMetadata, TopicPartition

from ecgstream.clients import consumer
from ecgstream.member import Member, end_offsets
from ecgstream.settings import Settings
from ecgstream.store import sink as sinks
from ecgstream.store.connection import connect
from ecgstream.store.migrate import migrate
from ecgstream.store.sink import Sink
from ecgstream.topics import create_topics
from schemas import topics
from schemas.codec import encode
from schemas.records import AlertState, Phase
from tests.system.made import (
    alert,
    beats,
    bundle,
    condition,
    rhythm,
    segment,
    trend,
)
from tests.system.people import person

PATIENCE_S = 180.0


class Stream:
    """Real topics that other tests may write to as well; devices and the sink's group are this test's own."""

    def __init__(self, kafka: str, database_url: str) -> None:
        self.settings = Settings(kafka=kafka, session_timeout_s=6)
        self.url = database_url
        self.group = f"sink-{uuid.uuid4().hex}"
        self.name = uuid.uuid4().hex[:8]
        create_topics(self.settings)
        migrate(database_url)
        self.producer = KafkaProducer(bootstrap_servers=kafka, acks="all")
        self.sent: dict[TopicPartition, int] = {}
        self.begin_here()

    def begin_here(self) -> None:
        """Let the group begin behind what other tests have written."""
        member = consumer(self.settings, self.group)
        every = [TopicPartition(t, p) for t in sinks.TOPICS for p in range(self.settings.partitions)]
        ends = end_offsets(member, every)
        member.commit({where: OffsetAndMetadata(offset, "", -1) for where, offset in ends.items()})
        member.close()

    def device(self, n: int = 1) -> str:
        return f"{self.name}-{n}"

    def send(self, topic: topics.Topic, value: bytes | None, partition: int = 0) -> int:
        sending = self.producer.send(topic.name, value, key=self.name.encode(), partition=partition)
        offset: int = sending.get(10).offset
        self.sent[TopicPartition(topic.name, partition)] = offset
        return offset

    @contextmanager
    def sink(self, **more: Any) -> Iterator[Sink]:
        """A sink that is a member of the group; it leaves without writing anything more."""
        member = Member(consumer(self.settings, self.group))
        sink = Sink(member, self.connect, **more)
        member.join(sinks.TOPICS)
        try:
            yield sink
        finally:
            member.leave()
            sink.close()

    def connect(self) -> psycopg.Connection:
        """As the sink's own role, so that a right that it lacks shows."""
        return connect(self.url, role="ecg_sink")

    def reader(self) -> psycopg.Connection:
        """As somebody at the root, who sees the devices that nobody has enrolled."""
        return connect(self.url, autocommit=True, role=person(self.url, "clinic"))

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with connect(self.url) as connection:
            return connection.execute(query).fetchall()

    def committed(self, topic: topics.Topic, partition: int = 0) -> int | None:
        with_group = consumer(self.settings, self.group)
        try:
            return with_group.committed(TopicPartition(topic.name, partition))
        finally:
            with_group.close()


def work(sink: Sink, until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not until():
        assert time.monotonic() < deadline, sink.counts
        sink.step()


def work_off(sink: Sink, stream: Stream) -> None:
    """Work until all that was sent is committed: of two topics, either may be the last."""
    for where, offset in stream.sent.items():
        work(sink, lambda: committed(sink, where) > offset)  # noqa: B023 - at once


def take_all(sink: Sink, stream: Stream) -> None:
    """Work until all that was sent is read, written or not."""
    for where, offset in stream.sent.items():
        work(sink, lambda: (sink._next.get(where) or committed(sink, where)) > offset)  # noqa: B023 - at once


def work_beyond(sink: Sink, **offsets: int) -> None:
    """Work until what lies behind an offset of each topic is committed (in partition 0)."""
    for name, offset in offsets.items():
        where = TopicPartition(f"ecg.{name}", 0)
        work(sink, lambda: committed(sink, where) > offset)  # noqa: B023 - at once


def committed(sink: Sink, where: TopicPartition) -> int:
    """What a sink has committed or, where it has not yet, whoever came before it."""
    found = sink._member._committed.get(where)
    if found is None and where in sink._member.assignment:
        found = sink._member.noted(where)
    return 0 if found is None else found[0]


def everything(stream: Stream) -> dict[str, list[tuple[Any, ...]]]:
    """All tables but what names a wall clock."""
    found = {}
    for table in ("device", "session", "trace", "beat", "rhythm", "vital", "trend", "segment", "condition"):
        of_ours = f"FROM ecg.{table} AS t WHERE device LIKE '{stream.name}%'"
        found[table] = stream.rows(f"SELECT t.* {of_ours} ORDER BY t")
    found["alert"] = stream.rows(
        "SELECT id, state, raised_ns, updated_ns FROM ecg.alert"
        f" WHERE device LIKE '{stream.name}%' ORDER BY 1"
    )
    return found


def send_all(stream: Stream, packets: range = range(25)) -> None:
    device = stream.device()
    for seq in packets:
        stream.last_packet = stream.send(topics.INGEST, bundle([device, stream.device(2)], seq))
    stream.send(topics.BEATS, beats(device, [100, 350]).encode())
    stream.send(topics.RHYTHMS, rhythm(device).encode())
    stream.send(topics.TRENDS, trend(device).encode())
    stream.send(topics.SEGMENTS, encode(segment(device)))
    for phase, sample in ((Phase.ONSET, 2000), (Phase.UPDATE, 2250), (Phase.END, 2500)):
        stream.send(topics.CONDITIONS, encode(condition(device, phase, sample)))
    stream.send(topics.ALERTS, encode(alert(device, AlertState.ACTIVE, 5, 1)))
