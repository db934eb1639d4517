"""A record of the spool as two rows, its head and its body, and what says that each is whole.

SQLite looks at how its pages hang together, not at what stands in them. So each row carries a CRC32C of
itself, which is looked at whenever it is read: what a disk gives back otherwise than it took it is never
sent. Rows without one were written by version 2, which had none.
"""

from typing import Any, NamedTuple

from crc32c import crc32c

from devices.backlog import Part
from devices.parts import from_text, to_text

SELECT = "SELECT number, shard, live, spooled_ns, size, CAST(parts AS BLOB), level, ran_s, crc FROM record"
"""What ``record_of`` is given; as bytes, since SQLite's module fails where damaged text is no UTF-8."""
BODY = "SELECT value, body.crc, shard, size FROM body JOIN record USING (number)"
PUT = "INSERT OR REPLACE INTO record VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"


class Record(NamedTuple):
    """What is known of a record without reading it.

    Attributes:
        is_live: false: it has parts of the backlog only.
        spooled_ns: when it was taken, by the gateway's clock.
        ran_s: the same, by how long the gateway had run (``devices.tally``).
        level: how much was taken from it since (``devices.thinning``).
    """

    number: int
    shard: int
    size: int
    parts: list[Part]
    is_live: bool = True
    spooled_ns: int = 0
    ran_s: int = 0
    level: int = 0


def head_of(record: Record) -> tuple[int | str, ...]:
    """Return the row of a record's head."""
    values = (
        record.number,
        record.shard,
        int(record.is_live),
        record.spooled_ns,
        record.size,
        to_text(record.parts),
        record.level,
        record.ran_s,
    )
    return (*values, seal(values))


def record_of(row: tuple[Any, ...]) -> Record | None:
    """Return the record of a head as it was selected; ``None``: it is not as it was written.

    >>> selected = [v.encode() if isinstance(v, str) else v for v in head_of(Record(5, 3, 10, [], ran_s=7))]
    >>> record_of(tuple(selected))
    Record(number=5, shard=3, size=10, parts=[], is_live=True, spooled_ns=0, ran_s=7, level=0)
    >>> selected[1] = 4
    >>> record_of(tuple(selected)) is None
    True
    """
    *values, crc = row
    number, shard, live, spooled_ns, size, raw, level, ran_s = values
    try:
        text = raw.decode()
        if crc not in (None, seal((number, shard, live, spooled_ns, size, text, level, ran_s))):
            return None
        return Record(number, shard, size, from_text(text), bool(live), spooled_ns, ran_s, level)
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None


def checksum(number: int, value: bytes) -> int:
    """Return what a record's body carries; of another record's it would not be the same."""
    return crc32c(value, number & 0xFFFFFFFF)


def seal(values: tuple[Any, ...]) -> int:
    """Return what a row of these values carries besides."""
    return crc32c(repr(values).encode())
