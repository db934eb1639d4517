"""What the database holds of a device, read through the views of ``api`` as the person whose login it is."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import psycopg
from psycopg.rows import class_row

from ecgstream.store.trace_rows import block_of
from ecgstream.store.traces import Block
from schemas import codec
from schemas.records import Control, Lane, Start, Vital

SLACK = timedelta(seconds=130)
"""How far a block's nominal time may be from the device's own, as ``api.trace`` has it."""
SLICE = timedelta(hours=1)
"""Of signal that is in memory at once."""
CONTROLS = timedelta(days=30)
"""Before a replay begins: what holds is told anew every day."""
VITALS = timedelta(days=1)
"""Before a replay begins: no number counts for longer in a score."""
_NEWEST = 100
"""Records: all that holds is told together, and anew every day."""
_BLOCK = (
    'SELECT device, session, channel, first_sample, code, kind, unit, rate, gain, "offset", high_pass,'
    " low_pass, notch, n, codec, data, packet_seq, packet_first, packet_ns, packet_lead_off, packet_offset,"
    " pace FROM api.trace_blocks WHERE device = %s AND time >= %s AND time < %s AND session = %s"
    " ORDER BY first_sample, channel"
)


class Ran(NamedTuple):
    """A segment as it is stored; ``to_sample`` and ``to_ns`` are None while it goes on."""

    session: int
    lane: Lane
    from_sample: int
    from_ns: int
    to_sample: int | None
    to_ns: int | None
    start: Start
    settings: dict[str, Any]
    version: str


class Placed(NamedTuple):
    """A vital sign, or a control record, and the offset of its record in the log.

    ``place``: within that record.
    """

    offset: int
    place: int
    item: Vital | Control


def segments(connection: psycopg.Connection, device: str, since_ns: int, until_ns: int) -> list[Ran]:
    """Return the segments that have a part in a stretch of the device's time, by their begin."""
    return _segments(
        connection,
        "device = %s AND from_ns < %s AND (to_ns IS NULL OR to_ns > %s)",
        (device, until_ns, since_ns),
    )


def session(connection: psycopg.Connection, device: str, number: int) -> list[Ran]:
    """Return the segments of a session, by their begin."""
    return _segments(connection, "device = %s AND session = %s", (device, number))


def before(connection: psycopg.Connection, device: str, from_ns: int, number: int) -> Ran | None:
    """Return the newest live segment before a session that begins at ``from_ns``."""
    found = _segments(
        connection,
        "device = %s AND lane = 'LIVE' AND session < %s AND from_ns < %s AND to_ns IS NOT NULL",
        (device, number, from_ns),
        " DESC LIMIT 1",
    )
    return found[0] if found else None


def _segments(
    connection: psycopg.Connection, where: Any, values: tuple[Any, ...], order: Any = ""
) -> list[Ran]:
    columns = "session, lane, from_sample, from_ns, to_sample, to_ns, start, settings, version"
    with connection.cursor(row_factory=class_row(Ran)) as cursor:
        rows = cursor.execute(
            f"SELECT {columns} FROM api.segments WHERE {where} ORDER BY from_ns{order}",  # noqa: S608 - our own
            values,
        ).fetchall()
    return [row._replace(lane=Lane(row.lane), start=Start(row.start)) for row in rows]


def blocks(
    connection: psycopg.Connection, device: str, number: int, since_ns: int, until_ns: int
) -> Iterator[list[Block]]:
    """Yield the blocks of a session in slices of ``SLICE``, each by first sample.

    Raises:
        ecgstream.store.trace_codec.TraceError: a block cannot be decoded.
    """
    at, end = moment(since_ns) - SLACK, moment(until_ns) + SLACK
    while at < end:
        until = min(at + SLICE, end)
        rows = connection.execute(_BLOCK, (device, at, until, number), binary=True).fetchall()
        yield [block_of(row) for row in rows]
        at = until


def has_places(connection: psycopg.Connection, device: str, first: int, since_ns: int, until_ns: int) -> bool:
    """Return whether all that is stored of a stretch, from a session on, has its place in the log."""
    row = connection.execute(
        "SELECT FROM api.trace_blocks WHERE device = %s AND time >= %s AND time < %s AND session >= %s"
        " AND channel = 0"
        " AND (cardinality(packet_offset) < cardinality(packet_seq) OR -1 = ANY(packet_offset)) LIMIT 1",
        (device, moment(since_ns) - SLACK, moment(until_ns) + SLACK, first),
    ).fetchone()
    return row is None


def vitals(connection: psycopg.Connection, device: str, since_ns: int, until_ns: int) -> list[Placed]:
    """Return the vital signs of a stretch, and of a day before it."""
    rows = connection.execute(
        "SELECT source_offset, place, session, time_ns, code, value FROM api.vitals"
        " WHERE device = %s AND time >= %s AND time < %s ORDER BY source_offset, place, time_ns",
        (device, moment(since_ns) - VITALS, moment(until_ns)),
        binary=True,
    )
    return [
        Placed(offset, place, Vital(device, number, time_ns, code, float("nan") if value is None else value))
        for offset, place, number, time_ns, code, value in rows
    ]


def controls(connection: psycopg.Connection, device: str, since_ns: int, until_ns: int) -> list[Placed]:
    """Return the control records of a stretch, and of a month before it.

    Raises:
        schemas.errors.BadRecordError: a record of a version that is not known here.
    """
    rows = connection.execute(
        "SELECT source_offset, record FROM api.controls"
        " WHERE device = %s AND time >= %s AND time < %s ORDER BY source_offset",
        (device, moment(since_ns) - CONTROLS, moment(until_ns) + SLACK),
        binary=True,
    )
    return [Placed(offset, -1, codec.decode_as(Control, bytes(record))) for offset, record in rows]


def newest_settings(connection: psycopg.Connection, device: str) -> list[Placed]:
    """Return the control records of settings and limits that came last, which say all that is in force.

    Raises:
        schemas.errors.BadRecordError: a record of a version that is not known here.
    """
    rows = connection.execute(
        "SELECT source_offset, record FROM api.controls"
        " WHERE device = %s AND kind IN ('Settings', 'Limits')"
        " ORDER BY time DESC, source_offset DESC LIMIT %s",
        (device, _NEWEST),
        binary=True,
    ).fetchall()
    return [Placed(offset, -1, codec.decode_as(Control, bytes(record))) for offset, record in reversed(rows)]


def moment(ns: int) -> datetime:
    """Return a time in UTC ns as the views have it, to the microsecond."""
    return datetime.fromtimestamp(ns // 10**9, UTC) + timedelta(microseconds=ns % 10**9 // 1000)
