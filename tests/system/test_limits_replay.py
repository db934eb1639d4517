"""Changes in mid-stream, and workers killed before and after a checkpoint holds them.

One device's limits change, one device's kind of patient, and one has limits from a stated sample that is
still to come. What the killed workers put out must be what a bank finds that reads the log once; who applies
a change earlier, later or never finds something else.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

import detectors
from detectors.bank import Bank
from ecgstream.centre import GROUPS
from ecgstream.demo.settle import settle
from ecgstream.embedded.kafka import EmbeddedKafka
from ecgstream.embedded.process import end, spawn
from ecgstream.settings import Settings
from ecgstream.topics import create_topics
from ecgstream.worker import outputs
from schemas import codec, mdc, records, topics
from schemas.bundle import Bundle
from schemas.records import Category, Condition, Control, Lane, Limit, Limits, Packet, Phase, Snapshot
from tests.system.conftest import started

RATE_HZ, SESSION, SECOND_NS = 250, 1_790_000_000_000_000_000, 1_000_000_000
SECONDS, SAVED_S, CHANGED_S, STATED_S = 44, 12, 20, 26
RATE_BPM = 90
LIMITS = Limits((Limit(mdc.HEART_RATE, 40.0, 80.0),))
NEONATE = records.Settings(Category.NEONATE, paced=False)
ALARMS = {"dev-limits": "HEART_RATE_HIGH", "dev-neonate": "HEART_RATE_LOW", "dev-stated": "HEART_RATE_HIGH"}
"""What a heart rate of 90 raises by the changed limits, and not by those of an adult."""


class Row(NamedTuple):
    """What says that two conditions are one and the same; not who decided it, and when."""

    id: str
    device: str
    code: str
    phase: Phase
    onset_sample: int
    sample: int


def bundle(second: int) -> bytes:
    """A second of a regular rhythm of all devices."""
    t = np.arange(second * RATE_HZ, (second + 1) * RATE_HZ) / RATE_HZ
    since_beat = (t - 0.3) % (60 / RATE_BPM)
    since_beat = np.minimum(since_beat, 60 / RATE_BPM - since_beat)
    wave = 200 * np.exp(-0.5 * (since_beat / 0.012) ** 2) + np.arange(RATE_HZ) % 3
    lead = records.Channel(mdc.LEADS["II"], 0, 0, RATE_HZ, 200.0, wave.astype(np.int16))
    at_ns = SESSION + second * SECOND_NS
    packets = [Packet(d, SESSION, second, second * RATE_HZ, at_ns, at_ns, [lead]) for d in ALARMS]
    return codec.encode(Bundle.of("gw", 0, at_ns, packets, []))


CONTROLS = (
    Control("c-1", "dev-limits", 0, 0, 0, "ward", LIMITS),
    Control("c-2", "dev-neonate", 0, 0, 0, "ward", NEONATE),
    Control("c-3", "dev-stated", SESSION, STATED_S * RATE_HZ, 0, "ward", LIMITS),
)


def log_with(changes: Mapping[int, Sequence[Control]]) -> list[bytes]:
    """The records of the play, with changes before the bundles of some seconds."""
    log: list[bytes] = []
    for second in range(SECONDS):
        log += [codec.encode(control) for control in changes.get(second, ())]
        log.append(bundle(second))
    return log


def wrong_logs() -> Iterator[list[bytes]]:
    """With one of the changes from the start, then without it, then with all a second earlier or later."""
    for one in CONTROLS:
        others = [c for c in CONTROLS if c is not one]
        yield log_with({0: [replace(one, session=0)], CHANGED_S: others})
        yield log_with({CHANGED_S: others})
    yield log_with({CHANGED_S - 1: CONTROLS})
    yield log_with({CHANGED_S + 1: CONTROLS})


def found_by_a_bank(log: Sequence[bytes]) -> set[Row]:
    """The conditions that one bank finds that takes each record once, in order."""
    bank = Bank()
    rows: set[Row] = set()
    for offset, value in enumerate(log):
        content = codec.decode(value)
        if isinstance(content, Control):
            bank.control(content)
            continue
        assert isinstance(content, Bundle)
        offsets = np.full(len(content.devices), offset)
        source = outputs.Source(Lane.LIVE, 0, 0, offsets, offsets)
        rows |= {row(c) for c in outputs.conditions_of(bank.push(content), content.devices, source)}
    return rows


def row(c: Condition) -> Row:
    return Row(c.id, c.device, c.code, c.phase, c.onset_sample, c.sample)


def read(kafka: str, topic: topics.Topic) -> list[bytes]:
    """Everything that a topic of one partition holds now."""
    consumer = KafkaConsumer(bootstrap_servers=kafka, enable_auto_commit=False)
    tp = TopicPartition(topic.name, 0)
    consumer.assign([tp])
    consumer.seek_to_beginning(tp)
    last = consumer.end_offsets([tp])[tp]
    values: list[bytes] = []
    while consumer.position(tp) < last:
        values += [r.value for found in consumer.poll(500).values() for r in found if r.value is not None]
    consumer.close()
    return values


def written(kafka: str) -> list[Row]:
    """The conditions that workers have put out."""
    return [row(codec.decode_as(Condition, value)) for value in read(kafka, topics.CONDITIONS)]


class Play:
    """A broker, how much has been sent to it, and the workers that read it, one after the other."""

    def __init__(self, kafka: str, folder: Path) -> None:
        self.settings = Settings(kafka=kafka, partitions=1)
        self.sent = 0
        self._workers = folder / "worker.log"
        self._producer = KafkaProducer(bootstrap_servers=kafka)

    def send(self, values: Sequence[bytes]) -> None:
        """Write records behind each other."""
        for value in values:
            self._producer.send(topics.INGEST.name, value, partition=0)
        self._producer.flush()
        self.sent += len(values)

    def close(self) -> None:
        self._producer.close()

    def worker(self, checkpoint_s: float) -> subprocess.Popen[bytes]:
        told = {
            "ECGSTREAM_KAFKA": self.settings.kafka,
            "ECGSTREAM_PARTITIONS": "1",
            "ECGSTREAM_CHECKPOINT_S": str(checkpoint_s),
            "ECGSTREAM_SNAPSHOT_SPREAD_S": str(checkpoint_s),
            "ECGSTREAM_LOST_LINK_S": "3600",
            "ECGSTREAM_WORKER": "w",
        }
        with self._workers.open("ab") as log:
            return spawn(
                [sys.executable, "-m", "ecgstream", "worker"], env={**os.environ, **told}, stdout=log
            )

    def wait_for(self, what: Callable[[], Any]) -> None:
        deadline = time.monotonic() + 180
        while not what():
            assert time.monotonic() < deadline, self._workers.read_text()[-3000:]
            time.sleep(0.1)

    def raised(self) -> set[str]:
        """The devices whose alarm has been raised."""
        found = written(self.settings.kafka)
        return {r.device for r in found if r.code == ALARMS[r.device]}

    def covered(self) -> int:
        """The offset below which the snapshots hold everything of every device."""
        highest = dict.fromkeys(ALARMS, 0)
        for value in read(self.settings.kafka, topics.SNAPSHOTS):
            snapshot = codec.decode_as(Snapshot, value)
            if snapshot.device:
                highest[snapshot.device] = max(highest[snapshot.device], snapshot.offset)
        return min(highest.values())


@pytest.fixture
def play(tmp_path: Path) -> Iterator[Play]:
    broker = EmbeddedKafka(tmp_path / "kafka")
    found = Play(started(broker), tmp_path)
    create_topics(found.settings)
    yield found
    found.close()
    broker.stop()


def kill(worker: subprocess.Popen[bytes]) -> None:
    worker.send_signal(signal.SIGKILL)
    worker.wait()


def test_changes_hold_from_their_place_in_the_log_however_often_the_worker_is_killed(play: Play) -> None:
    detectors.warm_up()
    whole = log_with({CHANGED_S: CONTROLS})
    play.send(whole[:SAVED_S])
    worker = play.worker(checkpoint_s=0.3)
    play.wait_for(lambda: play.covered() == SAVED_S)
    kill(worker)

    play.send(whole[SAVED_S : CHANGED_S + 8])  # the changes in the midst of what is gathered into one call
    worker = play.worker(checkpoint_s=3600.0)
    play.wait_for(lambda: "dev-limits" in play.raised())
    kill(worker)
    assert play.covered() == SAVED_S  # the changes are in no checkpoint

    worker = play.worker(checkpoint_s=0.3)
    play.wait_for(lambda: play.covered() == play.sent)
    assert "dev-stated" not in play.raised()
    kill(worker)  # one change waits, in a snapshot only

    worker = play.worker(checkpoint_s=0.3)
    play.send(whole[CHANGED_S + 8 :])
    assert settle(play.settings, GROUPS["worker"], (topics.INGEST,), 60) == 0
    assert end(worker) == 0

    told = set(written(play.settings.kafka))
    first_s = {"dev-limits": CHANGED_S, "dev-neonate": CHANGED_S, "dev-stated": STATED_S}
    for device, code in ALARMS.items():
        alarms = [r for r in told if (r.device, r.code) == (device, code)]
        assert {r.phase for r in alarms} >= {Phase.ONSET, Phase.UPDATE}
        assert min(r.onset_sample for r in alarms) >= first_s[device] * RATE_HZ
        assert min(r.onset_sample for r in alarms) < (first_s[device] + 1) * RATE_HZ
    assert told == found_by_a_bank(whole)
    assert told == found_by_a_bank(read(play.settings.kafka, topics.INGEST))
    for wrong in wrong_logs():
        assert told != found_by_a_bank(wrong)
