"""The publisher with a producer that the test answers for."""

from typing import Any

import numpy as np
import pytest

import devices.publisher
from devices.errors import PublishError
from devices.publisher import Publisher, Sent
from schemas import mdc
from schemas.bundle import Bundle
from schemas.records import Channel, Packet, Vital

KafkaError = devices.publisher.KafkaError


class Future:
    def __init__(self, error: Exception | None = None, *, done: bool = True) -> None:
        self.is_done = done
        self.error = error

    def get(self, timeout: float) -> None:
        self.is_done = True
        if self.error:
            raise self.error


class Producer:
    def __init__(self) -> None:
        self.answers: list[Future] = []
        self.given: list[tuple[str, int, bytes]] = []
        self.closed_with: float | None = None
        self.given_up = False
        self._sender = self

    def send(self, topic: str, *, value: bytes, partition: int) -> Future:
        self.given.append((topic, partition, value))
        return self.answers.pop(0) if self.answers else Future()

    def force_close(self) -> None:
        self.given_up = True

    def close(self, timeout: float) -> None:
        self.closed_with = timeout


def bundle(seq: int, shard: int = 9, n: int = 250) -> Bundle:
    wave = Channel(mdc.ECG, 0, 0, 250.0, 200.0, np.full(n, seq, np.int16))
    packets = [Packet(d, 1, seq, 0, 0, 0, [wave]) for d in ("a", "b")]
    return Bundle.of("gw", shard, 1, packets, [Vital("a", 1, seq, mdc.SPO2, 97.0)])


def publisher(producer: Any) -> Publisher:
    return Publisher("nowhere:1", partitions=4, producer=producer)


def test_a_bundle_is_one_record_in_its_shards_partition_and_counts_once_acknowledged() -> None:
    producer = Producer()
    waiting = Future(done=False)
    producer.answers = [Future(), waiting]
    p = publisher(producer)
    p.publish([bundle(0), bundle(1)])
    assert [(t, part) for t, part, _ in producer.given] == [("ecg.ingest", 1)] * 2
    assert p.sent == {("a", 1): Sent(1, 0, 0), ("b", 1): Sent(1, 0, 0)}
    p.flush()
    assert p.sent == {("a", 1): Sent(2, 0, 1), ("b", 1): Sent(2, 0, 1)}
    assert (p.bundles, p.vitals, p.bytes) == (2, 2, sum(len(v) for _, _, v in producer.given))
    p.close()
    assert producer.closed_with == 10
    assert not producer.given_up


def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices.publisher, "_MAX_IN_FLIGHT_BYTES", 5000)
    producer = Producer()
    futures = [Future(done=False) for _ in range(10)]
    producer.answers = list(futures)
    p = publisher(producer)
    for seq in range(10):
        p.publish([bundle(seq)])
    assert sum(not f.is_done for f in futures) in range(1, 5)


@pytest.mark.parametrize("early", [True, False])
def test_a_failed_send_says_what_to_do_and_is_not_counted(*, early: bool) -> None:
    producer = Producer()
    producer.answers = [Future(KafkaError("broken"), done=early)]
    p = publisher(producer)

    def send() -> None:
        p.publish([bundle(0)])
        p.flush()

    with pytest.raises(PublishError, match=r"Kafka at nowhere:1.*broken.*2 packets wait.*Check.*ecg.ingest"):
        send()
    assert p.sent == {}
    p.close()  # does not wait a second time
    assert producer.given_up


def test_a_broker_that_is_not_there_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def absent(**config: Any) -> None:
        asked.update(config)
        raise KafkaError("NoBrokersAvailable")

    monkeypatch.setattr(devices.publisher, "KafkaProducer", absent)
    with pytest.raises(PublishError, match="Check that the broker runs"):
        Publisher("127.0.0.1:1", partitions=4)
    assert (asked["acks"], asked["enable_idempotence"], asked["compression_type"]) == ("all", True, "zstd")
