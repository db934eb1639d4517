"""What the pulse takes away of the conditions of a record: only what is refuted from its onset to its end."""

from pathlib import Path

import numpy as np
import wfdb

from detectors.evidence import EVIDENCE_SLOTS, NAMES
from detectors.output import CONDITION, END, ONSET, UPDATE
from ecgstream.evaluate.refuted import standing
from ecgstream.evaluate.suites import alarms
from schemas.conditions import Code
from tests.detectors import synthetic
from tests.ecgstream.evaluate.recorded import FS, regular

RUNNING = {"pulse_bpm": 75.0, "pulse_age_s": 0.4, "pulse_unbroken_s": 90.0, "pulse_before_onset_s": 60.0}


def row(code: Code, onset_s: int, phase: int, told_s: int, evidence: dict[str, float]) -> np.void:
    found = np.zeros(1, CONDITION)
    found["code"], found["phase"] = code, phase
    found["onset_sample"], found["onset_ns"] = onset_s * FS, onset_s * 10**9
    found["sample"], found["time_ns"] = told_s * FS, told_s * 10**9
    found["evidence"] = np.nan
    for name, value in evidence.items():
        found["evidence"][0, NAMES[code].index(name)] = value
    assert found["evidence"].shape == (1, EVIDENCE_SLOTS)
    return found[0]


def test_one_record_that_is_not_refuted_lets_a_condition_stand() -> None:
    rows = np.array(
        [
            row(Code.ASYSTOLE, 10, ONSET, 14, RUNNING),
            row(Code.ASYSTOLE, 10, UPDATE, 15, RUNNING),
            row(Code.ASYSTOLE, 10, END, 16, {}),
            row(Code.ASYSTOLE, 30, ONSET, 34, RUNNING),
            row(Code.ASYSTOLE, 30, UPDATE, 35, RUNNING | {"pulse_age_s": 3.0}),
            row(Code.ASYSTOLE, 30, END, 36, {}),
            row(Code.VENTRICULAR_TACHYCARDIA, 10, ONSET, 14, RUNNING),
        ]
    )
    assert [(r["code"], r["onset_sample"] // FS) for r in standing(rows)] == [
        *[(Code.ASYSTOLE, 30)] * 3,
        (Code.VENTRICULAR_TACHYCARDIA, 10),
    ]
    assert standing(rows[:0]).size == 0


def with_pleth(folder: Path, name: str, until_s: float) -> None:
    """Write a heart that the ECG loses at 292 s, and its pleth, which stops at ``until_s``."""
    mv, at = regular(302.0)
    mv[292 * FS :] = 0.0
    pleth = synthetic.pulse([k / FS + 0.3 for k in at if k < until_s * FS], 302.0, FS, 1.0, 0.0)
    wfdb.wrsamp(
        name,
        fs=FS,
        units=["mV", "NU"],
        sig_name=["II", "PLETH"],
        d_signal=np.rint(np.stack([mv * 200, pleth * 2000], axis=1)).astype(np.int64),
        fmt=["16", "16"],
        adc_gain=[200.0, 2000.0],
        baseline=[0, 0],
        write_dir=str(folder),
    )


def test_alarms_are_scored_with_the_pulse_beside_the_main_figures(tmp_path: Path) -> None:
    with_pleth(tmp_path, "a1", 302.0)
    with_pleth(tmp_path, "a2", 292.0)
    (tmp_path / "ALARMS").write_text("a1,Asystole,0\na2,Asystole,1\n")
    looked = [alarms.look(path) for path in alarms.paths(tmp_path)]
    assert [(one.told, one.told_with_pulse) for one in looked] == [(True, False), (True, True)]
    summed = alarms.sum_up(looked)
    assert (summed["all"]["fp"], summed["with_pulse"]["all"]["fp"]) == (1, 0)
    assert (summed["with_pulse"]["Asystole"]["tpr"], summed["with_pulse"]["Asystole"]["tnr"]) == (
        100.0,
        100.0,
    )
    assert (summed["refuted_true"], summed["refuted_false"]) == ([], ["a1"])
    assert summed["in_five_minutes"] == {"asystole": 2, "asystole_refuted": 1}
