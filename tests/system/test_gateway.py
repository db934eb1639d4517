"""The gateway against a real Kafka: what it reports as sent is what a consumer reads back, bit by bit."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from devices.errors import LineError
from devices.gateway import play
from devices.line import Line
from devices.recordings import toy_ecg
from devices.source import Session, Source, Wave
from ecgstream.embedded.kafka import EmbeddedKafka
from ecgstream.settings import Settings
from ecgstream.topics import create_topics
from schemas import codec, mdc
from schemas.bundle import Bundle
from schemas.records import MISSING, GatewayStatus, Packet
from schemas.topics import GATEWAYS, INGEST, partition_of
from tests.system.conftest import started
from tests.system.log import read_log
from tests.system.publishing import publishing

pytestmark = [
    pytest.mark.system,
    pytest.mark.filterwarnings("ignore:(read|open)_text is deprecated:DeprecationWarning"),
]

PARTITIONS = 3


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    broker = EmbeddedKafka(tmp_path_factory.mktemp("kafka"))
    made = Settings(kafka=started(broker), partitions=PARTITIONS)
    create_topics(made)
    yield made
    broker.stop()


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


def test_what_is_reported_as_sent_is_in_kafka_bit_by_bit(settings: Settings, tmp_path: Path) -> None:
    sources = [toy_ecg(shard=4), source("dev-100", 0, 100, 1, 30.5), source("dev-1000", 1, 1000, 12, 20)]
    with publishing(settings, tmp_path) as publisher:
        report = play(sources, publisher, speed=200)
    records = read_log(settings, INGEST)
    bundles = [(r.partition, codec.decode_as(Bundle, r.value)) for r in records]
    assert report.complete
    assert report.waiting == 0
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


def test_how_a_gateway_stands_is_told_under_its_name(settings: Settings, tmp_path: Path) -> None:
    with publishing(settings, tmp_path) as publisher:
        play([source("dev-1", 0, 250, 1, 5)], publisher, speed=10)
    found = [r for r in read_log(settings, GATEWAYS) if r.key == b"gw-test"]
    last = codec.decode_as(GatewayStatus, found[-1].value)
    assert (last.gateway, last.devices, last.spooled_records, last.backlog_records) == ("gw-test", 1, 0, 0)
    assert last.oldest_ns is None
    assert len({r.partition for r in found}) == 1


@pytest.mark.parametrize(
    ("partitions", "says"), [(PARTITIONS + 1, "topic ecg.ingest has 3 partitions, the settings say 4")]
)
def test_topics_that_are_not_as_they_must_be_are_said(settings: Settings, partitions: int, says: str) -> None:
    with pytest.raises(LineError, match=says):
        Line(settings.kafka, [INGEST], partitions)


def test_what_a_missing_topic_keeps_waiting_is_sent_once_it_is_there(tmp_path: Path) -> None:
    broker = EmbeddedKafka(tmp_path / "kafka")
    settings = Settings(kafka=started(broker), partitions=PARTITIONS)
    with closing(_Stopped(broker)), publishing(settings, tmp_path) as publisher:
        publisher.start(1.0)
        publisher.publish([bundle()])
        assert not publisher.settled(1.0)
        create_topics(settings)
        while not publisher.settled(1.0):
            pass
        assert [r.value for r in read_log(settings, INGEST)] == [bundle().encode()]


def bundle() -> Bundle:
    emissions = source("dev-1", 2, 250, 1, 1).emissions(5)
    return Bundle.of("gw-test", 2, 7, [e.item for e in emissions if isinstance(e.item, Packet)], [])


class _Stopped:
    def __init__(self, broker: EmbeddedKafka) -> None:
        self.close = broker.stop
