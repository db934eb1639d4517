"""The report of a resting ECG from the real database, as the command writes it, opened by other readers."""

from __future__ import annotations

import io
import json
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from fhir.resources.bundle import Bundle as R5Bundle
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from pypdf import PdfReader

from ecgstream.commands.report import report
from ecgstream.registry import roles
from ecgstream.settings import Settings
from ecgstream.store.connection import connect
from ecgstream.store.migrate import migrate
from ecgstream.store.traces import TraceBuilder
from ecgstream.store.writer import Writer
from schemas import mdc, topics
from schemas.bundle import Bundle
from schemas.records import Channel, Packet
from tests.ecgstream.reports.resting.made_of import LEADS, Beat, signal
from tests.system.access_world import insert
from tests.system.people import ROOT, person

BEGIN = datetime(2026, 9, 22, 1, 0, 0, 250_000, tzinfo=UTC)
"""When the recording begins: of whoever asks for it by the second, it is a quarter later."""
NS = 10**9
BEGIN_NS = round(BEGIN.timestamp() * 1000) * 10**6
RATE = 500
BEGINS_S = np.arange(0.4, 9.9, 0.8)
MADE = Beat(p=100, pr=160, qrs=90, qt=380)
BY = {"generation": 1, "source_offset": 1, "version": "7"}
PATIENT = "P-ABCDEFGHIJ"


@pytest.fixture
def reader_url(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The monitor's login, somebody of a clinic, ten seconds of a cart, and two leads of a monitor."""
    migrate(database_url)
    mark, password = secrets.token_hex(3), secrets.token_urlsafe()
    person(database_url, "clinic", account=(account := f"resting_{mark}"))
    monkeypatch.setenv("ECGSTREAM_ACCOUNT", account)
    role, login = sql.Identifier(roles.role_of(account)), sql.Identifier(f"web_{mark}")
    with connect(database_url) as owner:
        web = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {} IN ROLE ecg_web")
        owner.execute(web.format(login, sql.Literal(password)))
    with connect(database_url, role="ecg_registry") as registry:
        what = {"kind": "cart", "shard": 0, "facility": ROOT, "disabled": False, "changed_by": "test"}
        for n, device in enumerate(("cart", "two")):
            insert(registry, "enrolment", device=device, key_digest=bytes(31) + bytes([n]), **what)
        insert(registry, "patient", patient=PATIENT, facility=ROOT, changed_by="test")
        worn = {
            "since": BEGIN - timedelta(minutes=1),
            "until": BEGIN + timedelta(minutes=1),
            "said_by": "test",
        }
        insert(registry, "association", device="cart", patient=PATIENT, place_kind="bed", place="1", **worn)
    _recorded(database_url, "cart", LEADS)
    _recorded(database_url, "two", LEADS[:2])
    parts = conninfo_to_dict(database_url) | {"user": f"web_{mark}", "password": password}
    yield make_conninfo(**parts)
    with connect(database_url, autocommit=True) as owner:
        owner.execute("DELETE FROM ecg.position WHERE account = %s", (account,))
        owner.execute("DELETE FROM ecg.person WHERE account = %s", (account,))
        owner.execute(sql.SQL("DROP ROLE IF EXISTS {}, {}").format(role, login))


def _recorded(url: str, device: str, leads: tuple[str, ...]) -> None:
    mv = signal(MADE, BEGINS_S, RATE)
    builder = TraceBuilder()
    for s in range(10):
        at = BEGIN_NS + s * NS
        channels = [
            Channel(mdc.LEADS[name], 0, 0, float(RATE), 1000.0, part, high_pass=0.05, low_pass=150.0)
            for name, part in zip(
                leads,
                np.round(mv[: len(leads), s * RATE : (s + 1) * RATE] * 1000).astype(np.int16),
                strict=True,
            )
        ]
        packet = Packet(device, 1, s, s * RATE, at, at, channels)
        builder.add(Bundle.of("g", 0, at, [packet], []), (topics.INGEST.name, 0), s)
    writer = Writer(connect(url, role="ecg_sink"))
    writer.write((), builder.drain())
    writer.close()
    with connect(url, role="ecg_sink") as sink:
        insert(sink, "device", device=device, gateway="g", session=1, first_seen_ns=1, last_seen_ns=BEGIN_NS)
        known = {"device": device, "session": 1}
        lane = {"lane": "LIVE", "from_sample": 0, "start": "COLD", "settings": "{}"}
        ends = {"to_ns": BEGIN_NS + 10 * NS, "to_sample": 10 * RATE}
        insert(sink, "segment", **known, **lane, **ends, from_ns=BEGIN_NS, time=BEGIN, **BY)
        insert(sink, "rhythm", **known, sample=0, time=BEGIN, time_ns=BEGIN_NS, rhythm="N", **BY)
        for begin_s in BEGINS_S + 0.045:
            at_ms = round(begin_s * 1000)
            time = BEGIN + timedelta(milliseconds=at_ms)
            beat = {"sample": at_ms * RATE // 1000, "time": time, "time_ns": BEGIN_NS + at_ms * 10**6}
            insert(sink, "beat", **known, **beat, code="N", rr_s=0.8, hr_bpm=75, **BY)


def made(url: str, file: Path, at: str, **whose: str) -> bytes:
    report(file, **whose, resting=at, settings=Settings(database=url))
    return file.read_bytes()


@pytest.mark.parametrize("whose", [{"device": "cart"}, {"patient": PATIENT}])
def test_a_resting_ecg(reader_url: str, tmp_path: Path, whose: dict[str, str]) -> None:
    at = "2026-09-22T01:00:00Z"
    whole = json.loads(made(reader_url, tmp_path / "r.json", at, **whose))
    assert (whole["kind"], whole["status"]) == ("resting ECG", "preliminary")
    assert whole["asked"] == {"from": "2026-09-22T01:00:00.250Z", "to": "2026-09-22T01:00:10.250Z"}
    assert whole["beats"] == {"N": BEGINS_S.size}
    assert [span["rhythm"] for span in whole["rhythms"]] == ["N"]
    found = {name: figure["value"] for name, figure in whole["measured"].items()}
    assert found["heart_rate_bpm"] == pytest.approx(75, abs=0.1)
    assert found["pr_ms"] == pytest.approx(MADE.pr, abs=10)
    assert found["qrs_ms"] == pytest.approx(MADE.qrs, abs=10)
    assert found["qt_ms"] == pytest.approx(MADE.qt, abs=25)
    assert [one["name"] for one in whole["leads"] if one["derived"]] == ["III", "aVR", "aVL", "aVF"]
    shared = json.loads(made(reader_url, tmp_path / "r.fhir.json", at, **whose))
    R5Bundle.model_validate(shared)
    pages = PdfReader(io.BytesIO(made(reader_url, tmp_path / "r.pdf", at, **whose))).pages
    assert (round(pages[0].mediabox.width), round(pages[0].mediabox.height)) == (842, 595)
    assert "75/min" in pages[0].extract_text().replace(" ", "").replace("\0", "")


@pytest.mark.parametrize(
    ("at", "whose", "why"),
    [
        ("2026-09-22T01:00:00Z", {"device": "two"}, "nothing of V1, V2, V3, V4, V5, V6"),
        ("2026-09-22T01:00:03Z", {"device": "cart"}, "not whole: of no lead more than 7.2 s"),
        ("2026-09-22T02:00:00Z", {"device": "cart"}, "no ECG is stored of this time"),
        ("2026-09-22T01:00:00Z", {"device": "none"}, "there is no such device, or it is not for you to see"),
        ("2026-09-22T01:02:00Z", {"patient": PATIENT}, "the patient wore nothing then"),
        ("2026-09-22T01:00:55Z", {"patient": PATIENT}, "no ECG is stored of this time"),
        ("yesterday", {"device": "cart"}, "--resting"),
    ],
)
def test_what_is_no_resting_ecg_is_refused_with_the_reason(
    reader_url: str,
    tmp_path: Path,
    at: str,
    whose: dict[str, str],
    why: str,
) -> None:
    with pytest.raises(SystemExit) as ended:
        made(reader_url, tmp_path / "r.json", at, **whose)
    assert why in str(ended.value)
    assert str(ended.value).startswith("ecgstream: ")
    assert not list(tmp_path.iterdir())
