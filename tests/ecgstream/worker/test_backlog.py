"""A backlog waits until the live lane has seen what lay in the log before it."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaTimeoutError

from ecgstream.settings import Settings
from ecgstream.worker.backlog import Backlog

TP = TopicPartition("ecg.backfill", 3)


class Reader:
    """The topic from a position on; ``end``: where the ingest partition ends, for whoever asks now."""

    def __init__(self, offsets: range, end: int) -> None:
        self.offsets = offsets
        self.end = end
        self.position = 0
        self.is_away = False
        self.asked = 0

    async def getmany(self, *, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[Any]]:
        at = [offset for offset in self.offsets if offset >= self.position][:max_records]
        if at:
            self.position = at[-1] + 1
        return {TP: [SimpleNamespace(offset=o, timestamp=1, value=b"") for o in at]} if at else {}

    async def end_offsets(self, wanted: list[TopicPartition]) -> dict[TopicPartition, int]:
        assert wanted == [TopicPartition("ecg.ingest", 3)]
        self.asked += 1
        if self.is_away:
            raise KafkaTimeoutError
        return {wanted[0]: self.end}

    def seek(self, tp: TopicPartition, offset: int) -> None:
        assert tp == TP
        self.position = offset


class Scene:
    """A backlog of five records, an ingest partition that ends at 12; ``live``: how far its lane has come."""

    def __init__(self) -> None:
        self.live = 10
        self.processed: list[int] = []
        self.reader = Reader(range(5), 12)
        partition = SimpleNamespace(next_offset=0, number=3, process=self.process)
        self.partitions: dict[int, Any] = {3: partition}
        checkpoints: Any = SimpleNamespace(send=self.send)
        self.backlog = Backlog(
            Settings(), checkpoints, lambda: self.partitions, lambda: False, lambda _number: self.live
        )
        self.backlog._assigned = self.partitions
        self.backlog._reader = self.reader  # type: ignore[assignment]

    def process(self, records: Any) -> None:
        self.processed += [record.offset for record in records]

    async def send(self, _partition: Any) -> None:
        pass

    def turns(self, count: int = 1) -> None:
        async def run() -> None:
            for _ in range(count):
                await self.backlog.turn()

        asyncio.run(run())


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ecgstream.worker.backlog.PAUSE_S", 0.0)


def test_a_backlog_waits_for_what_lay_before_it_and_no_longer() -> None:
    scene = Scene()
    scene.turns(3)
    assert scene.processed == []
    scene.reader.end = 99  # what has come since is not before it
    scene.live = 12
    scene.turns()
    assert scene.processed == [0, 1, 2, 3, 4]
    assert scene.reader.asked == 1


def test_where_the_end_is_not_known_nothing_is_filled_in() -> None:
    scene = Scene()
    scene.live = 1000
    scene.reader.is_away = True
    scene.turns(2)
    assert scene.processed == []
    scene.reader.is_away = False
    scene.turns()
    assert scene.processed == [0, 1, 2, 3, 4]


def test_what_comes_later_is_asked_for_anew() -> None:
    scene = Scene()
    scene.live = 12
    scene.turns()
    scene.reader.offsets, scene.reader.end = range(8), 20
    scene.turns()
    assert scene.processed == [0, 1, 2, 3, 4]
    scene.live = 20
    scene.turns()
    assert scene.processed == list(range(8))


def test_a_rebalance_while_the_end_is_asked_for_fills_nothing_in() -> None:
    scene = Scene()
    scene.live = 12
    asked = scene.reader.end_offsets

    async def meanwhile(wanted: list[TopicPartition]) -> dict[TopicPartition, int]:
        scene.partitions = {}
        return await asked(wanted)

    scene.reader.end_offsets = meanwhile  # type: ignore[method-assign]
    scene.turns()
    assert scene.processed == []
