"""Which devices have records where among a shard's, so that a start need not read what is backlog anyway.

A *stretch* is some hundred records of a shard, as they came. It is kept in the spool's file which devices
they are of. Where each of these has a gap from the first record to the last (``devices.backlog``), nothing of
the stretch goes live, and nobody need look into it to know what goes next. After days without a line that is
nearly all there is.

What is kept here says at most too much: a stretch may hold less than it says, since records go; so all that
can come of it is a stretch that is read in vain. One of which it is not known, or not certain, is read.
"""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from devices.rows import seal

TABLES = """
CREATE TABLE stretch ( -- some hundred records of a shard (devices/stretches.py)
    shard INTEGER NOT NULL,
    first INTEGER NOT NULL, -- number of its first record; it ends where the next one begins
    devices TEXT, -- JSON; NULL: it must be read
    crc INTEGER NOT NULL, -- of this row
    PRIMARY KEY (shard, first)
) STRICT, WITHOUT ROWID;
"""
RECORDS = 500
"""Of a stretch: at most so many are read that need not be, for each gap that begins within one."""
_UNKNOWN: frozenset[str] | None = None
_OVER = """
DELETE FROM stretch WHERE shard = :shard AND first < (
    SELECT max(first) FROM stretch
    WHERE shard = :shard AND first <= (SELECT min(number) FROM record WHERE shard = :shard)
)"""


class Stretch(NamedTuple):
    """Records of a shard from number ``begin`` on and below ``end``; ``devices``: ``None`` where unknown."""

    shard: int
    begin: int
    end: int
    devices: frozenset[str] | None


@dataclass(slots=True)
class _Open:
    """The newest stretch of a shard, which still grows."""

    first: int
    records: int = 0
    devices: set[str] | None = field(default_factory=set)


class Stretches:
    """Notes what is put; ``write`` is part of the spool's transaction.

    Args:
        connection: to the spool's file.
        newest: the highest number of its records. Numbers begin anew where all have gone, so that what lies
            above is of other records.
    """

    def __init__(self, connection: sqlite3.Connection, newest: int) -> None:
        self._open: dict[int, _Open] = {}
        self._changed: dict[tuple[int, int], _Open] = {}
        connection.execute("DELETE FROM stretch WHERE first > ?", (newest,))

    def put(self, number: int, shard: int, devices: Iterable[str], *, is_live: bool) -> None:
        """Note a record; one that is not live goes as backlog though there is no gap, so it must be read."""
        newest = self._open.get(shard)
        if newest is None or newest.records >= RECORDS:
            newest = self._open[shard] = _Open(number)
            self._changed[shard, number] = newest
        newest.records += 1
        if newest.devices is None or (is_live and newest.devices.issuperset(devices)):
            return
        newest.devices = newest.devices.union(devices) if is_live else None
        self._changed[shard, newest.first] = newest

    def write(self, connection: sqlite3.Connection) -> None:
        """Write what has changed; forget stretches whose records have all gone."""
        for (shard, first), stretch in self._changed.items():
            text = None if stretch.devices is None else json.dumps(sorted(stretch.devices))
            row = (shard, first, text, seal((shard, first, text)))
            connection.execute("INSERT OR REPLACE INTO stretch VALUES (?, ?, ?, ?)", row)
        for shard in {shard for shard, _ in self._changed}:
            connection.execute(_OVER, {"shard": shard})

    def written(self) -> None:
        """Hear that it was committed."""
        self._changed.clear()


def found(connection: sqlite3.Connection, shards: Iterable[int], end: int) -> Iterator[Stretch]:
    """Yield the stretches of these shards as the file has them, each shard's in order; none is left out.

    ``end``: a number that no record reaches.
    """
    known = _known(connection)
    for shard in shards:
        begin, devices = 0, _UNKNOWN  # of before there were any
        for first, its in known.get(shard, ()):
            if first > begin:
                yield Stretch(shard, begin, first, devices)
            begin, devices = first, its
        yield Stretch(shard, begin, end, devices)


def _known(connection: sqlite3.Connection) -> dict[int, list[tuple[int, frozenset[str] | None]]]:
    """Return first record and devices of each stretch, by shard.

    Where a row is not as it was written, nobody knows which stretch has ended there: then none is known.
    """
    known: defaultdict[int, list[tuple[int, frozenset[str] | None]]] = defaultdict(list)
    query = "SELECT shard, first, CAST(devices AS BLOB), crc FROM stretch ORDER BY shard, first"
    for shard, first, raw, crc in connection.execute(query):
        try:
            text = None if raw is None else raw.decode()
        except UnicodeDecodeError:
            return {}
        if crc != seal((shard, first, text)):
            return {}
        known[shard].append((first, None if text is None else frozenset(json.loads(text))))
    return known
