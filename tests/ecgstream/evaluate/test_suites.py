"""Suites over recordings that are made here: what is annotated is found, and what is wrong is named."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import wfdb

from ecgstream.evaluate.suite import NothingToEvaluateError, evaluate
from ecgstream.evaluate.suites import SUITES, alarms, beats
from ecgstream.evaluate.truth import read
from tests.detectors import synthetic

FS = 250


def write(folder: Path, name: str, mv: np.ndarray, marks: list[tuple[int, str, str]]) -> Path:
    """Write a record of one lead with annotations: sample, symbol, rhythm."""
    counts = np.rint(mv * 200).astype(np.int64)[:, None]
    wfdb.wrsamp(
        name,
        fs=FS,
        units=["mV"],
        sig_name=["II"],
        d_signal=counts,
        fmt=["16"],
        adc_gain=[200.0],
        baseline=[0],
        write_dir=str(folder),
    )
    if marks:
        sample, symbol, aux = zip(*marks, strict=True)
        wfdb.wrann(name, "atr", np.array(sample), list(symbol), aux_note=list(aux), write_dir=str(folder))
    return folder / f"{name}.hea"


def regular(seconds: float, rr_s: float = 0.8) -> tuple[np.ndarray, list[int]]:
    at = np.arange(1.0, seconds - 1.0, rr_s)
    return synthetic.beats(at, seconds, FS), np.rint(at * FS).astype(int).tolist()


def test_beats_are_counted_behind_the_fifth_minute(tmp_path: Path) -> None:
    mv, at = regular(330.0)
    path = write(tmp_path, "r1", mv, [(k, "N", "") for k in at])
    found = beats.look(path)
    late = sum(k >= beats.LEARN_S * FS for k in at)
    assert found.table[0, 0] == found.table.sum() == late
    summed = beats.sum_up([found])
    assert (summed["qrs"]["se"], summed["qrs"]["ppv"]) == (100.0, 100.0)
    assert summed["position"]["within_25ms"] == 100.0
    assert 0.0 < summed["decision_delay_s"]["max"] < 1.0


def test_what_lies_in_fibrillation_does_not_count(tmp_path: Path) -> None:
    mv, at = regular(330.0)
    marks = [(k, "N", "") for k in at if not 310 * FS <= k < 320 * FS]
    marks += [(310 * FS, "[", ""), (320 * FS, "]", "")]
    found = beats.look(write(tmp_path, "r1", mv, sorted(marks)))
    assert found.table[0, 0] == found.table.sum()  # what is found there is not extra


def test_annotations_are_read_as_ec57_wants_them(tmp_path: Path) -> None:
    marks = [
        (100, "+", "(AFIB"),
        (200, "L", ""),
        (400, "j", ""),
        (600, "A", ""),
        (800, "E", ""),
        (900, "/", ""),
    ]
    marks += [(1000, "[", ""), (1200, "]", ""), (1300, "+", "(N"), (1400, "~", "")]
    said = read(write(tmp_path, "r1", np.zeros(2000), marks))
    assert "".join(said.aami) == "NNSVQ"
    assert said.paced
    assert said.fibrillation == [(1000, 1200)]
    assert said.rhythms == [("AFIB", (100, 1300)), ("N", (1300, 2000))]


def test_a_folder_is_gone_through_and_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    mv, at = regular(330.0)
    for name in ("r1", "r2"):
        write(tmp_path, name, mv, [(k, "N", "") for k in at])
    (tmp_path / "r2.dat").unlink()
    found = evaluate(SUITES["beats"], tmp_path)
    assert found["records"] == ["r1"]
    assert len(found["unreadable"]) == 1
    assert "r2" in found["unreadable"][0]
    assert found["qrs"]["fn"] == 0


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(NothingToEvaluateError, match="no records for the suite beats"):
        evaluate(SUITES["beats"], tmp_path)
    write(tmp_path, "r1", np.zeros(2000), [(100, "N", "")])
    with pytest.raises(NothingToEvaluateError, match="finds no r9"):
        evaluate(SUITES["beats"], tmp_path, ["r9"])


def alarm_folder(tmp_path: Path) -> Path:
    """Return a folder of hearts: they stand still before 5:00, behind it, never, long before, and since."""
    lines = []
    for name, silent_s, until_s, true in (
        ("a1", 294.0, 302.0, 1),
        ("a2", 303.0, 311.0, 0),
        ("a3", 0.0, 0.0, 0),
        ("a4", 200.0, 208.0, 1),
        ("a5", 280.0, 310.0, 1),
    ):
        mv, _ = regular(330.0)
        mv[round(silent_s * FS) : round(until_s * FS)] = 0.0
        write(tmp_path, name, mv, [])
        lines.append(f"{name},Asystole,{true}")
    (tmp_path / "ALARMS").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_an_alarm_is_judged_by_what_came_before_it(tmp_path: Path) -> None:
    folder = alarm_folder(tmp_path)
    looked = [alarms.look(path) for path in alarms.paths(folder)]
    assert [(one.record, one.true, one.told, one.begun) for one in looked] == [
        ("a1", True, True, True),
        ("a2", False, False, False),
        ("a3", False, False, False),
        ("a4", True, False, False),
        ("a5", True, True, False),  # in force from before
    ]
    summed = alarms.sum_up(looked)
    assert summed["score"] == pytest.approx(100 * 4 / (4 + alarms.MISS_WEIGHT), abs=0.001)
    assert summed["score_onset_within_10s"] == pytest.approx(
        100 * 3 / (3 + 2 * alarms.MISS_WEIGHT), abs=0.001
    )
    assert summed["missed"] == ["a4"]


@pytest.mark.parametrize("arguments", [[], ["--html", "page.html", "--json", "found.json"]])
def test_the_command_shows_and_writes(tmp_path: Path, arguments: list[str]) -> None:
    mv, at = regular(330.0)
    write(tmp_path, "r1", mv, [(k, "N", "") for k in at])
    ran = subprocess.run(
        [sys.executable, "-m", "ecgstream", "evaluate", "beats", str(tmp_path), *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "beats: 1 records" in ran.stdout
    if arguments:
        found: dict[str, Any] = json.loads((tmp_path / "found.json").read_text())
        assert found["suite"] == "beats"
        assert "100.00" in (tmp_path / "page.html").read_text()
