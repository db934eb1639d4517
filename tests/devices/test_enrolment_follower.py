"""A gateway that follows its enrolments, with a broker that the test answers for."""

import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from devices import enrolment_follower
from devices.enrolment import Enrolments, pack, unpack
from devices.enrolment_follower import Follower, KafkaError, TopicPartition
from devices.errors import EnrolmentsUnknownError
from schemas.codec import encode
from schemas.records import Enrolment
from schemas.topics import ENROLMENT

DEVICE = Enrolment("a", "monitor", "cn", 7, (), b"", "", disabled=False, changed_ns=3)
OTHER = replace(DEVICE, device="b", shard=9)


@dataclass
class Record:
    key: bytes
    value: bytes | None
    partition: int = 0
    offset: int = 0


class Broker:
    """A topic of one partition; its consumers see what is appended."""

    def __init__(self) -> None:
        self.log: list[Record] = []
        self.away = False
        self.silent = False
        self.consumers = 0
        self.closed = 0
        self.told: dict[str, Any] = {}

    def put(self, *enrolments: Enrolment) -> None:
        self.log += [Record(e.device.encode(), encode(e)) for e in enrolments]

    def consumer(self, **told: Any) -> "Consumer":
        self.told = told
        if self.away:
            raise KafkaError("NoBrokersAvailable")
        self.consumers += 1
        return Consumer(self)


class Consumer:
    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.at = 0

    def partitions_for_topic(self, topic: str) -> set[int]:
        assert topic == ENROLMENT.name
        return {0}

    def assign(self, partitions: list[TopicPartition]) -> None:
        assert partitions == [TopicPartition(ENROLMENT.name, 0)]

    def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return {p: len(self.broker.log) for p in partitions}

    def seek_to_beginning(self, *partitions: TopicPartition) -> None:
        self.at = 0

    def position(self, partition: TopicPartition) -> int:
        return self.at

    def poll(self, timeout_ms: int) -> dict[TopicPartition, list[Record]]:
        if self.broker.away:
            raise KafkaError("disconnected")
        if self.broker.silent or self.at == len(self.broker.log):
            time.sleep(0.01)
            return {}
        self.at += 1
        return {TopicPartition(ENROLMENT.name, 0): [self.broker.log[self.at - 1]]}

    def close(self) -> None:
        self.broker.closed += 1


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def follower(broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Follower:
    monkeypatch.setattr(enrolment_follower, "_RETRY_S", 0.01)
    return made(broker, tmp_path)


def made(broker: Broker, folder: Path) -> Follower:
    return Follower(
        "nowhere:1",
        folder / "new" / "enrolments",
        security={"sasl_plain_username": "gw"},
        patience_s=0.3,
        consumer=broker.consumer,
    )


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "new" / "enrolments"


def until(true: Any) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_topic_is_read_to_its_end_and_kept_on_disk_for_this_user_alone(
    broker: Broker, follower: Follower, cache: Path
) -> None:
    broker.put(DEVICE, OTHER)
    broker.log.append(Record(b"b", None))
    follower.load()
    assert list(follower.enrolments) == [DEVICE]
    assert broker.told["bootstrap_servers"] == "nowhere:1"
    assert broker.told["sasl_plain_username"] == "gw"
    assert "group_id" not in broker.told
    found, as_of_ns = unpack(cache.read_bytes())
    assert list(found) == [DEVICE]
    assert time.time_ns() - as_of_ns < 60 * 10**9
    assert cache.stat().st_mode & 0o777 == 0o600
    assert list(cache.parent.iterdir()) == [cache]


def test_a_record_that_cannot_be_read_is_said_and_hides_no_other(
    broker: Broker, follower: Follower, caplog: pytest.LogCaptureFixture
) -> None:
    broker.put(DEVICE)
    broker.log.append(Record(b"b", b"something else", partition=0, offset=1))
    broker.put(OTHER)
    follower.load()
    assert list(follower.enrolments) == [DEVICE, OTHER]
    assert "partition 0, offset 1" in caplog.text


@pytest.mark.parametrize("silent", [True, False])
def test_with_the_broker_away_the_file_is_taken_and_its_age_said(
    broker: Broker, follower: Follower, cache: Path, caplog: pytest.LogCaptureFixture, *, silent: bool
) -> None:
    cache.parent.mkdir()
    cache.write_bytes(pack(Enrolments().changed([("a", DEVICE)]), time.time_ns() - 3600 * 10**9))
    broker.put(OTHER)
    broker.silent, broker.away = silent, not silent
    with caplog.at_level(logging.WARNING):
        follower.load()
    assert list(follower.enrolments) == [DEVICE]
    assert "a file that is 3600 s old says 1" in caplog.text
    assert broker.closed == broker.consumers


@pytest.mark.parametrize("content", [None, b"", b"ecgstream enrolments {}\n"])
def test_with_neither_broker_nor_file_nothing_is_let_in(
    broker: Broker, follower: Follower, cache: Path, content: bytes | None
) -> None:
    if content is not None:
        cache.parent.mkdir()
        cache.write_bytes(content)
    broker.away = True
    with pytest.raises(EnrolmentsUnknownError, match=r"broker does not say it .*neither does .*enrolments"):
        follower.load()
    assert len(follower.enrolments) == 0


@pytest.fixture
def followed(follower: Follower) -> Iterator[Follower]:
    with follower:
        yield follower


def test_what_changes_is_known_and_on_disk_soon(broker: Broker, followed: Follower, cache: Path) -> None:
    broker.put(DEVICE)
    until(lambda: followed.enrolments.device("a") == DEVICE)
    broker.put(replace(DEVICE, disabled=True, changed_ns=4))
    until(lambda: unpack(cache.read_bytes())[0].device("a") == replace(DEVICE, disabled=True, changed_ns=4))


def test_after_a_failure_all_is_read_anew(broker: Broker, followed: Follower) -> None:
    broker.put(DEVICE)
    until(lambda: len(followed.enrolments) == 1)
    broker.away = True
    until(lambda: broker.closed == 1)
    assert list(followed.enrolments) == [DEVICE]
    broker.log.clear()  # as if the log had been compacted meanwhile
    broker.put(OTHER)
    broker.away = False
    until(lambda: list(followed.enrolments) == [OTHER])


def test_a_file_says_now_and_then_that_nothing_has_changed(
    broker: Broker, follower: Follower, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enrolment_follower, "_SAVE_S", 0.0)
    with follower:
        before = unpack(cache.read_bytes())[1]
        until(lambda: unpack(cache.read_bytes())[1] > before)


def test_a_folder_that_takes_no_file_stops_nothing(
    broker: Broker, follower: Follower, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache.parent.write_text("a file where the folder belongs")
    broker.put(DEVICE)
    follower.load()
    assert list(follower.enrolments) == [DEVICE]
    assert "enrolments are not kept" in caplog.text


def test_a_write_that_fails_leaves_the_file_as_it_was(
    broker: Broker, follower: Follower, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker.put(DEVICE)
    follower.load()
    before = cache.read_bytes()

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    broker.put(OTHER)
    follower.load()
    assert cache.read_bytes() == before
    assert len(follower.enrolments) == 2
    monkeypatch.undo()
    follower.load()  # what the failed write left behind is in nobody's way
    assert len(unpack(cache.read_bytes())[0]) == 2


def test_it_leaves_neither_thread_nor_connection(broker: Broker, follower: Follower) -> None:
    before = threading.active_count()
    with follower:
        assert threading.active_count() == before + 1
    assert threading.active_count() == before
    assert broker.closed == broker.consumers == 1
