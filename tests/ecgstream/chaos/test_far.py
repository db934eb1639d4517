"""The far gateway's judgement: segments as they must be, the lanes' findings made again, alerts and pages."""

from typing import Any

import pytest

from ecgstream.chaos import compare, load
from ecgstream.chaos.far import LATE_S, Gap, gap_of, judge_alerts, outcomes
from schemas.records import AlertState

AWAY, BACK = load.AWAY_S


def segments(*parts: tuple[str, int, int | None, str]) -> dict[compare.Row, compare.Row]:
    keys = ("device", "session", "lane", "from_sample")
    found = {}
    for lane, begin, end, start in parts:
        of = {
            "device": "d",
            "session": 7,
            "lane": lane,
            "from_sample": begin,
            "to_sample": end,
            "start": start,
        }
        row = [of.get(column) for column in compare.COMPARED["segment"]]
        found[tuple(row[: len(keys)])] = tuple(row[len(keys) :])
    return found


BEFORE, LATE, BEHIND = (
    ("LIVE", 0, 100, "COLD"),
    ("BACKFILL", 100, 400, "RESTORED"),
    ("LIVE", 400, None, "COLD"),
)


def test_the_gap_is_what_the_backfill_lane_took_between_two_live_segments() -> None:
    assert gap_of(segments(LATE, BEHIND, BEFORE)) == Gap(100, 400)


@pytest.mark.parametrize(
    "parts",
    [
        (("LIVE", 0, None, "COLD"),),
        (BEFORE, BEHIND),
        (BEFORE, ("BACKFILL", 100, 400, "COLD"), BEHIND),
        (BEFORE, ("BACKFILL", 101, 400, "RESTORED"), BEHIND),
        (BEFORE, ("BACKFILL", 100, 399, "RESTORED"), BEHIND),
        (BEFORE, ("BACKFILL", 100, None, "RESTORED"), BEHIND),
        (("LIVE", 5, 100, "COLD"), LATE, BEHIND),
        (BEFORE, LATE, ("LIVE", 400, 500, "COLD")),
        (BEFORE, LATE, BEHIND, ("LIVE", 600, None, "COLD")),
    ],
)
def test_segments_that_are_not_as_they_must_be_give_no_gap(parts: Any) -> None:
    assert gap_of(segments(*parts)) is None


def condition(code: str, end_s: float | None, lane: str = "BACKFILL") -> dict[str, Any]:
    ended = end_s is not None
    end_ns = load.START_NS + round(end_s * 1e9) if end_s is not None else None
    return {
        "id": code,
        "device": "d",
        "code": code,
        "phase": "END" if ended else "ONSET",
        "onset_ns": 1,
        "end_ns": end_ns,
        "lane": lane,
    }


OLD = BACK - LATE_S - 10
YOUNG = load.SIGNAL_S - LATE_S + 10


def test_what_was_over_long_before_the_gateway_came_back_is_late() -> None:
    assert outcomes(condition("ASYSTOLE", OLD)) == [("LATE", "LATE")]
    assert outcomes(condition("SPO2_LOW", OLD)) == [("LATE", "LATE")]


def test_a_technical_one_or_one_of_low_priority_asks_for_nothing_any_more() -> None:
    assert outcomes(condition("ALL_LEADS_OFF", OLD)) == [("ENDED", "")]
    assert outcomes(condition("LEAD_OFF", OLD)) == [("ENDED", "")]


def test_what_was_over_just_before_or_lasts_is_told_as_it_is() -> None:
    assert outcomes(condition("ASYSTOLE", YOUNG)) == [("LATCHED", "RAISED")]
    assert outcomes(condition("SPO2_LOW", YOUNG)) == [("ENDED", "RAISED")]
    assert outcomes(condition("SPO2_LOW", None)) == [("ACTIVE", "RAISED")]
    assert outcomes(condition("LEAD_OFF", None)) == [("ACTIVE", "")]


def test_in_between_both_may_be() -> None:
    assert outcomes(condition("ASYSTOLE", BACK - LATE_S + 10)) == [("LATCHED", "RAISED"), ("LATE", "LATE")]


def test_what_came_live_is_never_late() -> None:
    assert outcomes(condition("ASYSTOLE", 30.0, lane="LIVE")) == [("LATCHED", "RAISED")]


def rows(table: str, **values: Any) -> dict[compare.Row, compare.Row]:
    row = [values.get(column) for column in compare.COMPARED[table]]
    return {(row[0],): tuple(row[1:])}


def test_alerts_and_pages_that_are_not_as_they_must_be_are_found() -> None:
    conditions = rows("condition", **condition("ASYSTOLE", OLD))
    late = rows("alert", id="ASYSTOLE", state=AlertState.LATE)
    assert judge_alerts(conditions, late, {"ASYSTOLE": "LATE"}) == ([], [])
    wrong, lost = judge_alerts(conditions, late, {})
    assert (len(wrong), len(lost)) == (0, 1)
    wrong, lost = judge_alerts(conditions, late, {"ASYSTOLE": "RAISED"})
    assert (len(wrong), len(lost)) == (1, 0)
    joined = rows("alert", id="ASYSTOLE", state=AlertState.LATE, joined="another")
    assert judge_alerts(conditions, joined, {}) == ([], [])
    assert "has no alert" in judge_alerts(conditions, {}, {})[0][0]
    assert "has no condition" in judge_alerts({}, late, {})[0][0]
