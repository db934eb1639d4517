"""Exports from the real database, as the command writes them, read by other code and by our own import."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from devices.files.read import read
from ecgstream.commands.export import export
from ecgstream.registry.associations import FOREVER
from ecgstream.settings import Settings
from ecgstream.store.connection import connect
from schemas import mdc, topics
from schemas.batches import Beats, Rhythms
from schemas.bundle import Bundle
from schemas.records import ECG_KIND, MISSING, PLETH_KIND, Channel, Packet
from schemas.wfdb import AFIB, SINUS
from tests.ecgstream.exchange.readers import aecg_samples, annotations, dicom_samples, parsed
from tests.system.access_world import insert
from tests.system.people import ROOT, person
from tests.system.sink_stream import Stream, take_all
from tests.system.sql_reads import read_by

BEGIN = datetime(2026, 9, 21, 15, 0, 0, 250_000, tzinfo=UTC)
NS = 10**9
BEGIN_NS = int(BEGIN.timestamp() * 1000) * 10**6
ACCOUNT = "test_exporter"
PASSWORD = "only-for-tests"  # noqa: S105
LEADS = ("II", "V1")
RATE, PLETH_RATE = 250, 125
SECONDS = 90
LOST = 20  # a packet that never came
AWAY = range(40, 65)  # the device had no link
HANDOVER_S = 80.5
RESTART_S = 100
"""A session of 20 s, of one lead with another gain."""
SUFFIX = {"wfdb": ".hea", "edf": ".edf", "dicom": ".dcm", "aecg": ".xml"}


def signal(seconds: int, channel: int) -> np.ndarray:
    rate = RATE if channel < len(LEADS) else PLETH_RATE
    return np.random.default_rng(channel + seconds).integers(-32767, 32767, seconds * rate).astype(np.int16)


def stored(channel: int) -> np.ndarray:
    """What the database has of a channel of the first session."""
    found = signal(SECONDS, channel)
    rate = found.size // SECONDS
    for second in (LOST, *AWAY):
        found[second * rate : (second + 1) * rate] = MISSING
    return found


@pytest.fixture
def login(
    kafka: str, timescale_url: str, new_database: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, str]]:
    """The address of the monitor's login, and the device: two sessions through the real sink."""
    stream = Stream(kafka, new_database(timescale_url))
    device = stream.device()
    for second in range(SECONDS):
        if second != LOST and second not in AWAY:
            stream.send(topics.INGEST, bundle(device, 1, second, three(second), BEGIN_NS).encode())
    second_ns = BEGIN_NS + RESTART_S * NS
    for second in range(20):
        one = signal(20, 0)[second * RATE : (second + 1) * RATE]
        channel = Channel(mdc.LEADS["II"], ECG_KIND, 0, float(RATE), 1000.0, one)
        stream.send(topics.INGEST, bundle(device, 2, second, [channel], second_ns).encode())
    at = np.arange(0, SECONDS, dtype=np.int64)
    at = at[[s not in AWAY and s != LOST for s in at]]
    heads = (0, 1, "7", [device], np.zeros(at.size, np.uint16), np.ones(at.size, np.int64))
    code = np.where(at % 10 == 3, ord("V"), ord("N")).astype(np.uint8)
    one = np.ones(at.size, np.float32)
    found = Beats(*heads, at * RATE + 60, BEGIN_NS + at * NS + 240_000_000, code, one, one * 60, at)
    stream.send(topics.BEATS, found.encode())
    changes = np.array([0, 10], np.int64)
    heads = (0, 1, "7", [device], np.zeros(2, np.uint16), np.ones(2, np.int64))
    rhythms = Rhythms(
        *heads, changes * RATE, BEGIN_NS + changes * NS, np.array([SINUS, AFIB], np.uint8), changes
    )
    stream.send(topics.RHYTHMS, rhythms.encode())
    with stream.sink(idle_s=0.5) as sink:
        take_all(sink, stream)
        sink.finish()
    worn(stream.url, device)
    monkeypatch.setenv("ECGSTREAM_ACCOUNT", ACCOUNT)
    web = f"web_{stream.name}"
    with connect(stream.url, autocommit=True) as owner:
        owner.execute(f"CREATE ROLE {web} LOGIN PASSWORD '{PASSWORD}' IN ROLE ecg_web")
    yield make_conninfo(stream.url, user=web, password=PASSWORD), device
    with connect(stream.url, autocommit=True) as owner:
        owner.execute(f"DROP ROLE {web}")
    stream.producer.close()


def three(second: int) -> list[Channel]:
    found = []
    for n, lead in enumerate(LEADS):
        samples = signal(SECONDS, n)[second * RATE : (second + 1) * RATE]
        found.append(Channel(mdc.LEADS[lead], ECG_KIND, 0, float(RATE), 204.918, samples, 12.0, 0.05, 40.0))
    samples = signal(SECONDS, 2)[second * PLETH_RATE : (second + 1) * PLETH_RATE]
    return [*found, Channel(mdc.PLETH, PLETH_KIND, 1, float(PLETH_RATE), 100.0, samples)]


def bundle(device: str, session: int, second: int, channels: list[Channel], begin_ns: int) -> Bundle:
    at = begin_ns + second * NS
    return Bundle.of("g", 0, at, [Packet(device, session, second, second * RATE, at, at + NS, channels)], [])


def worn(url: str, device: str) -> None:
    """Let one patient wear the device, then another."""
    person(url, "clinic", account=ACCOUNT)
    handover = BEGIN + timedelta(seconds=HANDOVER_S)
    with connect(url, role="ecg_registry") as registry:
        what = {"kind": "holter", "shard": 0, "key_digest": bytes(32), "changed_by": "test"}
        insert(registry, "enrolment", device=device, facility=ROOT, disabled=False, **what)
        since = BEGIN - timedelta(hours=1)
        for patient, begin, end in (("p-1", since, handover), ("p-2", handover, FOREVER)):
            insert(registry, "patient", patient=patient, facility=ROOT, changed_by="test")
            place = {"place_kind": "bed", "place": "1", "said_by": "test"}
            insert(registry, "association", device=device, patient=patient, since=begin, until=end, **place)


def exported(
    url: str, target: Path, name: str, *, first: float = 0, last: float = 130, **whose: str
) -> list[Path]:
    begin, end = (BEGIN + timedelta(seconds=s) for s in (first, last))
    asked: dict[str, Any] = {"begin": begin.isoformat(), "end": end.isoformat(), "format": name}
    export(target, **whose, **asked, settings=Settings(database=url))
    if target.is_file():
        return [target]
    return sorted(f for f in target.iterdir() if f.suffix == SUFFIX[name] and "_" not in f.stem)


def imported(path: Path) -> tuple[int, list[np.ndarray]]:
    source = read(path, device="d", shard=0, zone=UTC)
    assert source.start_ns is not None
    return source.start_ns, [wave.samples for wave in source.sessions[0].waves]


@pytest.mark.parametrize("name", ["wfdb", "edf", "aecg"])
def test_all_of_a_stretch_in_formats_with_gaps(login: tuple[str, str], name: str, tmp_path: Path) -> None:
    url, device = login
    first, second = exported(url, tmp_path / "out", name, device=device)
    start_ns, leads = imported(first)
    assert start_ns == BEGIN_NS
    assert len(leads) == (2 if name == "aecg" else 3)  # that has ECG alone
    for channel, samples in enumerate(leads):
        whole = stored(channel)
        assert np.array_equal(samples[: whole.size], whole)
        assert (samples[whole.size :] == MISSING).all()
    start_ns, (lead,) = imported(second)
    assert start_ns == BEGIN_NS + RESTART_S * NS
    assert np.array_equal(lead, signal(20, 0))
    assert np.array_equal(parsed(second).leads[0].samples, lead)
    if name == "aecg":
        _, other = aecg_samples(first, RATE)
        for channel, samples in enumerate(other.values()):
            assert np.array_equal(np.nan_to_num(samples, nan=MISSING), stored(channel))
    folder = tmp_path / "out"
    assert {stat.S_IMODE(f.stat().st_mode) for f in folder.iterdir()} == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert list(tmp_path.iterdir()) == [folder]
    if name == "wfdb":
        other = parsed(first)
        for channel in range(3):
            samples = np.nan_to_num(other.leads[channel].samples, nan=MISSING)
            assert np.array_equal(samples, stored(channel))
        marks = annotations(folder / "ecg-1.det")[1:]
        seconds = [s for s in range(SECONDS) if s not in AWAY and s != LOST]
        assert [a.sample for a in marks if a.symbol in "NV"] == [s * RATE + 60 for s in seconds]
        assert [a.sample for a in marks if a.symbol == "V"] == [s * RATE + 60 for s in seconds if s % 10 == 3]
        rhythms = [(a.sample, a.text) for a in marks if a.symbol == "+"]
        assert rhythms == [(0, "(N"), (10 * RATE, "(AFIB"), (65 * RATE, "(AFIB")]


def test_dicom_is_a_file_a_stretch(login: tuple[str, str], tmp_path: Path) -> None:
    url, device = login
    files = exported(url, tmp_path / "out", "dicom", device=device)
    parts = [(0, 40, range(2)), (65, SECONDS, range(2)), (0, 20, range(1))]
    assert len(files) == 3
    for path, (begin, end, channels) in zip(files, parts, strict=True):
        _, leads = imported(path)
        for channel in channels:
            of = stored(channel) if end != 20 else signal(20, 0)
            assert np.array_equal(leads[channel], of[begin * RATE : end * RATE])
            assert np.array_equal(dicom_samples(path, len(channels))[:, channel], leads[channel])


def test_a_stretch_is_one_file_where_it_is_one(
    login: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url, device = login
    target = tmp_path / "ten.xml"
    target.write_text("what is there is replaced")
    (path,) = exported(url, target, "aecg", first=2.104, last=12.104, device=device)
    start_ns, leads = imported(path)
    assert start_ns == BEGIN_NS + 2_104_000_000
    for channel, samples in enumerate(leads):
        assert np.array_equal(samples, stored(channel)[526:3026])
    assert parsed(path).annotations["rhythm"] == "N"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "written: ten.xml; 10 s of signal" in capsys.readouterr().err


def test_of_a_patient_what_they_wore_to_the_sample(
    login: tuple[str, str], tmp_path: Path, timescale_url: str
) -> None:
    url, device = login
    (path,) = exported(url, tmp_path / "a", "wfdb", first=70, patient="p-1")
    assert path.name == "ecg.hea"
    assert "# subject: p-1\n" in path.read_text()
    edge = round(HANDOVER_S * RATE)
    start_ns, leads = imported(path)
    assert start_ns == BEGIN_NS + 70 * NS
    assert np.array_equal(leads[0], stored(0)[70 * RATE : edge // 2 * 2])
    rhythm = next(a for a in annotations(tmp_path / "a" / "ecg.det") if a.symbol == "+")
    assert (rhythm.sample, rhythm.text) == (0, "(AFIB")
    theirs, _ = exported(url, tmp_path / "b", "wfdb", first=70, patient="p-2")
    start_ns, leads = imported(theirs)
    assert np.array_equal(leads[0], stored(0)[-(-edge // 2) * 2 :])
    # The rhythm in force as it began was of another patient: it is not told.
    marks = annotations(tmp_path / "b" / "ecg-1.det")
    assert not [a for a in marks if a.symbol == "+"]
    exported(url, tmp_path / "c", "wfdb", device=device)
    read = [("patient", "p-1"), ("patient", "p-2"), ("device", device)]
    owner = make_conninfo(timescale_url, dbname=conninfo_to_dict(url)["dbname"])
    assert read_by(owner, "export") == [(ACCOUNT, *what) for what in read]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"device": "none"}, "no such device"),
        ({"patient": "p-9"}, "wore nothing then"),
        ({"first": 45, "last": 60}, "no signal is stored of that time"),
        ({"first": -600, "last": -300}, "no signal is stored of that time"),
    ],
)
def test_what_cannot_be_exported_is_said_and_nothing_left(
    login: tuple[str, str], tmp_path: Path, asked: dict[str, Any], said: str
) -> None:
    url, device = login
    whose = {} if "patient" in asked else {"device": device}
    with pytest.raises(SystemExit, match=said):
        exported(url, tmp_path / "out", "edf", **(whose | asked))
    assert not list(tmp_path.iterdir())


def test_a_disk_that_is_full_is_said_and_several_files_are_no_file(
    login: tuple[str, str], tmp_path: Path
) -> None:
    """By the kernel's limit of a file's size in a process of its own, which fails a write as a full disk."""
    url, device = login
    with pytest.raises(SystemExit, match="2 files: name a folder"):
        exported(url, tmp_path / "out.edf", "edf", device=device)
    end = (BEGIN + timedelta(seconds=130)).isoformat()
    words = ["export", "out", "--device", device, "--from", BEGIN.isoformat(), "--to", end, "--format", "edf"]
    limited = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (30000, 30000));"
        "from ecgstream.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", limited, *words],
        cwd=tmp_path,
        env=os.environ | {"ECGSTREAM_DATABASE": url, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == f"ecgstream: it cannot be written: {os.strerror(errno.EFBIG)}\n"
    assert not list(tmp_path.iterdir())
