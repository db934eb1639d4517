"""The gateway on a clock that the test holds."""

import json
import threading
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest

from devices.bundler import Instant
from devices.errors import PlayError
from devices.gateway import STOP_PATIENCE_S, GatewayReport, play
from devices.ledger import Account, Mark, Play, Sent
from devices.parts import parts_of
from devices.source import NS, Number, Session, Source, Wave
from devices.spool import Spool
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
    """Acknowledges at once, and remembers a play as a spool does."""

    def __init__(self, clock: FakeClock, costs_s: float = 0.0) -> None:
        self.clock = clock
        self.costs_s = costs_s
        self.got: list[tuple[float, Bundle]] = []
        self.started_at: list[tuple[float, int]] = []
        self.unacknowledged = 0
        self.room = True
        self.refused = 0
        self.play: Play | None = None
        self.marks: dict[str, Mark] = {}

    def knows(self, play: str) -> bool:
        return self.play is not None and self.play.name == play

    def begin(self, play: Play) -> tuple[Play, dict[str, Mark]]:
        if not self.knows(play.name):
            self.play, self.marks = play, {}
        assert self.play is not None
        return self.play, self.marks

    def start(self, patience_s: float) -> None:
        self.started_at.append((self.clock.s, len(self.got)))

    def publish(self, bundles: Sequence[Bundle]) -> bool:
        assert bundles
        for bundle in bundles:
            self.got.append((self.clock.s, bundle))
            self.clock.s += self.costs_s
        return True

    def refuse(self) -> None:
        self.refused += 1

    def settled(self, patience_s: float) -> bool:
        self.clock.s += patience_s if self.unacknowledged else 0
        return not self.unacknowledged

    def account(self) -> Account:
        sent: dict[tuple[str, int], Sent] = {}
        for part in (part for _, bundle in self.got for part in parts_of(bundle)):
            for run in part.runs:
                known = sent.setdefault((part.device, run.session), Sent(0, run.first_seq))
                known.packets += run.packets
                known.last_seq = run.last_seq
        return Account(sent, len(self.got), 1)

    def waiting(self) -> int:
        return self.unacknowledged


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
    assert report.waiting == 0
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
    report = play([source("a")], publisher, clock=clock, stop=Event())
    assert not report.complete
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
    assert report.refused == publisher.refused == 20
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
    played = source("a", seconds=3)
    expected = (Expectation("a", "VT", ("VENTRICULAR_TACHYCARDIA",), 3.0),)
    report = play(
        [Source("a", 0, "SIMULATED", simulated=True, sessions=played.sessions, expected=expected)],
        publisher,
        clock=clock,
        start_ns=7,
    )
    assert isinstance(report, GatewayReport)
    report.write(tmp_path / "report.json")
    found = json.loads((tmp_path / "report.json").read_text())
    assert found["sessions"] == [{"device": "a", "session": 7, "packets": 3, "first_seq": 0, "last_seq": 2}]
    assert found["devices"] == [{"device": "a", "shard": 0, "label": "SIMULATED", "simulated": True}]
    assert found["expected"][0]["codes"] == ["VENTRICULAR_TACHYCARDIA"]
    assert found["packets"] == 3
    assert found["start_ns"] == 7


# -- a play that is broken off


def broken_off(publisher: FakePublisher, clock: FakeClock, at_s: float, **how: Any) -> GatewayReport:
    clock.stop_at_s = at_s
    report = play([source("a"), source("b", 1)], publisher, clock=clock, name="ward", stop=Event(), **how)
    clock.stop_at_s = float("inf")
    return report


def packets(publisher: FakePublisher) -> dict[str, list[tuple[int, int]]]:
    found: dict[str, list[tuple[int, int]]] = {}
    for _, bundle in publisher.got:
        for packet in bundle.packets():
            found.setdefault(packet.device, []).append((packet.session, packet.seq))
    return found


def test_a_play_of_the_same_name_goes_on_where_it_was_in_order_without_anything_twice() -> None:
    clock = FakeClock()
    publisher = FakePublisher(clock)
    assert not broken_off(publisher, clock, 4.2, start_ns=5 * NS).complete
    publisher.marks = {"a": Mark((5 * NS, 1), (5 * NS, 7 * NS, mdc.SPO2)), "b": Mark((5 * NS, 2))}
    publisher.got.clear()
    clock.s = 7.6  # so long it was away
    report = broken_off(publisher, clock, 99, start_ns=5 * NS)
    assert report.complete
    assert report.start_ns == 5 * NS
    assert report.wall_s == pytest.approx(10)
    assert report.max_lag_s == 0  # what devices kept is no lag
    assert packets(publisher) == {
        "a": [(5 * NS, seq) for seq in range(2, 10)],
        "b": [(5 * NS, seq) for seq in range(3, 10)],
    }
    vitals = [v for _, bundle in publisher.got for v in bundle.vitals()]
    assert [v.time_ns / NS - 5 for v in vitals if v.device == "a"] == [n + 0.5 for n in range(2, 10)]
    assert sum(v.device == "b" for v in vitals) == 10


def test_what_devices_kept_is_spooled_before_anything_is_sent_in_bundles_as_on_time() -> None:
    clock = FakeClock()
    publisher = FakePublisher(clock)
    broken_off(publisher, clock, 0.1)
    publisher.started_at.clear()
    clock.s = 7.6
    broken_off(publisher, clock, 99)
    at_s, already = publisher.started_at[0]
    assert at_s == pytest.approx(7.6)
    kept = [bundle for _, bundle in publisher.got[:already]]
    assert {max(b.packet.seq.tolist(), default=-1) for b in kept} >= set(range(6))
    assert all(b.packet.seq.size <= 1 for b in kept)  # as small as they would have been


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"speed": 2.0}, "begun at speed 1 "),
        ({"packet_s": 0.5}, "packets of 1 s"),
        ({"start_ns": 6}, "--start-ns 5"),
    ],
)
def test_a_play_goes_on_only_as_it_was_begun(change: dict[str, Any], says: str, tmp_path: Path) -> None:
    clock = FakeClock()
    with closing(Spool(tmp_path / "spool")) as spool:

        class Kept(FakePublisher):
            def begin(self, play: Play) -> tuple[Play, dict[str, Mark]]:
                return spool.begin(play), {}

        publisher = Kept(clock)
        broken_off(publisher, clock, 1.0, start_ns=5)
        with pytest.raises(PlayError, match=says):
            broken_off(publisher, clock, 99, **change)
        assert play([source("a")], publisher, clock=clock, name="other", **change).complete


def test_where_no_more_fits_devices_wait_and_nothing_is_lost() -> None:
    clock = FakeClock()
    publisher = FakePublisher(clock)

    class Full(threading.Event):
        def is_set(self) -> bool:
            publisher.room = not 3 < clock.s < 8
            return super().is_set()

    report = play([source("a")], publisher, clock=clock, stop=Full())
    assert report.packets == 10
    assert report.max_lag_s > 3
    assert not any(3.6 < at_s < 8 for at_s, _ in publisher.got)


def test_a_stop_does_not_wait_long_for_kafka_and_says_what_waits() -> None:
    clock = FakeClock()
    clock.stop_at_s = 4.2
    publisher = FakePublisher(clock)
    publisher.unacknowledged = 3
    report = play([source("a")], publisher, clock=clock, stop=Event())
    assert report.waiting == 3
    assert STOP_PATIENCE_S < clock.s - 4.2 < STOP_PATIENCE_S + 2
