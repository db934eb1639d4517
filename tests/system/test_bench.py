"""The bench of the registry, in small: what it builds and asks still fits the tables."""

from __future__ import annotations

import os

import pytest

from ecgstream.bench import registry
from ecgstream.bench.measure import CannotMeasureError
from ecgstream.bench.run import BENCHES
from ecgstream.store.connection import connect


def test_a_small_one_leaves_nothing_behind(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECGSTREAM_DATABASE", database_url)
    monkeypatch.setattr(registry, "DEVICES", 60)
    monkeypatch.setattr(registry, "TURNS", 2)
    found = BENCHES["registry"]()
    with connect(database_url) as connection:
        left = connection.execute(
            "SELECT datname AS name FROM pg_database WHERE datname LIKE %(made)s"
            " UNION ALL SELECT rolname FROM pg_roles WHERE rolname LIKE %(made)s",
            {"made": f"%bench_{os.getpid()}%"},
        )
        assert left.fetchall() == []
    assert found["province_list_rows"] == 60
    assert found["province_first_page_rows"] == 60
    assert found["clinic_list_rows"] == 1
    assert found["trend_30_days_rows"] > 43_000
    assert 0 < found["enrol_s"] < found["enrol_bar_s"]
    assert found["province_list_view_best_ms"] <= found["province_list_view_ms"]


def test_without_a_database_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECGSTREAM_DATABASE", "postgresql://nobody@127.0.0.1:1/nothing")
    with pytest.raises(CannotMeasureError, match="refused"):
        BENCHES["registry"]()
