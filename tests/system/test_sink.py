# ruff: noqa: S608 - queries of our own
"""The sink against real Kafka and a real database."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from ecgstream.clients import consumer
from ecgstream.member import Member
from ecgstream.store import read
from ecgstream.store.sink import Sink
from schemas import topics
from schemas.codec import encode
from schemas.records import MISSING, AlertState, Phase
from tests.system.made import (
    RATE,
    SECOND,
    SESSION,
    alert,
    beats,
    bundle,
    condition,
    wave,
)
from tests.system.sink_stream import (
    PATIENCE_S,
    Stream,
    everything,
    send_all,
    take_all,
    work,
    work_beyond,
    work_off,
)


@pytest.fixture
def stream(kafka: str, database_url: str) -> Iterator[Stream]:
    made = Stream(kafka, database_url)
    yield made
    made.producer.close()


def test_everything_arrives_and_is_read_back(stream: Stream) -> None:
    send_all(stream)
    device = stream.device()
    with stream.sink() as sink:
        take_all(sink, stream)
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
        take_all(sink, stream)
        sink.finish()
    first = everything(stream)
    stream.group += "-again"  # from the beginning
    with stream.sink(idle_s=0.0) as sink:  # blocks are stored as they grow: each flush merges
        work_off(sink, stream)
    assert everything(stream) == first


def test_blocks_that_wait_for_the_next_flush_hold_their_offsets_back(
    stream: Stream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ecgstream.store.sink.FLUSH_BLOCKS", 1)
    monkeypatch.setattr("ecgstream.store.sink.BLOCKS_SHARE", 0.0)
    send_all(stream)
    with stream.sink(idle_s=0.0) as sink:
        work(sink, lambda: sink.counts.blocks == 1)
        assert sink._blocks  # and ends here: what waits is read again
        assert (stream.committed(topics.INGEST) or 0) <= stream.last_packet
    with stream.sink() as sink:
        take_all(sink, stream)
        sink.finish()
    assert (stream.committed(topics.INGEST) or 0) > stream.last_packet
    with stream.reader() as connection:
        for channel in (0, 1):
            samples = read.trace(connection, stream.device(), channel, 0, 25 * RATE)
            assert np.array_equal(samples, wave(stream.device(), 0, 25 * RATE) + channel)


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
        work_beyond(sink, ingest=live, backfill=late)
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
