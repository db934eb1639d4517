"""How long a worker takes to have its devices back, from a snapshot topic as it is after ten minutes of life.

The topic is written faster than life, but with the same records at the same times of the log: every device
once in ten seconds. The broker compacts it, and what is written in the last half minute it has not yet seen,
as a worker finds it that starts anywhere in between.
"""

import asyncio
import itertools
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from detectors.bank import Bank
from ecgstream import clients
from ecgstream.bench import kafka
from ecgstream.bench.kafka import Keyed
from ecgstream.bench.load import FLUSHES_A_SECOND, Load
from ecgstream.bench.measure import CannotMeasureError
from ecgstream.settings import Settings
from ecgstream.worker import restore
from ecgstream.worker.backfill import Backfill
from ecgstream.worker.links import Links
from ecgstream.worker.live import Live
from ecgstream.worker.snapshots import VERSION, Keys, Saved, key_of
from schemas import codec, topics
from schemas.bundle import gather
from schemas.records import Association, Control, Lane, Segment, Snapshot, SnapshotKind, Start

DEVICES, LIFE_S, EVERY_S, TAIL_S = 10_000, 600, 10, 30
POOL, POOL_FROM_S, POOL_TO_S = 250, 8, 24
"""Devices whose states are taken, each at these seconds of their ECG; all others have one of them."""
TURNS = 3
BAR_S = 5.0
A_BATCH = 50
"""Snapshots a batch: 256 kB, the most that a worker sends at once."""
CLEANED_PATIENCE_S = 180.0
_SESSION_NS = 1_700_000_000_000_000_000


def run(given: Settings, devices: int = DEVICES, life_s: int = LIFE_S) -> dict[str, Any]:
    """Return how long the restore takes, the best of three, and the sizes of what is read.

    ``given``: where the broker is; unnamed, an embedded one is started.

    Raises:
        CannotMeasureError: there is no broker, or it does not compact.
    """
    written = _Written(devices)
    with kafka.own_kafka(given) as settings:
        kafka.renew(settings)
        began_ms = round(time.time() * 1000) - (life_s + TAIL_S) * 1000
        began = time.perf_counter()
        asyncio.run(_write(settings, written.records(0, life_s // EVERY_S, began_ms)))
        wrote_s = time.perf_counter() - began
        whole = _size(settings)
        compacted = _compacted(settings, whole)
        turns = range(life_s // EVERY_S, (life_s + TAIL_S) // EVERY_S)
        asyncio.run(_write(settings, written.records(turns.start, turns.stop, began_ms)))
        size = _size(settings)
        taken = [_restore(settings, devices) for _ in range(TURNS)]
    best = min(taken, key=lambda found: found["wall_s"])
    return {
        "devices": devices,
        "partitions": kafka.PARTITIONS,
        "records_written": devices * turns.stop,
        "write_s": round(wrote_s, 1),
        "snapshot_bytes": round(written.snapshot_bytes),
        "state_bytes": round(written.state_bytes),
        "topic_mb_written": _mb(whole),
        "topic_mb_compacted": _mb(compacted),
        "topic_mb_read": _mb(size),
        **{name: round(value, 2) for name, value in best.items()},
        "bar_s": BAR_S,
    }


class _Written:
    """Snapshots as a worker writes them, of states that the detectors have after some seconds of real ECG."""

    def __init__(self, devices: int) -> None:
        self._devices = devices
        self._states = _states(min(devices, POOL))
        self.state_bytes = float(np.mean([len(s) for s in self._states]))
        snapshots = (self._snapshot(i, 0) for i in range(len(self._states)))
        self.snapshot_bytes = float(np.mean([len(codec.encode(one)) for one in snapshots]))

    def records(self, first: int, last: int, began_ms: int) -> Iterator[Keyed]:
        """Yield the snapshots of turns, each device once a turn, and the positions of every second."""
        for turn, second in itertools.product(range(first, last), range(EVERY_S)):
            at_ms = began_ms + (turn * EVERY_S + second) * 1000
            for device in range(second, self._devices, EVERY_S):
                found = self._snapshot(device, turn)
                yield Keyed(device % kafka.PARTITIONS, codec.encode(found), key_of(found, "bench"), at_ms)
            for partition in range(kafka.PARTITIONS):
                for lane in Lane:
                    kind = (SnapshotKind.POSITION, lane, "", 0, 0)
                    position = Snapshot(*kind, turn * EVERY_S + second, 1, VERSION, b"")
                    yield Keyed(partition, codec.encode(position), key_of(position, "bench"), at_ms)

    def _snapshot(self, device: int, turn: int) -> Snapshot:
        name = f"bench-{device:05}"
        state = bytes(Links.STATE_BYTES) + self._states[(device * 7 + turn) % len(self._states)]
        who = Association(f"P-{device:05}")
        control = codec.encode(Control(f"c-{device}", name, 0, 0, _SESSION_NS, "bench", who))
        of = (SnapshotKind.DEVICE, Lane.LIVE, name, 0, 0)
        return Snapshot(*of, turn, 1, VERSION, state, (control,), (_segment(name),))


def _segment(device: str) -> bytes:
    span = (0, _SESSION_NS, None, None, Start.COLD, '{"category":"ADULT","paced":false,"limits":{}}')
    return codec.encode(Segment(device, _SESSION_NS, Lane.LIVE, *span, 0, 0, 1, VERSION))


def _states(devices: int) -> list[bytes]:
    load, bank = Load(devices, 1, _SESSION_NS), Bank()
    found = []
    for flush in range(POOL_TO_S * FLUSHES_A_SECOND):
        bank.push(gather([bundle.encode() for bundle in load.bundles(flush)]).bundle)
        if flush >= POOL_FROM_S * FLUSHES_A_SECOND and flush % FLUSHES_A_SECOND:
            found += [bank.snapshot(row) for row in range(devices)]
    return found


async def _write(settings: Settings, records: Iterator[Keyed]) -> None:
    await kafka.write(settings, topics.SNAPSHOTS.name, records, a_batch=A_BATCH)


def _size(settings: Settings) -> int:
    """Return the bytes of the snapshot topic on the broker's disk."""
    admin = clients.admin(settings)
    try:
        found = admin.describe_log_dirs([topics.SNAPSHOTS.name])
        on_disk = [topic for broker in found for folder in broker["log_dirs"] for topic in folder["topics"]]
        return sum(p["partition_size"] for topic in on_disk for p in topic["partitions"])
    finally:
        admin.close()


def _compacted(settings: Settings, whole: int) -> int:
    """Wait until the broker has compacted every partition; return the topic's size then."""
    deadline = time.monotonic() + CLEANED_PATIENCE_S
    before = whole
    while True:
        time.sleep(2.0)
        now = _size(settings)
        if now == before < whole / 2:
            return now
        if time.monotonic() > deadline:
            raise CannotMeasureError(f"the broker has not compacted: {_mb(now)} of {_mb(whole)} MB are left")
        before = now


def _restore(settings: Settings, devices: int) -> dict[str, float]:
    """Restore all partitions as a worker does at an assignment; return what it took."""
    began, cpu = time.perf_counter(), time.process_time()
    saved = asyncio.run(restore.read(settings, range(kafka.PARTITIONS)))
    read_s = time.perf_counter() - began
    found = sum(_partition(settings, number, of) for number, of in saved.items())
    if found != devices:
        raise CannotMeasureError(f"{found} devices of {devices} are restored")
    return {
        "wall_s": time.perf_counter() - began,
        "cpu_s": time.process_time() - cpu,
        "read_s": read_s,
    }


def _partition(settings: Settings, number: int, saved: Saved) -> int:
    lost_link_s, clock_rate = settings.lost_link_s, settings.clock_rate
    live = Live(number, 2, saved, Keys(saved), lost_link_s=lost_link_s, clock_rate=clock_rate)
    Backfill(number, 2, saved, live)
    return len(saved.live.devices)


def _mb(size: int) -> float:
    return round(size / 1_000_000, 1)
