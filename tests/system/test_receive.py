"""What devices were told to be taken is in Kafka, once and whole, however the gateway ended meanwhile."""

from __future__ import annotations

import hashlib
import os
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from devices.hl7.mllp import Frames, framed
from devices.hl7.write import report
from devices.reading import Measured, Reading, Stretch
from ecgstream import clients
from ecgstream.embedded.kafka import EmbeddedKafka
from ecgstream.settings import Settings
from ecgstream.store import rows
from ecgstream.store.connection import connect
from ecgstream.store.migrate import migrate
from ecgstream.store.traces import TraceBuilder
from ecgstream.store.writer import Writer
from ecgstream.topics import create_topics
from schemas import codec, mdc, topics
from schemas.bundle import Bundle
from schemas.records import ECG_KIND, Channel, Control, Enrolment, Packet, Vital
from schemas.units import MILLIVOLT
from tests.system.conftest import started
from tests.system.log import read_log
from tests.system.pager_ward import until

PARTITIONS = 3
RATE = 250
NS = 10**9
KEYS = {device: f"key-of-{device}" for device in ("dev-1", "dev-2")}
KILLS = int(os.environ.get("ECGSTREAM_TEST_KILLS", "3"))
"""`make chaos` kills 50 times."""


@contextmanager
def kafka_with(shards: Mapping[str, int], folder: Path) -> Iterator[Settings]:
    """A broker at which these devices are enrolled, each in its shard."""
    broker = EmbeddedKafka(folder)
    made = Settings(kafka=started(broker), partitions=PARTITIONS)
    create_topics(made)
    producer = clients.producer(made)
    for device, shard in shards.items():
        digest = hashlib.sha256(KEYS[device].encode()).digest() if device in KEYS else b""
        enrolment = Enrolment(
            device, "monitor", "cn", shard, (), digest, "", disabled=False, changed_ns=time.time_ns()
        )
        producer.send(topics.ENROLMENT.name, codec.encode(enrolment), key=device.encode()).get(10)
    producer.close()
    yield made
    broker.stop()


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    devices = {device: shard for shard, device in enumerate((*KEYS, "mon-1", "mon-2"))}
    with kafka_with(devices, tmp_path_factory.mktemp("kafka")) as made:
        yield made


class Gateway:
    """`ecgstream receive`, which may be killed and started again on the same addresses.

    ``flags``: what it hears on; none: HTTP and MLLP. ``sign``: a word of the log line that says that it does.
    """

    def __init__(self, settings: Settings, folder: Path, *flags: str, sign: str = "mllp") -> None:
        self.log = folder / "receive.log"
        self.ports = [_free_port(), _free_port()]
        http, mllp = (f"127.0.0.1:{port}" for port in self.ports)
        self._flags = flags or ("--http", http, "--mllp", mllp, "--plain")
        self._sign = rf"\] {sign}\b"
        self._environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("ECGSTREAM_")},
            **settings.environment(),
            "ECGSTREAM_SPOOL": str(folder / "spool"),
            "ECGSTREAM_DATA": str(folder / "data"),
            "ECGSTREAM_LOG_FORMAT": "text",
        }
        self.start()

    def start(self) -> None:
        argv = [sys.executable, "-m", "ecgstream", "receive", *self._flags]
        begun = self.starts() if self.log.exists() else 0
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(argv, env=self._environment, stderr=out, stdout=out)
        until(lambda: self.starts() > begun, self.log.read_text)

    def starts(self) -> int:
        return len(re.findall(self._sign, self.log.read_text()))

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def end(self) -> int:
        self.process.terminate()
        return self.process.wait(60)


@pytest.fixture
def gateway(settings: Settings, tmp_path: Path) -> Iterator[Gateway]:
    made = Gateway(settings, tmp_path)
    yield made
    made.process.kill()
    made.process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


def samples(first: int, n: int = RATE) -> np.ndarray:
    return (np.arange(first, first + n) % 20_000).astype(np.int16)


def packet(device: str, session: int, seq: int) -> dict[str, Any]:
    lead = {"lead": "II", "rate": RATE, "gain": 200.0, "unit": "mV", "samples": samples(seq * RATE).tolist()}
    start = session + seq * NS
    at = {"device": device, "session": session, "seq": seq, "first_sample": seq * RATE, "start": start}
    return {**at, "channels": [lead]}


def post(gateway: Gateway, path: str, device: str, body: Any) -> httpx.Response:
    url, name = f"http://127.0.0.1:{gateway.ports[0]}{path}", path.rpartition("/")[2]
    return httpx.post(url, json={name: body}, headers={"Authorization": f"Bearer {KEYS[device]}"}, timeout=30)


def message(device: str, begin_ns: int, n: int) -> Reading:
    lead = Channel(mdc.LEADS["II"], ECG_KIND, MILLIVOLT, RATE, 200.0, samples(n * RATE))
    at = begin_ns + n * NS
    return Reading(device, f"{device}-{n}", at + NS, (Stretch(at, (lead,)),), (Measured(at, mdc.SPO2, 97.0),))


def found(settings: Settings) -> tuple[dict[str, dict[tuple[int, int], Packet]], list[Vital]]:
    """All that is in Kafka: of each device its packets by session and number; and the numbers."""
    packets: dict[str, dict[tuple[int, int], Packet]] = {}
    vitals: list[Vital] = []
    for record in [*read_log(settings, topics.INGEST), *read_log(settings, topics.BACKFILL)]:
        bundle = codec.decode(record.value)
        if isinstance(bundle, Bundle):
            for one in bundle.packets():
                packets.setdefault(one.device, {})[one.session, one.seq] = one
            vitals += bundle.vitals()
    return packets, vitals


def test_what_was_answered_is_in_kafka_and_what_may_not_be_sent_is_not(
    settings: Settings, gateway: Gateway
) -> None:
    session = time.time_ns()
    answer = post(gateway, "/v1/packets", "dev-1", [packet("dev-1", session, n) for n in range(5)])
    assert answer.status_code == 200, answer.text
    assert [one["status"] for one in answer.json()["results"]] == ["accepted"] * 5
    other = post(gateway, "/v1/packets", "dev-1", [packet("dev-2", session, 0)])
    assert [one["code"] for one in other.json()["results"]] == [403]
    vital = {
        "device": "dev-1",
        "session": session,
        "time": session,
        "code": mdc.SPO2,
        "value": 96,
        "unit": "%",
    }
    assert post(gateway, "/v1/vitals", "dev-1", [vital]).json()["results"] == [{"status": "accepted"}]
    wrong = httpx.post(f"http://127.0.0.1:{gateway.ports[0]}/v1/packets", json=[], timeout=30)
    assert wrong.status_code == 401
    with socket.create_connection(("127.0.0.1", gateway.ports[1])) as line:
        assert accepts(line, report(message("mon-1", session, 0)))
        assert not accepts(line, report(message("mon-9", session, 0)))
        assert accepts(line, report(message("mon-1", session, 1)))
        assert not accepts(line, b"MSH|^~\\&|||||||ADT^A01|x|P|2.6\r")
    assert gateway.end() == 0, gateway.log.read_text()
    packets, vitals = found(settings)
    assert sorted(packets["dev-1"]) == [(session, n) for n in range(5)]
    assert sorted(n for _, n in packets["mon-1"]) == [0, 1]
    assert "mon-9" not in packets
    assert {v.device for v in vitals} >= {"dev-1", "mon-1"}
    for (_, seq), one in packets["dev-1"].items():
        assert (one.channels[0].samples == samples(seq * RATE)).all()


def accepts(line: socket.socket, said: bytes) -> bool:
    """Say something by MLLP; return whether it is taken, in whichever mode it is answered."""
    line.settimeout(60)
    line.sendall(framed(said))
    frames = Frames()
    while True:
        data = line.recv(65_536)
        if not data:
            raise ConnectionResetError
        if told := frames.feed(data):
            return told[0].decode().split("\rMSA|")[1][:2] in ("AA", "CA")


def test_the_gateway_does_what_devices_rely_on(gateway: Gateway, tmp_path: Path) -> None:
    key = tmp_path / "dev-1.key"
    key.write_text(KEYS["dev-1"])
    http, mllp = (f"127.0.0.1:{port}" for port in gateway.ports)
    for argv in (
        ["http", f"http://{http}", "--device", "dev-1", "--device-key", str(key)],
        ["mllp", mllp, "--device", "mon-1", "--plain"],
    ):
        ecgstream = [sys.executable, "-m", "ecgstream", "conform", *argv]
        told = subprocess.run(ecgstream, capture_output=True, text=True, check=False)
        assert told.returncode == 0, told.stderr


class Sender(threading.Thread):
    """A device that sends second by second, each until it is answered, as fast as it is."""

    def __init__(self, gateway: Gateway, device: str) -> None:
        super().__init__()
        self.gateway, self.device = gateway, device
        self.session = time.time_ns()
        self.answered = 0
        self.over = threading.Event()
        self._line: socket.socket | None = None

    def run(self) -> None:
        while not self.over.is_set():
            try:
                is_taken = self.by_http() if self.device in KEYS else self.by_mllp()
            except (httpx.HTTPError, OSError):
                self.hang_up()
                time.sleep(0.1)
                continue
            assert is_taken
            self.answered += 1
        self.hang_up()

    def hang_up(self) -> None:
        if self._line is not None:
            self._line.close()
        self._line = None

    def by_http(self) -> bool:
        body = [packet(self.device, self.session, self.answered)]
        return post(self.gateway, "/v1/packets", self.device, body).status_code == 200

    def by_mllp(self) -> bool:
        if self._line is None:
            self._line = socket.create_connection(("127.0.0.1", self.gateway.ports[1]))
        return accepts(self._line, report(message(self.device, self.session, self.answered)))


def test_nothing_that_was_answered_is_missing_though_the_gateway_is_killed(
    settings: Settings, gateway: Gateway
) -> None:
    chance = random.Random(7)  # noqa: S311
    senders = [Sender(gateway, device) for device in ("dev-2", "mon-2")]
    for sender in senders:
        sender.start()
    for _ in range(KILLS):
        before = [sender.answered for sender in senders]
        until(lambda: all(s.answered > n + 5 for s, n in zip(senders, before, strict=True)))  # noqa: B023
        time.sleep(chance.uniform(0.0, 0.5))
        gateway.kill()
        gateway.start()
    before = [sender.answered for sender in senders]
    until(lambda: all(s.answered > n + 5 for s, n in zip(senders, before, strict=True)))
    for sender in senders:
        sender.over.set()
        sender.join()
    assert gateway.end() == 0, gateway.log.read_text()
    packets, _ = found(settings)
    for sender in senders:
        first = {one.first_sample // RATE: one for one in packets[sender.device].values()}
        if sender.device in KEYS:
            assert sorted(first)[: sender.answered] == list(range(sender.answered))
        told = sorted(int(one.channels[0].samples[0]) for one in packets[sender.device].values())
        wanted = sorted(int(samples(n * RATE, 1)[0]) for n in range(len(told)))
        assert len(told) >= sender.answered
        assert told == wanted  # each once, though some were sent twice


OWN_TIMES = """
SELECT p.seq, p.ns + coalesce((
    SELECT c.ahead_ns FROM ecg.clock_correction AS c
    WHERE c.device = t.device AND c.session = t.session AND c.from_sample <= p.first
    ORDER BY c.from_sample DESC, c.since_ns DESC LIMIT 1), 0)
FROM ecg.trace AS t, unnest(t.packet_seq, t.packet_first, t.packet_ns) AS p (seq, first, ns)
WHERE t.device = 'dev-1' AND t.session = %s ORDER BY 1
"""
"""As docs/gateways.md has it."""


def fifth(begun_ns: int, session: int, seq: int, ahead_s: int) -> dict[str, Any]:
    """A fifth of a second of a device whose clock is ahead by so much."""
    at = packet("dev-1", session, seq)
    at["channels"][0]["samples"] = samples(seq * RATE // 5, RATE // 5).tolist()
    return at | {"first_sample": seq * RATE // 5, "start": begun_ns + seq * NS // 5 + ahead_s * NS}


def test_a_clock_that_is_set_is_corrected_and_its_own_time_is_found_again(
    settings: Settings, gateway: Gateway, plain_postgres_url: str, new_database: Callable[[str], str]
) -> None:
    session = time.time_ns()
    begun_ns = session - 2 * NS
    sent = [
        fifth(begun_ns, session, n, ahead_s) for n, ahead_s in enumerate([0, 0, 3600, 3600, -1800, -1800])
    ]
    assert post(gateway, "/v1/packets", "dev-1", sent[:4]).status_code == 200
    gateway.kill()
    gateway.start()
    for again in (sent[4:], sent):  # the answer to some was lost
        assert post(gateway, "/v1/packets", "dev-1", again).status_code == 200
    assert gateway.end() == 0, gateway.log.read_text()
    builder, url = TraceBuilder(), new_database(plain_postgres_url)
    migrate(url)
    writer = Writer(connect(url, role="ecg_sink"))
    for record in read_log(settings, topics.INGEST):
        content = codec.decode(record.value)
        if isinstance(content, Bundle):
            builder.add(content, (topics.INGEST.name, 0), record.offset)
            writer.write([rows.of_bundle(content, record.offset)], ())
            for one in content.packets():
                if one.session == session:
                    assert abs(one.start_ns - (begun_ns + one.seq * NS // 5)) < 3 * NS, one.seq
        elif isinstance(content, Control):
            writer.write([rows.of_control(content, record.value, record.offset)], ())
    writer.write([], builder.drain())
    writer.close()
    with connect(url) as owner:
        own = owner.execute(OWN_TIMES, (session,)).fetchall()
        assert own == [(one["seq"], one["start"]) for one in sent]
        told = owner.execute("SELECT own_skew_ms FROM ecg.device WHERE device = 'dev-1'").fetchone()
        assert told == (pytest.approx(-1_800_000, abs=120_000),)
