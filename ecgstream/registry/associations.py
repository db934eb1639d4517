"""Who wears what, from when to when, where, and who said so."""

from collections.abc import Collection

import psycopg


def worn_now(connection: psycopg.Connection, devices: Collection[str]) -> dict[str, str | None]:
    """Return who wears each of the devices at this moment: a pseudonym, or ``None`` for nobody."""
    rows = connection.execute(
        "SELECT device, patient FROM ecg.association WHERE superseded_at IS NULL AND device = ANY(%s)"
        " AND tstzrange(since, until) @> clock_timestamp()",
        (list(devices),),
    )
    return dict.fromkeys(devices) | dict(rows.fetchall())
