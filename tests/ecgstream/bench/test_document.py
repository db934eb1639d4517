"""What the benches write into documents, and when a bar is met."""

from pathlib import Path
from typing import Any

import pytest

from ecgstream import documents
from ecgstream.bench import document
from ecgstream.bench.pipeline import bars

RUN = {
    "devices": 1000,
    "gateways": 20,
    "worker": 12_000,
    "bank": 18_000,
    "per_record": 1500,
    "neurokit": 180,
    "worker_us": 83.3,
    "bank_us": 55.6,
    "per_record_us": 666.7,
    "neurokit_us": 5555.6,
}
FOUND: dict[str, Any] = {
    "run": {"machine": "x86_64", "python": "3.11"},
    "runs": [RUN],
    "ratios": {"worker_bank": 0.667, "worker_per_record": 8.0, "worker_neurokit": 66.7, "growth": 1.0},
    "latency_s": {
        "devices": 3000,
        "gateways": 20,
        "alerts": 300,
        "p50": 0.5,
        "p99": 1.1,
        "worker_cores": 0.3,
        "back_s": 12.0,
    },
    "sink": {"trend_rows_s": 120_000, "trace_rows_s": 60_000, "trace_rows_s_with_encoding": 6000},
    "memory_kb_a_device": 55.0,
}


def missed(found: dict[str, Any]) -> list[str]:
    return [name for name, _, _, met in bars(found) if not met]


def test_all_bars_are_met_and_each_can_be_missed() -> None:
    assert missed(FOUND) == []
    worse = {
        "ratios": {"worker_bank": 0.5, "worker_per_record": 1.9, "worker_neurokit": 29.0, "growth": 1.4},
        "latency_s": FOUND["latency_s"] | {"p99": 2.1, "back_s": 46.0},
        "sink": {"trend_rows_s": 99_999, "trace_rows_s": 49_999, "trace_rows_s_with_encoding": 4999},
        "runs": [RUN | {"worker": 999}],
    }
    assert len(missed(FOUND | worse)) == len(bars(FOUND))


def test_cheap_detectors_are_compared_by_what_the_stream_adds() -> None:
    cheap = FOUND | {
        "runs": [RUN | {"bank_us": 30.0, "worker_us": 54.9}],
        "ratios": FOUND["ratios"] | {"worker_bank": 0.5},
    }
    assert missed(cheap) == []
    assert missed(cheap | {"runs": [RUN | {"bank_us": 30.0, "worker_us": 55.1}]}) == [
        "worker - detectors alone"
    ]


def test_figures_go_between_their_marks(tmp_path: Path) -> None:
    file = tmp_path / "performance.md"
    file.write_text("before\n<!-- pipeline -->\nold\n<!-- /pipeline -->\nafter\n")
    for _ in range(2):
        documents.put(file, "pipeline", document.of_pipeline(FOUND))
    text = file.read_text()
    assert text.startswith("before\n<!-- pipeline -->\n")
    assert text.endswith("<!-- /pipeline -->\nafter\n")
    assert "old" not in text
    assert documents.shown(file, "pipeline") == document.of_pipeline(FOUND)
    assert "| 1,000 | 20 | 12,000 (83.3 µs) |" in text
    with pytest.raises(ValueError, match="no place"):
        documents.put(file, "restore", "")
