"""Files of devices, by command, folder and HTTP, through real Kafka to the database: once, whatever comes."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from ecgstream.settings import Settings
from ecgstream.store import read
from schemas import codec, topics
from schemas.bundle import Bundle
from schemas.records import BacklogEnd, Control, Enrolment, Packet
from tests.devices.files.binary import dicom
from tests.devices.files.ecg import IDENTITY, START_NS, twelve_leads
from tests.devices.files.test_publish import numbers
from tests.system.log import read_log
from tests.system.pager_ward import until
from tests.system.sink_stream import Stream, work_beyond
from tests.system.test_receive import _free_port

FILES = Path(__file__).resolve().parents[2] / "fixtures" / "devices" / "files"
DICOM, HOLTER = FILES / "twelve-lead.dcm", FILES / "holter.ecg"
SHARD = 0
RECORDINGS, AT_ONCE = 80, 20
MINUTE_NS = 60 * 10**9


@pytest.fixture
def stream(kafka: str, timescale_url: str, new_database: Callable[[str], str]) -> Iterator[Stream]:
    made = Stream(kafka, new_database(timescale_url))
    enrol(made)
    yield made
    made.producer.close()


def key(device: str) -> str:
    return f"key-of-{device}"


def enrol(stream: Stream) -> None:
    device = stream.device()
    digest = hashlib.sha256(key(device).encode()).digest()
    enrolment = Enrolment(
        device, "cart", "cn", SHARD, (), digest, "", disabled=False, changed_ns=time.time_ns()
    )
    value = codec.encode(enrolment)
    stream.producer.send(topics.ENROLMENT.name, value, key=device.encode()).get(10)


class Command:
    """`ecgstream`, with a spool of this test's own."""

    def __init__(self, stream: Stream, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log"
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("ECGSTREAM_")},
            **stream.settings.environment(),
            "ECGSTREAM_SPOOL": str(folder / "spool"),
            "ECGSTREAM_DATA": str(folder / "data"),
            "ECGSTREAM_LOG_FORMAT": "text",
        }

    def run(self, *words: object, status: int = 0) -> str:
        argv = [sys.executable, "-m", "ecgstream", *map(str, words)]
        done = subprocess.run(argv, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    def start(self, *words: object) -> subprocess.Popen[bytes]:
        argv = [sys.executable, "-m", "ecgstream", *map(str, words)]
        with self.log.open("ab") as out:
            return subprocess.Popen(argv, env=self.environment, stdout=out, stderr=out)


@pytest.fixture
def command(stream: Stream, tmp_path: Path) -> Command:
    return Command(stream, tmp_path)


def found(settings: Settings, device: str) -> tuple[dict[tuple[int, int], Packet], list[Control], int]:
    """What the backlog's topic has of a device: packets, ends, the newest offset. Of it nothing is live."""
    packets: dict[tuple[int, int], Packet] = {}
    ends: list[Control] = []
    newest = -1
    for record in read_log(settings, topics.BACKFILL):
        content: Any = codec.decode(record.value)
        if isinstance(content, Control) and content.device == device:
            ends.append(content)
            newest = record.offset
        for one in content.packets() if isinstance(content, Bundle) else ():
            if one.device == device:
                same = packets.setdefault((one.session, one.seq), one)
                assert numbers(same) == numbers(one)
                newest = record.offset
    live = [codec.decode(r.value) for r in read_log(settings, topics.INGEST)]
    assert not [b for b in live if isinstance(b, Bundle) and device in b.devices]
    return packets, ends, newest


def test_imported_twice_is_stored_once_sample_for_sample(stream: Stream, command: Command) -> None:
    device = stream.device()
    for _ in range(2):
        said = command.run("import", DICOM, "--device", device)
        said += command.run("import", HOLTER, "--device", device, "--start", "2026-03-30T10:00:00+02:00")
        assert said.count("taken as of") == 2
        assert not [word for word in IDENTITY if word in said]
    holter_ns = 1_774_857_600_000_000_000
    packets, ends, newest = found(stream.settings, device)
    assert len(ends) == 4
    with stream.sink(idle_s=0.5) as sink:
        work_beyond(sink, backfill=newest)
        sink.finish()
    with stream.reader() as connection:
        counts = [c for c in read.packet_counts(connection) if c.device == device]
        assert sorted(counts) == [(device, START_NS, 2, 0), (device, holter_ns, 20, 0)]
        leads = twelve_leads().leads
        for channel, samples in enumerate(leads.values()):
            stored = read.trace(connection, device, channel, 0, samples.size, START_NS)
            assert np.array_equal(stored, samples)
    assert len(packets) == 22


def test_what_is_refused_is_said_and_what_is_not_enrolled_is_not_taken(
    stream: Stream, command: Command
) -> None:
    device = stream.device()
    said = command.run("import", FILES / "README.md", DICOM, "--device", device, status=1)
    assert "README.md: refused: no format of ECGs that is known here" in said
    assert f"{DICOM.name}: taken as of {device}" in said
    said = command.run("import", DICOM, "--device", "nobodys-cart", status=1)
    assert "ecgstream import: nobodys-cart is not enrolled: `ecgstream device enrol nobodys-cart" in said
    assert len(found(stream.settings, device)[0]) == 2


def test_a_watched_folder_loses_nothing_and_doubles_nothing_though_it_is_killed(
    stream: Stream, command: Command, tmp_path: Path
) -> None:
    device, chance = stream.device(), random.Random(3)  # noqa: S311
    place = tmp_path / "inbox" / device
    place.mkdir(parents=True)
    ecg, done = twelve_leads(), place / "done"
    words = ("import", "--watch", tmp_path / "inbox", "--gateway", "gw-folder")

    def are_done(more_than: int) -> bool:
        return done.exists() and len(list(done.glob("*.dcm"))) > more_than

    for first in range(0, RECORDINGS, AT_ONCE):  # each process has recordings of its own to take
        for n in range(first, first + AT_ONCE):
            made = dicom(replace(ecg, start=ecg.start + timedelta(minutes=n)))
            (place / f"{n}.dcm").write_bytes(made)
        process = command.start(*words)
        if first + AT_ONCE < RECORDINGS:
            until(partial(are_done, first), command.log.read_text)
            time.sleep(chance.uniform(0.0, 0.2))
            process.send_signal(signal.SIGKILL)
            process.wait()
    until(partial(are_done, RECORDINGS - 1), command.log.read_text)
    ours = {f"recording-{device}-{START_NS + n * MINUTE_NS}" for n in range(RECORDINGS)}
    # What is durable is on its way.
    until(lambda: {end.id for end in found(stream.settings, device)[1]} == ours)
    process.terminate()
    assert process.wait(60) == 0, command.log.read_text()
    packets, ends, newest = found(stream.settings, device)
    sessions = [START_NS + n * MINUTE_NS for n in range(RECORDINGS)]
    assert sorted(packets) == [(session, seq) for session in sessions for seq in range(2)]
    assert all(isinstance(end.change, BacklogEnd) for end in ends)
    with stream.sink(idle_s=0.5) as sink:
        work_beyond(sink, backfill=newest)
        sink.finish()
    with stream.reader() as connection:
        counts = [c for c in read.packet_counts(connection) if c.device == device]
    assert sorted(counts) == [(device, session, 2, 0) for session in sessions]


def test_a_recording_that_is_answered_is_in_kafka(stream: Stream, command: Command) -> None:
    device, address = stream.device(), f"127.0.0.1:{_free_port()}"
    process = command.start("receive", "--http", address, "--gateway", "gw-recordings-by-http")
    until(lambda: "] http " in command.log.read_text(), command.log.read_text)

    def send(body: bytes) -> httpx.Response:
        headers = {"Authorization": f"Bearer {key(device)}", "Content-Type": "application/octet-stream"}
        return httpx.post(f"http://{address}/v1/recordings", content=body, headers=headers, timeout=120)

    try:
        for _ in range(2):
            answer = send(DICOM.read_bytes())
            assert answer.status_code == 200, answer.text
            assert answer.json()["channels"] == 12
        refused = send(b"Neverwas, Madeup")
        assert (refused.status_code, refused.headers["content-type"]) == (400, "application/problem+json")
        until(lambda: len(found(stream.settings, device)[1]) == 2)  # what is durable is on its way
    finally:
        process.terminate()
        status = process.wait(60)
    assert status == 0, command.log.read_text()
    packets, ends, _ = found(stream.settings, device)
    assert sorted(packets) == [(START_NS, 0), (START_NS, 1)]
    assert len(ends) == 2
    assert not [word for word in IDENTITY if word in command.log.read_text()]
