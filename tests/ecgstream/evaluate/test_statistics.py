"""Shares, averages and intervals."""

import math

import pytest

from ecgstream.evaluate.beatwise import Counts
from ecgstream.evaluate.statistics import (
    average,
    bootstrap,
    exact,
    figures,
    percentiles,
    rounded,
    share,
    total,
)

BIG, SMALL = Counts(990, 10, 0), Counts(5, 5, 10)


def se(counts: Counts) -> float | None:
    return share(counts.tp, counts.fn)


def test_gross_weighs_beats_and_average_weighs_records() -> None:
    assert se(total([BIG, SMALL])) == pytest.approx(100 * 995 / 1010)
    assert average([BIG, SMALL], se) == pytest.approx((99 + 50) / 2)
    assert average([BIG, Counts(0, 0, 3)], se) == pytest.approx(99)  # nothing to find says nothing


def test_figures_are_in_percent() -> None:
    found = figures(Counts(90, 10, 30, 970))
    assert (found["se"], found["ppv"], found["fpr"]) == (90.0, 75.0, 3.0)
    assert found["f1"] == pytest.approx(2 * 90 * 75 / (90 + 75))


def test_the_interval_holds_the_value_and_is_the_same_every_time() -> None:
    counts = [BIG, SMALL, Counts(300, 30, 3)]
    low, high = bootstrap(counts, se) or (math.nan, math.nan)
    assert low <= (se(total(counts)) or 0) <= high
    assert bootstrap(counts, se) == (low, high)
    assert bootstrap([BIG], se) is None


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"), [(0, 10, 0.0, 30.85), (10, 10, 69.15, 100.0), (5, 10, 18.71, 81.29)]
)
def test_exact_intervals_are_those_of_the_tables(hits: int, of: int, low: float, high: float) -> None:
    assert exact(hits, of) == pytest.approx((low, high), abs=0.01)


def test_nothing_has_no_interval_and_no_percentiles() -> None:
    assert exact(0, 0) is None
    assert percentiles([]) == {"p50": None, "p99": None, "max": None}


def test_what_is_written_has_no_nan() -> None:
    assert rounded({"a": [1.23456, math.nan], "b": (2, None)}) == {"a": [1.235, None], "b": [2, None]}
