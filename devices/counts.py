"""How much a spool holds: asked of its file once, at the start, and counted on from there.

To count millions of records takes the disk's time, and the spool's lock, each time anew.
"""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Held:
    """How much waits for Kafka's acknowledgement, and since when (the gateway's clock, UTC ns)."""

    records: int
    bytes: int
    oldest_ns: int | None


class Counts:
    """What waits: ``records`` of so many ``bytes``; ``newest``: the highest number ever seen.

    Args:
        connection: to the spool's file. An index holds all that is asked for, so no record is read.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        query = "SELECT shard, count(*), total(size), max(number) FROM record GROUP BY shard"
        found = connection.execute(query).fetchall()
        self.shards = {row[0] for row in found}
        """Those that have records, or had some."""
        self.records: int = sum(row[1] for row in found)
        self.bytes = int(sum(row[2] for row in found))
        self.newest: int = max((row[3] for row in found), default=0)
        self._below: dict[int, tuple[int, int]] = {}  # by shard: a number, and how many lie below it

    def held(self, oldest_ns: int | None) -> Held:
        """Return how much waits; ``oldest_ns``: since when."""
        return Held(self.records, self.bytes, oldest_ns)

    def put(self, number: int, shard: int, size: int) -> None:
        """Count a record that has come, behind all others."""
        self.shards.add(shard)
        self.records += 1
        self.bytes += size
        self._move(number, shard, 1)

    def gone(self, number: int, shard: int, size: int) -> None:
        """Count a record that waits no more."""
        self.records -= 1
        self.bytes -= size
        self._move(number, shard, -1)

    def _move(self, number: int, shard: int, by: int) -> None:
        limit, below = self._below.get(shard, (0, 0))
        if number < limit:
            self._below[shard] = limit, below + by

    def below(self, shard: int, limit: int, between: Callable[[int, int], int]) -> int:
        """Return how many records of a shard have a number below ``limit``.

        Args:
            shard: which.
            limit: the number; it moves little from one time to the next.
            between: counts those from a number on and below another one.
        """
        at, count = self._below.get(shard, (0, 0))
        count += between(at, limit) if at <= limit else -between(limit, at)
        self._below[shard] = limit, count
        return count
