"""Where a share of false pages stands, without a database."""

from __future__ import annotations

import pytest

from ecgstream.budget import Counted


def counted(true: int, false: int, *, unclear: int = 0, bed_days: float = 2.0) -> Counted:
    n = true + false + unclear + 3
    return Counted("ASYSTOLE", n, n - 1, bed_days, 20.0, 90.0, true, false, unclear, true, false)


@pytest.mark.parametrize(
    ("true", "false", "standing"),
    [(0, 0, ""), (17, 3, "aim"), (16, 4, "within"), (3, 1, "within"), (14, 5, "beyond"), (0, 1, "beyond")],
)
def test_a_share_stands_within_the_budget_or_beyond(true: int, false: int, standing: str) -> None:
    assert counted(true, false).standing == standing


def test_what_is_unclear_or_not_judged_is_in_no_share() -> None:
    found = counted(3, 1, unclear=5)
    assert (found.false_percent, found.not_judged) == (25.0, 3)
    low, high = found.false_interval or (0.0, 0.0)
    assert (round(low, 1), round(high, 1)) == (0.6, 80.6)


def test_without_signal_there_is_no_rate_and_without_verdicts_no_share() -> None:
    told = counted(0, 0, bed_days=0.0).told()
    assert (told["pages_per_bed_day"], told["false_percent"], told["false_low"]) == (None, None, None)
