"""What a member of a group makes of a broker that is away."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from kafka.errors import GroupAuthorizationFailedError, KafkaConnectionError, KafkaError

from ecgstream.member import Member


class Away:
    """A consumer whose polls fail."""

    def __init__(self, error: KafkaError) -> None:
        self.error = error
        self._fetcher = SimpleNamespace(_next_partition_records=None)

    def poll(self, timeout_ms: int) -> dict[Any, Any]:
        assert timeout_ms > 0
        raise self.error

    def assignment(self) -> set[Any]:
        return set()


def test_nothing_comes_of_a_broker_that_is_away() -> None:
    assert Member(Away(KafkaConnectionError("111 ECONNREFUSED"))).poll(0.01) == (set(), {})


def test_what_does_not_get_better_by_itself_ends_the_service() -> None:
    with pytest.raises(GroupAuthorizationFailedError):
        Member(Away(GroupAuthorizationFailedError("pager"))).poll(0.01)
