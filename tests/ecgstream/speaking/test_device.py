"""A simulated device keeps what is not answered, and sends each packet until it is."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from devices.simulator import Bed, simulate
from devices.source import Source
from ecgstream.cli import app
from ecgstream.speaking import device as devices
from ecgstream.speaking.device import Course, Device
from ecgstream.speaking.link import LinkDownError, Told
from schemas.records import Packet, Vital
from tests.ecgstream.conform.serving import DEVICE, KEY, Gateway, serving

SECONDS = 20.0


class Clock(threading.Event):
    """An event whose waiting takes no time, and the clock that goes on by it."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def wait(self, timeout: float | None = None) -> bool:
        self.now += max(timeout or 0.0, 0.001)
        return self.is_set()

    def __call__(self) -> float:
        return self.now


class Gate:
    """A gateway that is away from one second to another."""

    most = 4

    def __init__(self, clock: Clock, away: tuple[float, float] = (0.0, 0.0), *, refuses: str = "") -> None:
        self.packets: list[int] = []
        self.vitals = 0
        self._clock, self._away, self._refuses = clock, away, refuses

    def send(self, packets: Sequence[Packet], vitals: Sequence[Vital]) -> Told:
        if self._away[0] <= self._clock() < self._away[1]:
            raise LinkDownError("nobody there")
        if self._refuses:
            return Told(0, (self._refuses,) * (len(packets) + len(vitals)))
        self.packets += [packet.seq for packet in packets]
        self.vitals += len(vitals)
        return Told(len(packets) + len(vitals))

    def close(self) -> None:
        pass


def source() -> Source:
    return simulate(Bed(1, ("II",), 100.0, 100.0, 70, 14, ()), duration_s=SECONDS)


def played(gate: Gate, clock: Clock, patience_s: float = 60.0) -> tuple[Course, list[Course]]:
    turns: list[Course] = []
    device = Device(source(), gate, lambda course: turns.append(Course(trouble=course.trouble)), clock)
    device.play(clock, start_ns=1, patience_s=patience_s)
    return device.course, turns


def test_all_is_sent_in_order_as_it_is_measured() -> None:
    clock = Clock()
    gate = Gate(clock)
    course, _ = played(gate, clock)
    assert gate.packets == list(range(int(SECONDS)))
    assert course.measured == course.taken == len(gate.packets) + gate.vitals
    assert SECONDS - 1 <= clock() <= SECONDS + 1
    assert (course.waiting, course.refused, course.dropped, course.trouble) == (0, {}, 0, "")


def test_what_a_gateway_does_not_answer_is_kept_and_told_and_sent_in_order_when_it_is_back() -> None:
    clock = Clock()
    gate = Gate(clock, (5.0, 15.0))
    course, turns = played(gate, clock)
    assert gate.packets == list(range(int(SECONDS)))
    assert course.waiting == 0
    assert {turn.trouble for turn in turns} == {"", "nobody there"}


def test_what_is_not_answered_in_the_end_is_told() -> None:
    clock = Clock()
    course, _ = played(Gate(clock, (5.0, 1e9)), clock, patience_s=30.0)
    assert course.waiting > 10
    assert course.trouble == "nobody there"
    assert clock() >= SECONDS + 30.0


def test_what_its_store_has_no_room_for_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "HELD", 10)
    clock = Clock()
    gate = Gate(clock, (0.0, SECONDS + 1))
    course, _ = played(gate, clock)
    assert course.dropped == course.measured - 10
    assert course.taken == 10
    assert gate.packets[-1] == SECONDS - 1


def test_what_is_refused_is_told_with_its_reason_and_not_sent_again() -> None:
    clock = Clock()
    course, _ = played(Gate(clock, refuses="no such lead"), clock)
    assert course.refused == {"no such lead": course.measured}
    assert course.waiting == 0


def test_a_device_that_is_told_to_stop_ends() -> None:
    clock = Clock()
    gate = Gate(clock)
    clock.set()
    course, _ = played(gate, clock)
    assert course.measured == 0


@pytest.mark.parametrize("protocol", ["mllp", "http"])
def test_what_is_played_to_a_gateway_arrives_whole(
    protocol: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = tmp_path / "key"
    key.write_text(KEY)
    with serving() as gateway:
        with pytest.raises(SystemExit) as ended:
            app(argv(protocol, gateway, key))
        packets = sorted(gateway.taker.packets, key=lambda packet: packet.first_sample)
    assert [packet.first_sample for packet in packets] == [250 * n for n in range(30)]
    assert {packet.device for packet in packets} == {DEVICE}
    assert len({packet.session for packet in packets}) == 1
    assert [np.ptp(channel.samples) > 50 for channel in packets[3].channels][:4] == [True] * 4
    assert gateway.taker.vitals
    said = capsys.readouterr().err
    assert ended.value.code == 0, said
    assert "SIMULATED: 4 leads, 250 Hz, no trouble" in said
    assert KEY not in said


def argv(protocol: str, gateway: Gateway, key: Path) -> list[str]:
    address = {"mllp": gateway.mllp, "http": gateway.http}[protocol]
    flags = ["--device", DEVICE, "--device-key", str(key), "--plain", "--seconds", "30", "--speed", "60"]
    return ["simulate-device", protocol, address, *flags]


def test_a_gateway_that_refuses_is_told_and_the_exit_status_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ecgstream.commands.simulate_device.PATIENCE_S", 2.0)
    with serving() as gateway:
        flags = ["--device", "try-9", "--plain", "--seconds", "30", "--speed", "60"]
        with pytest.raises(SystemExit, match="not all that was measured is safe"):
            app(["simulate-device", "mllp", gateway.mllp, *flags])
    assert "REFUSED" in capsys.readouterr().err
