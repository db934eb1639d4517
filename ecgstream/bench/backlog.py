"""A gateway has kept hours of its devices' signal, and has its line again: does all of it come, live first?

The spool is filled as a gateway fills it whose Kafka is away, by its own publisher, with signal that has been
measured since ``hours`` ago. Then the gateway itself is started (``ecgstream receive``), its devices go on
live by HTTP, and all that has come to Kafka is read and compared with what was measured.
"""

import asyncio
import hashlib
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import numpy as np
from kafka import TopicPartition

from devices.backlog import GAP_S
from devices.bundler import FLUSH_S, Bundler, Instant
from devices.http import write
from devices.http.records import AVRO_TYPE
from devices.publisher import Publisher
from devices.spool import Spool
from ecgstream import clients
from ecgstream.bench import kafka
from ecgstream.bench.load import FLUSHES_A_SECOND, NS
from ecgstream.bench.measure import CannotMeasureError
from ecgstream.bench.process import POLL_S, Measured, free_port, service
from ecgstream.bench.ward import Arrived, Ward
from ecgstream.settings import Settings
from ecgstream.topics import create_topics
from schemas import codec
from schemas.bundle import Bundle
from schemas.records import Enrolment
from schemas.topics import BACKFILL, ENROLMENT, INGEST, Topic

HOURS, DEVICES = 24.0, 20
LONGEST_WAIT_S = 5.0
"""How long a second that is measured while the backlog drains may take into Kafka."""
READY_S, DRAINED_S = 1800.0, 6 * 3600.0
LIVE_FOR_S = 5.0
"""How long devices go on once all is drained."""
GATEWAY = "bench"
_SHARD = 7
_NOWHERE = "127.0.0.1:1"
_A_SYNC = 20  # seconds of signal that are spooled with one sync of the disk: else filling would take hours
_A_BODY = 50
_MB = 1_000_000

Tell = Callable[[str, float], None]
"""Hears what is being done, and which share of it is."""


def run(given: Settings, hours: float, devices: int, tell: Tell) -> dict[str, Any]:
    """Return what was found.

    Args:
        given: where the broker is; unnamed, an embedded one is started.
        hours: of signal that the gateway has kept.
        devices: of one lead at 250 Hz and two numbers a second, in one shard.
        tell: hears how far it is.

    Raises:
        CannotMeasureError: no Kafka, or the gateway does not go on.
    """
    if hours * 3600 <= GAP_S or devices < 1:
        raise CannotMeasureError(f"a backlog is more than {GAP_S:g} s of at least one device")
    ward = Ward.of(devices, time.time_ns() - round(hours * 3600) * NS)
    with tempfile.TemporaryDirectory(prefix="ecgstream-bench-") as made:
        folder = Path(made)
        kept = _fill(folder / "spool" / f"{GATEWAY}.spool", ward, tell)
        with kafka.own_kafka(given) as named:
            settings = named.model_copy(update={"data": folder / "data", "spool": folder / "spool"})
            settings.data.mkdir()
            create_topics(settings)
            _enrol(settings, ward)
            drained = _drain(settings, ward, kept, tell)
            come = _Come(ward, drained)
            for topic in (BACKFILL, INGEST):
                come.read(settings, topic, tell)
    return {
        "hours": hours,
        "devices": devices,
        "packets_kept": kept.seconds * devices,
        "records_kept": kept.records,
        "spool_mb": round(kept.bytes / _MB),
        "start_s": round(drained.start_s, 1),
        "memory_mb": round(drained.memory_bytes / _MB),
        **come.figures(kept),
    }


def bars(found: Mapping[str, Any]) -> list[tuple[str, str, str, bool]]:
    """Return what is wanted beside what was found."""
    told = [
        (f"{what} that are missing", "0", f"{found[name]:,}", found[name] == 0)
        for what, name in (("packets", "missing_packets"), ("numbers", "missing_numbers"))
    ]
    told.append(("packets and numbers that are not as sent", "0", f"{found['wrong']:,}", found["wrong"] == 0))
    wait_s = found["live_longest_s"]
    wanted = f"≤ {LONGEST_WAIT_S:g} s"
    return [*told, ("longest wait of a live packet", wanted, f"{wait_s} s", wait_s <= LONGEST_WAIT_S)]


# -- the spool


class _Kept(NamedTuple):
    """What the spool holds when the gateway is started: so many seconds of each device."""

    seconds: int
    records: int
    bytes: int


def _fill(path: Path, ward: Ward, tell: Tell) -> _Kept:
    """Spool what the ward has measured until now, as a gateway whose Kafka is away."""
    bundler, second = Bundler(GATEWAY), 0
    with (
        closing(Spool(path)) as spool,
        closing(Publisher(_NOWHERE, spool, gateway=GATEWAY, partitions=kafka.PARTITIONS)) as publisher,
    ):
        publisher.start()
        while (there := ward.seconds_at(time.time_ns())) > second:
            now = min(there, second + _A_SYNC)
            publisher.publish([b for s in range(second, now) for b in _bundles(bundler, ward, s)])
            second = now
            tell("spooled", second / there)
        held = spool.held()
    return _Kept(second, held.records, held.bytes)


def _bundles(bundler: Bundler, ward: Ward, second: int) -> Iterator[Bundle]:
    """Yield a second of all devices, half of which are due at each of its flushes."""
    for flush in range(FLUSHES_A_SECOND):
        after_s = (flush + 1) * FLUSH_S
        now = Instant(second + after_s, ward.over_ns(second) + round(after_s * NS))
        for device in range(flush, len(ward.names), FLUSHES_A_SECOND):
            packet = ward.packet(device, second)
            packet.received_ns = now.utc_ns
            yield from bundler.add(_SHARD, packet, now)
            for vital in ward.vitals(device, second):
                yield from bundler.add(_SHARD, vital, now)
        yield from bundler.flush(now)


# -- the gateway, and its devices


class _Drained(NamedTuple):
    """How the gateway went: until it was ready, its memory at its highest, and when devices were live."""

    start_s: float
    memory_bytes: int
    live_from: int
    seconds: int


def _enrol(settings: Settings, ward: Ward) -> None:
    producer = clients.producer(settings)
    try:
        for name in ward.names:
            digest = hashlib.sha256(_key(name)).digest()
            told = Enrolment(name, "bench", "cn", _SHARD, (), digest, "", disabled=False, changed_ns=1)
            producer.send(ENROLMENT.name, codec.encode(told), key=name.encode())
        producer.flush(kafka.GONE_PATIENCE_S)
    finally:
        producer.close()


def _key(name: str) -> bytes:
    return f"key-of-{name}".encode()


def _drain(settings: Settings, ward: Ward, kept: _Kept, tell: Tell) -> _Drained:
    """Start the gateway, let the devices go on, and return when Kafka has all of it."""
    port = free_port()
    begun_s = time.monotonic()
    words = ("--gateway", GATEWAY, "--http", f"127.0.0.1:{port}", "--plain")
    with service(settings, "receive", *words) as gateway:
        _until(gateway.is_ready, READY_S, "become ready", gateway.read)
        start_s = time.monotonic() - begun_s
        look = _Look(gateway, kept.records, tell)
        with _devices(port, ward, kept.seconds) as live:
            # What is live comes and goes; it is no more than some flushes.
            _until(lambda: look.has_left(4 * FLUSHES_A_SECOND), DRAINED_S, "drain its backlog", live.check)
            time.sleep(LIVE_FOR_S)
        _until(lambda: look.has_left(0), DRAINED_S, "send what is left")
    return _Drained(start_s, look.memory_bytes, live.live_from, live.seconds)


class _Look:
    """Looks at a gateway; ``memory_bytes``: at its highest."""

    def __init__(self, gateway: Measured, kept: int, tell: Tell) -> None:
        self.memory_bytes = 0
        self._gateway = gateway
        self._kept = kept
        self._tell = tell

    def has_left(self, most: int) -> bool:
        """Return whether all that was kept has gone, and no more records than these wait."""
        reading = self._gateway.read()
        self.memory_bytes = max(self.memory_bytes, reading.rss)
        gone = reading.metrics.get("ecgstream_gateway_bundles_total", 0.0)
        self._tell("drained", min(1.0, gone / self._kept))
        return gone >= self._kept and reading.metrics["ecgstream_gateway_spooled_records"] <= most


def _until(
    reached: Callable[[], bool], patience_s: float, what: str, check: Callable[[], object] = lambda: None
) -> None:
    deadline = time.monotonic() + patience_s
    while not reached():
        check()  # raises where there is no hope
        if time.monotonic() > deadline:
            raise CannotMeasureError(f"the gateway does not {what} in {patience_s:.0f} s")
        time.sleep(POLL_S)


class _Live:
    """Devices that go on from a second, each on a connection of its own.

    ``live_from``: the first second that was measured when they were heard again; ``seconds``: how many each
    device has measured at the end, from the beginning on.
    """

    def __init__(self, port: int, ward: Ward, begin: int) -> None:
        self.live_from = ward.seconds_at(time.time_ns()) + 1
        self.seconds = begin
        self.stop = threading.Event()
        self._url = f"http://127.0.0.1:{port}/v1"
        self._ward = ward
        self._begin = begin
        self._failure: Exception | None = None

    def run(self) -> None:
        """Send until ``stop`` is set; on a thread."""
        try:
            asyncio.run(self._together())
        except Exception as error:
            self._failure = error

    def check(self) -> None:
        """Raise what has ended it."""
        if self._failure is not None:
            raise CannotMeasureError(f"devices are not heard: {self._failure!r}") from self._failure

    async def _together(self) -> None:
        ended = await asyncio.gather(*(self._device(n) for n in range(len(self._ward.names))))
        self.seconds = min(ended)
        if len({*ended}) > 1:
            raise CannotMeasureError("not all devices have come equally far")

    async def _device(self, device: int) -> int:
        """Send what a device has kept, then each second as it is over; return the first that was not sent."""
        key = _key(self._ward.names[device]).decode()
        headers = {"Authorization": f"Bearer {key}", "Content-Type": AVRO_TYPE}
        second = self._begin
        async with httpx.AsyncClient(headers=headers, timeout=60.0, trust_env=False) as client:
            while not self.stop.is_set() or second < self.seconds:
                there = self._ward.seconds_at(time.time_ns())
                if there <= second:
                    await asyncio.sleep((self._ward.over_ns(second) - time.time_ns()) / NS)
                    continue
                now = min(there, second + _A_BODY, self.seconds if self.stop.is_set() else there)
                for path, items in (
                    ("packets", [self._ward.packet(device, s) for s in range(second, now)]),
                    ("vitals", [v for s in range(second, now) for v in self._ward.vitals(device, s)]),
                ):
                    answer = await client.post(f"{self._url}/{path}", content=write.records(items))
                    if answer.status_code != 200 or b"refused" in answer.content:
                        raise CannotMeasureError(f"the gateway does not take {path}: {answer.status_code}")
                second = now
        return second


@contextmanager
def _devices(port: int, ward: Ward, begin: int) -> Iterator[_Live]:
    live = _Live(port, ward, begin)
    thread = threading.Thread(target=live.run)
    thread.start()
    try:
        yield live
    finally:
        live.seconds = ward.seconds_at(time.time_ns()) + 1  # so far each of them goes
        live.stop.set()
        thread.join()
    live.check()


# -- what has come


class _Come:
    """All that has come, by which lane and when."""

    def __init__(self, ward: Ward, drained: _Drained) -> None:
        self._ward = ward
        self._drained = drained
        self._arrived = Arrived(ward, drained.seconds)
        self._back_ms: list[int] = []
        self._live: list[tuple[int, float]] = []  # the log's time, ms, and how long it waited, s

    def read(self, settings: Settings, topic: Topic, tell: Tell) -> None:
        """Take all that a topic holds."""
        reader = clients.reader(settings)
        try:
            partitions = [TopicPartition(topic.name, p) for p in range(settings.partitions)]
            reader.assign(partitions)
            reader.seek_to_beginning(*partitions)
            ends = reader.end_offsets(partitions)
            while (read := sum(reader.position(p) for p in partitions)) < sum(ends.values()):
                for records in reader.poll(timeout_ms=1000).values():
                    for record in records:
                        self._take(topic, record.timestamp, record.value)
                tell(f"read of {topic.name}", read / sum(ends.values()))
        finally:
            reader.close()

    def _take(self, topic: Topic, log_ms: int, value: bytes) -> None:
        found = codec.decode(value)
        if not isinstance(found, Bundle):
            return
        self._arrived.take(found)
        if topic is BACKFILL:
            self._back_ms.append(log_ms)
            return
        for second in found.packet.seq.tolist():
            if second >= self._drained.live_from:
                self._live.append((log_ms, log_ms / 1000 - self._ward.over_ns(second) / NS))

    def figures(self, kept: _Kept) -> dict[str, Any]:
        """Return them."""
        if not self._back_ms or not self._live:
            raise CannotMeasureError("there was no backlog, or nothing live")
        began_ms, ended_ms = min(self._back_ms), max(self._back_ms)
        meanwhile = [wait_s for log_ms, wait_s in self._live if log_ms <= ended_ms] or [self._live[0][1]]
        missing_packets, missing_numbers = self._arrived.missing()
        drain_s = (ended_ms - began_ms) / 1000
        return {
            "drain_s": round(drain_s, 1),
            "times_real_time": round(kept.seconds / max(drain_s, 0.001)),
            "live_packets_meanwhile": len(meanwhile),
            "live_p50_s": round(float(np.percentile(meanwhile, 50)), 3),
            "live_p99_s": round(float(np.percentile(meanwhile, 99)), 3),
            "live_longest_s": round(max(wait_s for _, wait_s in self._live), 3),
            "missing_packets": missing_packets,
            "missing_numbers": missing_numbers,
            "wrong": self._arrived.wrong,
            "repeated": self._arrived.repeated(),
        }


def rows(found: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    """Return the figures in words."""
    kept = f"{found['packets_kept']:,} packets in {found['records_kept']:,} records, {found['spool_mb']:,} MB"
    live = f"p50 {found['live_p50_s']} s, p99 {found['live_p99_s']} s"
    return [
        (f"kept: {found['hours']:g} h of {found['devices']} devices", kept),
        ("the gateway's start", f"{found['start_s']} s"),
        ("drained in", f"{found['drain_s']:,} s: {found['times_real_time']:,} times real time"),
        (f"live meanwhile: {found['live_packets_meanwhile']:,} packets", live),
        ("packets and numbers that came again", f"{found['repeated']:,}"),
        ("memory of the gateway, at its highest", f"{found['memory_mb']:,} MB"),
    ]
