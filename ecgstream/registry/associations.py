"""Who wears what, from when to when, where, and who said so.

The table has two times. ``since`` and ``until`` say when a device was worn; ``said_at`` and
``superseded_at`` say from when to when the registry believed it. Rows are never changed: what is ended or
corrected is superseded by rows that say who found out, when and why, so that what could have been known at
any moment can be told.

A row without a patient says that nobody wore the device, where a row that said otherwise was wrong.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import LiteralString, NamedTuple
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from ecgstream.registry.errors import RegistryError
from ecgstream.registry.patients import facility_of
from ecgstream.registry.rights import CARE, require

AHEAD = timedelta(minutes=5)
"""How far in the future an association may begin: as much as clocks differ. It is seen, not planned."""

_TICK = timedelta(microseconds=1)
"""The database's resolution."""

FOREVER = datetime.max.replace(tzinfo=UTC)
"""In place of the database's infinity, which Python's times lack."""


class PlaceKind(StrEnum):
    """Where a device is worn."""

    BED = "bed"
    AMBULANCE = "ambulance"
    HOME = "home"


class Place(NamedTuple):
    """Where a device is worn: one of ``PlaceKind``, and which bed or ambulance; never who lies in it."""

    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.kind} {self.text}".strip()


@dataclass(frozen=True, slots=True)
class Worn:
    """What the registry says, or said, of a device."""

    id: UUID
    device: str
    patient: str | None
    since: datetime
    until: datetime
    """``FOREVER``: no end is known."""
    place_kind: str
    place: str
    said_by: str
    said_at: datetime
    reason: str
    superseded_at: datetime | None = None
    superseded_by: str | None = None
    superseded_why: str | None = None

    @property
    def where(self) -> Place:
        """Where it was worn."""
        return Place(self.place_kind, self.place)


class Piece(NamedTuple):
    """A row to come: who wears the device from when to when, and the row that it replaces, if one."""

    patient: str | None
    since: datetime
    until: datetime
    place: Place | None
    """``None``: not said."""
    replaced: Worn | None


_SELECT: LiteralString = """
SELECT id, device, patient, since, least(until, %(forever)s) AS until, place_kind, place, said_by, said_at,
    reason
FROM ecg.association
"""
_HOLDING: LiteralString = """
WHERE device = %(device)s AND superseded_at IS NULL AND since < %(until)s AND until > %(since)s ORDER BY since
"""
# All rows that replace one row are said by one person at one time, for one reason.
_HISTORY: LiteralString = """
SELECT DISTINCT ON (a.since, a.said_at, a.id) a.id, a.device, a.patient, a.since,
    least(a.until, %(forever)s) AS until, a.place_kind, a.place, a.said_by, a.said_at, a.reason,
    a.superseded_at, n.said_by AS superseded_by, n.reason AS superseded_why
FROM ecg.association AS a LEFT JOIN ecg.association AS n ON n.replaces = a.id
"""
_WORN_BY: LiteralString = """
WHERE patient = %(patient)s AND superseded_at IS NULL AND tstzrange(since, until) @> clock_timestamp()
ORDER BY device
"""
_OF_DEVICE: LiteralString = "WHERE a.device = %(device)s ORDER BY a.since, a.said_at, a.id"
_OF_PATIENT: LiteralString = "WHERE a.patient = %(patient)s ORDER BY a.since, a.said_at, a.id"
_INSERT: LiteralString = """
INSERT INTO ecg.association
    (device, patient, since, until, place_kind, place, replaces, reason, said_by, said_at)
VALUES (%s, %s, %s, coalesce(%s::timestamptz, 'infinity'), %s, %s, %s, %s, %s, %s)
"""


def worn_now(connection: psycopg.Connection, devices: Collection[str]) -> dict[str, str | None]:
    """Return who wears each of the devices at this moment: a pseudonym, or ``None`` for nobody."""
    rows = connection.execute(
        "SELECT device, patient FROM ecg.association WHERE superseded_at IS NULL AND device = ANY(%s)"
        " AND tstzrange(since, until) @> clock_timestamp()",
        (list(devices),),
    )
    return dict.fromkeys(devices) | dict(rows.fetchall())


def of_device(connection: psycopg.Connection, device: str) -> list[Worn]:
    """Return all that is and was said of a device, by the time of wearing."""
    return _rows(connection, _HISTORY + _OF_DEVICE, {"device": device})


def of_patient(connection: psycopg.Connection, patient: str) -> list[Worn]:
    """Return all that is and was said of a patient, by the time of wearing."""
    return _rows(connection, _HISTORY + _OF_PATIENT, {"patient": patient})


def worn_by(connection: psycopg.Connection, patient: str) -> list[Worn]:
    """Return what a patient wears at this moment."""
    return _rows(connection, _SELECT + _WORN_BY, {"patient": patient})


def time_zones(connection: psycopg.Connection, devices: Collection[str]) -> dict[str, str]:
    """Return the time zone of the facility where each device stands now."""
    rows = connection.execute(
        "SELECT e.device, f.time_zone FROM ecg.enrolment AS e JOIN ecg.facility AS f ON f.code = e.facility"
        " WHERE e.device = ANY(%s)",
        (list(devices),),
    )
    return dict(rows.fetchall())


def associate(
    connection: psycopg.Connection,
    device: str,
    patient: str,
    by: str,
    *,
    place: Place,
    since: datetime | None = None,
    until: datetime = FOREVER,
    replace: bool = False,
) -> datetime:
    """Say that a patient wears a device from ``since`` (now) on; return the time at which it was said.

    Args:
        connection: of the registry.
        device: enrolled and not disabled.
        patient: registered.
        by: the account that says so.
        place: where.
        since: at most ``AHEAD`` in the future.
        until: when it is known to end.
        replace: whoever is said to wear it then did not: it is taken from them for this time.

    Raises:
        RegistryError: any of it does not hold, or somebody else is said to wear the device then.
    """
    now, disabled = _lock(connection, device)
    since = since or now
    _check_time(since, until, now)
    _check_rights(connection, by, device, since, until, patient)
    if disabled:
        raise RegistryError(f"device {device} is disabled: enable it before anybody wears it")
    held = _holding(connection, device, since, until)
    worn = next((row for row in held if row.patient is not None), None)
    if worn is not None and not replace:
        raise RegistryError(_conflict(worn, patient))
    _write(connection, device, pieces(held, since, until, patient, place), by, now)
    return now


def end(connection: psycopg.Connection, device: str, by: str, *, at: datetime | None = None) -> datetime:
    """Say that whoever wears a device wears it no longer from a time (now) on; return when it was said.

    If others are said to have worn it later still, that stays.

    Raises:
        RegistryError: nobody is said to wear it beyond this time, or the account may not do so.
    """
    now, _ = _lock(connection, device)
    at = at or now
    run = _worn_beyond(connection, device, at)
    if not run:
        raise RegistryError(_nothing_to_end(connection, device, at))
    _check_rights(connection, by, device, at, at + _TICK)
    # What began before stays as far as that time; what follows was worn by nobody.
    ended = [
        Piece(row.patient, row.since, at, row.where, row)
        if row.since < at
        else Piece(None, row.since, row.until, row.where, row)
        for row in run
    ]
    _write(connection, device, ended, by, now)
    return now


def correct(
    connection: psycopg.Connection,
    device: str,
    patient: str | None,
    by: str,
    *,
    since: datetime,
    until: datetime = FOREVER,
    reason: str,
    place: Place | None = None,
) -> datetime:
    """Say that a device was worn by another patient, or by nobody, than was said; return when it was said.

    What was said of the time before ``since`` and from ``until`` on stays, and so does the place, unless
    one is given.

    Raises:
        RegistryError: nothing was said of that time, or any of it does not hold.
    """
    now, _ = _lock(connection, device)
    _check_time(since, until, now)
    _check_rights(connection, by, device, since, until, patient)
    held = _holding(connection, device, since, until)
    if patient is None and not any(row.patient for row in held):
        raise RegistryError(f"nobody is said to have worn device {device} then: nothing to correct")
    _write(connection, device, pieces(held, since, until, patient, place), by, now, reason)
    return now


def pieces(
    held: Sequence[Worn], since: datetime, until: datetime, patient: str | None, place: Place | None
) -> list[Piece]:
    """Return the rows to come where a patient, or nobody, wears a device from ``since`` to ``until``.

    Args:
        held: what holds of that time so far, in order.
        since: from then on.
        until: to then.
        patient: who wears it.
        place: where; ``None``: where it was said to be.
    """
    found = []
    free = since
    for row in held:
        if row.since < since:
            found.append(Piece(row.patient, row.since, since, row.where, row))
        if free < row.since:
            found.append(Piece(patient, free, row.since, place, None))
        free = min(row.until, until)
        found.append(Piece(patient, max(row.since, since), free, place or row.where, row))
        if until < row.until:
            found.append(Piece(row.patient, until, row.until, row.where, row))
    if free < until:
        found.append(Piece(patient, free, until, place, None))
    return [piece for piece in found if piece.patient is not None or piece.replaced is not None]


def _lock(connection: psycopg.Connection, device: str) -> tuple[datetime, bool]:
    """Let nobody else change who wears a device until this transaction ends.

    Returns the present time, later than that of all that was ever said of the device, whatever the clock
    says (the newest of it always still holds); and whether the device is disabled.
    """
    row = connection.execute(
        "SELECT disabled FROM ecg.enrolment WHERE device = %s FOR NO KEY UPDATE", (device,)
    ).fetchone()
    if row is None:
        raise RegistryError(f"there is no device {device}: `ecgstream device` enrols it")
    now = connection.execute(
        "SELECT greatest(clock_timestamp(), max(said_at) + interval '1 us') FROM ecg.association"
        " WHERE device = %s AND superseded_at IS NULL",
        (device,),
    ).fetchall()
    return now[0][0], row[0]


def _check_time(since: datetime, until: datetime, now: datetime) -> None:
    if since > now + AHEAD:
        raise RegistryError(
            f"since {_said(since)} is in the future: say it when the device is worn (now it is {_said(now)})"
        )
    if not since < until:
        raise RegistryError(f"until {_said(until)} is not after since {_said(since)}")


def _check_rights(
    connection: psycopg.Connection,
    by: str,
    device: str,
    since: datetime,
    until: datetime,
    patient: str | None = None,
) -> None:
    """Who says it must stand where the device was then, and where the patient belongs.

    Else one could open a patient's data to oneself, or give a patient another's, from anywhere.
    """
    rows = connection.execute(
        "SELECT DISTINCT facility FROM ecg.placement WHERE device = %s AND since < %s AND until > %s",
        (device, until, since),
    )
    facilities = {facility for (facility,) in rows}
    if patient is not None:
        facilities.add(facility_of(connection, patient))
    for facility in sorted(facilities):
        require(connection, by, CARE, facility)


def _holding(connection: psycopg.Connection, device: str, since: datetime, until: datetime) -> list[Worn]:
    return _rows(connection, _SELECT + _HOLDING, {"device": device, "since": since, "until": until})


def _worn_beyond(connection: psycopg.Connection, device: str, at: datetime) -> list[Worn]:
    """Return the rows, in order, by which whoever wears a device just before a time wears it after it too."""
    run: list[Worn] = []
    for row in _holding(connection, device, at - _TICK, FOREVER):
        follows = run and (row.patient, row.since) == (run[-1].patient, run[-1].until)
        if not follows and (run or row.patient is None or row.since >= at):
            break
        run.append(row)
    return [row for row in run if row.until > at]


def _rows(connection: psycopg.Connection, query: LiteralString, values: Mapping[str, object]) -> list[Worn]:
    with connection.cursor(row_factory=class_row(Worn)) as cursor:
        return cursor.execute(query, {**values, "forever": FOREVER}).fetchall()


def _write(
    connection: psycopg.Connection,
    device: str,
    rows: Sequence[Piece],
    by: str,
    now: datetime,
    reason: str = "",
) -> None:
    for patient, since, until, place, replaced in rows:
        if place is None:
            raise RegistryError(
                f"nothing was said of device {device} at {_said(since)}: say where it was worn"
            )
        end = None if until == FOREVER else until
        row = replaced.id if replaced is not None else None
        connection.execute(_INSERT, (device, patient, since, end, *place, row, reason, by, now))


def _conflict(worn: Worn, patient: str) -> str:
    until = "on" if worn.until == FOREVER else f"until {_said(worn.until)}"
    said = f"device {worn.device} is worn by {worn.patient} from {_said(worn.since)} {until}"
    if worn.patient == patient:
        return f"{said}: it was said already. If that is wrong: `ecgstream patient correct`"
    return (
        f"{said}. If that is over, end it first: `ecgstream patient end {worn.device}`;"
        " to take it over from this time on, add --replace"
    )


def _nothing_to_end(connection: psycopg.Connection, device: str, at: datetime) -> str:
    before = [
        row for row in _holding(connection, device, datetime.min.replace(tzinfo=UTC), at) if row.patient
    ]
    last = f"; {before[-1].patient} wore it until {_said(before[-1].until)}" if before else ""
    return f"nobody is said to wear device {device} beyond {_said(at)}: nothing to end{last}"


def _said(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"
