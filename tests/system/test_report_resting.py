"""The report of a resting ECG from the real database, as the command writes it, opened by other readers."""

from __future__ import annotations

import io
import json
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

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
from tests.ecgstream.reports.resting.made_of import LEADS
from tests.system.access_world import insert
from tests.system.people import ROOT, person
from tests.system.resting import BEGINS_S, MADE, record

BEGIN = datetime(2026, 9, 22, 1, 0, 0, 250_000, tzinfo=UTC)
"""When the recording begins: of whoever asks for it by the second, it is a quarter later."""
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
    for device, leads in (("cart", LEADS), ("two", LEADS[:2])):
        with connect(database_url, role="ecg_sink") as sink:
            seen = {"first_seen_ns": 1, "last_seen_ns": 2}
            insert(sink, "device", device=device, gateway="g", session=1, **seen)
        record(database_url, device, BEGIN, leads)
    parts = conninfo_to_dict(database_url) | {"user": f"web_{mark}", "password": password}
    yield make_conninfo(**parts)
    with connect(database_url, autocommit=True) as owner:
        owner.execute("DELETE FROM ecg.position WHERE account = %s", (account,))
        owner.execute("DELETE FROM ecg.person WHERE account = %s", (account,))
        owner.execute(sql.SQL("DROP ROLE IF EXISTS {}, {}").format(role, login))


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
