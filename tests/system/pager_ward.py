"""Conditions of devices of one test's own on real Kafka, pagers that answer them, and what they have said."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kafka import KafkaProducer
from kafka.coordinator.assignors.range import RangePartitionAssignor

from alerts.channels.webhook import Webhook
from alerts.contacts import Contacts
from alerts.pipeline import Rules
from alerts.state import State
from ecgstream.clients import consumer, producer
from ecgstream.member import Member
from ecgstream.pager.channels import Channels
from ecgstream.pager.pages import Pages
from ecgstream.pager.recorded import read
from ecgstream.pager.service import Pager
from ecgstream.settings import Settings
from ecgstream.topics import create_topics
from schemas import topics
from schemas.codec import encode
from schemas.ids import event_id
from schemas.records import Alert, AlertState, Condition, Notification, NotificationState, Phase
from tests.alerts.receiver import Receiver

SECOND = 1_000_000_000
SESSION = time.time_ns()
PATIENCE_S = 180.0
PARTITION = 3


def condition(
    device: str, phase: Phase, t_s: int, code: str = "ASYSTOLE", begin_ns: int = SESSION
) -> Condition:
    return Condition(
        id=event_id(device, SESSION, code, 0),
        device=device,
        patient="p-1",
        session=SESSION,
        code=code,
        phase=phase,
        onset_sample=0,
        onset_ns=begin_ns,
        sample=250 * t_s,
        time_ns=begin_ns + t_s * SECOND,
        delay_s=float(t_s),
        evidence={"pause_s": float(t_s)},
        published_ns=time.time_ns(),  # so that it is not late, however slow the test
        partition=PARTITION,
        offset=t_s,
        generation=1,
        version="1",
    )


def until(holds: Callable[[], bool], why: Callable[[], object] = lambda: "") -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, why()
        time.sleep(0.1)


@contextmanager
def serving(*pagers: Pager) -> Iterator[None]:
    """Let pagers run, each on a thread of its own."""
    stop = threading.Event()
    threads = [threading.Thread(target=pager.run, args=(stop,)) for pager in pagers]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(PATIENCE_S)


class Ward:
    """Devices of this test's own, in a topic that other tests write to as well."""

    def __init__(self, kafka: str) -> None:
        self.settings = Settings(kafka=kafka, session_timeout_s=6)
        create_topics(self.settings)
        self.name = uuid.uuid4().hex[:8]
        self.producer = KafkaProducer(bootstrap_servers=kafka, acks="all")

    def device(self, n: int = 1) -> str:
        return f"{self.name}-{n}"

    def send(self, record: Any, topic: topics.Topic = topics.CONDITIONS, partition: int = PARTITION) -> None:
        value = record if isinstance(record, bytes) else encode(record)
        self.producer.send(topic.name, value, partition=partition).get(10)

    def written(self, partition: int = PARTITION) -> list[Alert]:
        """Every alert record of this ward in the topic's order."""
        entries = read(self.settings, [partition], (topics.ALERTS,))
        found = [e.content for e in entries if isinstance(e.content, Alert)]
        return [alert for alert in found if alert.device.startswith(self.name)]

    def newest(self, partition: int = PARTITION) -> dict[str, Alert]:
        return {a.device: a for a in State.of(self.written(partition)).alerts.values()}

    def alerts(self) -> dict[str, AlertState]:
        return {device: alert.state for device, alert in self.newest().items()}

    def log(self) -> Counter[NotificationState]:
        """The states of this ward's entries of the notification log."""
        ours = {alert.id for alert in self.written()}
        newest = {
            e.key: e.content.state
            for e in read(self.settings, [PARTITION], (topics.NOTIFICATIONS,))
            if isinstance(e.content, Notification) and e.content.alert in ours
        }
        return Counter(newest.values())

    def pager(self, url: str = "", sender: Any = None, clock_ns: Callable[[], int] = time.time_ns) -> Pager:
        group = f"pager-{self.name}"
        channels = Channels(Contacts({}, {}), Webhook(url, timeout_s=1.0) if url else None)
        return Pager(
            Member(consumer(self.settings, group, partition_assignment_strategy=[RangePartitionAssignor])),
            producer(self.settings) if sender is None else sender,
            lambda partitions: read(self.settings, partitions),
            Rules(late_s=120.0),
            Pages(channels.senders(), channels.budgets),
            channels.of,
            clock_ns=clock_ns,
        )

    def paged(self, receiver: Receiver) -> dict[str, str]:
        """Device to what its page was, of this ward's pages without repeats by key."""
        ours = [page for page in list(receiver.pages.values()) if page["device"].startswith(self.name)]
        assert len({page["device"] for page in ours}) == len(ours)
        return {page["device"]: page["what"] for page in ours}


class PagerProcess:
    """`ecgstream pager`, which may be killed and started again."""

    def __init__(self, settings: Settings, url: str, log: Path) -> None:
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("ECGSTREAM_")},
            **settings.environment(),
            "ECGSTREAM_NOTIFY_URL": url,
            "ECGSTREAM_DATABASE": "postgresql://nobody@127.0.0.1:1/none",  # it is away
        }
        self.log = log
        self.start()

    def start(self) -> None:
        with self.log.open("ab") as log:
            argv = [sys.executable, "-m", "ecgstream", "pager"]
            self.process = subprocess.Popen(argv, env=self.environment, stderr=log)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def end(self) -> int:
        self.process.terminate()
        return self.process.wait(PATIENCE_S)
