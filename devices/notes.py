"""What a spool notes beside its records: gaps, how far devices have come, what is known of their clocks.

What is not as it was written is forgotten. Its records are all there, and go as those of which nothing was
noted: a backlog without its gap is planned for anew, a device without its course begins a new session. By a
wrong one, its signal would be taken for what was here before. What is known of a clock is seen anew.
"""

import sqlite3
from typing import Literal

from devices.backlog import Gap
from devices.rows import seal

What = Literal["course", "clock"]
"""What is known of devices: how far they have come (``devices.sessions``), and of their clocks
(``devices.corrections``)."""
_GAPS = """
SELECT shard, CAST(device AS BLOB), from_record, to_record, session, from_sample, planned_ns, crc
FROM gap ORDER BY to_record"""
PUT_GAP = "INSERT INTO gap VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


def gap_row(shard: int, gap: Gap) -> tuple[int | str, ...]:
    """Return the row of a gap."""
    values = (shard, *gap)
    return (*values, seal(values))


def put(what: What) -> str:
    """Return the statement that keeps a ``row``."""
    return f"INSERT OR REPLACE INTO {what} VALUES (?, ?, ?)"  # noqa: S608 - a name of ours


def row(device: str, value: bytes) -> tuple[int | str | bytes, ...]:
    """Return the row of what is known of a device."""
    return (device, value, seal((device, value)))


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


def known(connection: sqlite3.Connection, what: What) -> dict[str, bytes]:
    """Return what is known, by device, where that is certain."""
    rows = connection.execute(f"SELECT CAST(device AS BLOB), value, crc FROM {what}")  # noqa: S608
    told = [(device.decode(errors="replace"), value, crc) for device, value, crc in rows]
    return {device: value for device, value, crc in told if crc in (None, seal((device, value)))}
