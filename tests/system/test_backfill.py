"""A backlog on real Kafka, the worker killed in its midst: the beats of a run that was never cut off."""

import signal
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ecgstream.embedded.kafka import EmbeddedKafka
from ecgstream.embedded.process import end
from ecgstream.settings import Settings
from ecgstream.topics import create_topics
from schemas import codec, topics
from schemas.bundle import Bundle
from schemas.records import BacklogEnd, Control, Lane, Segment, Snapshot, SnapshotKind, Start
from tests.system.conftest import started
from tests.system.workers import START_NS, Log, Workers, done, everything, one_pass, written

RATE_HZ = 360
GAP = (30, 120)
SECONDS = 170


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Workers]:
    broker = EmbeddedKafka(tmp_path / "kafka")
    settings = Settings(
        kafka=started(broker), partitions=2, session_timeout_s=6.0, checkpoint_s=0.3, lost_link_s=1000.0
    )
    create_topics(settings)
    found = Workers(settings, tmp_path)
    yield found
    found.kill()
    broker.stop()


def filled(settings: Settings) -> list[Segment]:
    """The ends of backlogs' segments."""
    found = everything(settings, topics.SEGMENTS)[topics.SEGMENTS.name]
    segments = [codec.decode_as(Segment, r.value) for r in found]
    return [s for s in segments if s.lane is Lane.BACKFILL and s.to_sample is not None]


def gaps(settings: Settings) -> list[str]:
    """The devices of which something is kept for a backlog."""
    last = {r.key: r.value for r in everything(settings, topics.SNAPSHOTS)[topics.SNAPSHOTS.name]}
    found = [codec.decode_as(Snapshot, value) for value in last.values() if value is not None]
    return [s.device for s in found if s.device and (s.kind is SnapshotKind.GAP or s.lane is Lane.BACKFILL)]


def test_a_backlog_is_filled_in_though_the_worker_is_killed(workers: Workers) -> None:
    settings = workers.settings
    log = Log(settings, SECONDS)
    worker = workers.start("a")
    log.send(GAP[0])
    done(workers)
    log.skip_to(GAP[1])
    log.send(20)
    log.send_backlog(GAP[0], (GAP[0] + GAP[1]) // 2)
    workers.wait_for(lambda: len(gaps(settings)) >= 2)
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    log.send_backlog((GAP[0] + GAP[1]) // 2, GAP[1])
    for device in range(2):
        last = Control(f"end-{device}", f"dev-{device}", START_NS, GAP[1] * RATE_HZ, 1, "gw", BacklogEnd())
        log.append(topics.BACKFILL, device, b"", codec.encode(last))
    worker = workers.start("a")
    log.send(30)
    done(workers)
    workers.wait_for(lambda: len({s.device for s in filled(settings)}) == 2)
    workers.wait_for(lambda: gaps(settings) == [])
    assert end(worker) == 0
    log.close()

    for segment in filled(settings):
        assert (segment.from_sample, segment.to_sample) == (GAP[0] * RATE_HZ, GAP[1] * RATE_HZ)
        assert segment.start is Start.RESTORED
    found = written(everything(settings, topics.BEATS)[topics.BEATS.name])
    expected = one_pass(undisturbed(settings))
    inside = {row for row in expected if (GAP[0] + 1) * RATE_HZ <= sample_of(row) < (GAP[1] - 1) * RATE_HZ}
    assert len(inside) > 2 * 80
    assert {r for r in found if (GAP[0] + 1) * RATE_HZ <= sample_of(r) < (GAP[1] - 1) * RATE_HZ} == inside


def undisturbed(settings: Settings) -> list[Any]:
    """The log as it would have been without the gap."""
    found = everything(settings, topics.INGEST, topics.BACKFILL)
    bundles = [(codec.decode(r.value), r) for of in found.values() for r in of]
    packets = [(int(b.packet.seq[0]), r) for b, r in bundles if isinstance(b, Bundle)]
    return [replace_offset(r, seq) for seq, r in packets]


def replace_offset(record: Any, offset: int) -> Any:
    """A record as it would lie at another offset."""
    return SimpleNamespace(partition=record.partition, offset=offset, value=record.value)


def sample_of(row: str) -> int:
    return int(row.split("sample=")[1].split(",")[0])
