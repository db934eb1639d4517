"""Alerts: which of those that Kafka holds somebody may see and answer, and those that the database keeps."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, LiteralString, NamedTuple
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from ecgstream.registry.rights import CARE
from schemas.records import Alert

MOST = 500
"""Rows of a history."""


class Place(NamedTuple):
    """A facility's two names, of which one may be empty."""

    name_en: str
    name_zh: str


class Facility(NamedTuple):
    """A facility by its path, codes from the root on, joined by dots."""

    path: str
    place: Place


class Past(NamedTuple):
    """An alert as the database keeps it. ``answer_s``: from when it was raised to its acknowledgement."""

    id: UUID
    device: str
    patient: str | None
    condition: str
    priority: str
    state: str
    onset: datetime
    ended: datetime | None
    acknowledged_by: str | None
    reason: str | None
    answer_s: float | None


class Answers(NamedTuple):
    """How alerts of a priority were answered: how many by people, in how many s half of them, and 90 %."""

    priority: str
    alerts: int
    answered: int
    median_s: float | None
    most_s: float | None


_PAST: LiteralString = """
SELECT id, device, patient, condition, priority, state, onset, ended, acknowledged_by, reason,
    ((acknowledged_ns - raised_ns) / 1e9)::float8 AS answer_s
FROM api.alerts
WHERE onset >= %(since)s AND onset < %(until)s AND (%(priority)s::text IS NULL OR priority = %(priority)s)
    AND (%(patient)s::text IS NULL OR patient = %(patient)s)
ORDER BY onset DESC LIMIT %(most)s
"""

_ANSWERS: LiteralString = """
SELECT priority, count(*) AS alerts, count(acknowledged_ns) AS answered,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY ((acknowledged_ns - raised_ns) / 1e9)::float8) AS median_s,
    percentile_cont(0.9) WITHIN GROUP (ORDER BY ((acknowledged_ns - raised_ns) / 1e9)::float8) AS most_s
FROM api.alerts WHERE onset >= %(since)s AND onset < %(until)s
GROUP BY priority ORDER BY array_position(ARRAY['HIGH', 'MEDIUM', 'LOW'], priority)
"""

_MAY_ANSWER: LiteralString = """
SELECT EXISTS (
    SELECT FROM api.positions AS p JOIN api.facilities AS f ON f.code = p.facility
    WHERE p.account = %(account)s AND p.kind = ANY(%(kinds)s)
        AND CASE WHEN %(path)s = '' THEN f.parent IS NULL ELSE %(path)s::ltree <@ f.path END)
"""


def visible(connection: psycopg.Connection, alerts: Iterable[Alert]) -> list[Alert]:
    """Return those of Kafka's alerts that the database lets one see.

    Either it shows the alert itself. Or the sink has not stored it yet: then it counts that one sees how its
    device is now, and that the device stands where it stood when the alert was raised.
    """
    known = list(alerts)
    stored = _stored(connection, known)
    places = _places_of(connection, {alert.device for alert in known if alert.id not in stored})
    return [a for a in known if a.id in stored or places.get(a.device) == a.facility]


def _stored(connection: psycopg.Connection, alerts: Sequence[Alert]) -> set[str]:
    if not may_read(connection, "alerts"):
        return set()
    ids = []
    for alert in alerts:
        with suppress(ValueError):
            ids.append(UUID(alert.id))
    rows = connection.execute("SELECT id::text FROM api.alerts WHERE id = ANY(%s)", (ids,))
    return {id_ for (id_,) in rows}


def _places_of(connection: psycopg.Connection, devices: set[str]) -> dict[str, str]:
    """Return the paths of facilities by device, of devices of whose alerts one may know."""
    if not may_read(connection, "device_health"):
        return {}
    rows = connection.execute(
        "SELECT h.device, coalesce(f.path::text, '') FROM api.device_health AS h"
        " LEFT JOIN api.facilities AS f ON f.code = h.facility WHERE h.device = ANY(%s)",
        (sorted(devices),),
    )
    return dict(rows.fetchall())


def may_read(connection: psycopg.Connection, view: str) -> bool:
    """Return whether somebody may read a view of ``api`` at all."""
    found = connection.execute("SELECT has_table_privilege(%s, 'SELECT')", (f"api.{view}",)).fetchone()
    return found == (True,)


def names(connection: psycopg.Connection, paths: Iterable[str]) -> dict[str, Place]:
    """Return the names of facilities by their paths, of those that one sees."""
    rows = connection.execute(
        "SELECT path::text, name_en, name_zh FROM api.facilities WHERE path::text = ANY(%s)",
        (sorted(set(paths)),),
    )
    return {path: Place(name_en, name_zh) for path, name_en, name_zh in rows}


def facility(connection: psycopg.Connection, code: str) -> Facility | None:
    """Return a facility by its code; None: there is none that one sees."""
    row = connection.execute(
        "SELECT path::text, name_en, name_zh FROM api.facilities WHERE code = %s", (code,)
    ).fetchone()
    return None if row is None else Facility(row[0], Place(row[1], row[2]))


def may_answer(connection: psycopg.Connection, account: str, facility: str) -> bool:
    """Return whether somebody cares for patients at a facility, by its path, or above it."""
    asked = {"account": account, "kinds": list(CARE), "path": facility}
    return connection.execute(_MAY_ANSWER, asked).fetchone() == (True,)


def past(
    connection: psycopg.Connection,
    since: datetime,
    until: datetime,
    *,
    priority: str | None = None,
    patient: str | None = None,
) -> list[Past]:
    """Return the newest alerts of a time, at most ``MOST``."""
    asked: dict[str, Any] = {"since": since, "until": until, "most": MOST}
    with connection.cursor(row_factory=class_row(Past)) as cursor:
        return cursor.execute(_PAST, {**asked, "priority": priority, "patient": patient}).fetchall()


def answers(connection: psycopg.Connection, until: datetime, length: timedelta) -> list[Answers]:
    """Return how the alerts of a time were answered, by priority."""
    with connection.cursor(row_factory=class_row(Answers)) as cursor:
        return cursor.execute(_ANSWERS, {"since": until - length, "until": until}).fetchall()
