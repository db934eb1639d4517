"""Whose clock is off, has been set or drifts; a slow line is none of these."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from devices.clock import WINDOW_S, Clocks
from schemas import mdc
from schemas.records import Channel, Packet

NS = 10**9
BEGIN_S = 1_790_000_000
LEAD = Channel(mdc.LEADS["II"], 0, 0, 250.0, 200.0, np.zeros(250, np.int16))


def packet(came_s: float, ahead_s: float, took_s: float = 0.1, device: str = "a") -> Packet:
    """A second that came then, from a device whose clock is ahead by so much."""
    came_ns = round((BEGIN_S + came_s) * NS)
    start_ns = came_ns - round((1.0 + took_s - ahead_s) * NS)
    return Packet(device, 7, 0, 0, start_ns, came_ns, [LEAD])


def told(clocks: Clocks, seconds: int, ahead: Callable[[float], float], took: float = 0.1) -> list[float]:
    found = (clocks.hear(packet(s, ahead(s), took)) for s in range(seconds))
    return [round(ahead_s, 1) for ahead_s in found if ahead_s is not None]


@pytest.mark.parametrize("ahead_s", [0.0, 0.9, -0.8])
def test_of_a_clock_that_is_right_nothing_is_told(ahead_s: float) -> None:
    clocks = Clocks()
    assert told(clocks, 300, lambda _: ahead_s) == []
    assert clocks.off == {}


@pytest.mark.parametrize("ahead_s", [3600.0, 1.2, -1.2, -7200.0])
def test_a_clock_that_is_off_is_told_once(ahead_s: float) -> None:
    clocks = Clocks()
    assert told(clocks, 300, lambda _: ahead_s) == [round(ahead_s - 0.1, 1)]
    assert clocks.off == {"a": pytest.approx(ahead_s - 0.1)}


def test_a_step_is_told_within_two_windows_and_its_end_too() -> None:
    clocks = Clocks()
    assert told(clocks, 600, lambda s: 0.0 if s < 200 else 5.0 if s < 400 else 0.0) == [4.9, 0.0]
    assert clocks.off == {}
    assert told(Clocks(), round(200 + 2 * WINDOW_S), lambda s: 0.0 if s < 200 else 5.0) == [4.9]


def test_a_drift_is_told_at_each_second_of_it() -> None:
    seconds = told(Clocks(), 4000, lambda s: s / 1000)
    assert len(seconds) == 3
    assert all(b - a >= 0.99 for a, b in pairwise(seconds))


def test_a_line_that_is_slow_for_most_of_the_time_is_no_clock() -> None:
    clocks = Clocks()
    found = [clocks.hear(packet(s, 0.0, took_s=0.2 if s % 20 == 0 else 15.0)) for s in range(300)]
    assert set(found) == {None}


def test_a_device_that_sends_what_it_kept_is_told_until_it_has_caught_up() -> None:
    clocks = Clocks()
    assert told(clocks, 60, lambda _: 0.0, took=7200.0) == []
    assert len(told(clocks, 61, lambda _: 0.0, took=7200.0)) <= 1
    for s in range(61, 300):
        clocks.hear(packet(s, 0.0))
    assert clocks.off == {}


def test_each_device_has_a_clock_of_its_own_and_one_that_wavers_is_not_told_of_each_minute() -> None:
    clocks = Clocks()
    found = []
    for s in range(1200):
        clocks.hear(packet(s, 0.0, device="b"))
        found.append(clocks.hear(packet(s, 1.3 if s // 60 % 2 else 0.8)))
    assert len([one for one in found if one is not None]) == 1
    assert set(clocks.off) == {"a"}


def test_the_gateways_own_clock_may_be_set_back() -> None:
    clocks = Clocks()
    told(clocks, 100, lambda _: 0.0)
    for s in range(300):
        clocks.hear(packet(s - 5000, 5000.0))
    assert clocks.off == {"a": pytest.approx(4999.9)}
