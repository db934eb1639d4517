"""Which samples of a session are of a time: by packets' own clocks, also where these were set."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ecgstream.exchange.recording import NS
from ecgstream.exchange.stored import Clock

RATE = 250


def clock(*at_s: float) -> Clock:
    """Packets of a second each, one after the other by sample."""
    first = np.arange(len(at_s), dtype=np.int64) * RATE
    return Clock(first, np.array([round(s * NS) for s in at_s], np.int64), len(at_s) * RATE)


def between(of: Clock, since_s: float, until_s: float) -> list[int]:
    """The samples that are exported."""
    since, until = round(since_s * NS), round(until_s * NS)
    low, high = of.sample_at(since, RATE), of.sample_at(until, RATE)
    out = [range(a, b) for a, b in of.outside(since, until)]
    return [s for s in range(low, high) if not any(s in run for run in out)]


def test_a_stretch_begins_and_ends_within_packets() -> None:
    assert between(clock(0, 1, 2, 3), 0.5, 2.25) == list(range(125, 563))
    assert between(clock(0, 1, 2, 3), -5, 99) == list(range(1000))
    assert between(clock(10, 11), 0, 5) == []


def test_a_clock_that_is_set_on_takes_nothing_from_behind_it_along() -> None:
    assert between(clock(0, 1, 100, 101), 0, 50) == list(range(500))
    assert between(clock(0, 1, 100, 101), 50, 200) == list(range(500, 1000))


def test_a_clock_that_is_set_back_takes_nothing_of_a_later_time_along() -> None:
    assert between(clock(0, 60, 61, 30, 31), 0, 40) == [*range(250), *range(750, 1250)]


@given(st.lists(st.integers(0, 60), min_size=1, max_size=12), st.integers(0, 60), st.integers(1, 30))
def test_no_sample_of_a_packet_that_begins_outside(at_s: list[int], since_s: int, long_s: int) -> None:
    of = clock(*at_s)
    for sample in between(of, since_s, since_s + long_s):
        begin_s = at_s[sample // RATE]
        assert since_s - 2 < begin_s < since_s + long_s
