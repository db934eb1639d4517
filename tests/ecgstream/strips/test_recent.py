"""What is read of the ingest topic: from the right time on, one device's, and within bounds."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from kafka.errors import KafkaError, KafkaTimeoutError

from ecgstream.clock import SignalClock
from ecgstream.strips import recent
from ecgstream.strips.recent import MARGIN_S, Found, Recent
from schemas.bundle import Bundle
from schemas.codec import encode
from schemas.records import Alert, Association, Control
from tests.ecgstream.strips.published import (
    ALERT,
    DECIDED_S,
    DEVICE,
    LATENCY_S,
    ONSET_S,
    PARTITION,
    SECOND,
    SESSION,
    FakeReader,
    packet,
    packets,
)

BEFORE_S, AFTER_S = 7.0, 3.0
BEGIN_S = ONSET_S + LATENCY_S - BEFORE_S - MARGIN_S
WALL = SignalClock(1.0, None)


def read(reader: FakeReader, alert: Alert = ALERT, clock: SignalClock = WALL) -> Found:
    return Recent(reader, clock).around(alert, BEFORE_S, AFTER_S)


def seconds(found: Found) -> list[int]:
    return [one.seq for one in found.packets]


def asked_s(reader: FakeReader) -> float:
    (ms,) = reader.asked
    return ms / 1000 - SESSION / SECOND


def test_it_begins_before_what_is_wanted_and_ends_behind_it() -> None:
    reader = FakeReader()
    reader.send(packets(range(60)))
    found = read(reader)
    assert asked_s(reader) == pytest.approx(BEGIN_S)
    assert found.whole
    assert seconds(found) == list(range(seconds(found)[0], seconds(found)[-1] + 1))
    assert seconds(found)[0] <= ONSET_S - BEFORE_S
    assert ONSET_S + AFTER_S <= seconds(found)[-1] + 1 <= ONSET_S + AFTER_S + 6


def test_what_is_not_there_yet_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "READ_S", 120.0)
    reader = FakeReader()
    reader.send(packets(range(22)))
    began = time.monotonic()
    found = read(reader)
    assert (found.whole, seconds(found)[-1]) == (False, 21)
    assert time.monotonic() - began < recent.READ_S / 2


def test_of_other_devices_and_partitions_and_of_garbage_nothing_is_taken() -> None:
    reader = FakeReader()
    told = Control("c", DEVICE, SESSION, 0, 0, "li", Association("P-1"))
    reader.send(packets(range(60)), partition=PARTITION + 1)
    for second in range(60):
        both = [packet(second, device="mon-18", leads=1), packet(second)]
        at_s = second + 1 + LATENCY_S
        for value in (b"garbage", None, encode(told), encode(packet(second))):
            reader.publish(value, at_s)
        reader.publish(encode(Bundle.of("gw-1", 0, 0, both, [])), at_s)
        reader.send([packet(second, device="mon-19")])
    found = read(reader)
    assert found.whole
    assert {one.device for one in found.packets} == {DEVICE}
    assert {len(one.channels) for one in found.packets} == {2}


def test_a_topic_without_newer_records_has_nothing() -> None:
    reader = FakeReader()
    assert read(reader) == Found([], whole=False)
    reader.send(packets(range(5)))
    assert read(reader) == Found([], whole=False)


def test_a_broker_that_answers_no_more_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "READ_S", 0.2)
    reader = FakeReader()
    reader.send(packets())
    reader.hangs = True
    began = time.monotonic()
    assert read(reader) == Found([], whole=False)
    assert time.monotonic() - began > 0.15


@pytest.mark.parametrize("bound", ["MOST_RECORDS", "MOST_BYTES"])
def test_what_is_too_much_is_read_in_part(bound: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, bound, {"MOST_RECORDS": 10, "MOST_BYTES": 10_000}[bound])
    reader = FakeReader(chunk=2)
    reader.send(packets(range(60)))
    found = read(reader)
    assert not found.whole
    assert 5 < len(found.packets) < 13


def test_what_kafka_refuses_is_an_error() -> None:
    reader = FakeReader()
    reader.fails = KafkaTimeoutError("away")
    with pytest.raises(KafkaError):
        read(reader)


def test_a_gateway_whose_clock_is_ahead_is_not_believed() -> None:
    reader = FakeReader()
    read(reader, replace(ALERT, published_ns=ALERT.published_ns + 3600 * SECOND))
    assert asked_s(reader) == pytest.approx(DECIDED_S + 1 - (DECIDED_S - ONSET_S) - BEFORE_S - MARGIN_S)


def test_in_a_play_times_of_the_log_are_those_of_the_wall_clock() -> None:
    """A play at three times the speed, of signals that were a day before; alerts' times are the signals'."""
    reader = FakeReader()
    wall_ns = SESSION + 86_400 * SECOND
    clock = SignalClock.that_shows(ALERT.published_ns, wall_ns, 3.0)
    read(reader, clock=clock)
    before_s = (DECIDED_S - ONSET_S + BEFORE_S) / 3
    assert asked_s(reader) == pytest.approx(86_400 - before_s - MARGIN_S, abs=0.002)
