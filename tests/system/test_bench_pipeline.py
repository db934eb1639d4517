"""The benches of the whole pipeline and of the restore, in small, on real services."""

import json
from pathlib import Path

import pytest
from pydantic import SecretStr

from ecgstream import documents
from ecgstream.bench import document, pipeline, restore, sink
from ecgstream.bench.measure import CannotMeasureError
from ecgstream.bench.run import machine
from ecgstream.settings import Settings
from ecgstream.topics import create_topics

pytestmark = pytest.mark.alone
SIZES = pipeline.Sizes(
    device_seconds=20_000, of_records=1000, of_neurokit=40, turns=1, latency_devices=40, latency_s=10
)


def test_the_pipelines_figures(
    timescale_url: str, kafka: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sink, "BLOCKS", 100)
    monkeypatch.setattr(sink, "TURNS", 1)
    given = Settings(database=SecretStr(timescale_url))
    said: list[str] = []
    found = pipeline.run(given, (300, 600), (2,), said.append, with_profile=True, sizes=SIZES)
    assert [(one["devices"], one["gateways"]) for one in found["runs"]] == [(300, 2), (600, 2)]
    for one in found["runs"]:
        assert all(one[way] > 0 for way in ("worker", "bank", "per_record", "neurokit"))
    assert set(found["ratios"]) == {"worker_bank", "worker_per_record", "worker_neurokit", "growth"}
    felt = found["latency_s"]
    assert 0 < felt["p50"] <= felt["p99"]
    assert felt["alerts"] > 10
    assert felt["back_s"] > 0
    assert found["profile_us"]["2"]["detectors"] > 0
    json.dumps(found)
    assert len(pipeline.bars(found)) == 10
    file = tmp_path / "performance.md"
    file.write_text("<!-- pipeline -->\n<!-- /pipeline -->\n")
    documents.put(file, "pipeline", document.of_pipeline({"run": machine(), **found}))
    assert "| 600 | 2 |" in file.read_text()


def test_the_restores_figures(kafka: str) -> None:
    found = restore.run(Settings(), devices=120, life_s=60)
    assert found["records_written"] == 120 * 9
    assert found["topic_mb_compacted"] < found["topic_mb_written"] / 2
    assert 0 < found["read_s"] < found["wall_s"]
    assert found["state_bytes"] < found["snapshot_bytes"]
    assert "120, 8" in document.of_restore({"run": machine(), **found})


def test_a_broker_that_holds_something_is_left_alone(kafka: str) -> None:
    """It may be somebody's."""
    settings = Settings(kafka=kafka)
    create_topics(settings)
    with pytest.raises(CannotMeasureError, match="empty broker only"):
        restore.run(settings, devices=10)
