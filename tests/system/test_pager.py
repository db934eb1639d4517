"""The pager against real Kafka."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer

from alerts.state import State
from ecgstream.clients import consumer, producer
from ecgstream.member import Member
from ecgstream.pager import GROUP, Pager, read_alerts
from ecgstream.settings import Settings
from ecgstream.topics import create_topics
from schemas import topics
from schemas.codec import encode
from schemas.ids import event_id
from schemas.records import Alert, AlertState, Condition, Phase, Priority

SESSION = 1_700_000_000_000_000_000
SECOND = 1_000_000_000
PATIENCE_S = 40.0
PARTITION = 3


def condition(device: str, phase: Phase, t_s: int, code: str = "ASYSTOLE") -> Condition:
    return Condition(
        id=event_id(device, SESSION, code, 0),
        device=device,
        patient="p-1",
        session=SESSION,
        code=code,
        phase=phase,
        onset_sample=0,
        onset_ns=SESSION,
        sample=250 * t_s,
        time_ns=SESSION + t_s * SECOND,
        delay_s=float(t_s),
        evidence={"pause_s": float(t_s)},
        published_ns=SESSION,
        partition=PARTITION,
        offset=t_s,
        generation=1,
        version="1",
    )


class Ward:
    """Conditions of devices of this test's own, and what the alerts' topic says of them."""

    def __init__(self, kafka: str) -> None:
        self.settings = Settings(kafka=kafka, session_timeout_s=6)
        create_topics(self.settings)
        self.name = uuid.uuid4().hex[:8]
        self.producer = KafkaProducer(bootstrap_servers=kafka, acks="all")

    def device(self, n: int = 1) -> str:
        return f"{self.name}-{n}"

    def send(self, record: Condition | bytes) -> None:
        value = record if isinstance(record, bytes) else encode(record)
        self.producer.send(topics.CONDITIONS.name, value, partition=PARTITION).get(10)

    def written(self) -> list[Alert]:
        """Every alert record of this ward in the topic's order."""
        return [a for a in read_alerts(self.settings, [PARTITION]) if a.device.startswith(self.name)]

    def alerts(self) -> dict[str, AlertState]:
        return {a.device: a.state for a in State.of(self.written()).alerts.values()}

    def pager(self, sender: Any = None) -> Pager:
        member = Member(consumer(self.settings, f"pager-{self.name}"))
        own = producer(self.settings) if sender is None else sender
        return Pager(member, own, lambda partitions: read_alerts(self.settings, partitions))


@pytest.fixture
def ward(kafka: str) -> Iterator[Ward]:
    made = Ward(kafka)
    yield made
    made.producer.close()


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def serve(pager: Pager) -> tuple[threading.Event, threading.Thread]:
    stop = threading.Event()
    thread = threading.Thread(target=pager.run, args=(stop,))
    thread.start()
    return stop, thread


def test_conditions_become_alerts_in_the_same_partition(ward: Ward) -> None:
    stop, thread = serve(ward.pager())
    try:
        ward.send(condition(ward.device(1), Phase.ONSET, 4))
        ward.send(b"nonsense")
        ward.send(condition(ward.device(2), Phase.ONSET, 4, "SPO2_LOW"))
        until(lambda: len(ward.alerts()) == 2)
        for n, code in ((1, "ASYSTOLE"), (2, "SPO2_LOW")):
            ward.send(condition(ward.device(n), Phase.END, 9, code))
        until(lambda: ward.alerts() == {ward.device(1): AlertState.LATCHED, ward.device(2): AlertState.ENDED})
    finally:
        stop.set()
        thread.join(PATIENCE_S)
    first = ward.written()[0]
    assert (first.priority, first.partition, first.delay_s) == (Priority.HIGH, PARTITION, 4.0)
    assert abs(first.raised_ns - time.time_ns()) < 60 * SECOND


def test_a_second_pager_knows_what_the_first_has_told(ward: Ward) -> None:
    stop, thread = serve(ward.pager())
    ward.send(condition(ward.device(), Phase.ONSET, 4))
    until(lambda: len(ward.written()) == 1)
    stop.set()
    thread.join(PATIENCE_S)
    stop, thread = serve(ward.pager())
    try:
        ward.send(condition(ward.device(), Phase.ONSET, 4))  # a worker wrote it again
        ward.send(condition(ward.device(), Phase.END, 9))
        until(lambda: ward.alerts() == {ward.device(): AlertState.LATCHED})
    finally:
        stop.set()
        thread.join(PATIENCE_S)
    first, last = ward.written()
    assert last.raised_ns == first.raised_ns


class Failing:
    """A producer whose broker refuses, until told to let through."""

    def __init__(self, real: KafkaProducer) -> None:
        self.real = real
        self.refuses = threading.Event()
        self.refused = 0

    def send(self, *args: Any, **more: Any) -> Any:
        from kafka.errors import KafkaTimeoutError

        if self.refuses.is_set():
            self.refused += 1
            raise KafkaTimeoutError("refused")
        return self.real.send(*args, **more)

    def close(self, timeout: float) -> None:
        self.real.close(timeout=timeout)


def test_a_broker_that_refuses_alerts_loses_none(ward: Ward) -> None:
    sender = Failing(producer(ward.settings))
    sender.refuses.set()
    stop, thread = serve(ward.pager(sender))
    try:
        for n in range(3):
            ward.send(condition(ward.device(n), Phase.ONSET, 4))
        until(lambda: sender.refused >= 3)
        assert ward.written() == []
        sender.refuses.clear()
        until(lambda: len(ward.alerts()) == 3)
    finally:
        stop.set()
        thread.join(PATIENCE_S)
    assert len(ward.written()) == 3


def test_kill_9_loses_and_repeats_nothing(ward: Ward, tmp_path: Path) -> None:
    environment = os.environ | {"ECGSTREAM_KAFKA": ward.settings.kafka, "ECGSTREAM_SESSION_TIMEOUT_S": "6"}
    program = "from ecgstream.pager import run; from ecgstream.settings import Settings; run(Settings())"

    def start() -> subprocess.Popen[bytes]:
        with (tmp_path / "log").open("ab") as log:
            return subprocess.Popen([sys.executable, "-c", program], env=environment, stderr=log)

    devices = [ward.device(n) for n in range(40)]
    pager = start()
    try:
        for n, device in enumerate(devices):
            ward.send(condition(device, Phase.ONSET, 4))
            if n % 20 == 10:
                until(lambda: len(ward.written()) > 0)
                pager.send_signal(signal.SIGKILL)
                pager.wait()
                pager = start()
        for device in devices:
            ward.send(condition(device, Phase.END, 9))
        until(lambda: ward.alerts() == dict.fromkeys(devices, AlertState.LATCHED))
    finally:
        pager.terminate()
        assert pager.wait(PATIENCE_S) == 0, (tmp_path / "log").read_text()
    told = [(a.id, a.state) for a in ward.written()]
    assert len(told) == len(set(told)) == 2 * len(devices)
    raised = {a.id: {b.raised_ns for b in ward.written() if b.id == a.id} for a in ward.written()}
    assert all(len(times) == 1 for times in raised.values())
    assert GROUP == "pager"


def test_a_stale_record_behind_the_newest_does_not_win(ward: Ward) -> None:
    stop, thread = serve(ward.pager())
    ward.send(condition(ward.device(), Phase.ONSET, 4))
    ward.send(condition(ward.device(), Phase.END, 9))
    until(lambda: ward.alerts() == {ward.device(): AlertState.LATCHED})
    stop.set()
    thread.join(PATIENCE_S)
    active = replace(ward.written()[0], updated_ns=time.time_ns())
    key = active.id.encode()
    ward.producer.send(topics.ALERTS.name, encode(active), key=key, partition=PARTITION).get(10)
    assert ward.alerts() == {ward.device(): AlertState.LATCHED}
