"""Trials: what was told when, against events made by hand, and one against the detectors."""

import json
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detectors.output import CONDITION, END, ONSET, UPDATE
from ecgstream.evaluate.paged import Told
from ecgstream.evaluate.played import Played
from ecgstream.evaluate.report import flat
from ecgstream.evaluate.suite import NothingToEvaluateError, evaluate
from ecgstream.evaluate.suites import SUITES, timing
from ecgstream.evaluate.trials import (
    NEVER,
    Alarm,
    Outcome,
    Page,
    Rate,
    Trial,
    alarm_row,
    first_page,
    look,
    rate_row,
    told_after_s,
)
from ecgstream.evaluate.waveforms import rhythms
from schemas.conditions import Code

VT, VF = Code.VENTRICULAR_TACHYCARDIA, Code.VENTRICULAR_FIBRILLATION
WITHIN = Alarm(VT, {0.25: 3.0}, {0.25: 5.0}, (VF,))


def played(conditions: Sequence[tuple[int, int, float]] = (), rates: Sequence[float] = ()) -> Played:
    """Return what was found: conditions (code, phase, end of the packet), rates at the end of each second."""
    rows = np.zeros(len(conditions), CONDITION)
    for row, (code, phase, _) in zip(rows, conditions, strict=True):
        row["code"], row["phase"] = code, phase
    nothing: Any = np.zeros(0)
    ends = np.arange(1.0, len(rates) + 1)
    at = np.array([at for _, _, at in conditions])
    return Played(250.0, 40.0, nothing, rows, nothing, nothing, nothing, at, ends, np.array(rates))


def test_an_alarm_is_told_when_the_packet_of_its_onset_ends() -> None:
    found = played(
        [(VF, ONSET, 21.0), (VT, ONSET, 23.5), (VT, UPDATE, 24.5), (VT, END, 30.0), (VT, ONSET, 31.0)]
    )
    assert told_after_s(found, 20.0, (VT,)) == 3.5
    assert told_after_s(found, 20.0, (VT, VF)) == 1.0
    assert told_after_s(found, 25.0, (VT,)) == 6.0
    assert told_after_s(found, 32.0, (VT,)) == NEVER


def test_what_began_before_the_onset_is_not_told_of_it() -> None:
    assert told_after_s(played([(VT, ONSET, 15.0), (VT, UPDATE, 21.0)]), 20.0, (VT,)) == NEVER


def test_median_and_worst_are_held_against_what_is_asked() -> None:
    runs = [(20.0, played([(VF, ONSET, 21.0), (VT, ONSET, 20.0 + after)])) for after in (2.0, 3.0, 4.9)]
    row = alarm_row(WITHIN, 0.25, runs)
    assert (row["median_s"], row["worst_s"], row["missed"], row["runs"]) == (3.0, pytest.approx(4.9), 0, 3)
    assert (row["first_alarm_median_s"], row["first_alarm_worst_s"]) == (1.0, 1.0)
    assert row["met"]
    slow = alarm_row(WITHIN, 0.25, [*runs[1:], (20.0, played([(VT, ONSET, 23.1)]))])
    assert slow["median_s"] == pytest.approx(3.1)
    assert not slow["met"]
    late = alarm_row(WITHIN, 0.25, [*runs, (20.0, played([(VT, ONSET, 25.2)]))])
    assert not late["met"]


def test_an_alarm_that_never_comes_is_missed_however_soon_the_others_were() -> None:
    runs = [(20.0, played([(VT, ONSET, 21.0)]))] * 3 + [(20.0, played([(VF, ONSET, 21.0)]))]
    row = alarm_row(Alarm(VT, {0.25: NEVER}, {0.25: NEVER}), 0.25, runs)
    assert (row["median_s"], row["worst_s"], row["missed"], row["met"]) == (1.0, None, 1, False)
    assert json.dumps(row)


def told(condition: str, decided_s: float, paged_s: float | None, *, high: bool = True) -> Told:
    return Told(condition, high, 20.0, decided_s, NEVER, paged_s)


def test_the_first_call_for_an_alarm_or_one_like_it_counts() -> None:
    calls = [
        told("ASYSTOLE", 21.0, 21.0),
        told(VT.name, 24.0, 24.5),
        told(VF.name, 23.0, None),
        told(VF.name, 18.0, 19.0),
        told(VF.name, 26.0, 26.5),
    ]
    first = first_page(calls, 20.0, WITHIN)
    assert first is not None
    assert (first.at_s, first.told.condition) == (24.5, VT.name)
    assert first_page(calls, 30.0, WITHIN) is None


@pytest.mark.parametrize(
    ("page", "in_time"),
    [
        (told(VT.name, 29.0, 30.0), True),
        (told(VT.name, 30.0, 30.1), False),
        (told("HEART_RATE_HIGH", 60.0, 63.0, high=False), True),
        (told("HEART_RATE_HIGH", 24.0, 27.1, high=False), False),
    ],
)
def test_high_priority_pages_by_its_onset_and_the_rest_by_its_decision(page: Told, in_time: bool) -> None:
    assert Page(page.paged_s or 0.0, page).is_in_time(20.0) is in_time


def test_a_rate_counts_from_when_it_must_be_right() -> None:
    right = (2.0, played(rates=[10.0, 20.0, 80.0, 80.9]))
    row = rate_row(Rate(80.0), [right])
    assert (row["lowest_bpm"], row["highest_bpm"]) == (80.0, 80.9)
    assert (row["error_bpm"], row["met"]) == (pytest.approx(0.9), True)
    wrong = rate_row(Rate(80.0), [right, (2.0, played(rates=[80.0, 80.0, 80.0, 78.5]))])
    assert (wrong["error_bpm"], wrong["met"]) == (1.5, False)


def test_no_rate_is_a_rate_of_none() -> None:
    nothing = (0.0, played(rates=[np.nan, 0.0, np.nan]))
    assert rate_row(Rate(0.0), [nothing])["met"]
    assert rate_row(Rate(80.0), [nothing])["error_bpm"] == 80.0
    assert not rate_row(Rate(0.0), [(0.0, played(rates=[np.nan, 35.0]))])["met"]


def test_t_waves_are_rejected_up_to_the_first_that_is_not() -> None:
    met = {0.1: True, 0.2: True, 0.3: False, 0.4: True}
    rows = {f"t_{mv:g}_mv": {"1_s": {"met": one}} for mv, one in met.items()}
    assert timing.greatest_t_rejected(rows) == {"1_s": 0.2}
    del rows["t_0.1_mv"]
    assert timing.greatest_t_rejected(rows) == {"1_s": None}


def test_tables_are_those_of_the_trials() -> None:
    row = {"0.25_s": {"median_s": 1.0}, "1_s": {"median_s": 2.0}}
    found = timing.sum_up([Outcome("a", timing.ALARMS, row), Outcome("b", timing.ALARMS, row)])
    assert found == {timing.ALARMS: {"a": row, "b": row}}
    assert list(flat(found[timing.ALARMS])) == ["a, 0.25_s", "a, 1_s", "b, 0.25_s", "b, 1_s"]


def test_a_trial_goes_through_the_detectors_in_short_and_in_long_packets() -> None:
    wanted = Alarm(Code.ASYSTOLE, {0.25: NEVER, 1.0: NEVER}, {0.25: 5.0, 1.0: 6.0})
    found = look(Trial("still", "t", rhythms.asystole, 2, wanted))
    short, long = found.rows["0.25_s"], found.rows["1_s"]
    assert 4.0 < short["median_s"] <= short["worst_s"] <= 5.0
    assert short["median_s"] <= long["median_s"] <= long["worst_s"] <= 6.0
    assert short["median_s"] <= short["page_median_s"] <= short["page_worst_s"] <= 10.0
    assert short["paged_in_time"]
    assert found == look(Trial("still", "t", rhythms.asystole, 2, wanted))


def test_limits_hold_that_a_trial_sets() -> None:
    make = partial(rhythms.step, before_bpm=80.0, after_bpm=110.0)  # above 100, not above the default of 120
    wanted = Alarm(Code.HEART_RATE_HIGH, {0.25: NEVER, 1.0: NEVER}, {0.25: NEVER, 1.0: NEVER})
    limits = next(trial for trial in timing.trials() if trial.name == "rate_80_to_120").changes
    assert look(Trial("set", "t", make, 1, wanted, limits)).rows["1_s"]["missed"] == 0
    assert look(Trial("default", "t", make, 1, wanted)).rows["1_s"]["missed"] == 1


def test_a_suite_has_a_folder_or_makes_its_own_signals(tmp_path: Path) -> None:
    with pytest.raises(NothingToEvaluateError, match="the suite beats needs a folder"):
        evaluate(SUITES["beats"], None)
    with pytest.raises(NothingToEvaluateError, match="the suite timing takes no folder"):
        evaluate(SUITES["timing"], tmp_path)
    with pytest.raises(NothingToEvaluateError, match="the suite timing finds no nonsense"):
        evaluate(SUITES["timing"], None, ["nonsense"])


def test_the_command_needs_no_folder(tmp_path: Path) -> None:
    document = tmp_path / "page.md"
    document.write_text("<!-- timing -->\n<!-- /timing -->\n")
    arguments = ["--records", "rate_80_to_120,t_0.1_mv", "--json", "found.json", "--html", "page.html"]
    ran = subprocess.run(
        [sys.executable, "-m", "ecgstream", "evaluate", "timing", *arguments, "--document", document.name],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "rate 80 to 120, 0.25 s" in ran.stdout
    found: dict[str, Any] = json.loads((tmp_path / "found.json").read_text())
    assert (found["suite"], found["trials"]) == ("timing", ["rate_80_to_120", "t_0.1_mv"])
    assert 0.0 < found["seconds_to_alarm"]["rate_80_to_120"]["0.25_s"]["worst_s"] < 12.0
    assert found["greatest_t_wave_rejected_mv"] == {"0.25_s": 0.1, "1_s": 0.1}
    assert "| rate 80 to 120, 1 s |" in document.read_text()
    assert "rate 80 to 120" in (tmp_path / "page.html").read_text()


def test_the_command_says_where_a_folder_is_lacking() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "ecgstream", "evaluate", "beats"], capture_output=True, text=True, check=False
    )
    assert ran.returncode != 0
    assert "the suite beats needs a folder" in ran.stderr
    assert "Traceback" not in ran.stderr
