"""Beds whose conditions go through the alert pipeline: what is a page, and which alarms page."""

from pathlib import Path

import pytest

from ecgstream.evaluate.paged import Told
from ecgstream.evaluate.suites import burden
from ecgstream.evaluate.suites.burden import OfRecord
from tests.ecgstream.evaluate.recorded import FS, normal, regular, write


def told(condition: str, onset_s: float, over_s: float, paged_s: float | None) -> Told:
    high = condition != "HEART_RATE_HIGH"
    return Told(condition, high, onset_s, onset_s + 4.0, over_s, paged_s)


def bed(*of: Told, alarm: tuple[str, bool] | None = None) -> OfRecord:
    return OfRecord("r", 12.0, of, 0, alarm)


def test_an_arrest_pages_within_ten_seconds_and_its_repeat_joins_it(tmp_path: Path) -> None:
    mv, at = regular(90.0)
    mv[30 * FS : 40 * FS] = 0.0
    mv[55 * FS : 65 * FS] = 0.0
    found = burden.look(write(tmp_path, "r1", mv, normal(at)))
    assert [one.condition for one in found.told if one.high] == ["ASYSTOLE", "ASYSTOLE"]
    first, second = (one for one in found.told if one.high)
    assert first.paged_s is not None
    assert 3.0 < first.paged_s - first.onset_s < 10.0
    assert second.paged_s is None
    assert found.hours == pytest.approx(90.0 / 3600.0)


def test_pages_are_counted_by_bed_day_and_condition() -> None:
    summed = burden.sum_up(
        [
            bed(told("ASYSTOLE", 10.0, 20.0, 14.5), told("ASYSTOLE", 30.0, 40.0, None)),
            bed(told("HEART_RATE_HIGH", 10.0, 20.0, 15.0)),
        ]
    )
    assert (summed["bed_days"], summed["pages_per_bed_day"], summed["high_pages_per_bed_day"]) == (
        1.0,
        2.0,
        1.0,
    )
    assert summed["pages_by_condition"] == {"asystole": 1, "heart_rate_high": 1}
    assert (summed["joined"]["alerts"], summed["beds_with_high_pages"]) == (1, {"beds": 1, "of": 2})
    assert (summed["onset_to_page_s"]["max"], summed["decided_to_page_s"]["max"]) == (4.5, 0.5)
    assert "true_paged" not in summed


@pytest.mark.parametrize(
    ("of", "pages"),
    [
        (told("ASYSTOLE", 292.0, float("inf"), 296.0), True),
        (told("ASYSTOLE", 200.0, float("inf"), 204.0), True),
        (told("ASYSTOLE", 200.0, 299.0, 204.0), False),
        (told("ASYSTOLE", 292.0, 299.0, None), True),
        (told("VENTRICULAR_FIBRILLATION", 292.0, float("inf"), 296.0), False),
    ],
    ids=["begun", "in force", "over", "joined", "of another name"],
)
def test_an_alarm_pages_if_its_condition_is_told_then(of: Told, pages: bool) -> None:
    false = burden.sum_up([bed(of, alarm=("Asystole", False))])
    assert false["false_paged_share"] == (100.0 if pages else 0.0)
    true = burden.sum_up([bed(of, alarm=("Asystole", True))])["true_paged"]["Asystole"]
    assert (true["paged"], true["n"]) == (int(pages), 1)
    assert true["by_any_name"] == (0.0 if of.over_s == 299.0 and of.onset_s == 200.0 else 100.0)
