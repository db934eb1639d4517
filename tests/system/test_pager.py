"""The pager's alerts against real Kafka."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from kafka import KafkaProducer
from kafka.errors import KafkaTimeoutError

from ecgstream.clients import producer
from schemas import topics
from schemas.codec import encode
from schemas.records import Acknowledgement, AlertState, Condition, Phase, Priority
from tests.system.pager_ward import PARTITION, SECOND, SESSION, Ward, condition, serving, until


@pytest.fixture
def ward(kafka: str) -> Iterator[Ward]:
    made = Ward(kafka)
    yield made
    made.producer.close()


def test_conditions_become_alerts_in_the_same_partition(ward: Ward) -> None:
    with serving(ward.pager()):
        ward.send(condition(ward.device(1), Phase.ONSET, 4))
        ward.send(b"nonsense")
        ward.send(condition(ward.device(2), Phase.ONSET, 4, "SPO2_LOW"))
        until(lambda: len(ward.alerts()) == 2)
        for n, code in ((1, "ASYSTOLE"), (2, "SPO2_LOW")):
            ward.send(condition(ward.device(n), Phase.END, 9, code))
        until(lambda: ward.alerts() == {ward.device(1): AlertState.LATCHED, ward.device(2): AlertState.ENDED})
    first = ward.written()[0]
    assert (first.priority, first.partition, first.delay_s) == (Priority.HIGH, PARTITION, 4.0)
    assert abs(first.raised_ns - time.time_ns()) < 60 * SECOND


def test_a_second_pager_knows_what_the_first_has_told(ward: Ward) -> None:
    with serving(ward.pager()):
        ward.send(condition(ward.device(), Phase.ONSET, 4))
        until(lambda: len(ward.written()) == 1)
    with serving(ward.pager()):
        ward.send(condition(ward.device(), Phase.ONSET, 4))  # a worker wrote it again
        ward.send(condition(ward.device(), Phase.END, 9))
        until(lambda: ward.alerts() == {ward.device(): AlertState.LATCHED})
    first, last = ward.written()
    assert last.raised_ns == first.raised_ns


class Failing:
    """A producer whose broker refuses, until told to let through."""

    def __init__(self, real: KafkaProducer) -> None:
        self.real = real
        self.refuses = threading.Event()
        self.refused = 0

    def send(self, *args: Any, **more: Any) -> Any:
        if self.refuses.is_set():
            self.refused += 1
            raise KafkaTimeoutError("refused")
        return self.real.send(*args, **more)

    def close(self, timeout: float) -> None:
        self.real.close(timeout=timeout)


def test_a_broker_that_refuses_alerts_loses_none(ward: Ward) -> None:
    sender = Failing(producer(ward.settings))
    sender.refuses.set()
    with serving(ward.pager(sender=sender)):
        for n in range(3):
            ward.send(condition(ward.device(n), Phase.ONSET, 4))
        until(lambda: sender.refused >= 3)
        assert ward.written() == []
        sender.refuses.clear()
        until(lambda: len(ward.alerts()) == 3)
    assert len(ward.written()) == 3


def test_a_stale_record_behind_the_newest_does_not_win(ward: Ward) -> None:
    with serving(ward.pager()):
        ward.send(condition(ward.device(), Phase.ONSET, 4))
        ward.send(condition(ward.device(), Phase.END, 9))
        until(lambda: ward.alerts() == {ward.device(): AlertState.LATCHED})
    active = replace(ward.written()[0], updated_ns=time.time_ns())
    key = active.id.encode()
    ward.producer.send(topics.ALERTS.name, encode(active), key=key, partition=PARTITION).get(10)
    assert ward.alerts() == {ward.device(): AlertState.LATCHED}


def test_an_alert_that_its_topic_has_forgotten_is_none(ward: Ward) -> None:
    with serving(ward.pager()):
        ward.send(condition(ward.device(), Phase.ONSET, 4))
        until(lambda: len(ward.written()) == 1)
    (alert,) = ward.written()
    ward.producer.send(topics.ALERTS.name, None, key=alert.id.encode(), partition=PARTITION).get(10)
    pager = ward.pager()
    with serving(pager):
        until(lambda: PARTITION in pager._partitions)
        assert alert.id not in pager._partitions[PARTITION].state.alerts


def test_what_waits_is_read_again_by_the_next_pager(ward: Ward) -> None:
    now_ns = time.time_ns()

    def long_ago(phase: Phase, t_s: int) -> Condition:
        at_ns = now_ns - 3600 * SECOND
        return replace(condition(ward.device(), phase, t_s), time_ns=at_ns, published_ns=at_ns)

    first = ward.pager(clock_ns=lambda: now_ns)  # no time passes, so that it waits for ever
    with serving(first):
        ward.send(long_ago(Phase.ONSET, 4))
        until(lambda: PARTITION in first._partitions and bool(first._partitions[PARTITION].state.waiting))
        ward.send(condition(ward.device(2), Phase.ONSET, 4))
        until(lambda: ward.alerts() == {ward.device(2): AlertState.ACTIVE})
    with serving(ward.pager(clock_ns=lambda: now_ns)):
        ward.send(long_ago(Phase.END, 9))
        until(lambda: ward.alerts().get(ward.device()) == AlertState.LATE)
    assert len(ward.written()) == 2


def test_two_pagers_have_conditions_and_acknowledgements_of_the_same_partitions(ward: Ward) -> None:
    first, second = ward.pager(), ward.pager()
    everything = set(range(ward.settings.partitions))

    def owned(pager: Any) -> dict[str, set[int]]:
        found: dict[str, set[int]] = {topics.CONDITIONS.name: set(), topics.ACKNOWLEDGEMENTS.name: set()}
        for source in pager._member.assignment:
            found[source.topic].add(source.partition)
        return found

    def shared() -> bool:
        conditions = [owned(pager)[topics.CONDITIONS.name] for pager in (first, second)]
        return all(conditions) and conditions[0] | conditions[1] == everything

    with serving(first):
        with serving(second):
            until(shared)
            for pager in (first, second):
                assert owned(pager)[topics.CONDITIONS.name] == owned(pager)[topics.ACKNOWLEDGEMENTS.name]
            for partition in everything:
                ward.send(condition(ward.device(partition), Phase.ONSET, 4), partition=partition)
            until(lambda: all(ward.newest(p) for p in everything))
            for partition in everything:
                (alert,) = ward.newest(partition).values()
                said = Acknowledgement(f"ack {alert.id}", alert.id, "li", "seen", SESSION)
                ward.send(said, topics.ACKNOWLEDGEMENTS, partition)
            until(lambda: all(a.acknowledged_by for p in everything for a in ward.newest(p).values()))
        until(lambda: owned(first)[topics.CONDITIONS.name] == everything)
        assert owned(first)[topics.ACKNOWLEDGEMENTS.name] == everything
