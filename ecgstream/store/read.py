"""What the application asks of the store: functions on an open connection, over the views of ``api``."""

from collections.abc import Sequence
from typing import LiteralString, NamedTuple
from uuid import UUID

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg.rows import class_row

from ecgstream.store.trace_codec import decode_block
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
