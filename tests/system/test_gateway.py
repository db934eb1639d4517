"""The gateway against a real Kafka: what it reports as sent is what a consumer reads back, bit by bit."""

import uuid
import warnings

import numpy as np
import pytest

from devices.errors import PublishError
from devices.gateway import play
from devices.publisher import Publisher
from devices.recordings import toy_ecg
from devices.source import Session, Source, Wave
from schemas import mdc
from schemas.bundle import Bundle
from schemas.records import MISSING, Packet
from schemas.topics import partition_of

with warnings.catch_warnings():  # as in devices.publisher
    warnings.filterwarnings("ignore", "(read|open)_text is deprecated", DeprecationWarning)
    from kafka import KafkaConsumer, TopicPartition
    from kafka.admin import KafkaAdminClient, NewTopic

pytestmark = [
    pytest.mark.system,
    pytest.mark.filterwarnings("ignore:(read|open)_text is deprecated:DeprecationWarning"),
]

PARTITIONS = 3


@pytest.fixture
def topic(kafka: str) -> str:
    name = f"gateway-{uuid.uuid4().hex[:8]}"
    admin = KafkaAdminClient(bootstrap_servers=kafka)
    try:
        admin.create_topics([NewTopic(name, PARTITIONS, 1)])
    finally:
        admin.close()
    return name


def source(device: str, shard: int, rate: float, leads: int, seconds: float) -> Source:
    rng = np.random.default_rng(shard)
    waves = tuple(
        Wave(
            f"{i}",
            mdc.ECG,
            0,
            0,
            rate,
            200.0,
            rng.integers(MISSING, 32768, round(seconds * rate)).astype(np.int16),
        )
        for i in range(leads)
    )
    return Source(device, shard, "Test", simulated=True, sessions=(Session(waves),))


def read_back(kafka: str, topic: str) -> list[tuple[int, Bundle]]:
    consumer = KafkaConsumer(bootstrap_servers=kafka, enable_auto_commit=False)
    try:
        partitions = [TopicPartition(topic, p) for p in range(PARTITIONS)]
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        ends = consumer.end_offsets(partitions)
        found: list[tuple[int, Bundle]] = []
        while any(consumer.position(p) < end for p, end in ends.items()):
            for records in consumer.poll(timeout_ms=1000).values():
                found += [(r.partition, Bundle.decode(r.value)) for r in records]
        return found
    finally:
        consumer.close()


def test_what_is_reported_as_sent_is_in_kafka_bit_by_bit(kafka: str, topic: str) -> None:
    sources = [toy_ecg(shard=4), source("dev-100", 0, 100, 1, 30.5), source("dev-1000", 1, 1000, 12, 20)]
    publisher = Publisher(kafka, partitions=PARTITIONS, topic=topic)
    try:
        report = play(sources, publisher, speed=200)
    finally:
        publisher.close()
    bundles = read_back(kafka, topic)
    assert report.complete
    assert len(bundles) == report.bundles
    assert {p for p, _ in bundles} == {partition_of(s.shard, PARTITIONS) for s in sources}
    assert all(partition == partition_of(b.shard, PARTITIONS) for partition, b in bundles)
    packets: dict[str, list[Packet]] = {}
    for _, bundle in bundles:
        for packet in bundle.packets():
            packets.setdefault(packet.device, []).append(packet)
    by_device = {s.device: s for s in report.sessions}
    for played, sent in zip(sources, (by_device[s.device] for s in sources), strict=True):
        got = packets[played.device]
        assert [p.seq for p in got] == list(range(sent.first_seq, sent.last_seq + 1))
        assert len(got) == sent.packets
        for i, wave in enumerate(played.sessions[0].waves):
            np.testing.assert_array_equal(np.concatenate([p.channels[i].samples for p in got]), wave.samples)


def test_a_topic_that_is_not_there_is_an_error_that_says_what_to_do(kafka: str) -> None:
    publisher = Publisher(kafka, partitions=PARTITIONS, topic="never-made", patience_s=2)
    try:
        with pytest.raises(PublishError, match="topic never-made exists"):
            play([source("dev-1", 0, 250, 1, 2)], publisher, speed=100)
    finally:
        publisher.close()
    assert publisher.sent == {}
