"""The benches that need a database, in small: what they build and ask still fits the tables."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ecgstream.bench import export, registry, sink, store, traces
from ecgstream.bench.measure import CannotMeasureError
from ecgstream.bench.run import BENCHES
from ecgstream.commands.bench import app
from ecgstream.store.connection import connect
from ecgstream.store.migrate import Edition, detect, migrate
from ecgstream.store.writer import Writer
from tests.ecgstream.bench.test_traces import write_record


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


def test_the_sinks_figures(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sink, "BLOCKS", 200)
    monkeypatch.setattr(sink, "TURNS", 2)
    bench("sink", "--json", tmp_path / "sink.json", "--database", database_url)
    found = json.loads((tmp_path / "sink.json").read_text())
    for name in ("trend_rows_s", "trace_rows_s", "trace_rows_s_with_encoding", "trace_rows_s_from_records"):
        assert 0 < found[f"{name}_median"] <= found[name]
    assert found["trace_rows_s"] > found["trace_rows_s_with_encoding"]
    assert found["run"]["python"]


def test_the_sinks_bench_brings_every_row(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    migrate(database_url)
    monkeypatch.setattr(sink, "BLOCKS", 200)
    monkeypatch.setattr(sink, "TURNS", 1)
    writer = Writer(connect(database_url, role="ecg_sink"))
    for way in sink.ways(writer).values():
        way()
        way()
    writer.close()
    with connect(database_url) as connection:
        assert connection.execute("SELECT count(*) FROM ecg.trend").fetchone() == (2 * sink.TRENDS,)
        assert connection.execute("SELECT count(*), min(n) FROM ecg.trace").fetchone() == (3 * 2 * 200, 2500)


def test_the_stores_figures(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, small in {"TRACED": 2, "TRACE_DAYS": 1, "DEVICES": 3, "TREND_DAYS": 2, "TURNS": 5}.items():
        monkeypatch.setattr(store, name, small)
    bench("store", "--json", tmp_path / "store.json", "--database", database_url)
    found = json.loads((tmp_path / "store.json").read_text())
    assert (found["rows_trace"], found["rows_trend"]) == (2 * 2 * 8640, 3 * 2 * 2880)
    for name in store.BARS_MS:
        for who in ("clinic", "cardiologist", "tables"):
            best, usual, worst = (found[f"{name}_{who}{which}_ms"] for which in ("_best", "", "_worst"))
            assert 0 < best <= usual <= worst
    with connect(database_url) as connection:
        left = connection.execute("SELECT FROM pg_roles WHERE rolname LIKE %s", (f"%bench_{os.getpid()}%",))
        assert left.fetchall() == []


def test_the_exports_figures(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "HOURS", dict.fromkeys(export.HOURS, 0.5))
    monkeypatch.setattr(export, "LEADS", 3)
    found = export.run(database_url)
    assert found["beats"] > 100_000
    for name in export.HOURS:
        assert found[f"{name}_files_mb"] >= 2  # half an hour of three leads has 2.7
        assert 0 < found[f"{name}_most_mb"] < export.BAR_MB


def test_a_row_a_sample_beside_blocks(database_url: str, tmp_path: Path) -> None:
    write_record(tmp_path / "set")
    bench("traces", tmp_path / "set", "--json", tmp_path / "traces.json", "--database", database_url)
    found = json.loads((tmp_path / "traces.json").read_text())
    (name,) = set(found) - set(traces.codecs())
    with connect(database_url, autocommit=True) as connection:
        there = "postgresql" if detect(connection) is Edition.PLAIN else "timescaledb"
    assert name == f"{there}-row-a-sample"
    assert found[name]["bytes_per_sample"] > 30 * found["pcodec-wrapped"]["bytes_per_sample"]
    assert all(set(cost) == {"bytes_per_sample", "encode_ns", "decode_ns"} for cost in found.values())


def bench(*words: object) -> None:
    app([*map(str, words)], exit_on_error=False, result_action="return_value")
