"""What a worker counts and measures, for Prometheus.

A label ``partition`` is one of at most 1,024; what a worker no longer owns is taken out.
"""

import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress

from prometheus_client import Counter, Gauge, Histogram

from ecgstream.worker.checkpoint import Checkpoints
from ecgstream.worker.detect import Partition, Record

RECORDS = Counter("ecgstream_worker_records_total", "Records taken from the log.")
DEVICE_SECONDS = Counter(
    "ecgstream_worker_device_seconds_total", "Signal processed, in s: a second of ten devices counts ten."
)
PROCESS_SECONDS = Counter(
    "ecgstream_worker_process_seconds_total", "Time spent in decoding, detecting and encoding, in s."
)
DEAD_LETTERS = Counter("ecgstream_worker_dead_letters_total", "Records refused.")

CHECKPOINTS = Counter(
    "ecgstream_worker_checkpoints_total",
    "Checkpoints: taken, or refused by the group, which is being rebalanced. One that fails ends the worker.",
    ["result"],
)
CHECKPOINT_SECONDS = Histogram(
    "ecgstream_worker_checkpoint_seconds",
    "Time that a checkpoint takes, in s.",
    buckets=(0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0),
)
SNAPSHOTS = Counter("ecgstream_worker_snapshots_total", "Snapshots of devices written.")

PARTITIONS = Gauge("ecgstream_worker_partitions", "Partitions owned.")
LAG_SECONDS = Gauge(
    "ecgstream_worker_lag_seconds",
    "From a record's arrival in the log until it was processed, in s, of the newest one.",
    ["partition"],
)

_seconds_before: dict[Partition, float] = {}
_refused_before: dict[Partition, int] = {}


def processed(partition: Partition, records: Sequence[Record], took_s: float) -> None:
    """Count records that a partition has just processed."""
    if not records:
        return
    RECORDS.inc(len(records))
    PROCESS_SECONDS.inc(took_s)
    DEVICE_SECONDS.inc(partition.device_seconds - _seconds_before.get(partition, 0.0))
    DEAD_LETTERS.inc(partition.refused - _refused_before.get(partition, 0))
    _seconds_before[partition], _refused_before[partition] = partition.device_seconds, partition.refused
    LAG_SECONDS.labels(partition.number).set(max(0.0, time.time() - records[-1].log_ms / 1000))


@contextmanager
def checkpoint(checkpoints: Checkpoints) -> Iterator[None]:
    """Measure a checkpoint."""
    refused, snapshots = checkpoints.refused, checkpoints.snapshots
    with CHECKPOINT_SECONDS.time():
        yield
    SNAPSHOTS.inc(checkpoints.snapshots - snapshots)
    CHECKPOINTS.labels("refused" if checkpoints.refused > refused else "taken").inc()


def assigned(partitions: Collection[Partition]) -> None:
    """Count from now on for these partitions, and forget those that are another's."""
    for number in {p.number for p in _seconds_before} - {p.number for p in partitions}:
        with suppress(KeyError):  # nothing was measured yet
            LAG_SECONDS.remove(str(number))
    _seconds_before.clear()
    _refused_before.clear()
    PARTITIONS.set(len(partitions))
