"""Reads what a report is made of, as the person whose login the connection has: views of ``api`` alone."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import psycopg

from ecgstream.registry.errors import RegistryError
from ecgstream.reports.material import (
    Beats,
    Material,
    Minutes,
    RhythmSpan,
    Span,
    StStored,
    Subject,
)
from ecgstream.reports.stored_leads import StoredLeads
from schemas import mdc

_WORN: LiteralString = """
SELECT device, greatest(coalesce(since, '-infinity'), %(since)s),
    least(coalesce(until, 'infinity'), %(until)s), greatest(since, 'epoch')
FROM api.associations
WHERE patient = %(patient)s AND superseded_at IS NULL
    AND coalesce(since, '-infinity') < %(until)s AND coalesce(until, 'infinity') > %(since)s
ORDER BY 2
"""
_ASSOCIATIONS: LiteralString = """
SELECT id FROM api.associations
WHERE patient = %(patient)s AND superseded_at IS NULL
    AND coalesce(since, '-infinity') < %(until)s AND coalesce(until, 'infinity') > %(since)s
"""
_BEATS: LiteralString = """
SELECT session, time_ns, ascii(code), rr_s::float8, version FROM api.beats
WHERE device = %s AND time >= %s AND time < %s ORDER BY time, session, sample
"""
_TRENDS: LiteralString = """
SELECT code, minute_ns, n::float8, mean::float8 FROM api.trends
WHERE device = %s AND time >= %s AND time < %s AND code = ANY(%s) ORDER BY time
"""
# The mark of the rhythm in force as a part begins may be older, but not than the part may be seen from.
_RHYTHMS: LiteralString = """
SELECT session, time_ns, rhythm FROM api.rhythms
WHERE device = %(device)s AND time < %(until)s AND time >= coalesce(
    (SELECT max(time) FROM api.rhythms WHERE device = %(device)s AND time <= %(since)s AND time >= %(seen)s),
    %(since)s)
ORDER BY time, session, sample
"""
_SEGMENTS: LiteralString = """
SELECT session, from_ns, to_ns FROM api.segments
WHERE device = %(device)s AND time < %(until)s AND coalesce(ended, 'infinity') > %(since)s ORDER BY from_ns
"""
_LEADS: LiteralString = """
SELECT DISTINCT code, high_pass::float8 FROM api.trace_blocks
WHERE device = %s AND time >= %s AND time < %s AND kind = 0
"""
_CONDITIONS: LiteralString = """
SELECT code, count(*) FROM api.conditions
WHERE device = %s AND onset >= %s AND onset < %s AND code IN ('ST_ELEVATION', 'ST_DEPRESSION') GROUP BY code
"""
_FACILITY: LiteralString = """
SELECT f.name_en, f.name_zh, f.time_zone FROM api.devices AS d JOIN api.facilities AS f ON f.code = d.facility
WHERE d.device = %s
"""
_FACILITY_OF_PATIENT: LiteralString = """
SELECT f.name_en, f.name_zh, f.time_zone
FROM api.patients AS p JOIN api.facilities AS f ON f.code = p.facility
WHERE p.patient = %s
"""
_CODES = [mdc.ECG_ANALYSED, *mdc.ST_LEADS.values()]
_FIRST = datetime(1970, 1, 1, tzinfo=UTC)
_WORE_NOTHING = "the patient wore nothing then, or it is not for you to see"


class Part(NamedTuple):
    """A time in which a device is the subject's, in whole minutes; ``seen_from``: nothing older is read."""

    device: str
    since: datetime
    until: datetime
    seen_from: datetime

    @property
    def span(self) -> Span:
        """Its times in ns."""
        return _ns(self.since), _ns(self.until)


class Day(NamedTuple):
    """What is read at once: at most a day of a part."""

    part: int
    device: str
    since: datetime
    until: datetime


def device_parts(connection: psycopg.Connection, device: str, since: datetime, until: datetime) -> list[Part]:
    """Return the stretch of a device.

    Raises:
        RegistryError: one does not see such a device.
    """
    if connection.execute("SELECT FROM api.devices WHERE device = %s", (device,)).fetchone() is None:
        raise RegistryError("there is no such device, or it is not for you to see")
    return [Part(device, since, until, _FIRST)]


def patient_parts(
    connection: psycopg.Connection, patient: str, since: datetime, until: datetime
) -> list[Part]:
    """Return when in a stretch the patient wore what; a minute in which a device changed is in no part.

    Raises:
        RegistryError: one sees of this patient nothing of that time.
    """
    found = []
    for part in worn(connection, patient, since, until):
        first = part.since + (-(part.since - _FIRST) % timedelta(minutes=1))
        last = part.until - (part.until - _FIRST) % timedelta(minutes=1)
        if first < last:
            found.append(part._replace(since=first, until=last))
    if not found:
        raise RegistryError(_WORE_NOTHING)
    return found


def worn(connection: psycopg.Connection, patient: str, since: datetime, until: datetime) -> list[Part]:
    """Return when in a stretch the patient wore what, to the instant.

    Raises:
        RegistryError: one sees of this patient nothing of that time.
    """
    asked = {"patient": patient, "since": since, "until": until}
    found = [Part(*row) for row in connection.execute(_WORN, asked)]
    if not found:
        raise RegistryError(_WORE_NOTHING)
    return found


def associations(
    connection: psycopg.Connection, patient: str, since: datetime, until: datetime
) -> list[UUID]:
    """Return the registry's rows by which the patient wore something in a stretch, as they hold now."""
    asked = {"patient": patient, "since": since, "until": until}
    return [id_ for (id_,) in connection.execute(_ASSOCIATIONS, asked)]


def material(
    connection: psycopg.Connection,
    parts: Sequence[Part],
    patient: str,
    asked: tuple[datetime, datetime],
    progress: Callable[[list[Day], str], Iterable[Day]] = lambda days, _: days,
) -> Material:
    """Return what is stored of the parts. Two devices worn at once: the first one's beats are counted.

    ``progress``: gets days of parts and a title, gives the days back one after the other.

    Raises:
        psycopg.Error: the database refuses it.
    """
    parts = apart(parts)
    beats: list[tuple[Any, ...]] = []
    minutes: dict[int, tuple[float, float]] = {}
    rhythms: list[RhythmSpan] = []
    leads = StoredLeads()
    st = {"ST_ELEVATION": 0, "ST_DEPRESSION": 0}
    sources: dict[tuple[int, int], int] = {}
    versions: set[str] = set()
    for part in parts:
        rhythms += rhythm_spans(connection, part)
    for number, *within in progress(_days(parts), "Reading"):
        for session, at, code, rr_s, version in connection.execute(_BEATS, within, binary=True):
            beats.append((at, code, rr_s, sources.setdefault((number, session), len(sources))))
            versions.add(version)
        for code, at, n, mean in connection.execute(_TRENDS, (*within, _CODES), binary=True):
            if code == mdc.ECG_ANALYSED:
                _add(minutes, at, n, (mean or 0.0) / 100)
            elif mean is not None:
                leads.level(code, at, n, mean)
        for code, hz in connection.execute(_LEADS, within):
            leads.recorded(code, hz)
        for code, n in connection.execute(_CONDITIONS, within):
            st[code] += n
    return Material(
        subject(connection, parts, patient),
        (_ns(asked[0]), _ns(asked[1])),
        tuple(part.span for part in parts),
        _beats(beats),
        _minutes(minutes),
        tuple(rhythms),
        StStored(leads.found(), st["ST_ELEVATION"], st["ST_DEPRESSION"]),
        tuple(sorted(versions)),
    )


def apart(parts: Iterable[Part]) -> list[Part]:
    """Cut parts that overlap, as of a patient who wore two devices, so that no time is counted twice."""
    found: list[Part] = []
    for part in sorted(parts, key=lambda part: part.since):
        begin = max(part.since, found[-1].until) if found else part.since
        if begin < part.until:
            found.append(part._replace(since=begin))
    return found


def _days(parts: Sequence[Part]) -> list[Day]:
    """Return the parts by 24 hours."""
    found = []
    for number, part in enumerate(parts):
        begin = part.since
        while begin < part.until:
            end = min(begin + timedelta(days=1), part.until)
            found.append(Day(number, part.device, begin, end))
            begin = end
    return found


def _add(minutes: dict[int, tuple[float, float]], at: int, n: float, share: float) -> None:
    """Add what a session has of a minute; together a minute has 60 s at most."""
    recorded, analysed = minutes.get(at, (0.0, 0.0))
    recorded = min(60.0, recorded + n)
    minutes[at] = recorded, min(recorded, analysed + n * min(1.0, max(0.0, share)))


def rhythm_spans(connection: psycopg.Connection, part: Part) -> list[RhythmSpan]:
    """Return what rhythm was in force when: until the next mark, or the end of what was gone through."""
    asked = {"device": part.device, "since": part.since, "until": part.until, "seen": part.seen_from}
    marks = connection.execute(_RHYTHMS, asked).fetchall()
    segments = connection.execute(_SEGMENTS, asked).fetchall()
    begin, end = part.span
    found = []
    for n, (session, at, rhythm) in enumerate(marks):
        last = marks[n + 1][1] if n + 1 < len(marks) else end
        for of_session, from_ns, to_ns in segments:
            low = max(at, from_ns, begin)
            high = min(last, end if to_ns is None else to_ns, end)
            if of_session == session and low < high:
                found.append(RhythmSpan(rhythm, low, high))
    return found


def _beats(rows: list[tuple[Any, ...]]) -> Beats:
    at, code, rr_s, source = zip(*rows, strict=True) if rows else ((), (), (), ())
    return Beats(
        np.array(at, np.int64),
        np.array(code, np.uint8),
        np.array(rr_s, np.float64),  # None becomes NaN
        np.array(source, np.int64),
    )


def _minutes(found: dict[int, tuple[float, float]]) -> Minutes:
    start = sorted(found)
    recorded, analysed = (np.array([found[at][which] for at in start], np.float64) for which in (0, 1))
    return Minutes(np.array(start, np.int64), recorded, analysed)


def subject(connection: psycopg.Connection, parts: Sequence[Part], patient: str) -> Subject:
    """Return whose report of these parts it is."""
    devices = tuple(dict.fromkeys(part.device for part in parts))
    query, whose = (_FACILITY_OF_PATIENT, patient) if patient else (_FACILITY, devices[0])
    row = connection.execute(query, (whose,)).fetchone()
    name_en, name_zh, zone = row or ("", "", "UTC")
    try:
        ZoneInfo(zone)
    except ZoneInfoNotFoundError:  # this machine knows fewer zones than the one where it was entered
        zone = "UTC"
    return Subject(devices, patient, (name_en, name_zh), zone)


def _ns(time: datetime) -> int:
    return (time - _FIRST) // timedelta(microseconds=1) * 1000
