"""Where a worker's time goes: its stages, from the stacks that ``sampled`` collects."""

import json
import os
import re
import tempfile
from collections import defaultdict
from pathlib import Path

from ecgstream.bench import sampled
from ecgstream.bench.load import Load
from ecgstream.bench.process import service
from ecgstream.bench.throughput import SKIP_S, faster
from ecgstream.settings import Settings

_STAGES = (
    ("Kafka client's own thread: fetch, unpack", re.escape(sampled.OTHER_THREADS)),
    ("snapshots and checkpoints", r"worker/checkpoint\.py:take|worker/detect\.py:snapshots"),
    ("detectors", r"detectors/\w+\.py:"),
    ("bundles: bytes to columns", r"schemas/bundle\.py:gather|schemas/registry\.py:writer_of"),
    ("lost-link timers", r"worker/links\.py:"),
    ("findings to records", r"worker/(outputs|unfinished)\.py:|worker/\w+\.py:(_tell_statuses|_put_out)"),
    ("records to the producer", r"aiokafka/producer/|drivers/aiokafka\.py:send|worker/\w+\.py:send"),
    ("the rest of a partition's step", r"worker/(detect|live|backfill|metrics)\.py:"),
    ("Faust: polls into the queue", r"faust/|mode/|worker/(stream|transport)\.py:(_receive|getmany)"),
)
"""In this order; the first whose pattern is anywhere in a stack has it."""
REST = "event loop and the rest"


def stage_of(stack: str) -> str:
    r"""Return the stage that a stack belongs to.

    >>> stage_of("/x/ecgstream/worker/stream.py:_pump\n/x/detectors/bank.py:push")
    'detectors'
    """
    return next((name for name, pattern in _STAGES if re.search(pattern, stack)), REST)


def run(settings: Settings, load: Load, seconds: int, speed: float) -> dict[str, float]:
    """Let a worker under the sampler read what is prepared; return µs a device-second by stage."""
    with tempfile.TemporaryDirectory(prefix="ecgstream-bench-") as directory:
        file = Path(directory) / "samples.json"
        os.environ[sampled.FILE] = str(file)
        try:
            with service(faster(settings, speed), "worker", module=sampled.__name__) as process:
                first = process.until(lambda r: r.device_seconds >= load.devices * SKIP_S)
                before = _read(file)
                last = process.until(lambda r: r.device_seconds >= 0.95 * load.devices * seconds)
                after = _read(file)
        finally:
            del os.environ[sampled.FILE]
    spent: defaultdict[str, float] = defaultdict(float)
    for stack, taken_s in after.items():
        spent[stage_of(stack)] += taken_s - before.get(stack, 0.0)
    # The file is written twice a second: what it covers is known from the CPU alone.
    us = (last.cpu_s - first.cpu_s) / (last.device_seconds - first.device_seconds) * 1e6
    whole = sum(spent.values())
    return {name: taken_s / whole * us for name, taken_s in sorted(spent.items(), key=lambda s: -s[1])}


def _read(file: Path) -> dict[str, float]:
    found: dict[str, float] = json.loads(file.read_text())
    return found
