"""What the application asks of the store: functions on an open connection, over the views of ``api``."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any, LiteralString, NamedTuple
from uuid import UUID

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg.rows import class_row

from ecgstream.store.trace_codec import decode_block
from ecgstream.store.traces import position
from schemas.records import MISSING


class PacketCount(NamedTuple):
    """Packets of a session that the traces hold; ``duplicates`` are rows beyond the distinct ``seq``."""

    device: str
    session: int
    stored: int
    duplicates: int


class BeatRow(NamedTuple):
    """One beat annotation; ``code`` is a WFDB letter."""

    session: int
    sample: int
    time_ns: int
    code: str


class AlertRow(NamedTuple):
    """One alert; ``recorded_ns``: when its row came first, by the database's clock."""

    id: UUID
    device: str
    patient: str
    session: int
    condition: str
    priority: str
    state: str
    onset_sample: int
    onset_ns: int
    decided_sample: int
    decided_ns: int
    delay_s: float
    end_ns: int | None
    published_ns: int
    raised_ns: int
    updated_ns: int
    recorded_ns: int


class Stretch(NamedTuple):
    """A lead's signal from one session, in a row; value in ``unit`` = (sample - offset) / gain.

    ``samples``: int16, shape (n,), -32768 where nothing is stored; ``first_sample``: the index of the first,
    at the channel's own rate; ``start_ns``: its time by the device's clock.
    """

    session: int
    channel: int
    first_sample: int
    start_ns: int
    rate: float
    gain: float
    offset: float
    unit: int
    samples: NDArray[np.int16]


class TrendRow(NamedTuple):
    """A number in a bucket of time: how many values, their mean, the least and the greatest."""

    time: datetime
    code: int
    n: int
    mean: float | None
    low: float | None
    high: float | None


def packet_counts(connection: psycopg.Connection) -> list[PacketCount]:
    """Count the packets that are stored, a device and session."""
    with connection.cursor(row_factory=class_row(PacketCount)) as cursor:
        return cursor.execute(
            "SELECT device, session, count(DISTINCT seq) AS stored,"
            " count(*) - count(DISTINCT seq) AS duplicates"
            " FROM api.trace_blocks CROSS JOIN LATERAL unnest(packet_seq) AS p (seq)"
            " WHERE channel = 0 GROUP BY device, session ORDER BY device, session"
        ).fetchall()


def beats_by_code(connection: psycopg.Connection, sessions: Sequence[int]) -> dict[str, dict[str, int]]:
    """Return device to WFDB code to number of beats in these sessions."""
    rows = connection.execute(
        "SELECT device, code, count(*) FROM api.beats WHERE session = ANY(%s)"
        " GROUP BY device, code ORDER BY device, code",
        (list(sessions),),
    )
    found: dict[str, dict[str, int]] = {}
    for device, code, n in rows:
        found.setdefault(device, {})[code] = n
    return found


def beats(connection: psycopg.Connection, device: str) -> list[BeatRow]:
    """Return a device's beats in order."""
    with connection.cursor(row_factory=class_row(BeatRow)) as cursor:
        return cursor.execute(
            "SELECT session, sample, time_ns, code FROM api.beats WHERE device = %s ORDER BY session, sample",
            (device,),
        ).fetchall()


def alerts(connection: psycopg.Connection) -> list[AlertRow]:
    """Return all alerts, by onset."""
    with connection.cursor(row_factory=class_row(AlertRow)) as cursor:
        return cursor.execute(
            "SELECT id, device, patient, session, condition, priority, state, onset_sample, onset_ns,"
            " decided_sample, decided_ns, delay_s, end_ns, published_ns, raised_ns, updated_ns,"
            " (extract(epoch FROM recorded_at) * 1000000000)::bigint AS recorded_ns"
            " FROM api.alerts ORDER BY onset_ns, device, condition"
        ).fetchall()


def vital_count(connection: psycopg.Connection, sessions: Sequence[int]) -> int:
    """Return how many vitals of these sessions are stored."""
    return _count(connection, "SELECT count(*) FROM api.vitals WHERE session = ANY(%s)", sessions)


def trend_count(connection: psycopg.Connection, sessions: Sequence[int]) -> int:
    """Return how many minute trends of these sessions are stored."""
    return _count(connection, "SELECT count(*) FROM api.trends WHERE session = ANY(%s)", sessions)


def _count(connection: psycopg.Connection, query: LiteralString, sessions: Sequence[int]) -> int:
    row = connection.execute(query, (list(sessions),)).fetchone()
    return 0 if row is None else int(row[0])


def newest_session(connection: psycopg.Connection, device: str) -> int | None:
    """Return the session in which a device was seen last, ``None`` for a device that never was."""
    row = connection.execute("SELECT session FROM api.device_health WHERE device = %s", (device,)).fetchone()
    return None if row is None else int(row[0])


def trace(
    connection: psycopg.Connection,
    device: str,
    channel: int,
    from_sample: int,
    to_sample: int,
    session: int | None = None,
) -> NDArray[np.int16]:
    """Return samples ``from_sample`` to before ``to_sample``, counted at the channel's own rate.

    int16, shape (to_sample - from_sample,); -32768 where nothing is stored. Without ``session``: the one the
    device was seen in last.

    Raises:
        TraceError: a block cannot be decoded.
    """
    samples = np.full(max(0, to_sample - from_sample), MISSING, np.int16)
    wanted = newest_session(connection, device) if session is None else session
    blocks = connection.execute(
        "SELECT first_sample, n, codec, data FROM api.trace_blocks WHERE device = %s AND session = %s"
        " AND channel = %s AND first_sample < %s AND first_sample + n > %s",
        (device, wanted, channel, to_sample, from_sample),
        binary=True,
    )
    for first, n, codec, data in blocks:
        low, high = max(first, from_sample), min(first + n, to_sample)
        block = decode_block(codec, data, n)
        samples[low - from_sample : high - from_sample] = block[low - first : high - first]
    return samples


def signal(connection: psycopg.Connection, device: str, lead: str, from_ns: int, to_ns: int) -> list[Stretch]:
    """Return what is stored of a lead (``api.lead_code``) between two times of the device's clock.

    One stretch a session and channel, in order of time. Time is counted on from the newest packet before
    ``from_ns``: in a stretch of hours, a clock that is set shifts what comes after by as much.

    Raises:
        TraceError: a block cannot be decoded.
    """
    blocks = connection.execute(
        'SELECT session, channel, first_sample, rate, gain, "offset", unit, n, codec, data, packet_first,'
        " packet_ns, time FROM api.trace(%s, %s, %s, %s)",
        (device, lead, *map(_time, (from_ns, to_ns))),
        binary=True,
    ).fetchall()
    found = []
    for (session, channel), of_one in groupby(sorted(blocks, key=itemgetter(0, 1, 2)), itemgetter(0, 1)):
        stretch = _stretch(connection, device, session, channel, list(of_one), from_ns, to_ns)
        if stretch.samples.size:
            found.append(stretch)
    return sorted(found, key=lambda stretch: stretch.start_ns)


def _stretch(
    connection: psycopg.Connection,
    device: str,
    session: int,
    channel: int,
    blocks: list[tuple[Any, ...]],
    from_ns: int,
    to_ns: int,
) -> Stretch:
    """Put the blocks of one session and channel together, and cut them to the time that is asked for."""
    _, _, first, rate, gain, offset, unit, *_, nominal = blocks[0]
    end = max(b[2] + b[7] for b in blocks)
    samples = np.full(end - first, MISSING, np.int16)
    for b in blocks:
        samples[b[2] - first : b[2] - first + b[7]] = decode_block(b[8], b[9], b[7])
    rate_0 = rate if channel == 0 else _rate_0(connection, device, session, nominal, rate)
    packets = sorted(
        (position(p, rate, rate_0), at) for b in blocks for p, at in zip(b[10], b[11], strict=True)
    )
    packets = packets or [(first, int(nominal.timestamp() * 1e9))]

    def anchor(at_ns: int) -> tuple[int, int]:
        return max((p for p in packets if p[1] <= at_ns), default=packets[0])

    at, ns = anchor(from_ns)
    low = min(max(first, at + math.ceil((from_ns - ns) * rate / 1e9)), end)
    start_ns = ns + round((low - at) / rate * 1e9)
    at, ns = anchor(to_ns)
    high = min(max(low, at + math.ceil((to_ns - ns) * rate / 1e9)), end)
    return Stretch(
        session, channel, low, start_ns, rate, gain, offset, unit, samples[low - first : high - first]
    )


def _rate_0(
    connection: psycopg.Connection, device: str, session: int, near: datetime, otherwise: float
) -> float:
    """Return the rate of a session's channel 0, by which packets are counted."""
    row = connection.execute(
        "SELECT rate FROM api.trace_blocks WHERE device = %s AND session = %s AND channel = 0"
        " AND time BETWEEN %s::timestamptz - interval '1 min' AND %s::timestamptz + interval '1 min' LIMIT 1",
        (device, session, near, near),
    ).fetchone()
    return otherwise if row is None else float(row[0])


def trend(
    connection: psycopg.Connection, device: str, since: datetime, until: datetime, bucket: timedelta
) -> list[TrendRow]:
    """Return a device's numbers in buckets that begin at ``since``: see ``api.trend``."""
    with connection.cursor(row_factory=class_row(TrendRow)) as cursor:
        return cursor.execute(
            "SELECT time, code, n, mean, low, high FROM api.trend(%s, %s, %s, %s)",
            (device, since, until, bucket),
        ).fetchall()


def _time(ns: int) -> datetime:
    return datetime.fromtimestamp(ns // 10**9, UTC) + timedelta(microseconds=ns % 10**9 // 1000)
