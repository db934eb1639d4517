"""Which of the trace blocks that wait a flush writes, and that no other is taken for written."""

from collections.abc import Iterable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from kafka import TopicPartition

from ecgstream.store import sink as sinks
from ecgstream.store.sink import Sink

GONE, KEPT = TopicPartition("ecg.ingest", 0), TopicPartition("ecg.ingest", 1)


class Written:
    """A database that takes everything and knows how far it had come."""

    def __init__(self, positions: dict[TopicPartition, int]) -> None:
        self.blocks: list[Any] = []
        self._positions = positions

    def positions(self) -> dict[TopicPartition, int]:
        return self._positions

    def write(self, _rows: Iterable[Any], blocks: Sequence[Any]) -> None:
        self.blocks += blocks

    def note(self, _positions: Any) -> None:
        pass


def made(begun: dict[TopicPartition, int], stored: dict[TopicPartition, int]) -> tuple[Sink, Written, Any]:
    """Return a sink, its database, and its member, which notes where it goes back to and what it commits."""
    member: Any = SimpleNamespace(
        assignment=set(begun), begun=begun.get, went_back={}, committed={}, held=set()
    )
    member.go_back = member.went_back.update
    member.commit = member.committed.update
    sink = Sink(member, lambda: None, clock=lambda: 0.0)  # type: ignore[arg-type,return-value]
    database = Written(stored)
    sink._writer = database  # type: ignore[assignment]
    return sink, database, member


def block(source: TopicPartition, offset: int) -> Any:
    return SimpleNamespace(source=source, offset=offset)


@pytest.fixture(autouse=True)
def _one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sinks, "FLUSH_BLOCKS", 1)
    monkeypatch.setattr(sinks, "BLOCKS_SHARE", 0.0)


def test_a_portion_is_written_and_the_rest_holds_its_offsets_back() -> None:
    sink, database, member = made({KEPT: 0}, {})
    first, second = block(KEPT, 3), block(KEPT, 7)
    sink._blocks, sink._next = [first, second], {KEPT: 20}
    sink._flush()
    assert (database.blocks, sink._blocks, member.committed) == ([first], [second], {KEPT: 7})
    sink._flush()
    assert (database.blocks, sink._blocks, member.committed) == ([first, second], [], {KEPT: 20})


def test_what_a_look_back_forgets_takes_no_other_block_along() -> None:
    sink, database, member = made({GONE: 9, KEPT: 0}, {GONE: 2})
    kept = block(KEPT, 3)
    sink._blocks, sink._next = [block(GONE, 9), kept], {GONE: 12, KEPT: 20}
    sink._flush()
    assert member.went_back == {GONE: 2}
    assert (database.blocks, sink._blocks) == ([kept], [])
    assert member.committed == {KEPT: 20}
