"""Hourly trends, made of the minutes.

Whoever writes minutes leaves a row in ``ecg.hour_due``, a device and hour, in the same transaction. A batch:

1. takes such rows of hours that are over, and locks them;
2. makes the hours of these devices from all their minutes, which are read after the lock was had: a sink that
   wrote before has committed, one that writes later leaves its row anew;
3. commits both.

Ended in between, nothing has happened. An hour never comes to be made of fewer rows than it was: minutes that
are no longer kept take nothing away from it.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import psycopg

BATCH = 1000
LATE = timedelta(minutes=5)
"""How long after its end an hour is left to the minutes that are on their way."""

_TAKE = """
    DELETE FROM ecg.hour_due WHERE (device, time) IN (
        SELECT device, time FROM ecg.hour_due WHERE time < %s ORDER BY time, device LIMIT %s
        FOR UPDATE SKIP LOCKED)
    RETURNING device, time
"""
_MAKE = """
    INSERT INTO ecg.trend_hour AS t (device, time, code, parts, n, mean, low, high)
    SELECT d.device, d.time, m.* FROM unnest(%s::text[], %s::timestamptz[]) AS d (device, time)
    CROSS JOIN LATERAL (
        SELECT code, count(*), sum(n)::bigint,
            (sum(n * mean::float8) / nullif(sum(n::float8) FILTER (WHERE mean IS NOT NULL), 0))::real,
            min(low), max(high)
        FROM ecg.trend WHERE device = d.device AND time >= d.time AND time < d.time + interval '1 h'
            AND time >= %s AND time < %s  -- constants, by which TimescaleDB leaves chunks out
        GROUP BY code
    ) AS m
    ON CONFLICT (device, time, code) DO UPDATE SET parts = excluded.parts, n = excluded.n,
        mean = excluded.mean, low = excluded.low, high = excluded.high
    WHERE excluded.parts >= t.parts
"""


def over(now: datetime) -> datetime:
    """Return the beginning of the first UTC hour that is not over, or not for long.

    >>> over(datetime(2026, 1, 2, 3, 4, tzinfo=UTC)).hour, over(datetime(2026, 1, 2, 3, 5, tzinfo=UTC)).hour
    (2, 3)
    """
    return (now.astimezone(UTC) - LATE).replace(minute=0, second=0, microsecond=0)


def due(connection: psycopg.Connection, before: datetime) -> int:
    """Return how many hours before then are to be made, a device."""
    row = connection.execute("SELECT count(*) FROM ecg.hour_due WHERE time < %s", (before,)).fetchone()
    return 0 if row is None else int(row[0])


def make(connection: psycopg.Connection, before: datetime) -> Iterator[int]:
    """Make what is due before then; yield how many hours each batch took. ``connection``: autocommit."""
    while True:
        with connection.transaction():
            taken = connection.execute(_TAKE, (before, BATCH)).fetchall()
            if not taken:
                return
            devices, times = zip(*taken, strict=True)
            whole = min(times), max(times) + timedelta(hours=1)
            connection.execute(_MAKE, (list(devices), list(times), *whole), prepare=False)
        yield len(taken)
