"""How much signal a worker takes in a second of a core, and the detectors alone of the same bundles."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from detectors.bank import Bank
from ecgstream.bench import kafka
from ecgstream.bench.kafka import Keyed
from ecgstream.bench.load import FLUSHES_A_SECOND, Load
from ecgstream.bench.measure import CannotMeasureError
from ecgstream.bench.process import Measured, Reading, service
from ecgstream.settings import Settings
from schemas import topics
from schemas.bundle import gather
from schemas.topics import partition_of

SESSION_NS = 1_700_000_000_000_000_000
SKIP_S = 3
"""Signal before the first second that counts: processes start, detectors learn."""
LEAST_S, MOST_S = 4, 100


class Rate(NamedTuple):
    """What a way of working takes: CPU in s for so many device-seconds of signal."""

    device_seconds: float
    cpu_s: float

    @property
    def a_core(self) -> float:
        """Device-seconds of signal in a second of a core."""
        return self.device_seconds / self.cpu_s

    @property
    def us(self) -> float:
        """CPU a device-second, µs."""
        return self.cpu_s / self.device_seconds * 1e6


class OfWorker(NamedTuple):
    """A worker's rate, and how it was.

    Attributes:
        rate: its CPU.
        rss: its memory at the end, bytes.
        speed: how fast it went through the signal, 1 being real time.
        snapshots: how many it took a device-second.
    """

    rate: Rate
    rss: int
    speed: float
    snapshots: float


def seconds_of(devices: int, device_seconds: int) -> int:
    """Return how long a load of so many devices is, s, if about so many device-seconds are to count."""
    return SKIP_S + min(max(device_seconds // devices, LEAST_S), MOST_S)


def bank(load: Load, seconds: int) -> Rate:
    """Feed the detectors from memory: one call a partition and flush, everything decoded and gathered."""
    banks = [Bank() for _ in range(kafka.PARTITIONS)]
    taken = 0.0
    for flush in range(seconds * FLUSHES_A_SECOND):
        values: defaultdict[int, list[bytes]] = defaultdict(list)
        for record in _records(load, flush):
            values[record.partition].append(record.value)
        calls = [(number, gather(own).bundle) for number, own in values.items()]
        began = time.process_time()
        for number, gathered in calls:
            banks[number].push(gathered)
        if flush >= SKIP_S * FLUSHES_A_SECOND:
            taken += time.process_time() - began
    return Rate((seconds - SKIP_S) * load.devices, taken)


def prepare(settings: Settings, load: Load, seconds: int) -> None:
    """Write what gateways send in so many seconds to the ingest topic, all of it."""
    flushes = range(seconds * FLUSHES_A_SECOND)
    records = (record for flush in flushes for record in _records(load, flush))
    asyncio.run(kafka.write(settings, topics.INGEST.name, records))


def _records(load: Load, flush: int) -> Iterator[Keyed]:
    for bundle in load.bundles(flush):
        yield Keyed(partition_of(bundle.shard, kafka.PARTITIONS), bundle.encode())


def faster(settings: Settings, speed: float) -> Settings:
    """Return the settings of a worker that is expected to go through the signal so much faster than life.

    Its checkpoints come as much faster, so that it takes as many a second of signal as in life.
    """
    taken = {name: getattr(settings, name) / speed for name in ("checkpoint_s", "snapshot_spread_s")}
    return settings.model_copy(update=taken)


def worker(settings: Settings, load: Load, seconds: int, speed: float) -> OfWorker:
    """Let a worker read what is prepared; ``speed``: see ``faster``."""
    with service(faster(settings, speed), "worker") as process:
        first = process.until(lambda r: r.device_seconds >= load.devices * SKIP_S)
        last = _last_at_work(process, first, load.devices * seconds)
    done = last.device_seconds - first.device_seconds
    return OfWorker(
        Rate(done, last.cpu_s - first.cpu_s),
        last.rss,
        done / load.devices / (last.wall_s - first.wall_s),
        (last.snapshots - first.snapshots) / done,
    )


def _last_at_work(process: Measured, first: Reading, total: int) -> Reading:
    """Return the last reading at which the worker was still at work; else that at which it was through."""
    if first.device_seconds >= total:
        raise CannotMeasureError(f"{total} device-seconds are too few to be measured: take more devices")
    last = found = _further(process, first)
    while found.device_seconds < total:
        last, found = found, _further(process, found)
    return last


def _further(process: Measured, than: Reading) -> Reading:
    return process.until(lambda r: r.device_seconds > than.device_seconds)
