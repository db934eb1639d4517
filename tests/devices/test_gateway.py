"""The gateway on a clock that the test holds."""

import json
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from devices.bundler import Instant
from devices.gateway import GatewayReport, play
from devices.publisher import Sent
from devices.source import NS, Number, Session, Source, Wave
from devices.trouble import Expectation
from schemas import mdc
from schemas.bundle import Bundle

WALL_NS = 1_700_000_000 * NS


class FakeClock:
    """Time passes only while somebody waits."""

    def __init__(self) -> None:
        self.s = 0.0
        self.stop_at_s = float("inf")

    def now(self) -> Instant:
        return Instant(500 + self.s, WALL_NS + round(self.s * NS))

    def wait(self, stop: threading.Event, seconds: float) -> None:
        assert seconds > 0
        self.s += seconds
        if self.s >= self.stop_at_s:
            stop.set()


class FakePublisher:
    def __init__(self, clock: FakeClock, costs_s: float = 0.0) -> None:
        self.clock = clock
        self.costs_s = costs_s
        self.sent: dict[tuple[str, int], Sent] = {}
        self.vitals = 0
        self.bundles = 0
        self.bytes = 0
        self.got: list[tuple[float, Bundle]] = []
        self.flushed = False

    def publish(self, bundles: Sequence[Bundle]) -> None:
        for bundle in bundles:
            self.got.append((self.clock.s, bundle))
            self.bundles += 1
            self.clock.s += self.costs_s

    def flush(self) -> None:
        self.flushed = True


def source(device: str, shard: int = 0, seconds: float = 10, rate: float = 250) -> Source:
    wave = Wave("II", mdc.LEADS["II"], 0, 0, rate, 200.0, np.arange(round(seconds * rate)).astype(np.int16))
    numbers = tuple(Number(s + 0.5, mdc.SPO2, 97.0) for s in range(int(seconds)))
    return Source(device, shard, "Test", simulated=True, sessions=(Session((wave,), numbers),))


@pytest.mark.parametrize("speed", [0.5, 1.0, 10.0, 100.0])
def test_signal_runs_at_its_speed_and_device_time_at_its_own(speed: float) -> None:
    clock = FakeClock()
    publisher = FakePublisher(clock)
    report = play([source("a"), source("b", 1)], publisher, speed=speed, clock=clock, start_ns=5 * NS)
    assert report.complete
    assert publisher.flushed
    assert report.wall_s == pytest.approx(10 / speed)
    assert report.max_lag_s == 0
    for _, bundle in publisher.got:
        for packet in bundle.packets():
            left_s = (packet.first_sample + packet.channels[0].samples.size) / 250 / speed
            assert (packet.received_ns - WALL_NS) / NS == pytest.approx(left_s)
            assert packet.start_ns == 5 * NS + packet.seq * NS
            assert packet.session == 5 * NS
    assert sum(b.packet.seq.size for _, b in publisher.got) == 20
    assert sum(b.vital.code.size for _, b in publisher.got) == 20


def test_a_packet_waits_half_a_second_at_most() -> None:
    clock = FakeClock()
    publisher = FakePublisher(clock)
    play([source("a")], publisher, clock=clock, packet_s=0.2)
    for at_s, bundle in publisher.got:
        for packet in bundle.packets():
            assert at_s - (packet.received_ns - WALL_NS) / NS <= 0.5 + 1e-6
    # One bundle a flush: the timer begins with the first packet, so 10 s take a few less than 20.
    assert 14 <= len(publisher.got) <= 20


def test_a_stop_sends_what_was_measured_and_no_more() -> None:
    clock = FakeClock()
    clock.stop_at_s = 4.2
    publisher = FakePublisher(clock)
    report = play([source("a")], publisher, clock=clock, stop=threading.Event())
    assert not report.complete
    assert publisher.flushed
    assert sum(b.packet.seq.size for _, b in publisher.got) == 4


def test_a_slow_publisher_shows_as_lag() -> None:
    clock = FakeClock()
    report = play([source("a")], FakePublisher(clock, costs_s=3), clock=clock)
    assert report.complete
    assert report.max_lag_s > 1


def test_one_absurd_device_harms_no_other() -> None:
    clock = FakeClock()
    publisher = FakePublisher(clock)
    report = play([source("not one word"), source("b")], publisher, clock=clock)
    assert report.refused == 20
    assert {d for _, b in publisher.got for d in b.devices} == {"b"}


def test_what_makes_no_sense_is_refused_at_once() -> None:
    clock = FakeClock()
    with pytest.raises(ValueError, match="speed"):
        play([], FakePublisher(clock), speed=0, clock=clock)
    with pytest.raises(ValueError, match="same device"):
        play([source("a"), source("a")], FakePublisher(clock), clock=clock)


def test_the_report_is_json(tmp_path: Path) -> None:
    clock = FakeClock()
    publisher = FakePublisher(clock)
    publisher.sent[("a", 7)] = Sent(3, 0, 2)
    played = source("a")
    expected = (Expectation("a", "VT", ("VENTRICULAR_TACHYCARDIA",), 3.0),)
    report = play(
        [Source("a", 0, "SIMULATED", simulated=True, sessions=played.sessions, expected=expected)],
        publisher,
        clock=clock,
    )
    assert isinstance(report, GatewayReport)
    report.write(tmp_path / "report.json")
    found = json.loads((tmp_path / "report.json").read_text())
    assert found["sessions"] == [{"device": "a", "session": 7, "packets": 3, "first_seq": 0, "last_seq": 2}]
    assert found["devices"] == [{"device": "a", "shard": 0, "label": "SIMULATED", "simulated": True}]
    assert found["expected"][0]["codes"] == ["VENTRICULAR_TACHYCARDIA"]
    assert found["packets"] == 3
    assert found["start_ns"] == WALL_NS
