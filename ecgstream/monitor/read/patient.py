"""One patient: who wears what, newest numbers, trends."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import LiteralString, NamedTuple

import psycopg
from psycopg.rows import class_row

from ecgstream.monitor.charts import Point
from ecgstream.monitor.read.alerts import Place
from ecgstream.reports.resting.leads import NAMES
from schemas import mdc

NUMBERS = {
    mdc.HEART_RATE: (30.0, 180.0),
    mdc.SPO2: (80.0, 100.0),
    mdc.RESP_RATE: (0.0, 40.0),
    mdc.PULSE_RATE: (30.0, 180.0),
    mdc.NIBP_SYS: (60.0, 200.0),
    mdc.NIBP_DIA: (30.0, 120.0),
    mdc.TEMPERATURE: (35.0, 40.0),
    mdc.VPC_RATE: (0.0, 20.0),
    **{mdc.ST_LEADS[lead]: (-0.2, 0.2) for lead in NAMES},
}
"""The numbers that are shown, each with its scale: the same for all patients, unless one is beyond it."""
SELDOM = frozenset(mdc.ST_LEADS.values())
"""Of these, those that are shown only where there are any: most devices lack most leads."""
_FRESH_MIN = 15
_HOUR = timedelta(hours=1)


class Worn(NamedTuple):
    """A device that the patient wears, or wore; no end: still."""

    device: str
    since: datetime | None
    until: datetime | None
    place_kind: str
    place: str


class Known(NamedTuple):
    """A patient; what the registry says is None where only the wearing is seen."""

    patient: str
    category: str | None
    paced: bool | None
    home: Place | None
    worn: list[Worn]


class Newest(NamedTuple):
    """A number as it was measured last; its ``code`` is MDC, its unit ``schemas.mdc.UNITS``."""

    code: int
    value: float
    time: datetime


_PATIENT: LiteralString = """
SELECT p.category, p.paced, f.name_en, f.name_zh
FROM api.patients AS p LEFT JOIN api.facilities AS f ON f.code = p.facility WHERE p.patient = %s
"""

_WORN: LiteralString = """
SELECT device, since, until, place_kind, place FROM api.associations
WHERE patient = %s AND superseded_at IS NULL AND coalesce(since, '-infinity') <= now()
ORDER BY coalesce(until, 'infinity') DESC, since DESC NULLS LAST
"""

# What devices measure a second ago is kept by seconds; what is older, by minutes.
_NEWEST: LiteralString = """
SELECT DISTINCT ON (code) code, value, time FROM (
    SELECT v.code, v.value::float8, v.time FROM api.vitals AS v JOIN worn AS w ON w.device = v.device
        AND v.time >= w.since AND v.time < w.until
    WHERE v.device = ANY(%(devices)s) AND v.time > now() - %(fresh)s * interval '1 min'
    UNION ALL
    SELECT t.code, t.mean::float8, t.time FROM api.trends AS t JOIN worn AS w ON w.device = t.device
        AND t.time >= w.since AND t.time < w.until
    WHERE t.device = ANY(%(devices)s) AND t.time > now() - interval '1 day' AND t.mean IS NOT NULL
) AS found WHERE code = ANY(%(codes)s) ORDER BY code, time DESC
"""

_WITH_WORN: LiteralString = """
WITH worn AS (
    SELECT device, coalesce(since, '-infinity') AS since, coalesce(until, 'infinity') AS until
    FROM api.associations WHERE patient = %(patient)s AND superseded_at IS NULL
)
"""

_MINUTES: LiteralString = """
SELECT t.code, date_bin(%(bucket)s, t.time, %(since)s) AS at,
    sum(t.n * t.mean::float8) / nullif(sum(t.n::float8) FILTER (WHERE t.mean IS NOT NULL), 0),
    min(t.low)::float8, max(t.high)::float8
FROM api.trends AS t JOIN worn AS w ON w.device = t.device AND t.time >= w.since AND t.time < w.until
WHERE t.device = ANY(%(devices)s) AND t.code = ANY(%(codes)s) AND t.time >= %(since)s AND t.time < %(until)s
GROUP BY t.code, at ORDER BY at
"""
_HOURS: LiteralString = """
SELECT t.code, date_bin(%(bucket)s, t.time, %(since)s) AS at,
    sum(t.n * t.mean::float8) / nullif(sum(t.n::float8) FILTER (WHERE t.mean IS NOT NULL), 0),
    min(t.low)::float8, max(t.high)::float8
FROM api.trends_hourly AS t
JOIN worn AS w ON w.device = t.device AND t.time >= w.since AND t.time + interval '1 h' <= w.until
WHERE t.device = ANY(%(devices)s) AND t.code = ANY(%(codes)s) AND t.time >= %(since)s AND t.time < %(until)s
GROUP BY t.code, at ORDER BY at
"""


def known(connection: psycopg.Connection, patient: str) -> Known | None:
    """Return a patient by the pseudonym; None: there is none that one sees."""
    with connection.cursor(row_factory=class_row(Worn)) as cursor:
        worn = cursor.execute(_WORN, (patient,)).fetchall()
    row = connection.execute(_PATIENT, (patient,)).fetchone()
    if row is None:
        return Known(patient, None, None, None, worn) if worn else None
    category, paced, name_en, name_zh = row
    return Known(patient, category, paced, Place(name_en or "", name_zh or ""), worn)


def newest(connection: psycopg.Connection, one: Known, codes: Sequence[int]) -> dict[int, Newest]:
    """Return the newest numbers of a day by their codes."""
    asked = {"patient": one.patient, "devices": _devices(one), "codes": list(codes), "fresh": _FRESH_MIN}
    with connection.cursor(row_factory=class_row(Newest)) as cursor:
        return {row.code: row for row in cursor.execute(_WITH_WORN + _NEWEST, asked)}


def trends(
    connection: psycopg.Connection, one: Known, codes: Sequence[int], since: datetime, bucket: timedelta
) -> dict[int, list[Point]]:
    """Return the patient's numbers from ``since`` on, on whatever device, in buckets; of no number none.

    Buckets of an hour and more are made of whole hours.
    """
    asked = {
        "patient": one.patient,
        "devices": _devices(one),
        "codes": list(codes),
        "since": since,
        "until": datetime.now(since.tzinfo),
        "bucket": bucket,
    }
    found: dict[int, list[Point]] = {}
    query: LiteralString = _HOURS if bucket >= _HOUR else _MINUTES
    for code, time, mean, low, high in connection.execute(_WITH_WORN + query, asked):
        found.setdefault(code, []).append(Point(time, mean, low, high))
    return found


def _devices(one: Known) -> list[str]:
    return sorted({worn.device for worn in one.worn})
