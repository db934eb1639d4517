"""Workers on real Kafka join, leave and are killed, with garbage on the topic: as if one had read it all."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kafka import KafkaConsumer, KafkaProducer

from detectors.bank import Bank
from devices.gateway import play
from devices.publisher import Publisher
from devices.recordings import toy_ecg
from devices.source import Source
from ecgstream.centre import GROUPS
from ecgstream.demo.settle import settle
from ecgstream.embedded.kafka import EmbeddedKafka
from ecgstream.embedded.process import end, spawn
from ecgstream.settings import Settings
from ecgstream.topics import create_topics
from schemas import codec, topics
from schemas.batches import Beats
from schemas.bundle import Bundle
from schemas.records import DeadLetter
from tests.system.conftest import started

PARTITIONS = 4
SPEED = 10.0
SIGNAL_S = 200


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    broker = EmbeddedKafka(tmp_path / "kafka")
    found = Settings(kafka=started(broker), partitions=PARTITIONS, clock_rate=SPEED, snapshot_spread_s=2.0)
    create_topics(found)
    yield found
    broker.stop()


def worker(settings: Settings, name: str, folder: Path) -> subprocess.Popen[bytes]:
    told = {
        "ECGSTREAM_KAFKA": settings.kafka,
        "ECGSTREAM_PARTITIONS": str(PARTITIONS),
        "ECGSTREAM_CLOCK_RATE": str(SPEED),
        "ECGSTREAM_SNAPSHOT_SPREAD_S": "2.0",
        "ECGSTREAM_WORKER": name,
    }
    with (folder / f"{name}.log").open("ab") as log:
        return spawn([sys.executable, "-m", "ecgstream", "worker"], env={**os.environ, **told}, stdout=log)


def await_ready(folder: Path, name: str, times: int) -> None:
    deadline = time.monotonic() + 90
    while (log := (folder / f"{name}.log").read_text()).count(" ready ") < times:
        assert time.monotonic() < deadline, log
        time.sleep(0.1)


def sources() -> list[Source]:
    toy = toy_ecg()
    (session,) = toy.sessions
    (wave,) = session.waves
    part = replace(wave, samples=wave.samples[: int(SIGNAL_S * wave.rate)])
    short = replace(session, waves=(part,))
    return [replace(toy, device=f"dev-{i}", shard=i, sessions=(short,)) for i in range(PARTITIONS)]


def everything(settings: Settings) -> dict[str, list[Any]]:
    names = [t.name for t in (topics.INGEST, topics.BEATS, topics.DEAD_LETTERS)]
    consumer = KafkaConsumer(
        *names, bootstrap_servers=settings.kafka, auto_offset_reset="earliest", consumer_timeout_ms=3000,
        enable_auto_commit=False,
    )  # fmt: skip
    found: dict[str, list[Any]] = defaultdict(list)
    for record in consumer:
        found[record.topic].append(record)
    consumer.close()
    return found


def written(records: list[Any]) -> set[str]:
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


GARBAGE = b"no record of ours"


@pytest.mark.timeout(240)
def test_workers_that_join_and_leave_find_what_one_pass_finds(settings: Settings, tmp_path: Path) -> None:
    first = worker(settings, "a", tmp_path)
    await_ready(tmp_path, "a", 1)
    publisher = Publisher(settings.kafka, partitions=PARTITIONS)
    gateway = threading.Thread(
        target=play, args=(sources(), publisher), kwargs={"speed": SPEED, "flush_s": 0.5 / SPEED}
    )
    gateway.start()
    producer = KafkaProducer(bootstrap_servers=settings.kafka)
    producer.send(topics.INGEST.name, GARBAGE, partition=0).get(10)
    producer.close()
    second = worker(settings, "b", tmp_path)
    await_ready(tmp_path, "b", 1)
    time.sleep(3)
    second.send_signal(signal.SIGKILL)
    second.wait()
    second = worker(settings, "b", tmp_path)
    await_ready(tmp_path, "b", 2)
    assert end(first) == 0
    gateway.join()
    publisher.close()
    assert settle(settings, GROUPS["worker"], (topics.INGEST,), 60) == 0
    assert end(second) == 0

    found = everything(settings)
    (letter,) = {codec.decode_as(DeadLetter, r.value) for r in found[topics.DEAD_LETTERS.name]}
    assert (letter.topic, letter.partition, letter.value) == (topics.INGEST.name, 0, GARBAGE)
    expected = one_pass(found[topics.INGEST.name])
    assert len(expected) > PARTITIONS * 250
    assert written(found[topics.BEATS.name]) == expected
