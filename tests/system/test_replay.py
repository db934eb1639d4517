# ruff: noqa: S608 - queries of our own
"""What a real sink has stored is found again, bit for bit; what differs is named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from cyclopts import App

import detectors
from alerts.pipeline import Pipeline, Rules
from alerts.state import Event, State
from ecgstream.commands.replay import app as command
from ecgstream.replay.compare import CHANGED, MISSING, NEW
from ecgstream.replay.device import Replayed, replay
from ecgstream.replay.errors import ReplayError
from ecgstream.replay.source import Stretch
from ecgstream.store.connection import connect
from schemas import codec, mdc, topics
from schemas.records import Condition
from tests.ecgstream.replay.recorded import SECONDS, START_NS, Worker, log
from tests.system.access_world import insert
from tests.system.command import Command
from tests.system.conftest import fresh_database
from tests.system.people import ROOT, person
from tests.system.sink_stream import Stream, take_all
from tests.system.sql_reads import read_by

WHOLE = Stretch(START_NS - 10**9, START_NS + (SECONDS - 70) * 10**9)


@pytest.fixture(scope="module")
def stored(kafka: str, plain_postgres_url: str) -> Iterator[Stream]:
    """A device's log on real topics, what worker and pager made of it, and all of it in the database."""
    with fresh_database(plain_postgres_url) as url:
        stream = Stream(kafka, url)
        worker = Worker()
        pager = Pipeline(State(), Rules(120.0))
        for sent in log(stream.device()):
            offset = stream.send(sent.topic, sent.value)
            for output in worker.take(sent, offset):
                if output.topic in (topics.SNAPSHOTS, topics.STATUS):
                    continue
                at = stream.send(output.topic, output.value)
                if output.topic is topics.CONDITIONS:
                    condition = codec.decode_as(Condition, output.value or b"")
                    for alert in pager.run([Event(condition, 0, at)], condition.published_ns):
                        stream.send(topics.ALERTS, codec.encode(alert))
        with stream.sink() as sink:
            take_all(sink, stream)
            sink.finish()
        yield stream
        stream.producer.close()


@pytest.fixture
def auditor(stored: Stream) -> Iterator[psycopg.Connection]:
    role = person(stored.url, "auditor")
    with connect(stored.url, autocommit=True, role=role) as connection:
        yield connection


@pytest.fixture
def run(stored: Stream, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command as an auditor's, by a login that may become anybody."""
    monkeypatch.setenv("ECGSTREAM_ACCOUNT", person(stored.url, "auditor").removeprefix("person_"))
    app = App(name="ecgstream")
    app.command(command)
    return Command(app, stored.url, capsys)


def again(stored: Stream, auditor: psycopg.Connection, stretch: Stretch = WHOLE) -> Replayed:
    return replay(auditor, stored.device(), stretch)


def iso(ns: int) -> str:
    return datetime.fromtimestamp(ns / 1e9, UTC).isoformat()


def test_what_is_stored_is_found_again(stored: Stream, auditor: psycopg.Connection) -> None:
    """Through limits, wearers and kinds of patient that change, a gap, a backlog and a new session."""
    found = again(stored, auditor)
    assert found.differences == []
    assert [(s.lane, s.start) for s in found.ran] == [
        ("LIVE", "COLD"),
        ("BACKFILL", "RESTORED"),
        ("LIVE", "COLD"),
        ("LIVE", "COLD"),
    ]
    counts = {kind: len(of) for kind, of in found.then.kinds().items()}
    assert counts["beat"] > 250
    assert all(counts.values()), counts
    assert {code for *_, code in found.then.trends} & set(mdc.ST_LEADS.values())
    assert {a["patient"] for a in found.then.alerts.values()} == {"P-ONE", "P-TWO"}
    assert any(page.called_ns is not None for page in found.pages)


def test_a_stretch_in_the_midst_of_a_session(stored: Stream, auditor: psycopg.Connection) -> None:
    found = again(stored, auditor, Stretch(START_NS + 140 * 10**9, START_NS + 225 * 10**9))
    assert found.differences == []
    assert len(found.then.beats) > 80


def test_rows_that_were_changed_or_removed_are_named(stored: Stream, auditor: psycopg.Connection) -> None:
    of_device = f"device = '{stored.device()}'"
    rows = stored.rows(f"SELECT session, sample, code FROM ecg.beat WHERE {of_device} ORDER BY 1, 2")
    (session, changed, code), (_, removed, _) = rows[20], rows[40]
    changes = (
        f"CREATE TABLE kept AS SELECT * FROM ecg.beat WHERE {of_device}",
        f"UPDATE ecg.beat SET code = 'Q' WHERE {of_device} AND sample = {changed}",
        f"DELETE FROM ecg.beat WHERE {of_device} AND session = {session} AND sample = {removed}",
        f"UPDATE ecg.condition SET end_ns = end_ns + 1 WHERE {of_device} AND code = 'HEART_RATE_HIGH'",
    )
    back = (
        f"DELETE FROM ecg.beat WHERE {of_device}",
        "INSERT INTO ecg.beat SELECT * FROM kept",
        f"UPDATE ecg.condition SET end_ns = end_ns - 1 WHERE {of_device} AND code = 'HEART_RATE_HIGH'",
    )
    do(stored, *changes)
    try:
        found = again(stored, auditor).differences
    finally:
        do(stored, *back)
    beats = {(d.what, d.key) for d in found if d.kind == "beat"}
    assert beats == {(CHANGED, (session, changed)), (NEW, (session, removed))}
    (one,) = [d for d in found if d.kind == "beat" and d.what == CHANGED]
    assert (one.then, one.now) == ({"code": "Q"}, {"code": code})
    ends = [d for d in found if d.kind != "beat"]
    assert {(d.kind, d.what, *d.then) for d in ends} == {("condition", CHANGED, "end_ns")}
    assert MISSING not in {d.what for d in found}


def do(stored: Stream, *statements: str) -> None:
    with connect(stored.url, autocommit=True) as owner:
        for statement in statements:
            owner.execute(statement)


def test_the_command(stored: Stream, run: Command, tmp_path: Path) -> None:
    file = tmp_path / "replay.json"
    words = ("replay", "--from", iso(WHOLE.since_ns), "--to", iso(WHOLE.until_ns), "--json", file)
    _, said = run(*words, "--device", stored.device())
    assert f"{stored.device()}: identical" in said
    found = json.loads(file.read_text())
    assert (found["identical"], found["differences"], found["segments"]) == (True, 0, 4)
    assert found["x_realtime"] > 1
    assert all(segment["identical"] for segment in found["devices"][0]["segments"])
    assert list(tmp_path.iterdir()) == [file]
    assert read_by(stored.url, "replay") == [("test_auditor", "device", stored.device())]
    # Whatever of one device cannot be done stops no other.
    _, said = run(*words, "--device", f"nobody,{stored.device()}", status=1)
    assert "nobody: nothing that you may see was analysed" in said
    assert json.loads(file.read_text())["segments"] == 4


def test_limits_of_today_in_place_of_those_of_then(stored: Stream, run: Command, tmp_path: Path) -> None:
    """The last limits are wide: of what was above the narrow ones nothing is left."""
    file = tmp_path / "replay.json"
    words = ("replay", "--from", iso(WHOLE.since_ns), "--to", iso(WHOLE.until_ns), "--settings", "now")
    report = tmp_path / "replay.html"
    run(*words, "--device", stored.device(), "--json", file, "--html", report, status=2)
    (found,) = json.loads(file.read_text())["devices"]
    gone = {
        d["then"].get("condition") for d in found["found"] if (d["kind"], d["what"]) == ("alert", MISSING)
    }
    assert "HEART_RATE_HIGH" in gone
    page = report.read_text()
    assert 'Heart rate above its limit <span class="what">vanishes' in page
    assert page.count('<img src="data:image/png;base64,') == page.count("<section>") > 0


def test_how_many_alerts_there_would_be_with_other_limits(
    stored: Stream, run: Command, tmp_path: Path
) -> None:
    enrolled = {"device": stored.device(), "kind": "monitor", "facility": ROOT, "shard": 0}
    with connect(stored.url, role="ecg_registry") as registry:
        insert(registry, "enrolment", **enrolled, key_digest=bytes(32), changed_by="test")
    file = tmp_path / "burden.json"
    words = ("replay", "what-if", "--facility", ROOT, "--days", "0.01", "--to", iso(WHOLE.until_ns))
    out, said = run(*words, "--limit", "hr=off:off,spo2=off:off", "--json", file)
    found = json.loads(file.read_text())
    by_name = {row["alerts of"]: (row["then"], row["now"]) for row in found["burden"]}
    assert by_name["HEART_RATE_HIGH"][0] > 0
    assert by_name["HEART_RATE_HIGH"][1] == 0
    assert by_name["VENTRICULAR_TACHYCARDIA"][0] == by_name["VENTRICULAR_TACHYCARDIA"][1] > 0
    assert found["bed_days"] * 86400 == pytest.approx(255, abs=16)
    assert "bed-days of ECG" in said
    assert out.startswith("alerts of")
    assert read_by(stored.url, "replay what-if") == [("test_auditor", "facility", ROOT)]
    assert "cannot be meant" in run.refused(*words, "--limit", "hr=1:2")
    assert "is none, as spo2=86:off is" in run.refused(*words, "--limit", "beer=1:2")


def test_what_cannot_be_replayed_is_said(
    stored: Stream, run: Command, auditor: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("replay", "--from", iso(WHOLE.since_ns), "--to", iso(WHOLE.until_ns))
    assert "which devices" in run.refused(*words)
    assert "run its image" in run.refused(*words, "--device", "x", "--detectors", "0.1")
    assert "no such folder" in run.refused(*words, "--device", "x", "--json", "/nowhere/replay.json")
    assert "behind --from" in run.refused("replay", "--from", iso(1), "--to", iso(0), "--device", "x")
    with pytest.raises(ReplayError, match="nothing that you may see"):
        again(stored, auditor, Stretch(START_NS - 10**12, START_NS - 10**11))
    monkeypatch.setenv("ECGSTREAM_ACCOUNT", "nobody'; --")
    assert "no account" in run.refused(*words, "--device", "x")
    of_one = f"device = '{stored.device()}' AND channel = 0 AND first_sample = 2500"
    do(
        stored,
        f"CREATE TABLE places AS SELECT session, packet_offset FROM ecg.trace WHERE {of_one}",
        f"UPDATE ecg.trace SET packet_offset = '{{}}' WHERE {of_one}",
    )
    try:
        with pytest.raises(ReplayError, match="stored by a version that did not keep"):
            again(stored, auditor)
    finally:
        do(
            stored,
            "UPDATE ecg.trace AS t SET packet_offset = p.packet_offset FROM places AS p"
            f" WHERE t.session = p.session AND {of_one}",
        )
    do(stored, f"UPDATE ecg.segment SET version = '0.1' WHERE device = '{stored.device()}'")
    with pytest.raises(ReplayError, match="found by detectors"):
        again(stored, auditor)
    found = replay(auditor, stored.device(), WHOLE, any_version=True)
    assert found.differences == []
    do(stored, f"UPDATE ecg.segment SET version = '{detectors.VERSION}' WHERE device = '{stored.device()}'")
