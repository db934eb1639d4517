"""Reports from the real database, as the command writes them, opened by other readers."""

from __future__ import annotations

import hashlib
import io
import json
import os
import secrets
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import psycopg
import pytest
from fhir.resources.bundle import Bundle as R5Bundle
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from pypdf import PdfReader

from ecgstream.commands.report import report
from ecgstream.registry import roles
from ecgstream.registry.associations import FOREVER
from ecgstream.settings import Settings
from ecgstream.store.connection import connect
from ecgstream.store.migrate import migrate
from ecgstream.store.traces import TraceBuilder
from ecgstream.store.writer import Writer
from schemas import mdc, topics
from schemas.bundle import Bundle
from schemas.records import Channel, Packet
from tests.system.access_world import insert
from tests.system.people import ROOT, person
from tests.system.sql_reads import read_by

BEGIN = datetime(2026, 9, 21, 15, tzinfo=UTC)
NS = 10**9
BEGIN_NS = int(BEGIN.timestamp()) * NS
MINUTES = 12
NAME_ZH = "第一医院 مستشفى 😀"
HANDOVER = BEGIN + timedelta(minutes=8, seconds=30)
"""When the device went from one patient to the next."""
BY = {"generation": 1, "source_offset": 1, "version": "7"}


@pytest.fixture
def reader_url(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The monitor's login, somebody of a clinic, and twelve minutes of a device at 60 a minute.

    The fifth minute has a pause of 3 s and a ventricular beat, the seventh and eighth are AF; at 8:30 the
    device goes to another patient, whose first beat is ventricular too. Three of each four minutes have an ST
    level in lead II, from the ninth minute on another one.
    """
    migrate(database_url)
    mark, password = secrets.token_hex(3), secrets.token_urlsafe()
    person(database_url, "clinic", account=(account := f"holter_{mark}"))
    monkeypatch.setenv("ECGSTREAM_ACCOUNT", account)
    role, login = sql.Identifier(roles.role_of(account)), sql.Identifier(f"web_{mark}")
    with connect(database_url) as owner:
        owner.execute("UPDATE ecg.facility SET name_zh = %s, time_zone = 'Asia/Shanghai'", (NAME_ZH,))
        web = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {} IN ROLE ecg_web")
        owner.execute(web.format(login, sql.Literal(password)))
    with connect(database_url, role="ecg_registry") as registry:
        what = {"kind": "holter", "shard": 0, "key_digest": bytes(32), "changed_by": "test"}
        insert(registry, "enrolment", device="h-1", facility=ROOT, disabled=False, **what)
        for patient, since, until in (("p-1", BEGIN, HANDOVER), ("p-2", HANDOVER, FOREVER)):
            insert(registry, "patient", patient=patient, facility=ROOT, changed_by="test")
            worn = {"since": since, "until": until, "said_by": "test"}
            insert(
                registry, "association", device="h-1", patient=patient, place_kind="bed", place="1", **worn
            )
    with connect(database_url, role="ecg_sink") as sink:
        _findings(sink)
    _signal(database_url)
    parts = conninfo_to_dict(database_url) | {"user": f"web_{mark}", "password": password}
    yield make_conninfo(**parts)
    with connect(database_url, autocommit=True) as owner:
        owner.execute("DELETE FROM ecg.position WHERE account = %s", (account,))
        owner.execute("DELETE FROM ecg.person WHERE account = %s", (account,))
        owner.execute(sql.SQL("DROP ROLE IF EXISTS {}, {}").format(role, login))


def _findings(sink: psycopg.Connection) -> None:
    insert(sink, "device", device="h-1", gateway="g", session=1, first_seen_ns=1, last_seen_ns=BEGIN_NS)
    known = {"device": "h-1", "session": 1}
    lane = {"lane": "LIVE", "from_sample": 0, "start": "COLD", "settings": "{}"}
    ends = {"to_ns": BEGIN_NS + MINUTES * 60 * NS, "to_sample": MINUTES * 60 * 250}
    insert(sink, "segment", **known, **lane, **ends, from_ns=BEGIN_NS, time=BEGIN, **BY)
    beats = [s for s in range(MINUTES * 60) if s not in (271, 272)]
    for n, second in enumerate(beats):
        at = BEGIN + timedelta(seconds=second)
        beat = {"sample": second * 250, "time": at, "time_ns": BEGIN_NS + second * NS}
        beat |= {"code": "V" if second in (290, 530) else "N", "rr_s": second - beats[n - 1] if n else None}
        insert(sink, "beat", **known, **beat, hr_bpm=60, **BY)
    for minute, rhythm in ((0, "N"), (6, "AFIB"), (8, "N")):
        at = {"time": BEGIN + timedelta(minutes=minute), "time_ns": BEGIN_NS + minute * 60 * NS}
        insert(sink, "rhythm", **known, sample=minute * 15000, **at, rhythm=rhythm, **BY)
    for minute in range(MINUTES):
        at = {"time": BEGIN + timedelta(minutes=minute), "minute_ns": BEGIN_NS + minute * 60 * NS}
        values = {"code": mdc.ECG_ANALYSED, "n": 60, "mean": 100, "low": 100, "high": 100}
        insert(sink, "trend", **known, **at, **values, **BY)
        if minute % 4:
            mv = 0.1 if minute < 8 else -0.2
            level = {"code": mdc.ST_LEADS["II"], "n": 6, "mean": mv, "low": mv - 0.01, "high": mv + 0.01}
            insert(sink, "trend", **known, **at, **level, **BY)


def _signal(url: str) -> None:
    builder = TraceBuilder()
    one = np.zeros(250, np.int16)
    one[10:20] = 200
    for s in range(MINUTES * 60):
        leads = [
            Channel(mdc.LEADS[lead], 0, 0, 250.0, 200.0, one, high_pass=0.05, low_pass=40.0)
            for lead in ("II", "V1")
        ]
        at = BEGIN_NS + s * NS
        packet = Packet("h-1", 1, s, s * 250, at, at, leads)
        builder.add(Bundle.of("g", 0, at, [packet], []), (topics.INGEST.name, 0), s)
    writer = Writer(connect(url, role="ecg_sink"))
    writer.write((), builder.drain())
    writer.close()


def made(url: str, file: Path, *, minutes: int = MINUTES, **whose: str) -> bytes:
    asked = {"begin": BEGIN.isoformat(), "end": (BEGIN + timedelta(minutes=minutes)).isoformat()}
    report(file, **whose, **asked, settings=Settings(database=url))
    return file.read_bytes()


def test_a_report_of_a_device_and_of_who_wore_it(reader_url: str, database_url: str, tmp_path: Path) -> None:
    whole = json.loads(made(reader_url, tmp_path / "h.json", device="h-1"))
    assert whole["beats"] == {"N": MINUTES * 60 - 4, "V": 2}
    assert whole["coverage"]["analysable_share_of_asked"] == 1.0
    assert (whole["longest_pause"]["length_s"], len(whole["pauses"])) == (3.0, 1)
    af = next(one for one in whole["rhythms"] if one["rhythm"] == "AFIB")
    assert (af["total_s"], af["episodes"]) == (120.0, 1)
    two, v1 = whole["st"]["leads"]
    assert whole["st"]["assessable"]
    assert (two["lead"], two["assessed_s"], two["share"]) == ("II", 540.0, 0.75)
    assert two["trend_uv"] == "100 100 100 E 100 100 100 E -200 -200 -200"
    assert two["lowest"] == {"from": "2026-09-21T15:09:00.000Z", "mv": -0.2}
    assert (v1["lead"], v1["reason"]) == ("V1", "no level was measured")
    assert whole["subject"]["facility"] == ["All", NAME_ZH]
    assert whole["detectors"] == ["7"]
    for language in ("en", "zh"):
        pages = PdfReader(
            io.BytesIO(made(reader_url, tmp_path / "h.pdf", device="h-1", language=language))
        ).pages
        text = "".join(page.extract_text() for page in pages).translate({0: None, 32: None})
        assert {"en": "longestpause", "zh": "最长停搏"}[language] in text
        assert "第一医院" in text
    shared = json.loads(made(reader_url, tmp_path / "h.fhir.json", device="h-1"))
    R5Bundle.model_validate(shared)
    mine = json.loads(made(reader_url, tmp_path / "p.json", patient="p-1"))
    assert mine["beats"] == {"N": 8 * 60 - 3, "V": 1}  # not the minute of the handover, nor what came behind
    assert mine["parts"] == [{"from": "2026-09-21T15:00:00.000Z", "to": "2026-09-21T15:08:00.000Z"}]
    assert mine["coverage"]["analysable_share_of_asked"] == pytest.approx(8 / 12)
    assert mine["st"]["leads"][0]["lowest"]["mv"] == 0.1
    theirs = json.loads(made(reader_url, tmp_path / "q.json", patient="p-2"))
    assert theirs["beats"] == {"N": 3 * 60}
    # The rhythm in force as it began was of another patient: it is not told.
    assert theirs["rhythms"] == []
    who = os.environ["ECGSTREAM_ACCOUNT"]
    read = [("device", "h-1")] * 4 + [("patient", "p-1"), ("patient", "p-2")]
    assert read_by(database_url, "report") == [(who, *what) for what in read]


def test_a_report_that_is_kept_is_had_as_it_stands(
    reader_url: str, database_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = made(reader_url, tmp_path / "p.json", patient="p-1")
    id_ = str(uuid.uuid4())
    until = BEGIN + timedelta(minutes=MINUTES)
    with connect(database_url, role="ecg_web") as web, connect(database_url) as owner:
        query = "SELECT id FROM ecg.association WHERE patient = 'p-1'"
        worn = [one for (one,) in owner.execute(query)]
        kept = (
            os.environ["ECGSTREAM_ACCOUNT"],
            id_,
            "p-1",
            BEGIN,
            until,
            worn,
            content,
            "1",
            ["7"],
            None,
        )
        keep = "SELECT api.keep_report(%s, %s, 'stretch', %s, %s, %s, %s, %s, %s, %s, %s)"
        assert web.execute(keep, kept).fetchone() == ("",)
    settings = Settings(database=reader_url)
    report(tmp_path / "k.json", stored=id_, settings=settings)
    assert (tmp_path / "k.json").read_bytes() == content
    report(tmp_path / "k.pdf", stored=id_, settings=settings)
    text = "".join(page.extract_text() for page in PdfReader(tmp_path / "k.pdf").pages)
    assert hashlib.sha256(content).hexdigest() in text
    assert "k.pdf, preliminary" in "".join(capsys.readouterr())
    assert read_by(database_url, "report")[-1] == (os.environ["ECGSTREAM_ACCOUNT"], "report", id_)
    for wrong in ("x", str(uuid.uuid4())):
        with pytest.raises(SystemExit, match="no such report"):
            report(tmp_path / "x.pdf", stored=wrong, settings=settings)
    with pytest.raises(SystemExit, match="say no device"):
        report(tmp_path / "x.pdf", stored=id_, device="h-1", settings=settings)


@pytest.mark.parametrize(
    ("whose", "said"),
    [
        ({"device": "none"}, "no such device"),
        ({"patient": "p-9"}, "wore nothing then"),
        ({}, "one of --device and --patient"),
        ({"device": "h-1", "minutes": 0}, "one minute to 14 days"),
    ],
)
def test_what_cannot_be_reported_is_said_and_nothing_written(
    reader_url: str, tmp_path: Path, whose: dict[str, str], said: str
) -> None:
    with pytest.raises(SystemExit, match=said):
        made(reader_url, tmp_path / "h.json", **whose)
    assert not list(tmp_path.iterdir())
