"""Lines of trends: nothing is drawn where nothing was measured, and nothing leaves its frame."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from ecgstream.monitor.charts import Frame, Point

SINCE = datetime(2026, 3, 5, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
FRAME = Frame(SINCE, SINCE + timedelta(hours=1), MINUTE, 40.0, 140.0, 600, 100)
NUMBERS = st.none() | st.floats(-1e6, 1e6)


def at(minute: int, mean: float | None = 90.0, low: float | None = 80.0, high: float | None = 100.0) -> Point:
    return Point(SINCE + minute * MINUTE, mean, low, high)


def test_a_point_stands_where_its_time_and_value_are() -> None:
    assert FRAME.line([at(0, 40), at(1, 90), at(2, 140)]) == "M0.0 100.0L10.0 50.0L20.0 0.0"


def test_a_line_breaks_where_nothing_was_measured() -> None:
    line = FRAME.line([at(0), at(1), at(3), at(4, None), at(5), at(6)])
    assert line.count("M") == 3
    assert FRAME.line([]) == FRAME.band([]) == ""


def test_a_point_that_stands_alone_can_be_seen() -> None:
    assert FRAME.line([at(30)]) == "M298.5 50.0L301.5 50.0"


def test_what_is_beyond_the_scale_is_at_its_edge() -> None:
    assert FRAME.line([at(0, 1e9), at(1, -1e9)]) == "M0.0 0.0L10.0 100.0"


def test_the_scale_has_round_values_and_few() -> None:
    assert [tick.value for tick in FRAME.values()] == [50, 75, 100, 125]
    assert [tick.at for tick in FRAME.values()] == [90.0, 65.0, 40.0, 15.0]
    assert [moment.time.minute for moment in FRAME.moments()] == [0, 10, 20, 30, 40, 50]


@given(st.lists(st.builds(at, st.integers(0, 59), NUMBERS, NUMBERS, NUMBERS), max_size=20))
def test_nothing_leaves_the_frame_and_all_of_it_is_numbers(points: list[Point]) -> None:
    points.sort(key=lambda point: point.time)
    for path in (FRAME.line(points), FRAME.band(points)):
        assert re.fullmatch(r"([MLZ ]|-?\d+\.\d)*", path)
        assert all(0 <= float(y) <= 100 for y in re.findall(r" (\d+\.\d)", path))


def test_a_scale_of_fractions_has_round_values_too() -> None:
    small = Frame(SINCE, SINCE + timedelta(hours=1), MINUTE, -0.3, 0.3, 600, 60)
    assert [round(tick.value, 9) for tick in small.values()] == [-0.2, 0.0, 0.2]
    fine = Frame(SINCE, SINCE + timedelta(hours=1), MINUTE, -0.2, 0.2, 600, 60)
    assert [round(tick.value, 9) for tick in fine.values()] == [-0.2, -0.1, 0.0, 0.1, 0.2]
