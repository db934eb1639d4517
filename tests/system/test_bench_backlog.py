"""The bench of a drained backlog in small: all of some minutes comes, live signal first."""

from __future__ import annotations

import json

import pytest

from ecgstream.bench import backlog, document
from ecgstream.bench.measure import CannotMeasureError
from ecgstream.bench.run import machine
from ecgstream.settings import Settings


def test_all_of_a_backlog_comes_and_is_counted(kafka: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog, "LIVE_FOR_S", 1.0)
    told: dict[str, float] = {}
    found = backlog.run(Settings(), 0.1, 4, lambda what, share: told.update({what: share}))
    assert (found["missing_packets"], found["missing_numbers"], found["wrong"]) == (0, 0, 0)
    assert found["packets_kept"] >= 360 * 4
    assert 0 < found["live_p50_s"] <= found["live_p99_s"] <= found["live_longest_s"]
    assert found["memory_mb"] > 0
    assert [*told] == ["spooled", "drained", "read of ecg.backfill", "read of ecg.ingest"]
    assert told["spooled"] == told["drained"] == 1.0
    json.dumps(found)
    assert "kept: 0.1 h of 4 devices" in document.of_backlog({"run": machine(), **found})


def test_what_is_no_backlog_is_said() -> None:
    with pytest.raises(CannotMeasureError, match="more than 60 s"):
        backlog.run(Settings(), 0.01, 4, lambda _what, _share: None)
