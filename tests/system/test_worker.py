"""Workers on real Kafka join, leave and are killed, with garbage on the topic: as if one had read it all."""

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka import KafkaProducer

from devices.gateway import play
from ecgstream.centre import GROUPS
from ecgstream.demo.settle import settle
from ecgstream.embedded.kafka import EmbeddedKafka
from ecgstream.embedded.process import end
from ecgstream.settings import Settings
from schemas import codec, topics
from schemas.records import DeadLetter
from tests.system.conftest import started
from tests.system.publishing import publishing
from tests.system.workers import GARBAGE, Workers, everything, one_pass, sources, with_topics, written

PARTITIONS = 4
SPEED = 10.0
SIGNAL_S = 200


@pytest.fixture
def workers(tmp_path: Path) -> Iterator[Workers]:
    broker = EmbeddedKafka(tmp_path / "kafka")
    settings = with_topics(
        Settings(kafka=started(broker), partitions=PARTITIONS, clock_rate=SPEED, snapshot_spread_s=2.0)
    )
    found = Workers(settings, tmp_path)
    yield found
    found.kill()
    broker.stop()


def send(settings: Settings, folder: Path) -> None:
    with publishing(settings, folder) as publisher:
        play(sources(SIGNAL_S, PARTITIONS), publisher, speed=SPEED, flush_s=0.5 / SPEED)


def test_workers_that_join_and_leave_find_what_one_pass_finds(workers: Workers, tmp_path: Path) -> None:
    settings = workers.settings
    first = workers.start("a")
    gateway = threading.Thread(target=send, args=(settings, tmp_path))
    gateway.start()
    producer = KafkaProducer(bootstrap_servers=settings.kafka)
    producer.send(topics.INGEST.name, GARBAGE, partition=0).get(10)
    producer.close()
    second = workers.start("b")
    time.sleep(3)
    second.send_signal(signal.SIGKILL)
    second.wait()
    second = workers.start("b")
    assert end(first) == 0
    gateway.join()
    assert settle(settings, GROUPS["worker"], (topics.INGEST,), 60) == 0
    assert end(second) == 0

    found = everything(settings, topics.INGEST, topics.BEATS, topics.DEAD_LETTERS)
    (letter,) = {codec.decode_as(DeadLetter, r.value) for r in found[topics.DEAD_LETTERS.name]}
    assert (letter.topic, letter.partition, letter.value) == (topics.INGEST.name, 0, GARBAGE)
    expected = one_pass(found[topics.INGEST.name])
    assert len(expected) > PARTITIONS * 250
    assert written(found[topics.BEATS.name]) == expected
