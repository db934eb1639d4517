"""Kafka goes away and comes back, and the gateway is killed: nothing is lost, nothing is changed.

On a broker of our own, which can be stopped and comes back at its address.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from devices.backlog import WINDOW
from devices.gateway import GatewayReport, play
from devices.recordings import read
from devices.source import NS, Number, Session, Source, Wave
from ecgstream import clients
from ecgstream.embedded import kafka as module
from ecgstream.embedded.kafka import EmbeddedKafka
from ecgstream.embedded.process import end, spawn
from ecgstream.settings import Settings
from ecgstream.topics import create_topics
from schemas import codec, mdc
from schemas.bundle import Bundle
from schemas.records import BacklogEnd, Control, Enrolment, GatewayStatus, Packet, Vital
from schemas.topics import BACKFILL, ENROLMENT, GATEWAYS, INGEST, Topic
from tests.system.conftest import started
from tests.system.log import read_log
from tests.system.publishing import publishing

PARTITIONS = 3
START_NS = 1_790_000_000 * NS
RATE = 250


@pytest.fixture(scope="module")
def only_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedKafka]:
    """A broker that comes back at its address."""
    ports = module._free_ports()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_free_ports", lambda: ports)
        made = EmbeddedKafka(tmp_path_factory.mktemp("kafka"))
        started(made)
        create_topics(Settings(kafka=made.bootstrap, partitions=PARTITIONS))
        yield made
        made.stop()


@pytest.fixture
def broker(only_broker: EmbeddedKafka) -> Iterator[EmbeddedKafka]:
    """The broker, whatever the test before has done to it."""
    yield only_broker
    only_broker.start()


@pytest.fixture
def settings(broker: EmbeddedKafka, tmp_path: Path) -> Settings:
    return Settings(
        kafka=broker.bootstrap, partitions=PARTITIONS, data=tmp_path / "data", spool=tmp_path / "spool"
    )


def source(device: str, shard: int, seconds: float) -> Source:
    rng = np.random.default_rng(shard)
    samples = rng.integers(-2000, 2000, round(seconds * RATE)).astype(np.int16)
    wave = Wave("II", mdc.LEADS["II"], 0, 0, float(RATE), 200.0, samples)
    numbers = tuple(Number(s + 0.5, mdc.SPO2, 97.0) for s in range(int(seconds)))
    return Source(device, shard, "Test", simulated=True, sessions=(Session((wave,), numbers),))


# -- what was sent, and what has arrived


def plain(item: Packet | Vital) -> tuple[Any, ...]:
    """All of it, but when it arrived."""
    if isinstance(item, Vital):
        return (item.device, item.session, item.time_ns, item.code, item.value)
    waves = [(c.code, c.rate, c.gain, c.offset, c.samples.tobytes()) for c in item.channels]
    return (item.device, item.session, item.seq, item.first_sample, item.start_ns, *waves)


def given(sources: list[Source], kind: type) -> list[tuple[Any, ...]]:
    items = [e.item for s in sources for e in s.emissions(START_NS)]
    return sorted(plain(item) for item in items if isinstance(item, kind))


class Lane:
    """What has arrived on a topic of some devices, which share no bundle with others."""

    def __init__(self, settings: Settings, topic: Topic, sources: list[Source]) -> None:
        mine = {s.device for s in sources}
        records = [(r.timestamp, codec.decode(r.value)) for r in read_log(settings, topic)]
        self.bundles = [(ms, b) for ms, b in records if isinstance(b, Bundle) and mine >= set(b.devices)]
        self.controls = [(ms, c) for ms, c in records if isinstance(c, Control) and c.device in mine]
        self.packets = [plain(p) for _, bundle in self.bundles for p in bundle.packets()]
        self.vitals = [plain(v) for _, bundle in self.bundles for v in bundle.vitals()]

    def seqs(self, device: str) -> list[int]:
        return [p[2] for p in self.packets if p[0] == device]


def lanes(settings: Settings, sources: list[Source]) -> tuple[Lane, Lane]:
    return Lane(settings, INGEST, sources), Lane(settings, BACKFILL, sources)


def once(lane: Lane, sources: list[Source]) -> None:
    """Forget what came again by this lane: a broker that ends may have had it without having said so.

    No more than was on its way: eight records of a shard, a device each. A busy machine's broker does it.
    """
    first, again = dict.fromkeys(lane.packets), len(lane.packets) - len(set(lane.packets))
    assert again <= WINDOW * len(sources)
    lane.packets, lane.vitals = list(first), list(dict.fromkeys(lane.vitals))


def playing(
    settings: Settings, folder: Path, sources: list[Source], **how: Any
) -> Callable[[], GatewayReport]:
    """Play on a thread; return what waits for its report."""
    found: list[GatewayReport] = []
    gap_s = how.pop("gap_s", 60.0)

    def run() -> None:
        with publishing(settings, folder, gap_s=gap_s) as publisher:
            flush_s = 0.5 / how["speed"]
            found.append(play(sources, publisher, start_ns=START_NS, flush_s=flush_s, **how))

    thread = threading.Thread(target=run)
    thread.start()

    def report() -> GatewayReport:
        thread.join()
        return found[0]

    return report


# -- Kafka is away


def test_a_broker_that_is_away_for_20_s_is_filled_in_in_order(
    broker: EmbeddedKafka, settings: Settings, tmp_path: Path
) -> None:
    sources = [source(f"short-{n}", n, 30) for n in range(4)]
    # Slowly, so that a broker that takes long to start on a busy machine makes no gap of a minute of signal.
    report = playing(settings, tmp_path, sources, speed=0.5)
    time.sleep(5)
    broker.stop()
    time.sleep(20)
    broker.start()
    played = report()
    live, backlog = lanes(settings, sources)
    assert (played.complete, played.waiting) == (True, 0)
    once(live, sources)
    assert sorted(live.packets) == given(sources, Packet)
    assert sorted(live.vitals) == given(sources, Vital)
    assert all(live.seqs(s.device) == list(range(30)) for s in sources)
    assert (backlog.bundles, backlog.controls) == ([], [])
    assert played.packets == 120


def test_behind_a_long_outage_live_goes_first_and_what_is_missing_by_the_backfill_topic(
    broker: EmbeddedKafka, settings: Settings, tmp_path: Path
) -> None:
    sources = [source(f"long-{n}", n, 300) for n in range(4)]
    report = playing(settings, tmp_path, sources, speed=10.0)
    time.sleep(5)
    broker.stop()
    time.sleep(12)  # 120 s of signal
    broker.start()
    played = report()
    live, backlog = lanes(settings, sources)
    for lane in (live, backlog):
        once(lane, sources)
    assert (played.complete, played.waiting, played.packets) == (True, 0, 1200)
    # Each packet and number by one way, unchanged.
    assert sorted(live.packets + backlog.packets) == given(sources, Packet)
    assert sorted(live.vitals + backlog.vitals) == given(sources, Vital)
    ends = {c.device: (ms, c) for ms, c in backlog.controls}
    assert len(ends) == len(backlog.controls) == len(sources)
    for s in sources:
        before, behind = live.seqs(s.device), backlog.seqs(s.device)
        at = next(i for i, (a, b) in enumerate(pairwise(before)) if b != a + 1)
        assert behind == list(range(before[at] + 1, before[at + 1]))
        assert len(behind) > 60
        assert before == [*range(before[at] + 1), *range(before[at + 1], 300)]
        ended_ms, control = ends[s.device]
        assert isinstance(control.change, BacklogEnd)
        assert (control.session, control.from_sample) == (START_NS, before[at + 1] * RATE)
        first_live_ms = next(ms for ms, b in live.bundles if has(b, s.device, before[at + 1]))
        back_ms = [ms for ms, b in backlog.bundles if s.device in b.devices]
        assert first_live_ms <= back_ms[0] <= back_ms[-1] <= ended_ms


def has(bundle: Bundle, device: str, seq: int) -> bool:
    return any((p.device, p.seq) == (device, seq) for p in bundle.packets())


# -- the gateway is killed


class Recorder:
    """A gateway as a process of its own, which plays recordings that are enrolled."""

    def __init__(self, settings: Settings, folder: Path, seconds: int, speed: float) -> None:
        self.settings = settings
        self.speed = speed
        self.log = folder / "gateway.log"
        self.report = folder / "report.json"
        records = [record(folder, f"rec{n}", seconds + 7 * n) for n in range(2)]
        self.records = [str(path) for path in records]
        self.sources = [read(path) for path in records]
        enrol(settings, [s.device for s in self.sources])

    def start(self, name: str = "ward") -> "subprocess.Popen[bytes]":
        words = ["gateway", *self.records, "--speed", f"{self.speed:g}", "--gateway", "gw-killed"]
        words += ["--play", name, "--start-ns", str(START_NS), "--report", str(self.report)]
        with self.log.open("ab") as out:
            argv = [sys.executable, "-m", "ecgstream", *words]
            return spawn(argv, env={**os.environ, **self.settings.environment()}, stdout=out)

    def await_said(self, text: str, times: int = 1) -> None:
        deadline = time.monotonic() + 180
        while self.log.read_text().count(text) < times:
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)

    def found(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.report.read_text())
        return found


def record(folder: Path, name: str, seconds: int) -> Path:
    wfdb = pytest.importorskip("wfdb")
    noise = np.random.default_rng(seconds).integers(-400, 400, (RATE * seconds, 1)) / 200.0
    wfdb.wrsamp(name, RATE, ["mV"], ["II"], p_signal=noise, fmt=["16"], write_dir=str(folder))
    return folder / f"{name}.hea"


def enrol(settings: Settings, devices: list[str]) -> None:
    producer = clients.producer(settings)
    try:
        for shard, device in enumerate(devices):
            told = Enrolment(device, "recorder", "cn", shard, (), b"", "", disabled=False, changed_ns=1)
            producer.send(ENROLMENT.name, codec.encode(told), key=device.encode()).get(10)
    finally:
        producer.close()


def test_kill_9_of_the_gateway_changes_nothing_in_what_arrives(settings: Settings, tmp_path: Path) -> None:
    gateway = Recorder(settings, tmp_path, 120, speed=4.0)
    for kills in range(4):
        process = gateway.start()
        gateway.await_said("playing", kills + 1)
        time.sleep((0.3, 2.0, 3.7, 1.1)[kills])
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    process = gateway.start()
    assert process.wait(120) == 0, gateway.log.read_text()
    live, backlog = lanes(settings, gateway.sources)
    assert sorted(set(live.packets + backlog.packets)) == given(gateway.sources, Packet)
    assert set(live.packets) & set(backlog.packets) == set()
    for s in gateway.sources:
        for lane in (live, backlog):
            first_times = list(dict.fromkeys(lane.seqs(s.device)))
            assert first_times == sorted(first_times)
    # At most what was on its way at a kill comes twice.
    assert len(live.packets + backlog.packets) - len(given(gateway.sources, Packet)) <= 4 * 2 * 8 * 2
    report = gateway.found()
    assert (report["complete"], report["waiting"], report["start_ns"]) == (True, 0, START_NS)
    assert report["packets"] == 120 + 127
    assert [(s["packets"], s["first_seq"], s["last_seq"]) for s in report["sessions"]] == [
        (120, 0, 119),
        (127, 0, 126),
    ]
    assert len(backlog.controls) == len({c.id for _, c in backlog.controls})


def test_a_gateway_away_for_minutes_goes_on_live_first(settings: Settings, tmp_path: Path) -> None:
    gateway = Recorder(settings, tmp_path, 200, speed=8.0)
    process = gateway.start()
    gateway.await_said("playing")
    time.sleep(2)
    process.send_signal(signal.SIGKILL)
    process.wait()
    time.sleep(11)  # 88 s of signal, besides what a start takes
    process = gateway.start()
    assert process.wait(120) == 0, gateway.log.read_text()
    live, backlog = lanes(settings, gateway.sources)
    assert sorted(set(live.packets + backlog.packets)) == given(gateway.sources, Packet)
    assert set(live.packets) & set(backlog.packets) == set()
    assert sorted(c.device for _, c in backlog.controls) == sorted(s.device for s in gateway.sources)
    assert all(len(backlog.seqs(s.device)) > 60 for s in gateway.sources)
    assert gateway.found()["packets"] == 200 + 207


def test_without_kafka_a_gateway_starts_from_what_it_knew_and_sends_later(
    broker: EmbeddedKafka, settings: Settings, tmp_path: Path
) -> None:
    gateway = Recorder(settings, tmp_path, 30, speed=10.0)
    assert gateway.start("before").wait(120) == 0, gateway.log.read_text()
    first = gateway.found()
    broker.stop()
    process = gateway.start("while it is away")
    gateway.await_said("starts without Kafka")
    gateway.await_said("Kafka takes nothing")
    gateway.await_said("the rest waits for Kafka")
    assert end(process) == 0, gateway.log.read_text()
    kept = gateway.found()
    assert (kept["complete"], kept["packets"]) == (True, 0)
    assert kept["waiting"] > 0
    assert "records wait in the spool" in gateway.log.read_text()
    broker.start()
    assert gateway.start("while it is away").wait(120) == 0, gateway.log.read_text()
    later = gateway.found()
    assert (later["complete"], later["waiting"]) == (True, 0)
    assert later["packets"] == first["packets"] == 30 + 37
    told = [codec.decode_as(GatewayStatus, r.value) for r in read_log(settings, GATEWAYS)]
    *_, last = [status for status in told if status.gateway == "gw-killed"]
    assert last.spooled_records == 0


def test_two_gateways_do_not_share_a_spool(settings: Settings, tmp_path: Path) -> None:
    gateway = Recorder(settings, tmp_path, 100, speed=1.0)
    process = gateway.start()
    gateway.await_said("playing")
    assert gateway.start("another").wait(60) == 1
    assert "in use by another process" in gateway.log.read_text()
    assert end(process) == 0, gateway.log.read_text()
    assert "Traceback" not in gateway.log.read_text()
