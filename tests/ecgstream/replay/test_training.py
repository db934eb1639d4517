"""Playing a recording into a topic: what is on its way is bounded; what the broker does not take is told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from devices.errors import PlayError
from ecgstream.replay.training import TopicSink
from schemas import mdc
from schemas.bundle import Bundle
from schemas.records import ECG_KIND, Channel, Packet, Vital


class Sending:
    def __init__(self) -> None:
        self.is_done = False
        self.exception: Exception | None = None

    def failed(self) -> bool:
        return self.exception is not None


class Producer:
    """Takes records, and acknowledges those that it is told to."""

    def __init__(self) -> None:
        self.sent: list[Sending] = []
        self.partitions: list[int] = []

    def send(self, topic: str, value: bytes, partition: int) -> Sending:
        self.partitions.append(partition)
        self.sent.append(Sending())
        return self.sent[-1]

    def flush(self, timeout: float) -> None:
        for one in self.sent:
            one.is_done = True


def bundle(seq: int, shard: int = 5) -> Bundle:
    lead = Channel(mdc.LEADS["II"], ECG_KIND, 0, 250.0, 200.0, np.zeros(250, np.int16))
    packet = Packet("training-1", 7, seq, seq * 250, seq * 10**9, 0, [lead])
    return Bundle.of("gw", shard, 1, [packet], [Vital("training-1", 7, 1, mdc.SPO2, 97.0)])


def made() -> tuple[TopicSink, Any]:
    producer = Producer()
    return TopicSink(producer, "training.room", 4), producer


def test_what_is_acknowledged_is_counted_and_nothing_else() -> None:
    sink, producer = made()
    sink.publish([bundle(0), bundle(1), bundle(2)])
    assert producer.partitions == [1, 1, 1]
    for one in producer.sent[:2]:
        one.is_done = True
    assert sink.room
    account = sink.account()
    assert (account.bundles, account.packets, account.vitals, sink.waiting()) == (2, 2, 2, 1)
    assert sink.settled(0.0)
    (sent,) = account.sent.values()
    assert (sent.packets, sent.first_seq, sent.last_seq) == (3, 0, 2)


def test_what_is_on_its_way_is_bounded() -> None:
    sink, producer = made()
    seq = 0
    while sink.room:
        sink.publish([bundle(seq)])
        seq += 1
    assert seq < 1000
    producer.sent[0].is_done = True
    assert sink.room


def test_what_the_broker_does_not_take_ends_the_play() -> None:
    sink, producer = made()
    sink.publish([bundle(0)])
    producer.sent[0].is_done = True
    producer.sent[0].exception = TimeoutError()
    with pytest.raises(PlayError, match=r"takes nothing into training.room \(TimeoutError\)"):
        _ = sink.room
