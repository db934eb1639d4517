"""Runs the agents that a worker is compared with (``agents``), each in a process of its own."""

import asyncio
import json
import os
import sys
from collections.abc import Iterator

from ecgstream.bench import kafka
from ecgstream.bench.agents import RECORDS, RESULTS, SKIP, TOPIC, WINDOW_S
from ecgstream.bench.kafka import Keyed
from ecgstream.bench.load import Load
from ecgstream.bench.measure import CannotMeasureError
from ecgstream.bench.process import PATIENCE_S
from ecgstream.bench.throughput import Rate
from ecgstream.embedded.process import spawn
from ecgstream.settings import Settings
from ecgstream.topics import create_topics
from schemas.topics import Topic

TOPICS = (Topic(TOPIC, ("Bundle",)), Topic(RESULTS, ()))
SKIP_S = 1
A_BATCH = 100
"""Records a batch: gateways that send a record a device and second send many at once."""


def per_record(settings: Settings, load: Load, device_seconds: int) -> Rate:
    """Let an agent with the detectors read a record a device and second."""
    seconds = SKIP_S + max(1, device_seconds // load.devices)
    return _run(settings, "per_record", load, seconds, load.devices * SKIP_S)


def neurokit(settings: Settings, load: Load, device_seconds: int) -> Rate:
    """Let an agent with NeuroKit2 read the same; what fills its first windows does not count."""
    seconds = WINDOW_S + max(2, device_seconds // load.devices)
    return _run(settings, "neurokit", load, seconds, load.devices * WINDOW_S)


def _run(settings: Settings, name: str, load: Load, seconds: int, skip: int) -> Rate:
    kafka.remove(settings, TOPICS)
    create_topics(settings, TOPICS)
    asyncio.run(kafka.write(settings, TOPIC, _records(load, seconds), a_batch=A_BATCH))
    told = {RECORDS: str(load.devices * seconds), SKIP: str(skip)}
    argv = [sys.executable, "-m", "ecgstream.bench.agents", name]
    reading, writing = os.pipe()
    with os.fdopen(reading) as answer, os.fdopen(writing, "wb") as out:
        process = spawn(argv, env={**os.environ, **settings.environment(), **told}, stdout=out)
        out.close()
        said = answer.read()
    if process.wait(PATIENCE_S) != 0:
        raise CannotMeasureError(f"the agent {name} has failed: {said}")
    return Rate(**json.loads(said.splitlines()[-1]))


def _records(load: Load, seconds: int) -> Iterator[Keyed]:
    for second in range(seconds):
        for device, value in load.records(second):
            yield Keyed(device % kafka.PARTITIONS, value, load.names[device].encode())
