"""The watchdog sees a crash anywhere below the app, and a worker that lives without working."""

from dataclasses import dataclass, field
from typing import NoReturn

import pytest

from ecgstream.worker import watchdog
from ecgstream.worker.watchdog import HANG_S, STALL_S, Pulse, Watchdog


@dataclass
class Service:
    crashed: bool = False
    _children: list["Service"] = field(default_factory=list)


class Patient:
    """A worker as the watchdog sees it, on a clock of its own."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.pulse = Pulse(lambda: self.now_s)
        self.crashed = ""
        self.member = True
        self.waiting: dict[int, int] = {}

    def crash(self) -> str:
        return self.crashed

    def is_member(self) -> bool:
        return self.member

    def unread(self) -> dict[int, int]:
        return self.waiting


class EndedError(Exception):
    pass


def give_up(reason: str) -> NoReturn:
    raise EndedError(reason)


def looked_at(patient: Patient, seconds: float, *, beating: bool = True) -> str:
    """Look every second for so long; return what is found at the end, or as soon as something is."""
    watched = Watchdog(patient, lambda: patient.now_s)
    for _ in range(int(seconds)):
        patient.now_s += 1.0
        if beating:
            patient.pulse.beat()
        if why := watched.ails():
            return why
    return ""


def test_a_crash_below_counts() -> None:
    consumer = Service()
    app = Service(_children=[Service(), Service(_children=[consumer])])
    assert not watchdog.has_crashed(app)
    consumer.crashed = True
    assert watchdog.has_crashed(app)


def test_it_gives_a_crashed_app_some_time_and_then_ends_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    patient = Patient()

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        patient.crashed = "No partitions assigned" if len(slept) >= 3 else ""

    monkeypatch.setattr(watchdog.time, "sleep", sleep)
    with pytest.raises(EndedError, match="No partitions assigned"):
        watchdog._watch(patient, give_up)
    assert slept == [watchdog.INTERVAL_S] * 3 + [watchdog.PATIENCE_S]


def test_a_worker_that_works_or_has_nothing_to_do_is_left_alone() -> None:
    assert looked_at(Patient(), 10 * STALL_S) == ""


def test_an_event_loop_that_hangs_ends_the_process() -> None:
    assert looked_at(Patient(), HANG_S, beating=False) == ""
    assert "event loop" in looked_at(Patient(), HANG_S + 2, beating=False)


def test_outside_of_its_group_for_long_it_is_ended_and_not_during_a_hand_over() -> None:
    patient = Patient()
    patient.member = False
    assert looked_at(patient, STALL_S - 1) == ""
    assert "outside of its group" in looked_at(patient, STALL_S + 2)


def test_a_partition_that_does_not_go_on_though_something_waits_ends_the_process() -> None:
    patient = Patient()
    patient.waiting = {0: 7, 3: 9}
    assert looked_at(patient, STALL_S) == ""
    assert "partition 0 has not gone on from offset 7" in looked_at(patient, STALL_S + 2)


def test_a_partition_that_is_behind_and_goes_on_is_left_alone() -> None:
    patient = Patient()
    watched = Watchdog(patient, lambda: patient.now_s)
    for offset in range(300):
        patient.now_s += 1.0
        patient.pulse.beat()
        patient.waiting = {0: offset // 50}
        assert watched.ails() == ""
