"""Patients of a day: how long there was signal, what was found in it, what is open."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import LiteralString

import psycopg
from psycopg.rows import class_row

from ecgstream.monitor.charts import Point
from ecgstream.monitor.read.alerts import may_read
from schemas import mdc
from schemas.records import Priority


@dataclass(slots=True)
class Today:
    """A patient's day.

    Attributes:
        devices: that the patient wears or wore since the day began, the newest first.
        place_kind, place: where the patient is, as it was said.
        name_en, name_zh: of the facility that answers for the patient; empty: not to be seen.
        high, medium, low: open alerts.
        alerts: all that began today.
        signal_s, analysed_s: seconds of ECG, and of them those that could be analysed.
        beats, ventricular: of today.
        af_s: seconds of atrial fibrillation.
        last_seen: when the newest device was heard of last; None: never, or it is not to be seen.
        hours: the heart rate by hours.
    """

    patient: str
    devices: list[str]
    place_kind: str
    place: str
    name_en: str
    name_zh: str
    high: int = 0
    medium: int = 0
    low: int = 0
    alerts: int = 0
    signal_s: float = 0.0
    analysed_s: float = 0.0
    beats: float = 0.0
    ventricular: float = 0.0
    af_s: float = 0.0
    last_seen: datetime | None = None
    hours: Sequence[Point] = field(default_factory=list)

    @property
    def worst(self) -> Priority | None:
        """The highest priority of what is open."""
        counts = {Priority.HIGH: self.high, Priority.MEDIUM: self.medium, Priority.LOW: self.low}
        return next((priority for priority, n in counts.items() if n), None)

    @property
    def burden_percent(self) -> float | None:
        """The share of ventricular beats; None: no beat was found."""
        return 100.0 * self.ventricular / self.beats if self.beats else None

    @property
    def af_percent(self) -> float | None:
        """The share of atrial fibrillation in what could be analysed; None: nothing could."""
        return min(100.0, 100.0 * self.af_s / self.analysed_s) if self.analysed_s else None


_PATIENTS: LiteralString = """
SELECT a.patient, array_agg(a.device ORDER BY a.since DESC NULLS LAST) AS devices,
    (array_agg(a.place_kind ORDER BY a.since DESC NULLS LAST))[1] AS place_kind,
    (array_agg(a.place ORDER BY a.since DESC NULLS LAST))[1] AS place,
    coalesce(max(f.name_en), '') AS name_en, coalesce(max(f.name_zh), '') AS name_zh
FROM api.associations AS a
LEFT JOIN api.patients AS p ON p.patient = a.patient
LEFT JOIN api.facilities AS f ON f.code = p.facility
WHERE a.superseded_at IS NULL AND a.patient IS NOT NULL
    AND coalesce(a.since, '-infinity') <= now() AND coalesce(a.until, 'infinity') > %(since)s
    AND (%(only)s::text IS NULL OR a.patient = %(only)s)
GROUP BY a.patient
"""

_ALERTS: LiteralString = """
SELECT patient, count(*) FILTER (WHERE state <> 'ENDED' AND priority = 'HIGH'),
    count(*) FILTER (WHERE state <> 'ENDED' AND priority = 'MEDIUM'),
    count(*) FILTER (WHERE state <> 'ENDED' AND priority = 'LOW'), count(*) FILTER (WHERE onset >= %(since)s)
FROM api.alerts
WHERE device = ANY(%(devices)s) AND patient IS NOT NULL AND (state <> 'ENDED' OR onset >= %(since)s)
GROUP BY patient
"""

# Hours in which one patient wore the device, and the minutes of those in which it was handed over.
_HOURS: LiteralString = """
WITH worn AS (
    SELECT patient, device, coalesce(since, '-infinity') AS since, coalesce(until, 'infinity') AS until
    FROM api.associations
    WHERE device = ANY(%(devices)s) AND superseded_at IS NULL AND patient IS NOT NULL
        AND coalesce(until, 'infinity') > %(since)s
)
SELECT w.patient, t.code, t.time, t.n::float8, t.mean, t.low, t.high
FROM worn AS w JOIN api.trends_hourly AS t
    ON t.device = w.device AND t.time >= w.since AND t.time + interval '1 h' <= w.until
WHERE t.device = ANY(%(devices)s) AND t.time >= %(since)s AND t.code = ANY(%(codes)s)
UNION ALL
SELECT w.patient, m.code, date_trunc('hour', m.time, 'UTC'), sum(m.n)::float8,
    sum(m.n * m.mean::float8) / nullif(sum(m.n), 0), min(m.low), max(m.high)
FROM worn AS w JOIN api.trends AS m ON m.device = w.device AND m.time >= w.since AND m.time < w.until
    AND (m.time < date_trunc('hour', w.since, 'UTC') + interval '1 h'
         OR m.time >= date_trunc('hour', w.until, 'UTC'))
WHERE m.device = ANY(%(devices)s) AND m.time >= %(since)s AND m.code = ANY(%(codes)s)
    AND (w.since > %(since)s OR w.until < 'infinity')
GROUP BY 1, 2, 3
ORDER BY 3
"""

# A rhythm holds until the next; and where there was no signal, there was none.
_FIBRILLATION: LiteralString = """
WITH mark AS (
    SELECT device, rhythm, time,
        coalesce(lead(time) OVER (PARTITION BY device ORDER BY time, sample), now()) AS until
    FROM api.rhythms WHERE device = ANY(%(devices)s) AND time >= %(since)s::timestamptz - interval '1 day'
), spell AS (
    SELECT device, greatest(time, %(since)s) AS since, until
    FROM mark WHERE rhythm = 'AFIB' AND until > %(since)s
)
SELECT a.patient, sum(greatest(0, extract(epoch FROM least(s.until, m.time + interval '1 min')
    - greatest(s.since, m.time))) * least(m.n / 60.0, 1))::float8
FROM spell AS s
JOIN api.trends AS m ON m.device = s.device AND m.code = %(analysed)s
    AND m.time > s.since - interval '1 min' AND m.time < s.until
JOIN api.associations AS a ON a.device = m.device AND a.superseded_at IS NULL AND a.patient IS NOT NULL
    AND m.time >= coalesce(a.since, '-infinity') AND m.time < coalesce(a.until, 'infinity')
WHERE m.device = ANY(%(devices)s) AND m.time >= %(since)s
GROUP BY a.patient
"""


def today(connection: psycopg.Connection, since: datetime, only: str | None = None) -> list[Today]:
    """Return the patients of a day that began at ``since``, the worst first; ``only``: this one alone."""
    with connection.cursor(row_factory=class_row(Today)) as cursor:
        patients = cursor.execute(_PATIENTS, {"since": since, "only": only}).fetchall()
    found = {one.patient: one for one in patients}
    devices = sorted({device for one in patients for device in one.devices})
    asked = {"since": since, "devices": devices}
    for patient, high, medium, low, alerts in connection.execute(_ALERTS, asked):
        if one := found.get(patient):
            one.high, one.medium, one.low, one.alerts = high, medium, low, alerts
    _add_hours(connection, found, asked)
    for patient, seconds in connection.execute(_FIBRILLATION, {**asked, "analysed": mdc.ECG_ANALYSED}):
        if one := found.get(patient):
            one.af_s = seconds
    seen = last_seen(connection, devices)
    for one in patients:
        one.last_seen = seen.get(one.devices[0])
    return sorted(patients, key=_order)


def _add_hours(connection: psycopg.Connection, found: Mapping[str, Today], asked: dict[str, object]) -> None:
    codes = [mdc.HEART_RATE, mdc.VPC_RATE, mdc.ECG_ANALYSED]
    hours: dict[str, list[Point]] = {patient: [] for patient in found}
    for patient, code, time, n, mean, low, high in connection.execute(_HOURS, {**asked, "codes": codes}):
        one = found.get(patient)
        if one is None:
            continue
        if code == mdc.HEART_RATE:
            one.beats += n
            hours[patient].append(Point(time, mean, low, high))
        elif code == mdc.VPC_RATE:  # n: the seconds that could be analysed
            one.ventricular += n * (mean or 0.0) / 60.0
        else:  # n: the seconds in which there was signal
            one.signal_s += n
            one.analysed_s += n * (mean or 0.0) / 100.0
    for patient, known in hours.items():
        found[patient].hours = known


def last_seen(connection: psycopg.Connection, devices: Collection[str]) -> dict[str, datetime]:
    """Return when devices were heard of last, of those that one sees; an expert sees none."""
    if not may_read(connection, "devices"):
        return {}
    rows = connection.execute(
        "SELECT device, last_seen FROM api.devices WHERE device = ANY(%s) AND last_seen IS NOT NULL",
        (list(devices),),
    )
    return dict(rows.fetchall())


def _order(one: Today) -> tuple[object, ...]:
    return (-one.high, -one.medium, -one.low, -one.alerts, one.patient)
