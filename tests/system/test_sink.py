# ruff: noqa: S608 - queries of our own
"""The sink against real Kafka and a real database."""

from __future__ import annotations

import shutil
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest
from kafka import KafkaProducer, OffsetAndMetadata, TopicPartition

from ecgstream.clients import consumer
from ecgstream.embedded.postgres import EmbeddedPostgres
from ecgstream.member import Member, end_offsets
from ecgstream.settings import Settings
from ecgstream.store import read
from ecgstream.store import sink as sinks
from ecgstream.store.connection import connect
from ecgstream.store.migrate import migrate
from ecgstream.store.precedence import ORDER, Precedence
from ecgstream.store.sink import Sink
from ecgstream.topics import create_topics
from schemas import topics
from schemas.codec import encode
from schemas.records import MISSING, AlertState, Phase
from tests.system.conftest import in_database
from tests.system.made import (
    RATE,
    SECOND,
    SESSION,
    alert,
    backlog_end,
    beats,
    bundle,
    condition,
    rhythm,
    segment,
    trend,
    wave,
)
from tests.system.people import person

PATIENCE_S = 30.0


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
        return (
            self.producer.send(topic.name, value, key=self.name.encode(), partition=partition).get(10).offset
        )

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


@pytest.fixture
def stream(kafka: str, database_url: str) -> Iterator[Stream]:
    made = Stream(kafka, database_url)
    yield made
    made.producer.close()


def work(sink: Sink, until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not until():
        assert time.monotonic() < deadline, sink.counts
        sink.step()


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
    stream.last_alert = stream.send(topics.ALERTS, encode(alert(device, AlertState.ACTIVE, 5, 1)))


def test_everything_arrives_and_is_read_back(stream: Stream) -> None:
    send_all(stream)
    device = stream.device()
    with stream.sink() as sink:
        work(sink, lambda: bool(stream.rows(f"SELECT 1 FROM ecg.alert WHERE device = '{device}'")))
        sink.finish()
    with stream.reader() as connection:
        counts = [c for c in read.packet_counts(connection) if c.device == device]
        assert counts == [read.PacketCount(device, SESSION, 25, 0)]
        for channel in (0, 1):
            samples = read.trace(connection, device, channel, 0, 25 * RATE + 10)
            assert np.array_equal(samples[:-10], wave(device, 0, 25 * RATE) + channel)
            assert (samples[-10:] == MISSING).all()
        assert [(b.sample, b.code) for b in read.beats(connection, device)] == [(100, "N"), (350, "N")]
        assert read.beats_by_code(connection, [SESSION])[device] == {"N": 2}
        (row,) = [a for a in read.alerts(connection) if a.device == device]
        assert (row.condition, row.priority, row.state, row.delay_s) == ("ASYSTOLE", "HIGH", "ACTIVE", 4.0)
        assert abs(row.recorded_ns - time.time_ns()) < 60 * SECOND
        assert read.vital_count(connection, [SESSION]) >= 50
        assert read.trend_count(connection, [SESSION]) >= 1
        assert read.newest_session(connection, device) == SESSION
        health = connection.execute(
            "SELECT gateway, session, rhythm, open_high, skew_ms FROM api.device_health WHERE device = %s",
            (device,),
        ).fetchone()
        assert health == ("gw-1", SESSION, "AFIB", 1, pytest.approx(1000, abs=0.001))
    (found,) = stream.rows(
        "SELECT phase, decided_sample, delay_s, sample, end_ns, evidence->>'pause_s', evidence->>'nothing'"
        f" FROM ecg.condition WHERE device = '{device}'"
    )
    assert found == ("END", 2000, 4.0, 2500, SESSION + 10 * SECOND, "4.2", None)
    assert stream.rows(
        f"SELECT DISTINCT pace FROM ecg.trace WHERE device = '{device}' AND pace <> '{{}}'"
    ) == [([2 * RATE + 3],)]


def test_the_same_records_twice_give_the_same_tables(stream: Stream) -> None:
    send_all(stream)
    with stream.sink() as sink:
        work(sink, lambda: bool(stream.rows(f"SELECT 1 FROM ecg.alert WHERE device = '{stream.device()}'")))
        sink.finish()
    first = everything(stream)
    stream.group += "-again"  # from the beginning
    with stream.sink(idle_s=0.0) as sink:  # blocks are stored as they grow: each flush merges
        work(sink, lambda: (at := stream.committed(topics.ALERTS)) is not None and at > stream.last_alert)
        work(sink, lambda: (stream.committed(topics.INGEST) or 0) > stream.last_packet)
    assert everything(stream) == first


def test_a_stale_writer_overwrites_nothing(stream: Stream) -> None:
    device = stream.device()
    stream.send(topics.BEATS, beats(device, [100, 200], generation=2, offset=5, code="V").encode())
    stream.send(topics.BEATS, beats(device, [100], generation=1, offset=9, code="N").encode())
    stream.send(topics.ALERTS, encode(alert(device, AlertState.LATCHED, 7, 3)))
    with stream.sink() as sink:
        work(sink, lambda: bool(stream.rows(f"SELECT 1 FROM ecg.alert WHERE device = '{device}'")))
        (before,) = stream.rows(f"SELECT recorded_at FROM ecg.alert WHERE device = '{device}'")
        stream.send(topics.BEATS, beats(device, [200], generation=1, offset=9, code="N").encode())
        stream.send(topics.BEATS, beats(device, [100], generation=2, offset=6, code="F").encode())
        stream.send(topics.ALERTS, encode(alert(device, AlertState.ACTIVE, 5, 9)))
        stream.send(topics.ALERTS, encode(alert(device, AlertState.ENDED, 7, 4)))
        codes = f"SELECT code FROM ecg.beat WHERE device = '{device}' ORDER BY sample"
        work(sink, lambda: stream.rows(codes) == [("F",), ("V",)])
        state = f"SELECT state, recorded_at FROM ecg.alert WHERE device = '{device}'"
        work(sink, lambda: stream.rows(state) == [("ENDED", *before)])


def test_offsets_wait_for_open_blocks_and_the_next_sink_fills_them(stream: Stream) -> None:
    device = stream.device()
    offsets = [stream.send(topics.INGEST, bundle([device], seq)) for seq in range(13)]
    blocks = f"SELECT first_sample, n FROM ecg.trace WHERE device = '{device}' AND channel = 0 ORDER BY 1"
    with stream.sink() as sink:
        work(sink, lambda: stream.rows(blocks) == [(0, 2500)])
    assert stream.committed(topics.INGEST) == offsets[10]
    with stream.sink() as sink:  # as after a kill -9: packets 10 to 12 are read again
        stream.send(topics.INGEST, bundle([device], 13))
        work(sink, lambda: sink.counts.records >= 4)
        sink.finish()
        assert stream.rows(blocks) == [(0, 2500), (2500, 1000)]
        late = stream.send(topics.INGEST, bundle([device], 14))
        work(sink, lambda: sink.counts.records >= 5)
        sink.finish()
        assert stream.rows(blocks) == [(0, 2500), (2500, 1250)]
    assert stream.committed(topics.INGEST) == late + 1
    with stream.reader() as connection:
        assert np.array_equal(read.trace(connection, device, 0, 0, 15 * RATE), wave(device, 0, 15 * RATE))
        assert [c[2:] for c in read.packet_counts(connection) if c.device == device] == [(15, 0)]


def test_a_silent_device_is_stored_after_a_while(stream: Stream) -> None:
    device = stream.device()
    stream.send(topics.INGEST, bundle([device], 0))
    with stream.sink(idle_s=0.5) as sink:
        work(sink, lambda: bool(stream.rows(f"SELECT 1 FROM ecg.trace WHERE device = '{device}'")))


def test_bad_records_are_counted_and_skipped(stream: Stream) -> None:
    device = stream.device()
    stream.send(topics.BEATS, b"nonsense")
    stream.send(topics.ALERTS, None)  # a tombstone is none
    stream.send(topics.ALERTS, encode(replace(alert(device, AlertState.ACTIVE, 5, 1), id="no uuid")))
    stream.send(topics.BEATS, beats(device, [7], code="%").encode())
    refused = replace(condition(device, Phase.ONSET, 2000), patient="\0")  # PostgreSQL stores no NUL
    stream.send(topics.CONDITIONS, encode(refused))
    stream.send(topics.BEATS, beats(device, [8]).encode())
    other = replace(condition(stream.device(2), Phase.ONSET, 2000), id=str(uuid.uuid4()))
    stream.send(topics.CONDITIONS, encode(other))
    with stream.sink() as sink:
        work(sink, lambda: len(stream.rows(f"SELECT 1 FROM ecg.beat WHERE device = '{device}'")) == 1)
        work(sink, lambda: bool(stream.rows(f"SELECT 1 FROM ecg.condition WHERE id = '{other.id}'")))
        assert sink.counts.bad >= 4
    assert not stream.rows(f"SELECT 1 FROM ecg.condition WHERE device = '{device}'")


def test_the_database_restarts_in_mid_stream(kafka: str, tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path)
    stream = Stream(kafka, server.start())
    device = stream.device()
    stored = f"SELECT count(*) FROM ecg.beat WHERE device = '{device}'"
    try:
        with stream.sink() as sink:
            stream.send(topics.BEATS, beats(device, [1, 2, 3]).encode())
            work(sink, lambda: stream.rows(stored) == [(3,)])
            server.stop()
            last = stream.send(topics.BEATS, beats(device, [4, 5]).encode())
            work(sink, lambda: sink.counts.failures >= 3)
            assert (stream.committed(topics.BEATS) or 0) <= last
            stream.url = server.start()
            work(sink, lambda: stream.rows(stored) == [(5,)])
            stream.send(topics.BEATS, beats(device, [6]).encode())
            work(sink, lambda: stream.rows(stored) == [(6,)])
    finally:
        stream.producer.close()
        server.stop()


def test_a_database_that_crashes_in_mid_stream_loses_nothing(kafka: str, tmp_path: Path) -> None:
    """Three times, whatever the sink is at; compared with a database in which nothing happened."""
    server = EmbeddedPostgres(tmp_path)
    stream = Stream(kafka, server.start())
    first = stream.device()

    def disturbed() -> None:
        for seq in range(60):
            stream.send(topics.INGEST, bundle([first, stream.device(2)], seq))
            stream.send(topics.BEATS, beats(first, [seq * RATE, seq * RATE + 99]).encode())
            if seq % 20 == 10:
                assert server._process is not None
                server._process.send_signal(signal.SIGQUIT)  # no shutdown: the next start recovers
                server._process.wait(PATIENCE_S)
                server.stop()
                server.start()
        send_all(stream, range(60, 70))

    try:
        with stream.sink(idle_s=0.5) as sink:
            sender = threading.Thread(target=disturbed)
            sender.start()
            while sender.is_alive():
                sink.step()
            work(sink, lambda: (stream.committed(topics.INGEST) or 0) > stream.last_packet)
            work(sink, lambda: (stream.committed(topics.ALERTS) or 0) > stream.last_alert)
            assert sink.counts.failures >= 3
        crashed = everything(stream)
        assert len(crashed["beat"]) == 122
        with connect(stream.url, autocommit=True) as owner:
            owner.execute("CREATE DATABASE undisturbed")
        stream.url = in_database(stream.url, "undisturbed")
        migrate(stream.url)
        stream.group += "-again"
        with stream.sink(idle_s=0.5) as sink:
            work(sink, lambda: (stream.committed(topics.INGEST) or 0) > stream.last_packet)
            work(sink, lambda: (stream.committed(topics.ALERTS) or 0) > stream.last_alert)
            assert sink.counts.failures == 0
        assert everything(stream) == crashed
    finally:
        stream.producer.close()
        server.stop()


def test_a_database_that_is_brought_back_is_filled_up(kafka: str, tmp_path: Path) -> None:
    """It is as it was in the midst of the stream; the group has committed what came after."""
    server = EmbeddedPostgres(tmp_path / "server")
    stream = Stream(kafka, server.start())
    older = tmp_path / "older"

    def send(packets: range) -> int:
        send_all(stream, packets)
        for seq in packets:
            stream.send(topics.BEATS, beats(stream.device(), [seq * RATE]).encode())
        return stream.send(topics.BACKFILL, bundle([stream.device()], 100 + packets[0]))

    def read_all(late: int) -> dict[str, list[tuple[Any, ...]]]:
        work(sink, lambda: (stream.committed(topics.INGEST) or 0) > stream.last_packet)
        work(sink, lambda: (stream.committed(topics.ALERTS) or 0) > stream.last_alert)
        work(sink, lambda: (stream.committed(topics.BACKFILL) or 0) > late)
        return everything(stream)

    try:
        with stream.sink(idle_s=0.5) as sink:
            read_all(send(range(12)))
            server.stop()
            shutil.copytree(tmp_path / "server", older)
            server.start()
            late = send(range(12, 40))
            whole = read_all(late)
            server.stop()  # and the disk is gone
            shutil.rmtree(tmp_path / "server")
            older.rename(tmp_path / "server")
            server.start()
            work(sink, lambda: everything(stream) == whole)  # the sink that is running finds out
            assert sink.counts.failures >= 1
        server.stop()
    finally:
        stream.producer.close()
        server.stop()


def test_a_sink_that_starts_on_an_older_database_goes_back_only_where_it_lacks_something(
    stream: Stream,
) -> None:
    device = stream.device()
    last = [stream.send(topics.BEATS, beats(device, [n]).encode()) for n in (1, 2, 3)]
    stored = f"SELECT count(*) FROM ecg.beat WHERE device = '{device}'"
    with stream.sink() as sink:
        work(sink, lambda: stream.rows(stored) == [(3,)])
        work(sink, lambda: stream.committed(topics.BEATS) == last[2] + 1)
    where = ("ecg.beats", 0)
    with connect(stream.url, autocommit=True) as owner:
        position = "SELECT next FROM ecg.read_position WHERE (topic, partition) = (%s, %s)"
        assert owner.execute(position, where).fetchone() == (last[2] + 1,)
        owner.execute("UPDATE ecg.read_position SET next = %s WHERE topic = 'ecg.beats'", (last[1],))
        owner.execute("DELETE FROM ecg.beat WHERE device = %s", (device,))
    with stream.sink() as sink:
        work(sink, lambda: stream.rows(stored) == [(2,)])
        assert sink.counts.records == 2
        last.append(stream.send(topics.BEATS, beats(device, [4]).encode()))
        work(sink, lambda: stream.committed(topics.BEATS) == last[3] + 1)
    with connect(stream.url, autocommit=True) as owner:  # of another Kafka, which had come further
        owner.execute("UPDATE ecg.read_position SET next = next + 1000000")
    last.append(stream.send(topics.BEATS, beats(device, [5]).encode()))
    with stream.sink() as sink:
        work(sink, lambda: stream.rows(stored) == [(4,)])
    with connect(stream.url) as owner:
        assert owner.execute(position, where).fetchone() == (last[4] + 1,)


def test_behind_an_outage_alerts_come_first_and_backlogs_last(
    kafka: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sinks, "Precedence", partial(Precedence, slack=0))
    server = EmbeddedPostgres(tmp_path)
    stream = Stream(kafka, server.start())
    device = stream.device()
    stored = f"SELECT count(*) FROM ecg.beat WHERE device = '{device}'"
    taken: list[str] = []
    try:
        with stream.sink() as sink:
            stream.send(topics.BEATS, beats(device, [1]).encode())
            work(sink, lambda: stream.rows(stored) == [(1,)])
            server.stop()
            stream.send(topics.BEATS, beats(device, [2]).encode())
            work(sink, lambda: sink.counts.failures >= 1)
            for seq in range(40):  # the gap's beginning comes behind its end
                stream.send(topics.BACKFILL, bundle([device], seq))
            stream.send(topics.BACKFILL, encode(backlog_end(device, 40 * RATE)))
            for seq in range(40, 60):
                stream.send(topics.INGEST, bundle([device], seq))
            stream.send(topics.BEATS, beats(device, [3]).encode())
            stream.send(topics.CONDITIONS, encode(condition(device, Phase.ONSET, 2000)))
            stream.send(topics.ALERTS, encode(alert(device, AlertState.ACTIVE, 5, 1)))
            work(sink, lambda: sink.counts.failures >= 3)
            poll = sink._member.poll

            def noted(timeout_s: float) -> Any:
                revoked, found = poll(timeout_s)
                taken.extend(source.topic for source, records in found.items() for _ in records)
                return revoked, found

            monkeypatch.setattr(sink._member, "poll", noted)
            stream.url = server.start()
            work(sink, lambda: len(taken) == 64)
            sink.finish()
        tiers = [next(i for i, tier in enumerate(ORDER) if topic in tier) for topic in taken]
        assert tiers == [0] * 2 + [1] * 21 + [2] * 41
        with stream.reader() as connection:
            assert np.array_equal(read.trace(connection, device, 0, 0, 60 * RATE), wave(device, 0, 60 * RATE))
            assert [c[2:] for c in read.packet_counts(connection) if c.device == device] == [(60, 0)]
        assert stream.rows(stored) == [(3,)]
    finally:
        stream.producer.close()
        server.stop()


def test_live_and_late_packets_of_a_session_make_the_same_blocks(stream: Stream) -> None:
    """The seam lies within a block; and a restart in between reads both topics again."""
    device = stream.device()
    for seq in (*range(5), *range(13, 30)):
        live = stream.send(topics.INGEST, bundle([device], seq))
    for seq in range(5, 13):
        late = stream.send(topics.BACKFILL, bundle([device], seq))
    with stream.sink(idle_s=0.0) as sink:  # blocks are stored as they grow
        work(sink, lambda: sink.counts.records >= 8)
    with stream.sink(idle_s=0.5) as sink:
        work(sink, lambda: stream.committed(topics.INGEST) == live + 1)
        work(sink, lambda: stream.committed(topics.BACKFILL) == late + 1)
    with stream.reader() as connection:
        for channel in (0, 1):
            samples = read.trace(connection, device, channel, 0, 30 * RATE)
            assert np.array_equal(samples, wave(device, 0, 30 * RATE) + channel)
        assert [c[2:] for c in read.packet_counts(connection) if c.device == device] == [(30, 0)]
    assert stream.rows(f"SELECT count(*) FROM ecg.vital WHERE device = '{device}'") == [(30,)]


def test_a_second_sink_joins_and_leaves(stream: Stream) -> None:
    device = stream.device()
    stop, other_stop = threading.Event(), threading.Event()

    def serve(end: threading.Event) -> threading.Thread:
        member = Member(consumer(stream.settings, stream.group))
        thread = threading.Thread(target=Sink(member, stream.connect).run, args=(end,))
        thread.start()
        return thread

    threads = [serve(stop)]
    for seq in range(60):
        stream.send(topics.INGEST, bundle([device], seq))
        if seq == 20:
            threads.append(serve(other_stop))
        if seq == 45:
            other_stop.set()
        time.sleep(0.1)
    threads[1].join(PATIENCE_S)
    stop.set()
    threads[0].join(PATIENCE_S)
    assert not any(t.is_alive() for t in threads)
    with stream.sink(idle_s=0.5) as sink, stream.reader() as connection:
        # What the first had not read yet when it was told to end.
        work(sink, lambda: [c[2] for c in read.packet_counts(connection) if c.device == device] == [60])
        assert np.array_equal(read.trace(connection, device, 1, 0, 60 * RATE), wave(device, 0, 60 * RATE) + 1)
        assert [c[2:] for c in read.packet_counts(connection) if c.device == device] == [(60, 0)]
