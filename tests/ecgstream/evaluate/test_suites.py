"""Suites over recordings that are made here: what is annotated is found, and what is wrong is named."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ecgstream.evaluate.document import of_suite
from ecgstream.evaluate.others import UnknownDetectorError
from ecgstream.evaluate.suite import NoComparisonError, NothingToEvaluateError, evaluate
from ecgstream.evaluate.suites import SUITES, af, alarms, beats, noise
from ecgstream.evaluate.truth import read
from tests.detectors import synthetic
from tests.ecgstream.evaluate.recorded import FS, normal, regular, write


def test_beats_are_counted_behind_the_fifth_minute(tmp_path: Path) -> None:
    mv, at = regular(330.0)
    path = write(tmp_path, "r1", mv, normal(at))
    found = beats.look(path)
    late = sum(k >= beats.LEARN_S * FS for k in at)
    assert found.scored.table[0, 0] == found.scored.table.sum() == late
    summed = beats.sum_up([found])
    assert (summed["qrs"]["se"], summed["qrs"]["ppv"]) == (100.0, 100.0)
    assert summed["position"]["within_25ms"] == 100.0
    assert 0.0 < summed["decision_delay_s"]["max"] < 1.0


def test_what_lies_in_fibrillation_does_not_count(tmp_path: Path) -> None:
    mv, at = regular(330.0)
    marks = [(k, "N", "") for k in at if not 310 * FS <= k < 320 * FS]
    marks += [(310 * FS, "[", ""), (320 * FS, "]", "")]
    found = beats.look(write(tmp_path, "r1", mv, sorted(marks)))
    assert found.scored.table[0, 0] == found.scored.table.sum()  # what is found there is not extra


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
        write(tmp_path, name, mv, normal(at))
    (tmp_path / "r2.dat").unlink()
    found = evaluate(SUITES["beats"], tmp_path)
    assert found["records"] == ["r1"]
    assert len(found["unreadable"]) == 1
    assert "r2" in found["unreadable"][0]
    assert found["qrs"]["fn"] == 0
    assert 1 < found["ns_per_sample_lead"] < 1e5


def noisy_record(folder: Path, name: str, noise_mv: float) -> Path:
    """Write beats with noise where the noise stress test has it, from 5:00 to 7:00."""
    mv, at = regular(450.0)
    block = slice(300 * FS, 420 * FS)
    mv[block] += np.random.default_rng(3).normal(0.0, noise_mv, 120 * FS)
    return write(folder, name, mv, normal(at))


def test_in_noise_only_noisy_blocks_count_but_quality_is_asked_of_every_second(tmp_path: Path) -> None:
    found = noise.look(noisy_record(tmp_path, "x1e_6", 0.8))
    beats_there = sum(300 * FS <= k < 420 * FS for k in regular(450.0)[1])
    assert found.scored.table[:-1].sum() == beats_there
    assert found.seconds.bad.size == found.seconds.score.size == 450
    assert found.noisy.nonzero()[0].tolist() == list(range(300, 420))
    assert found.seconds.bad[found.noisy].sum() > 20
    assert not found.seconds.bad[5:300].any()
    summed = noise.sum_up([found])
    assert summed["quality"]["auc"] > 0.9
    assert summed["quality"]["bad_s"] == found.seconds.bad.sum()
    low, high = summed["quality"]["auc_interval"]
    assert low <= summed["quality"]["auc"] <= high


def test_figures_by_noise_begin_with_the_cleanest(tmp_path: Path) -> None:
    clean, dirty = noisy_record(tmp_path, "x1e24", 0.0), noisy_record(tmp_path, "x1e_6", 0.8)
    summed = noise.sum_up([noise.look(dirty), noise.look(clean)])
    assert list(summed["qrs_by_snr_db"]) == list(summed["quality_by_snr_db"]) == ["24", "-6"]
    assert summed["qrs_by_snr_db"]["24"]["f1"] == 100.0 > summed["qrs_by_snr_db"]["-6"]["f1"]
    assert summed["quality_by_snr_db"]["24"]["bad_s"] <= 1 < 20 < summed["quality_by_snr_db"]["-6"]["bad_s"]


def test_an_error_counts_in_the_second_where_it_lies(tmp_path: Path) -> None:
    said = read(write(tmp_path, "r1", np.zeros(10 * FS), normal([250, 499, 1000, 2400])))
    found = np.array([250 + 30, 600, 1000, 2499])
    assert noise.errs(said, found, 10).nonzero()[0].tolist() == [1, 2, 9]
    assert noise.errs(said, found, 9).nonzero()[0].tolist() == [1, 2, 8]  # behind the last whole one


def test_other_detectors_are_scored_beside_ours(tmp_path: Path) -> None:
    mv, at = regular(330.0)
    write(tmp_path, "r1", mv, normal(at))
    found = evaluate(SUITES["beats"], tmp_path, against=["gqrs", "neurokit", "gqrs"])
    assert list(found["against"]) == ["gqrs", "neurokit"]
    for name, of in found["against"].items():
        assert of["qrs"].keys() == found["qrs"].keys()
        assert of["qrs"]["tp"] + of["qrs"]["fn"] == found["qrs"]["tp"] + found["qrs"]["fn"], name
        assert of["qrs"]["se"] == of["qrs"]["ppv"] == of["qrs"]["se_50ms"] == 100.0, name
        assert of["ns_per_sample_lead"] > 1
        assert of["gave_up"] == {}
    written = of_suite(found)
    assert "| ecgstream | 100.00 | 100.00 | 100.00 | 100.00 | 100.00 |" in written
    assert "| neurokit | 100.00 | 100.00 | 100.00 | 100.00 | 100.00 |" in written


def test_other_detectors_are_scored_by_noise_too(tmp_path: Path) -> None:
    noisy_record(tmp_path, "x1e_6", 0.8)
    found = evaluate(SUITES["noise"], tmp_path, against=["xqrs"])
    (other,) = found["against"].values()
    assert other["qrs_by_snr_db"].keys() == {"-6"}
    assert other["qrs"] == other["qrs_by_snr_db"]["-6"]
    assert other["qrs"]["fn"] + other["qrs"]["fp"] > 0
    written = of_suite(found)
    assert "| -6 dB, xqrs |" in written
    assert "| quality by snr db | AUC | average AUC | AUC in noise | bad s | all s |" in written
    assert f"| all | {found['quality']['auc']:.3f} (" in written


def test_a_detector_that_nobody_knows_and_a_suite_without_beats_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownDetectorError, match="no detector pan, ham; there are neurokit, xqrs, gqrs"):
        evaluate(SUITES["beats"], tmp_path, against=["pan", "xqrs", "ham"])
    with pytest.raises(NoComparisonError, match="the suite af compares no other detectors"):
        evaluate(SUITES["af"], tmp_path, against=["xqrs"])


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


def test_fibrillation_is_what_is_in_force_at_the_end(tmp_path: Path) -> None:
    irregular = 0.5 + np.cumsum(0.42 + np.random.default_rng(2).gamma(2.5, 0.14, 50))
    without_p = synthetic.NORMAL[1:]
    fibrillating = synthetic.beats(irregular, irregular[-1] + 1.0, FS, without_p)
    write(tmp_path, "a1", fibrillating + synthetic.noise(fibrillating.size), [])
    write(tmp_path, "n1", regular(30.0)[0], [])
    write(tmp_path, "o1", np.concatenate([fibrillating, regular(60.0)[0]]), [])
    write(tmp_path, "x1", fibrillating, [])
    (tmp_path / af.REFERENCE).write_text("a1,A\nn1,N\no1,O\nx1,~\n")
    looked = [af.look(path) for path in af.paths(tmp_path)]
    assert [(one.record, one.told, one.ever) for one in looked] == [
        ("a1", True, True),
        ("n1", False, False),
        ("o1", False, True),
    ]
    summed = af.sum_up(looked)
    assert (summed["af"]["se"], summed["af"]["sp"], summed["at_any_time"]["sp"]) == (100.0, 100.0, 50.0)


@pytest.mark.parametrize(
    "arguments", [[], ["--against", "gqrs", "--html", "page.html", "--json", "found.json"]]
)
def test_the_command_shows_and_writes(tmp_path: Path, arguments: list[str]) -> None:
    mv, at = regular(330.0)
    write(tmp_path, "r1", mv, normal(at))
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
        assert found["against"]["gqrs"]["qrs"]["fn"] == 0
        assert "beside other QRS detectors" in ran.stdout
        assert "100.00" in (tmp_path / "page.html").read_text()


def test_the_command_says_which_detectors_there_are(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", "ecgstream", "evaluate", "beats", str(tmp_path), "--against", "pan"]
    ran = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 1
    assert "ecgstream: no detector pan; there are neurokit, xqrs, gqrs" in ran.stderr
