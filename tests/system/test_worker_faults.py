"""What may befall a worker's memory: a frozen owner, real compaction, another version, a log that is gone."""

import dataclasses
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaAdminClient, TopicPartition

from ecgstream.embedded.kafka import EmbeddedKafka, Security
from ecgstream.embedded.process import end
from ecgstream.settings import Settings
from ecgstream.topics import create_topics
from ecgstream.worker.stream import GAVE_UP
from schemas import codec, topics
from schemas.records import Condition, Segment, Snapshot, SnapshotKind
from tests.system.conftest import started
from tests.system.workers import Log, Workers, done, everything, one_pass, written

PARTITIONS = 2
SESSION_S = 6.0
# Compaction as it happens within hours, in seconds.
QUICK_CLEANER = Security("log.cleaner.backoff.ms=200\nlog.segment.delete.delay.ms=1000\n")
QUICK_SNAPSHOTS = dataclasses.replace(
    topics.SNAPSHOTS,
    config=topics.SNAPSHOTS.config | {"segment.ms": "500", "min.cleanable.dirty.ratio": "0.01"},
)


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Workers]:
    broker = EmbeddedKafka(tmp_path / "kafka", QUICK_CLEANER)
    settings = Settings(
        kafka=started(broker), partitions=PARTITIONS, session_timeout_s=SESSION_S, checkpoint_s=0.3,
        snapshot_spread_s=1.0, lost_link_s=1000.0,
    )  # fmt: skip
    create_topics(settings, [QUICK_SNAPSHOTS])
    create_topics(settings)
    found = Workers(settings, tmp_path)
    yield found
    found.kill()
    broker.stop()


@pytest.fixture
def log(workers: Workers) -> Iterator[Log]:
    found = Log(workers.settings, 150)
    yield found
    found.close()


def snapshots(settings: Settings) -> list[Any]:
    return everything(settings, topics.SNAPSHOTS)[topics.SNAPSHOTS.name]


def newest(settings: Settings, device: str) -> Any:
    """The record of a device's newest snapshot."""
    found = [(codec.decode_as(Snapshot, r.value), r) for r in snapshots(settings) if r.value]
    return max((s.offset, r.offset, r) for s, r in found if s.device == device)[2]


def written_more_than_once(settings: Settings, partition: int) -> int:
    """How many records of the snapshot topic an uncompacted reading finds beyond the last of each key."""
    keys = [r.key for r in snapshots(settings) if r.partition == partition]
    return len(keys) - len(set(keys))


def assert_as_one_pass(settings: Settings) -> None:
    found = everything(settings, topics.INGEST, topics.BEATS)
    expected, made = one_pass(found[topics.INGEST.name]), written(found[topics.BEATS.name])
    assert len(expected) > 100
    assert (sorted(made - expected), sorted(expected - made)) == ([], []), "beats too many, and too few"


def test_a_frozen_owner_ends_itself_and_changes_nothing(workers: Workers, log: Log) -> None:
    frozen = workers.start("a")
    log.send(40)
    done(workers)
    frozen.send_signal(signal.SIGSTOP)
    time.sleep(SESSION_S + 1)
    successor = workers.start("b")
    log.send(40)
    done(workers)
    frozen.send_signal(signal.SIGCONT)
    assert frozen.wait(30) == GAVE_UP
    assert "its partitions are another's" in workers.log("a")
    workers.start("a")
    log.send(40)
    done(workers)
    assert end(successor) == 0
    assert_as_one_pass(workers.settings)


def test_compaction_keeps_a_silent_devices_snapshot_whatever_a_former_owner_appends(
    workers: Workers, log: Log
) -> None:
    settings = workers.settings
    worker = workers.start("a")
    log.send(30)
    done(workers)
    stale = newest(settings, "dev-1")
    worker.send_signal(signal.SIGKILL)
    worker.wait()

    worker = workers.start("a")  # at once: a static member that is back is in the generation that it had
    log.send(30)
    done(workers)
    log.append(topics.SNAPSHOTS, 1, stale.key, stale.value)
    # dev-1 is silent from here on; compaction passes over what is no longer written to.
    for _ in range(12):
        log.send(5, silent=[1])
        done(workers)
    log.append(topics.SNAPSHOTS, 1, b"nobody's", b"")
    workers.wait_for(lambda: written_more_than_once(settings, 1) <= 1, 60)
    worker.send_signal(signal.SIGKILL)
    worker.wait()

    worker = workers.start("a")
    log.send(30)
    done(workers)
    assert end(worker) == 0
    assert_as_one_pass(settings)
    last = {r.key: r.value for r in snapshots(settings)}
    assert last.get(stale.key) is None, "the former owner's key is given up"
    now, before = (codec.decode_as(Snapshot, r.value) for r in (newest(settings, "dev-1"), stale))
    assert (now.offset, now.generation) > (before.offset, before.generation)


def test_states_of_another_version_are_rebuilt_from_the_log(workers: Workers, log: Log) -> None:
    settings = workers.settings
    worker = workers.start("a")
    log.send(80)
    done(workers)
    assert end(worker) == 0
    for record in snapshots(settings):
        if record.value is not None:
            found = codec.decode_as(Snapshot, record.value)
            if found.kind is SnapshotKind.DEVICE:
                older = codec.encode(dataclasses.replace(found, version="0/0"))
                log.append(topics.SNAPSHOTS, record.partition, record.key, older)
    told_before = len(written(everything(settings, topics.BEATS)[topics.BEATS.name]))
    worker = workers.start("a")
    log.send(40)
    done(workers)
    assert end(worker) == 0
    assert "rebuilt" in workers.log("a")
    assert_as_one_pass(settings)
    assert told_before > 150
    segments = [
        codec.decode_as(Segment, r.value) for r in everything(settings, topics.SEGMENTS)[topics.SEGMENTS.name]
    ]
    of_one = [(s.from_sample, s.to_sample) for s in segments if s.device == "dev-0"]
    begun, split, anew = of_one
    assert begun == (0, None)
    assert split[1] == anew[0] == 80 * 360
    assert (split[0], anew[1]) == (0, None)


def test_a_log_that_is_gone_is_an_alarm_and_a_new_beginning(workers: Workers, log: Log) -> None:
    settings = workers.settings
    worker = workers.start("a")
    log.send(30)
    done(workers)
    assert end(worker) == 0
    log.send(60)
    admin = KafkaAdminClient(bootstrap_servers=settings.kafka)
    admin.delete_records({TopicPartition(topics.INGEST.name, 0): 70})
    admin.close()
    worker = workers.start("a")
    log.send(30)
    done(workers)
    assert end(worker) == 0
    found = everything(settings, topics.CONDITIONS, topics.SEGMENTS)
    lost = [codec.decode_as(Condition, r.value) for r in found[topics.CONDITIONS.name]]
    assert {(c.device, c.evidence["records"]) for c in lost if c.code == "RECORDS_LOST"} == {
        ("ecg.ingest-0", 40.0)
    }
    segments = [codec.decode_as(Segment, r.value) for r in found[topics.SEGMENTS.name]]
    of_one = [(s.from_sample, s.to_sample) for s in segments if s.device == "dev-0"]
    assert of_one == [(0, None), (0, 30 * 360), (70 * 360, None)]
    assert [(s.from_sample, s.to_sample) for s in segments if s.device == "dev-1"] == [(0, None)]
