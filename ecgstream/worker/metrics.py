"""What a worker counts and measures, for Prometheus.

A label ``partition`` is one of at most 1,024; what a worker no longer owns is taken out (``forget``).
"""

from contextlib import suppress

from prometheus_client import Counter, Gauge, Histogram

RECORDS = Counter("ecgstream_worker_records_total", "Records taken from the log.")
BUNDLES = Counter("ecgstream_worker_bundles_total", "Of these, bundles of signal and numbers.")
DEVICE_SECONDS = Counter(
    "ecgstream_worker_device_seconds_total", "Signal processed, in s: a second of ten devices counts ten."
)
BANK_SECONDS = Counter("ecgstream_worker_bank_seconds_total", "Time spent in the detector bank, in s.")
OUTPUTS = Counter("ecgstream_worker_outputs_total", "Records handed to the producer.", ["topic"])
DEAD_LETTERS = Counter("ecgstream_worker_dead_letters_total", "Records refused.", ["reason"])

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

PARTITIONS = Gauge("ecgstream_worker_partitions", "Partitions owned.")
UNCOMMITTED = Gauge(
    "ecgstream_worker_uncommitted_records",
    "Records processed behind the last checkpoint: what a restart would process again.",
    ["partition"],
)
LAG_SECONDS = Gauge(
    "ecgstream_worker_lag_seconds",
    "From the publication of a record until it was processed, in s, of the newest one.",
    ["partition"],
)

REASONS = ("undecodable", "unexpected", "unprocessable")
"""Of dead letters: no record of ours, one that does not belong on the topic, one on which the bank failed."""


def forget(partition: int) -> None:
    """Take out what was measured of a partition that is no longer owned."""
    for gauge in (UNCOMMITTED, LAG_SECONDS):
        with suppress(KeyError):  # nothing was measured yet
            gauge.remove(str(partition))
