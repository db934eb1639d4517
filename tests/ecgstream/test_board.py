"""The board: what Kafka holds of alerts, and whether it still does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from kafka import TopicPartition
from kafka.errors import KafkaTimeoutError

from ecgstream import board as board_module
from ecgstream.board import Board
from schemas import topics
from schemas.codec import encode
from schemas.records import Alert, Phase
from tests.alerts.timeline import Timeline, id_of


class Record(NamedTuple):
    key: bytes
    value: bytes | None


class Log:
    """One partition, and consumers of it."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.is_away = False
        self.readers = 0

    def put(self, alert: Alert) -> None:
        self.records.append(Record(alert.id.encode(), encode(alert)))

    def reader(self) -> Any:
        self.readers += 1
        return _Reader(self)


class _Reader:
    def __init__(self, log: Log) -> None:
        self.log = log
        self.at = 0

    def assign(self, _sources: Any) -> None:
        pass

    seek_to_beginning = assign

    def end_offsets(self, sources: list[TopicPartition]) -> dict[TopicPartition, int]:
        if self.log.is_away:
            raise KafkaTimeoutError
        return dict.fromkeys(sources, len(self.log.records))

    def position(self, _source: TopicPartition) -> int:
        return self.at

    def poll(self, timeout_ms: int) -> dict[TopicPartition, list[Record]]:
        time.sleep(timeout_ms / 10_000)
        found, self.at = self.log.records[self.at :], len(self.log.records)
        return {TopicPartition(topics.ALERTS.name, 0): found} if found and not self.log.is_away else {}

    def close(self) -> None:
        pass


@pytest.fixture
def log() -> Log:
    return Log()


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_it_shows_the_newest_of_each_alert_and_forgets_what_is_deleted(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(board_module, "_ASK_S", 0.05)
    monkeypatch.setattr(board_module, "_RETRY_S", 0.05)
    timeline = Timeline()
    timeline.at(4, Phase.ONSET)
    log.put(timeline.alert())
    log.records.append(Record(b"?", b"garbage"))
    board, stop = Board(log.reader, 1), threading.Event()
    assert not board.is_current
    assert board.alert(id_of()) is None
    thread = threading.Thread(target=board.run, args=(stop,))
    thread.start()
    try:
        until(lambda: board.is_current)
        assert board.alert(id_of()) == timeline.alert()
        timeline.acknowledge(6, "li")
        log.put(timeline.alert())
        until(lambda: board.alert(id_of()) == timeline.alert())
        monkeypatch.setattr(board_module, "CURRENT_S", 0.2)
        log.is_away = True
        until(lambda: not board.is_current)
        assert board.alert(id_of()) == timeline.alert()  # what was known is shown, as not up to date
        log.is_away = False
        until(lambda: board.is_current)
        assert log.readers >= 2
        log.records.append(Record(id_of().encode(), None))
        until(lambda: board.alert(id_of()) is None)
    finally:
        stop.set()
        thread.join()
