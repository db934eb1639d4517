"""The sink while its database is away, comes back, or was brought back from a backup."""

# ruff: noqa: S608 - queries of our own

from __future__ import annotations

import shutil
import signal
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ecgstream.embedded.postgres import EmbeddedPostgres
from ecgstream.store import read
from ecgstream.store import sink as sinks
from ecgstream.store.connection import connect
from ecgstream.store.migrate import migrate
from ecgstream.store.precedence import ORDER, Precedence
from ecgstream.store.sink import Sink
from schemas import topics
from schemas.codec import encode
from schemas.records import AlertState, Phase
from tests.system.conftest import in_database
from tests.system.made import (
    RATE,
    alert,
    backlog_end,
    beats,
    bundle,
    condition,
    wave,
)
from tests.system.sink_stream import PATIENCE_S, Stream, everything, send_all, work, work_beyond, work_off


@pytest.fixture
def stream(kafka: str, database_url: str) -> Iterator[Stream]:
    made = Stream(kafka, database_url)
    yield made
    made.producer.close()


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

    def disturbed(sink: Sink) -> None:
        crashes = 0
        for seq in range(60):
            stream.send(topics.INGEST, bundle([first, stream.device(2)], seq))
            stream.send(topics.BEATS, beats(first, [seq * RATE, seq * RATE + 99]).encode())
            if seq % 20 == 10:
                # It is connected, and has seen the crash before.
                while not sink.counts.flushes or sink.counts.failures < crashes or sink._backoff_s:
                    time.sleep(0.05)
                crashes += 1
                assert server._process is not None
                server._process.send_signal(signal.SIGQUIT)  # no shutdown: the next start recovers
                server._process.wait(PATIENCE_S)
                server.stop()
                server.start()
        send_all(stream, range(60, 70))

    try:
        with stream.sink(idle_s=0.5) as sink:
            sender = threading.Thread(target=disturbed, args=(sink,))
            sender.start()
            while sender.is_alive():
                sink.step()
            work_off(sink, stream)
            assert sink.counts.failures >= 3
        crashed = everything(stream)
        assert len(crashed["beat"]) == 122
        with connect(stream.url, autocommit=True) as owner:
            owner.execute("CREATE DATABASE undisturbed")
        stream.url = in_database(stream.url, "undisturbed")
        migrate(stream.url)
        stream.group += "-again"
        with stream.sink(idle_s=0.5) as sink:
            work_off(sink, stream)
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

    def send(packets: range) -> None:
        send_all(stream, packets)
        for seq in packets:
            stream.send(topics.BEATS, beats(stream.device(), [seq * RATE]).encode())
        stream.send(topics.BACKFILL, bundle([stream.device()], 100 + packets[0]))

    def read_all() -> dict[str, list[tuple[Any, ...]]]:
        work_off(sink, stream)
        return everything(stream)

    try:
        with stream.sink(idle_s=0.5) as sink:
            send(range(12))
            read_all()
            server.stop()
            shutil.copytree(tmp_path / "server", older)
            stream.url = server.start()
            send(range(12, 40))
            whole = read_all()
            server.stop()  # and the disk is gone
            shutil.rmtree(tmp_path / "server")
            older.rename(tmp_path / "server")
            stream.url = server.start()
            assert everything(stream) != whole
            stream.send(
                topics.BEATS, beats(stream.device(), [12 * RATE]).encode()
            )  # what is known comes again
            work(sink, lambda: everything(stream) == whole)  # the sink that is running finds out
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
        work_beyond(sink, beats=last[2])
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
        work_beyond(sink, beats=last[3])
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
    taken: dict[tuple[str, int], None] = {}
    try:
        with stream.sink() as sink:
            stream.send(topics.BEATS, beats(device, [1]).encode())
            work(sink, lambda: stream.rows(stored) == [(1,)])
            server.stop()
            at_the_outage = stream.send(topics.BEATS, beats(device, [2]).encode())
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
                taken.update(
                    {(source.topic, r.offset): None for source, records in found.items() for r in records}
                )
                taken.pop((topics.BEATS.name, at_the_outage), None)  # which may have been read before
                return revoked, found

            monkeypatch.setattr(sink._member, "poll", noted)
            stream.url = server.start()
            work(sink, lambda: len(taken) == 64)
            sink.finish()
        tiers = [next(i for i, tier in enumerate(ORDER) if topic in tier) for topic, _ in taken]
        assert tiers == [0] * 2 + [1] * 21 + [2] * 41
        with stream.reader() as connection:
            assert np.array_equal(read.trace(connection, device, 0, 0, 60 * RATE), wave(device, 0, 60 * RATE))
            assert [c[2:] for c in read.packet_counts(connection) if c.device == device] == [(60, 0)]
        assert stream.rows(stored) == [(3,)]
    finally:
        stream.producer.close()
        server.stop()
