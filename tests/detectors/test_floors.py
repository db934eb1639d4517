"""What must never get worse: trials of the timing suite that the detectors pass."""

import pytest

from ecgstream.evaluate.suites import timing
from ecgstream.evaluate.trials import Trial, look

TRIALS = {trial.name: trial for trial in timing.trials()}
PASSED = (
    *("asystole", "vt_206_usual", "vt_195_double", "rate_80_to_120", "rate_80_to_40", "t_1.2_mv"),
    *("qrs_0.5_mv_70_ms", "qrs_0.15_mv_120_ms", "capturing_2_mv_2_ms_unmarked"),
    *("not_capturing_700_mv_2_ms_unmarked", "not_capturing_20_mv_2_ms_tail_100_ms_marked"),
)


@pytest.mark.parametrize("trial", [TRIALS[name] for name in PASSED], ids=lambda trial: trial.name)
def test_what_is_asked_of_time_and_rate_is_met(trial: Trial) -> None:
    told = timing.SUITE.sum_up([look(trial)])
    (rows,) = told[trial.table].values()
    assert all(row["met"] for row in rows.values()), rows
