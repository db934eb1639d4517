"""A sink without a database: when it reads, and when it says that all is well again."""

from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from kafka import TopicPartition

from ecgstream.store.sink import MAX_BACKOFF_S, Sink
from schemas import topics
from schemas.codec import encode
from schemas.records import AlertState
from tests.system.made import alert

SOURCE = TopicPartition(topics.ALERTS.name, 0)


class FakeMember:
    """Owns a partition with one record, until a rebalance takes it away."""

    def __init__(self) -> None:
        self.owned = {SOURCE}
        self.held: set[TopicPartition] = set()
        self.revoked: set[TopicPartition] = set()
        self.looks = 0
        self._records = [SimpleNamespace(offset=0, value=encode(alert("dev", AlertState.ACTIVE, 5, 1)))]

    @property
    def assignment(self) -> set[TopicPartition]:
        return set(self.owned)

    def poll(self, _timeout_s: float) -> tuple[set[TopicPartition], dict[TopicPartition, list[Any]]]:
        if not self.owned or self.revoked:
            return {SOURCE}, {}
        found, self._records = self._records, []
        return set(), {SOURCE: found} if found else {}

    def hold(self, held: set[TopicPartition]) -> None:
        self.held = set(held)

    def begun(self, _partition: TopicPartition) -> None:
        return None

    def look(self) -> None:
        self.looks += 1

    def waiting(self) -> dict[TopicPartition, int]:
        return dict.fromkeys(self.owned, 0)


class NoDatabase:
    """Counts who asks."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self) -> psycopg.Connection:
        self.asked += 1
        raise psycopg.OperationalError("away")


def test_where_a_partition_stands_is_found_out_anew_behind_a_rebalance_that_gives_it_back() -> None:
    """Else nothing could be compared with the database, which may be an older one, until a record comes."""
    member = FakeMember()
    sink = Sink(member, NoDatabase(), clock=lambda: 0.0)  # type: ignore[arg-type]
    for revoked, looks in ((set(), 1), (set(), 1), ({SOURCE}, 2), (set(), 2)):
        member.revoked = revoked
        sink.step()
        assert member.looks == looks


def failed() -> tuple[Sink, FakeMember, NoDatabase, list[float]]:
    """A sink that has just found its database away."""
    member, database, now = FakeMember(), NoDatabase(), [0.0]
    sink = Sink(member, database, clock=lambda: now[0])  # type: ignore[arg-type]
    sink.step()
    assert member.held == set()
    now[0] = 1.0
    sink.step()
    assert sink.counts.failures == 1
    return sink, member, database, now


def test_nothing_is_read_from_the_failure_on() -> None:
    _, member, _, _ = failed()
    assert member.held == {SOURCE}


@pytest.mark.parametrize("owns_something", [True, False])
def test_whether_it_is_back_is_asked_even_if_there_is_nothing_to_write(*, owns_something: bool) -> None:
    """A rebalance may take away what was to be written; the database is no nearer for it."""
    sink, member, database, now = failed()
    if not owns_something:
        member.owned = set()
    for turn in range(2, 6):
        now[0] += MAX_BACKOFF_S
        sink.step()
        assert (database.asked, sink.counts.failures) == (turn, turn)
