"""How often a device may ask, by a clock of the test."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from devices.http.pace import Pace


def test_a_burst_then_the_pace() -> None:
    pace = Pace(per_s=2, burst=3)
    assert [pace.wait_s("a", 0.0) for _ in range(4)] == [0, 0, 0, 0.5]
    assert pace.wait_s("a", 0.25) == 0.25
    assert pace.wait_s("a", 0.5) == 0
    assert pace.wait_s("a", 0.5) == 0.5


def test_a_device_that_asks_too_often_costs_no_other() -> None:
    pace = Pace(per_s=1, burst=1)
    assert [pace.wait_s(device, 0.0) for device in "aab"] == [0, 1, 0]


@given(st.lists(st.floats(0, 3), max_size=60), st.floats(0.5, 10), st.integers(1, 5))
def test_never_more_than_the_burst_and_the_pace_and_whoever_waits_is_let_in(
    gaps_s: list[float], per_s: float, burst: int
) -> None:
    pace, now_s = Pace(per_s, burst), 0.0
    for taken, gap_s in enumerate(gaps_s, 1):
        now_s += gap_s
        wait_s = pace.wait_s("a", now_s)
        if wait_s:
            now_s += wait_s + 1e-6
            assert pace.wait_s("a", now_s) == 0
        assert taken <= burst + per_s * now_s + 1e-6
