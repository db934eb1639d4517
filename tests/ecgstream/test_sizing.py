"""Sizing is arithmetic on what was measured: its rules, each by itself."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ecgstream.commands.sizing import app
from ecgstream.sizing import MOST_PARTITIONS, SITES, Measured, Site, kept_topics, plan
from schemas import topics

MEASURED = Measured(
    worker=20_000.0,
    trend_rows_s=100_000.0,
    trace_rows_s=50_000.0,
    encoded_rows_s=5_000.0,
    ingest_bytes_sample=1.5,
    topic_bytes_s={"ecg.beats": 100.0},
    trace_bytes_sample=0.8,
    table_bytes_s={"beat": 250.0},
    table_rows_s={"beat": 1.3},
)
PROVINCE = Site("a province", 10_000)


def test_never_more_than_half_of_a_worker_is_planned_with() -> None:
    for devices in (1, 9_999, 10_000, 10_001, 25_000):
        found = plan(replace(PROVINCE, devices=devices), MEASURED)
        assert found.workers * MEASURED.worker * 0.5 >= devices
        assert found.workers == 2 or (found.workers - 1) * MEASURED.worker * 0.5 < devices


def test_one_machine_has_one_of_each_and_more_machines_two_at_least() -> None:
    assert [plan(s, MEASURED).workers for s in SITES[:2]] == [1, 2]
    assert [plan(s, MEASURED).sinks for s in SITES[:2]] == [1, 2]
    assert [plan(s, MEASURED).brokers for s in SITES[:2]] == [1, 3]


def test_partitions_leave_room_for_more_workers() -> None:
    for site in SITES:
        found = plan(site, MEASURED)
        assert found.workers * 4 <= found.partitions <= MOST_PARTITIONS
        assert found.partitions & (found.partitions - 1) == 0


def test_a_country_is_several_centres_each_with_a_database_half_used() -> None:
    found = plan(SITES[-1], MEASURED)
    rows = SITES[-1].devices / found.centres * (2 / 10 / MEASURED.trace_rows_s + 1.3 / MEASURED.trend_rows_s)
    assert found.centres > 1
    assert rows <= 0.5


def test_disks_hold_what_topics_keep_in_every_copy_and_are_never_full() -> None:
    kept = {k.topic: k for k in kept_topics(PROVINCE.devices, PROVINCE, MEASURED)}
    assert kept["ecg.ingest"].bytes == 10_000 * 500 * 1.5 * 7 * 86_400
    assert kept["ecg.beats"].days == 7
    assert set(kept) == {t.name for t in topics.ALL if "retention.ms" in t.config}
    found = plan(PROVINCE, MEASURED)
    all_of_it = sum(k.bytes for k in kept.values()) * 3
    assert found.brokers * found.broker_gb * 1e9 * 0.7 >= all_of_it
    assert found.broker_gb <= PROVINCE.broker_tb * 1000


def test_twice_the_signal_costs_twice_as_much() -> None:
    much = replace(PROVINCE, devices=20_000)
    twice, once = (plan(replace(much, leads=leads), MEASURED) for leads in (4, 2))
    assert twice.workers == 2 * once.workers
    assert twice.signal_gb_day == pytest.approx(2 * once.signal_gb_day, rel=0.01)
    assert twice.findings_gb_day == once.findings_gb_day


def test_the_lag_that_scales_is_a_minute_of_a_workers_records() -> None:
    found = plan(replace(PROVINCE, gateways=1_300), MEASURED)
    assert found.lag_records == 60 * 2 * 1_300 / found.workers


def results(tmp_path: Path) -> list[str]:
    disk = {
        "ingest_bytes_sample": 1.5,
        "topic_bytes_s": {},
        "trace_bytes_sample": 0.8,
        "table_bytes_s": {"beat": 250.0},
        "table_rows_s": {"beat": 1.3},
    }
    runs = [
        {"devices": 1_000, "gateways": 20, "worker": 1.0},
        {"devices": 10_000, "gateways": 20, "worker": 20_000.0},
    ]
    files = {
        "pipeline": {"runs": runs},
        "sink": {"trend_rows_s": 1e5, "trace_rows_s": 5e4, "trace_rows_s_with_encoding": 5e3},
        "disk": {"disk": disk},
    }
    for name, content in files.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    return [str(tmp_path / f"{name}.json") for name in files]


def run(*words: str) -> None:
    app([*words], exit_on_error=False, result_action="return_value")


def test_the_command_tells_it_as_json_and_for_a_document(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = results(tmp_path)
    run(*files, "--devices", "10000", "--json")
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["workers"], found["partitions"]) == (2, 8)
    run(*files, "--markdown")
    said = capsys.readouterr().out
    assert "| a province | 10,000 | 1 | 8 | 2 |" in said
    assert "| ecg.ingest | 7 |" in said
    run(*files)
    assert "300,000" in capsys.readouterr().out


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    files = results(tmp_path)
    for given, said in (
        ([str(tmp_path / "none.json")], "bench"),
        (files[:1], "trend_rows_s"),
        (files[1:], "runs"),
    ):
        with pytest.raises(SystemExit, match=said):
            run(*given)
