"""The bench of the detectors, at small size."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ecgstream import documents
from ecgstream.bench import detectors
from ecgstream.bench.document import of_detectors
from ecgstream.bench.measure import CannotMeasureError
from ecgstream.commands.bench import app
from tests.ecgstream.evaluate.recorded import regular, write


def test_records_of_two_leads_are_measured_beside_neurokit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, leads, seconds in (("r1", 2, 20.0), ("r2", 1, 20.0), ("r3", 2, 5.0), ("r4", 3, 25.0)):
        write(tmp_path, name, regular(seconds)[0], [], leads=leads)
    (tmp_path / "bad.hea").write_text("nonsense")
    found = detectors.run(tmp_path, devices=8, part_s=20.0)
    assert (found["records"], found["devices"], found["leads"], found["seconds"]) == (2, 8, 2, 20)
    assert 0 < found["least_ns_per_sample_lead"] <= found["ns_per_sample_lead"]
    assert 0 < found["least_neurokit_ns_per_sample_lead"] <= found["neurokit_ns_per_sample_lead"]
    assert found["ratio"] == pytest.approx(
        found["neurokit_ns_per_sample_lead"] / found["ns_per_sample_lead"], abs=0.02
    )
    said = capsys.readouterr().err
    assert all(name in said for name in ("bad.hea", "r2.hea", "r3.hea"))


def test_the_command_writes_figures_and_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "r1", regular(10.0)[0], [], leads=2)
    document = tmp_path / "performance.md"
    document.write_text("<!-- detectors -->\n<!-- /detectors -->\n")
    monkeypatch.setattr(detectors, "run", partial(detectors.run, devices=4, part_s=10.0))
    argv = ["detectors", str(tmp_path), "--json", str(tmp_path / "found.json"), "--document", str(document)]
    app(argv, result_action="return_value")
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["run"]["python"]
    assert f"| {found['ns_per_sample_lead']} |" in documents.shown(document, "detectors")


def test_a_folder_without_such_records_is_said(tmp_path: Path) -> None:
    with pytest.raises(CannotMeasureError, match="no WFDB record with 2 ECG leads and 300 s"):
        detectors.run(tmp_path)


def test_without_a_folder_the_ecg_of_the_package_is_played() -> None:
    (lead, other) = detectors._toy().sessions[0].waves
    assert (lead.name, other.name) == ("MLII", "V1")
    assert lead.code != other.code
    assert lead.duration_s == 300.0


FOUND: dict[str, Any] = {
    "run": {"machine": "x86_64"},
    "records": 26,
    "devices": 256,
    "leads": 2,
    "seconds": 300,
    "turns": 5,
    "ns_per_sample_lead": 100.0,
    "least_ns_per_sample_lead": 95.5,
    "neurokit_ns_per_sample_lead": 150.0,
    "least_neurokit_ns_per_sample_lead": 140.1,
    "ratio": 1.5,
}


def test_both_bars_are_met_and_each_can_be_missed() -> None:
    assert [met for *_, met in detectors.bars(FOUND)] == [True, True]
    worse = FOUND | {"ns_per_sample_lead": 100.1, "ratio": 1.0}
    assert [met for *_, met in detectors.bars(worse)] == [False, False]


def test_the_document_tells_both_and_what_was_played() -> None:
    text = of_detectors(FOUND)
    assert "| detectors, 256 devices of 2 leads | 100.0 | 95.5 |" in text
    assert "| NeuroKit2, a lead at once | 150.0 | 140.1 |" in text
    assert "26 records, 300 s of each." in text
    assert "missed" not in text
    assert "**missed**" in of_detectors(FOUND | {"ratio": 0.9})
