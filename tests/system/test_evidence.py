"""The evidence of an alert, from a real database: all of it is there, and it is checked without one."""

from __future__ import annotations

import csv
import io
import json
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ecgstream.audit import archive, evidence, keys
from ecgstream.audit.archive import Archive
from ecgstream.audit.chain import hash_of
from ecgstream.audit.keys import fingerprint
from ecgstream.audit.sealer import ROLE, Chain
from ecgstream.commands.evidence import app
from ecgstream.store.connection import connect
from ecgstream.store.migrate import migrate
from ecgstream.store.trace_codec import CODEC, encode_block
from schemas.records import MISSING
from tests.system.access_world import insert
from tests.system.command import Command

ONSET = datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=30)
DEVICE, PATIENT, ALERT = "监护仪 <d>/1", "P-患者-🏥", uuid.UUID(int=0xABCD << 112)
SAMPLES = np.arange(2500, dtype=np.int16)


def ns(time: datetime) -> int:
    return int(time.timestamp()) * 10**9


def fill(url: str) -> None:
    """A minute of signal, a beat, an alert and what became of it."""
    with connect(url, role="ecg_registry") as registry:
        where = {
            "code": "R",
            "path": "R",
            "level": 3,
            "kind": "hospital",
            "name_en": "Root",
            "name_zh": "中心",
        }
        insert(registry, "facility", **where, time_zone="UTC", changed_by="olga")
        insert(registry, "patient", patient="P-1", facility="R", changed_by="olga")
        for who, kind, object_, detail in (
            ("wang", "alert", str(ALERT), "{}"),
            ("wang", "patient", "P-2", "{}"),
            ("li", "screen", "", json.dumps({"devices": [DEVICE]})),
            ("li", "screen", "", json.dumps({"devices": ["another"]})),
            ("worker-1", "service", "worker", '{"version": "0.1.0"}'),
        ):
            action = "start" if kind == "service" else "read"
            registry.execute("SELECT ecg.note(%s, %s, %s, %s, %s)", (who, action, kind, object_, detail))
    by = {"device": DEVICE, "session": 1}
    found = {**by, "generation": 1, "source_offset": 1, "version": "1.6"}
    with connect(url, role="ecg_sink") as sink:
        for n in range(6):
            time = ONSET - timedelta(seconds=30) + n * timedelta(seconds=10)
            samples = np.where(np.arange(2500) == 7, MISSING, SAMPLES).astype(np.int16)
            block = {"n": 2500, "codec": CODEC, "data": encode_block(samples)}
            wave = {
                "channel": 0,
                "code": 131330,
                "kind": 0,
                "unit": 0,
                "rate": 250,
                "gain": 200,
                "offset": 10,
            }
            packets = {"packet_seq": [n], "packet_first": [n * 2500], "packet_ns": [ns(time)]}
            more = {"packet_lead_off": [False], "pace": []}
            at = {"first_sample": n * 2500, "time": time}
            insert(sink, "trace", **by, **wave, **block, **packets, **more, **at)
        at = {"time": ONSET, "time_ns": ns(ONSET), "sample": 7500}
        insert(sink, "beat", **found, **at, code="V", rr_s=0.4, hr_bpm=150)
        onset = {"onset_sample": 7500, "onset_ns": ns(ONSET), "onset": ONSET, "decided_sample": 7500}
        event = {
            "id": ALERT,
            "patient": PATIENT,
            **onset,
            "decided_ns": ns(ONSET),
            "delay_s": 1,
            "published_ns": 1,
        }
        event |= {"evidence": "{}", "end_ns": ns(ONSET) + 5 * 10**9}
        told = {"code": "VENTRICULAR_TACHYCARDIA", "phase": "END", "sample": 7500, "time_ns": ns(ONSET)}
        insert(sink, "condition", **found, **event, **told)
        history = json.dumps([{"at_ns": 1, "by": "li", "what": "ACKNOWLEDGED", "why": "at the bedside 床边"}])
        more = {
            "condition": "VENTRICULAR_TACHYCARDIA",
            "priority": "HIGH",
            "state": "ENDED",
            "history": history,
        }
        insert(sink, "alert", **by, **event, **more, raised_ns=1, updated_ns=1, source_offset=1)


@pytest.fixture
def url(database_url: str) -> str:
    migrate(database_url)
    fill(database_url)
    return database_url


def rows(path: Path, name: str) -> list[dict[str, str]]:
    with archive.opened(path, name) as file:
        return list(csv.DictReader(io.StringIO(file.read().decode())))


def made(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> tuple[Path, str, Archive]:
    key = keys.create(tmp_path / "audit.key")
    monkeypatch.setenv("ECGSTREAM_AUDIT_KEY", str(tmp_path / "audit.key"))
    monkeypatch.setenv("ECGSTREAM_ACCOUNT", "chen")
    with connect(url, autocommit=True, role=ROLE) as sealer:
        chain = Chain(sealer)
        chain.seal()
        chain.sign([key])
    path = tmp_path / "证据.zip"
    # So long that what was said since this module was loaded is before its end, on a slow machine too.
    Command(app, url, capsys)(str(ALERT)[:8], "--file", path, "--after", 1800)
    name = fingerprint(key.public)
    return path, name, archive.check(path, evidence.KIND, name)


def test_all_of_an_alert_is_in_one_file(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, name, found = made(url, tmp_path, capsys, monkeypatch)
    assert (found.about["patient"], found.about["device"]) == (PATIENT, DEVICE)
    samples = rows(path, "samples/1-0-II.csv")
    assert len(samples) == 15_000
    assert (samples[7]["digital"], samples[7]["value"]) == ("", "")
    assert (samples[250]["digital"], samples[250]["value"]) == ("250", "1.2")
    assert int(samples[250]["time_ns"]) - int(samples[0]["time_ns"]) == 10**9
    assert rows(path, "channels.csv")[0]["lead"] == "II"
    assert [row["code"] for row in rows(path, "beats.csv")] == ["V"]
    assert [row["version"] for row in rows(path, "conditions.csv")] == ["1.6"]
    assert len(rows(path, "packets.csv")) == 6
    with archive.opened(path, "alert.json") as file:
        alert = json.load(file)
    assert alert["history"][0]["why"] == "at the bedside 床边"
    with archive.opened(path, "audit.jsonl") as file:
        entries = [json.loads(line) for line in file]
    for entry in entries:
        before = bytes.fromhex(entry["before"])
        assert hash_of(before, entry["seq"], entry["content"]).hex() == entry["hash"]
    said: list[dict[str, Any]] = [json.loads(entry["content"]) for entry in entries]
    read = [(e["who"], e["kind"], e["object"]) for e in said if e["action"] == "read"]
    assert read == [("wang", "alert", str(ALERT)), ("li", "screen", "")]
    assert [e["object"] for e in said if e["action"] == "start"] == ["worker"]
    with archive.opened(path, "audit-heads.json") as file:
        assert json.load(file)["seq"] >= entries[-1]["seq"]
    with connect(url) as owner:  # that it was made is an entry, too
        (who,) = owner.execute("SELECT who FROM ecg.audit_inbox").fetchone() or ("",)
    assert who == "chen"
    app(["verify", str(path), "--key", name], exit_on_error=False, result_action="return_value")
    assert "is as it was signed" in capsys.readouterr().err


def test_what_cannot_be_made_is_one_clear_line(
    url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Command(app, url, capsys)
    monkeypatch.delenv("ECGSTREAM_AUDIT_KEY", raising=False)
    assert "no key to sign with" in run.refused(str(ALERT))
    keys.create(tmp_path / "audit.key")
    monkeypatch.setenv("ECGSTREAM_AUDIT_KEY", str(tmp_path / "audit.key"))
    assert "no alert that is stored begins with ffffffff" in run.refused("ffffffff")
    for strange in ("abc", "王伟", "'; DROP TABLE", "x" * 5000, str(ALERT) + "0"):
        assert "an alert's id is wanted" in run.refused(strange)
    assert "No such file" in run.refused(str(ALERT), "--file", tmp_path / "nowhere" / "x.zip")
