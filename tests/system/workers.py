"""Workers as real processes on a real broker, and what one pass over the log finds."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from detectors.bank import Bank
from devices.recordings import toy_ecg
from devices.source import Source
from ecgstream.centre import GROUPS
from ecgstream.demo.settle import settle
from ecgstream.embedded.process import spawn
from ecgstream.settings import Settings
from ecgstream.topics import create_topics
from schemas import codec, topics
from schemas.batches import Beats
from schemas.bundle import Bundle
from schemas.topics import Topic

GARBAGE = b"no record of ours"
PATIENCE_S = 180.0
START_NS = 1_790_000_000_000_000_000


class Workers:
    """Workers of one broker; each logs to a file of its name."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self._folder = folder
        self._started: dict[str, int] = defaultdict(int)
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self, name: str, **more: object) -> subprocess.Popen[bytes]:
        """Start a worker with a static name, and wait until it has its partitions."""
        told = self.settings.model_copy(update={"worker": name, **more}).environment()
        with (self._folder / f"{name}.log").open("ab") as log:
            process = spawn(
                [sys.executable, "-m", "ecgstream", "worker"], env={**os.environ, **told}, stdout=log
            )
        self._running.append(process)
        self._started[name] += 1
        self.wait_for(lambda: self.log(name).count(" ready ") >= self._started[name])
        return process

    def log(self, name: str) -> str:
        """What a worker has said."""
        return (self._folder / f"{name}.log").read_text()

    def logs(self) -> str:
        """The ends of all logs."""
        return "\n".join(self.log(name)[-2000:] for name in self._started)

    def wait_for(self, what: Callable[[], Any], patience_s: float = PATIENCE_S) -> None:
        """Wait until something is so."""
        deadline = time.monotonic() + patience_s
        while not what():
            assert time.monotonic() < deadline, self.logs()
            time.sleep(0.1)

    def kill(self) -> None:
        """End what is left."""
        for process in self._running:
            if process.poll() is None:
                process.kill()
                process.wait()


class Log:
    """The ingest topic, second by second: a packet of each device a record."""

    def __init__(self, settings: Settings, seconds: int) -> None:
        self._producer = KafkaProducer(bootstrap_servers=settings.kafka, acks="all")
        made = [list(s.emissions(START_NS)) for s in sources(seconds, settings.partitions)]
        self._packets = [[e.item for e in of_device] for of_device in made]
        self.second = 0

    def send(self, seconds: int, *, silent: Sequence[int] = ()) -> None:
        """Send so much more of all devices but the silent ones."""
        for at in range(self.second, self.second + seconds):
            for device, packets in enumerate(self._packets):
                packet: Any = packets[at]
                bundle = Bundle.of("gw", device, packet.start_ns, [packet], [])
                if device not in silent:
                    self._producer.send(topics.INGEST.name, bundle.encode(), partition=device)
        self._producer.flush()
        self.second += seconds

    def skip_to(self, second: int) -> None:
        """Go on at a later second."""
        self.second = second

    def send_backlog(self, first: int, last: int) -> None:
        """Send what was skipped, on the backfill topic."""
        for at in range(first, last):
            for device, packets in enumerate(self._packets):
                bundle = Bundle.of("gw", device, packets[at].start_ns, [packets[at]], [])
                self._producer.send(topics.BACKFILL.name, bundle.encode(), partition=device)
        self._producer.flush()

    def close(self) -> None:
        """Let go of the connection."""
        self._producer.close()

    def append(self, topic: topics.Topic, partition: int, key: bytes, value: bytes) -> None:
        """Append any record."""
        self._producer.send(topic.name, value, key=key, partition=partition).get(10)


def done(workers: Workers) -> None:
    """Wait until all is processed, and in a checkpoint."""
    assert settle(workers.settings, GROUPS["worker"], (topics.INGEST,), 60) == 0, workers.logs()


def with_topics(settings: Settings) -> Settings:
    """Create the topics; return the settings."""
    create_topics(settings)
    return settings


def sources(seconds: int, n: int) -> list[Source]:
    """Real ECG as so many devices, one a shard."""
    toy = toy_ecg()
    (session,) = toy.sessions
    (wave,) = session.waves
    part = replace(wave, samples=wave.samples[: int(seconds * wave.rate)])
    short = replace(session, waves=(part,))
    return [replace(toy, device=f"dev-{i}", shard=i, sessions=(short,)) for i in range(n)]


def everything(settings: Settings, *wanted: Topic) -> dict[str, list[Any]]:
    """All records of some topics, by topic, from their beginnings to their present ends."""
    consumer = KafkaConsumer(bootstrap_servers=settings.kafka, enable_auto_commit=False)
    tps = [TopicPartition(t.name, p) for t in wanted for p in range(settings.partitions)]
    consumer.assign(tps)
    consumer.seek_to_beginning(*tps)
    ends = consumer.end_offsets(tps)
    found: dict[str, list[Any]] = defaultdict(list)
    while any(consumer.position(tp) < ends[tp] for tp in tps):
        for records in consumer.poll(500).values():
            for record in records:
                found[record.topic].append(record)
    consumer.close()
    return found


def written(records: list[Any]) -> set[str]:
    """The beats that workers put out, whoever put them out."""
    rows: set[str] = set()
    for record in records:
        batch = codec.decode_as(Beats, record.value)
        rows |= {repr(row._replace(offset=0)) for row in batch.rows()}
    return rows


def one_pass(records: list[Any]) -> set[str]:
    """The beats of a bank that reads the log once, record by record."""
    bank = Bank()
    rows: set[str] = set()
    for record in sorted(records, key=lambda r: (r.partition, r.offset)):
        if record.value == GARBAGE:
            continue
        bundle = codec.decode_as(Bundle, record.value)
        b = bank.push(bundle).beats
        batch = Beats(
            0, 0, "", bundle.devices, b["entry"], b["session"], b["sample"], b["time_ns"], b["code"],
            b["rr_s"].astype(np.float32), b["hr_bpm"].astype(np.float32), np.zeros(len(b), np.int64),
        )  # fmt: skip
        rows |= {repr(row) for row in codec.decode_as(Beats, codec.encode(batch)).rows()}
    return rows
