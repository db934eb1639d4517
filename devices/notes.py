"""What a spool notes beside its records: gaps, and how far devices have come.

What is not as it was written is forgotten. Its records are all there, and go as those of which nothing was
noted: a backlog without its gap is planned for anew, a device without its course begins a new session. By a
wrong one, its signal would be taken for what was here before.
"""

import sqlite3

from devices.backlog import Gap
from devices.rows import seal

_GAPS = """
SELECT shard, CAST(device AS BLOB), from_record, to_record, session, from_sample, planned_ns, crc
FROM gap ORDER BY to_record"""
PUT_GAP = "INSERT INTO gap VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
PUT_COURSE = "INSERT OR REPLACE INTO course VALUES (?, ?, ?)"


def gap_row(shard: int, gap: Gap) -> tuple[int | str, ...]:
    """Return the row of a gap."""
    values = (shard, *gap)
    return (*values, seal(values))


def course_row(device: str, course: bytes) -> tuple[int | str | bytes, ...]:
    """Return the row of a course."""
    return (device, course, seal((device, course)))


def gaps(connection: sqlite3.Connection) -> list[tuple[int, Gap]]:
    """Return the gaps with their shards, in order; delete those that are damaged."""
    found, is_damaged = [], False
    for shard, device, *rest, crc in connection.execute(_GAPS).fetchall():
        values = (shard, device.decode(errors="replace"), *rest)
        if crc in (None, seal(values)):
            found.append((shard, Gap(*values[1:])))
        else:
            is_damaged = True
    if is_damaged:  # by what they are not, since nobody knows what their keys were
        connection.execute("DELETE FROM gap")
        connection.executemany(PUT_GAP, [gap_row(*one) for one in found])
    return found


def courses(connection: sqlite3.Connection) -> dict[str, bytes]:
    """Return how far devices have come, where that is certain."""
    rows = connection.execute("SELECT CAST(device AS BLOB), value, crc FROM course")
    told = [(device.decode(errors="replace"), value, crc) for device, value, crc in rows]
    return {device: value for device, value, crc in told if crc in (None, seal((device, value)))}
