"""What the spool costs a gateway while Kafka is there, beside the work that a gateway has anyway.

Kafka is a line that acknowledges at once, so that what is measured is the gateway's own work. The disk is
real.
"""

import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from devices.bundler import FLUSH_S, Bundler, Instant
from devices.line import Outcome
from devices.parts import parts_of
from devices.shipper import Shipper
from devices.spool import Spool
from schemas import mdc
from schemas.bundle import Bundle
from schemas.records import Channel, Packet

DEVICES = {"large": 10_000, "small": 8}
SIGNAL_S = {"large": 3, "small": 60}
LEADS, RATE_HZ, SHARDS, PARTITIONS = ("I", "II"), 250.0, 64, 8
_NS = 1_000_000_000

Flush = tuple[Instant, list[Packet]]


def run() -> dict[str, Any]:
    """Return how busy a large and a small gateway are, a packet a second a device, without and with spool."""
    found: dict[str, Any] = {"disk": tempfile.gettempdir()}
    for name, devices in DEVICES.items():
        signal_s = SIGNAL_S[name]
        flushes = _flushes(devices, signal_s)
        plain = _taken(_without, flushes)
        spooled = _taken(_with, flushes)
        found |= {
            f"{name}_devices": devices,
            f"{name}_core_percent_without_spool": round(100 * plain.cpu_s / signal_s, 2),
            f"{name}_core_percent": round(100 * spooled.cpu_s / signal_s, 2),
            f"{name}_ms_a_flush_of_500": round(1000 * spooled.wall_s / len(flushes), 1),
        }
    return found


class _Taken(NamedTuple):
    cpu_s: float
    wall_s: float


def _taken(work: Callable[[list[Flush]], None], flushes: list[Flush]) -> _Taken:
    cpu_s, wall_s = time.process_time(), time.perf_counter()
    work(flushes)
    return _Taken(time.process_time() - cpu_s, time.perf_counter() - wall_s)


def _flushes(devices: int, signal_s: int) -> list[Flush]:
    """Return what comes between two flushes: half of the devices each time."""
    noise = np.random.default_rng(1).integers(-2000, 2000, (len(LEADS), int(RATE_HZ))).astype(np.int16)
    leads = [Channel(mdc.LEADS[n], 0, 0, RATE_HZ, 200.0, w) for n, w in zip(LEADS, noise, strict=True)]
    found = []
    for flush in range(round(signal_s / FLUSH_S)):
        second, half = divmod(flush, 2)
        packets = [
            Packet(f"dev-{i:05d}", 1, second, second * int(RATE_HZ), second * _NS, second * _NS, leads)
            for i in range(half, devices, 2)
        ]
        found.append((Instant((flush + 1) * FLUSH_S, round((flush + 1) * FLUSH_S * _NS)), packets))
    return found


def _bundles(flush: Flush) -> list[Bundle]:
    now, packets = flush
    bundler = Bundler("bench")
    return [b for i, p in enumerate(packets) for b in bundler.add(i % SHARDS, p, now)] + bundler.flush(now)


class _Line:
    """Acknowledges whatever it is sent."""

    def __init__(self) -> None:
        self._told: list[Outcome] = []

    def send(self, _topic: Any, _partition: int, _value: bytes, token: int, **_: Any) -> None:
        self._told.append(Outcome(token, ""))

    def outcomes(self) -> list[Outcome]:
        told, self._told = self._told, []
        return told


def _without(flushes: list[Flush]) -> None:
    for flush in flushes:
        for bundle in _bundles(flush):
            bundle.encode()


def _with(flushes: list[Flush]) -> None:
    with tempfile.TemporaryDirectory() as folder, closing(Spool(Path(folder) / "bench.spool")) as spool:
        shipper = Shipper(spool, gateway="bench", partitions=PARTITIONS)
        line: Any = _Line()
        for flush in flushes:
            bundles = _bundles(flush)
            records = [spool.put(b.shard, b.created_ns, b.encode(), parts_of(b)) for b in bundles]
            spool.commit()  # the flush's one sync; what was acknowledged since the last one goes with it
            for record in records:
                shipper.take(record)
            shipper.step(line, flush[0])
            shipper.step(line, flush[0])
