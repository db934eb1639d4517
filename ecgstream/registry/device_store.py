"""Devices in the database. Functions on an open connection of role ``ecg_registry``."""

import hashlib
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, LiteralString

import psycopg

from ecgstream.registry import facility_store, rights
from ecgstream.registry.devices import Device, Kind, Plan, State, plan, state_of
from ecgstream.registry.errors import RegistryError
from ecgstream.registry.text import shown

_DEVICE: LiteralString = """
SELECT e.device, e.facility, e.kind, e.leads, e.shard, coalesce(e.certificate_subject, ''), e.disabled
"""

_ALL: LiteralString = """
FROM ecg.enrolment AS e
WHERE %(devices)s::text[] IS NULL OR e.device = ANY(%(devices)s) ORDER BY e.device
"""

_PLACES: LiteralString = """
SELECT f.code, count(e.device) FROM ecg.facility AS f LEFT JOIN ecg.enrolment AS e ON e.facility = f.code
WHERE f.code = ANY(%s) GROUP BY f.code
"""

_STAGE: LiteralString = """
CREATE TEMPORARY TABLE staged_device (
    device text PRIMARY KEY, facility text NOT NULL, kind text NOT NULL, leads bigint[] NOT NULL,
    shard integer NOT NULL, certificate_subject text, disabled boolean NOT NULL
) ON COMMIT DROP
"""

_UPDATE: LiteralString = """
UPDATE ecg.enrolment AS e
SET facility = s.facility, kind = s.kind, leads = s.leads, certificate_subject = s.certificate_subject,
    disabled = s.disabled, changed_by = %(by)s, changed_at = clock_timestamp(),
    placed_since = CASE WHEN e.facility <> s.facility THEN %(since)s ELSE e.placed_since END
FROM pg_temp.staged_device AS s WHERE s.device = e.device
"""

_INSERT: LiteralString = """
INSERT INTO ecg.enrolment (device, facility, kind, leads, shard, certificate_subject, disabled, changed_by)
SELECT s.device, s.facility, s.kind, s.leads, s.shard, s.certificate_subject, s.disabled, %(by)s
FROM pg_temp.staged_device AS s
WHERE NOT EXISTS (SELECT FROM ecg.enrolment AS e WHERE e.device = s.device) ORDER BY s.device
"""

_STATUS: LiteralString = """,
    clock_timestamp(), e.key_digest IS NOT NULL, nullif(e.placed_since, '-infinity'),
    to_timestamp(d.last_seen_ns / 1e9), d.own_skew_ms, d.battery_percent, to_timestamp(d.battery_ns / 1e9),
    a.patient
FROM ecg.enrolment AS e
LEFT JOIN ecg.device AS d ON d.device = e.device
LEFT JOIN ecg.association AS a ON a.device = e.device AND a.superseded_at IS NULL
    AND tstzrange(a.since, a.until) @> now()
WHERE (%(device)s::text IS NULL OR e.device = %(device)s)
    AND (%(under)s::text IS NULL OR e.facility IN (
        SELECT below.code FROM ecg.facility AS top JOIN ecg.facility AS below ON below.path <@ top.path
        WHERE top.code = %(under)s))
    AND (%(silent_for)s::interval IS NULL OR (
        NOT e.disabled AND to_timestamp(d.last_seen_ns / 1e9) < clock_timestamp() - %(silent_for)s))
ORDER BY e.facility, e.device
"""


@dataclass(frozen=True, slots=True)
class Status:
    """A device as it is enrolled, and how it is.

    Attributes:
        device: as enrolled.
        state: how it is at this moment.
        has_key: whether it has a key.
        placed_since: since when it stands where it stands; ``None``: always.
        last_seen: when a gateway saw it last, by the gateway's clock; ``None``: never.
        skew_ms: how far the device's clock was ahead of the gateway's at its newest packet.
        battery_percent: the newest charge that it told.
        battery_at: when that came, by the gateway's clock.
        patient: pseudonym of who wears it now.
    """

    device: Device
    state: State
    has_key: bool
    placed_since: datetime | None
    last_seen: datetime | None
    skew_ms: float | None
    battery_percent: float | None
    battery_at: datetime | None
    patient: str | None


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a device stood from ``since`` to before ``until``; ``None``: always, and still."""

    facility: str
    since: datetime | None
    until: datetime | None


def lock(connection: psycopg.Connection) -> None:
    """Let nobody else enrol or change devices, or change the tree, until this transaction ends."""
    facility_store.lock(connection)  # a placement copies the path of its facility


def load(connection: psycopg.Connection, devices: Collection[str] | None = None) -> dict[str, Device]:
    """Return id to device as it is enrolled: all, or those named that there are."""
    rows = connection.execute(_DEVICE + _ALL, {"devices": None if devices is None else list(devices)})
    return {row[0]: _device(*row) for row in rows}


def _device(device: str, facility: str, kind: str, leads: list[int], *others: Any) -> Device:
    return Device(device, facility, Kind(kind), tuple(leads), *others)


def get(connection: psycopg.Connection, device: str) -> Device:
    """Return a device as it is enrolled.

    Raises:
        RegistryError: it is not.
    """
    found = load(connection, [device])
    if device not in found:
        raise RegistryError(f"there is no device {shown(device)}")
    return found[device]


def planned(
    connection: psycopg.Connection,
    wanted: Sequence[Device],
    by: str,
    where: Sequence[int | str] | None = None,
) -> Plan:
    """Return what would have to be done; nothing is written.

    Raises:
        RegistryError: it cannot be done, or the account is known and is no operator where something would
            change.
    """
    subjects = [device.certificate_subject for device in wanted if device.certificate_subject]
    owners = connection.execute(
        "SELECT certificate_subject, device FROM ecg.enrolment WHERE certificate_subject = ANY(%s)",
        (subjects,),
    )
    places = connection.execute(_PLACES, (list({device.facility for device in wanted}),))
    found = plan(
        load(connection, [device.device for device in wanted]),
        wanted,
        dict(places.fetchall()),
        dict(owners.fetchall()),
        where,
    )
    for facility in sorted(found.facilities):
        rights.require(connection, by, ("operator",), facility)
    return found


def apply(connection: psycopg.Connection, plan: Plan, by: str, since: datetime | None = None) -> None:
    """Do what is planned; the caller commits, and has held the lock since before it planned.

    ``since``: when what moves has moved; otherwise now.

    Raises:
        RegistryError: a device would have moved before it came to where it stands.
    """
    since = _moment_of_move(connection, plan, since)
    rows = (*plan.added, *plan.altered)
    if not rows:
        return
    connection.execute(_STAGE)
    with connection.cursor().copy("COPY pg_temp.staged_device FROM STDIN") as copy:
        for d in rows:
            place = (d.device, d.facility, str(d.kind), list(d.leads), d.shard)
            copy.write_row((*place, d.certificate_subject or None, d.disabled))
    connection.execute(_UPDATE, {"by": by, "since": since})
    connection.execute(_INSERT, {"by": by})
    connection.execute("DROP TABLE pg_temp.staged_device")


def _moment_of_move(connection: psycopg.Connection, plan: Plan, since: datetime | None) -> datetime:
    moved = [change.device for change in plan.moved]
    row = connection.execute(
        "SELECT coalesce(%s, clock_timestamp()), clock_timestamp(), device, facility, placed_since"
        " FROM (VALUES (1)) AS one LEFT JOIN ecg.enrolment ON device = ANY(%s)"
        " AND placed_since > '-infinity' ORDER BY placed_since DESC NULLS LAST LIMIT 1",
        (since, moved),
    ).fetchone()
    assert row is not None  # noqa: S101 - there always is one
    at: datetime
    at, now, device, facility, placed_since = row
    if moved and at > now:
        raise RegistryError(f"since {at.isoformat()} is in the future: say it when the device has moved")
    if placed_since is not None and at <= placed_since:
        raise RegistryError(
            f"device {device} stands at {facility} since {placed_since.isoformat()}:"
            " it cannot have moved before"
        )
    return at


def new_key(connection: psycopg.Connection, device: str, by: str) -> str:
    """Give a device a new random key of 256 bits and return it; the one it had holds no longer.

    The database keeps its SHA-256 (of the text in ASCII, as the device shows it) and nothing else.

    Raises:
        RegistryError: there is no such device, or the account may not.
    """
    rights.require(connection, by, ("operator",), get(connection, device).facility)
    key = secrets.token_urlsafe(32)
    connection.execute(
        "UPDATE ecg.enrolment SET key_digest = %s, changed_by = %s, changed_at = clock_timestamp()"
        " WHERE device = %s",
        (hashlib.sha256(key.encode()).digest(), by, device),
    )
    return key


def statuses(
    connection: psycopg.Connection,
    *,
    device: str | None = None,
    under: str | None = None,
    silent_for: timedelta | None = None,
) -> list[Status]:
    """Return devices with how they are, by facility: all, one, those at and below a facility.

    ``silent_for``: only those that stream no longer, at least so long; never those that are disabled.
    """
    found = []
    for row in connection.execute(
        _DEVICE + _STATUS, {"device": device, "under": under, "silent_for": silent_for}
    ):
        enrolled = _device(*row[:7])
        now, has_key, placed_since, last_seen, *others = row[7:]
        state = state_of(enrolled, last_seen, now)
        found.append(Status(enrolled, state, has_key, placed_since, last_seen, *others))
    return found


def placements(connection: psycopg.Connection, device: str) -> list[Placement]:
    """Return where a device stood, from the first place on."""
    rows = connection.execute(
        "SELECT facility, nullif(since, '-infinity'), nullif(until, 'infinity') FROM ecg.placement"
        " WHERE device = %s ORDER BY since",
        (device,),
    )
    return [Placement(*row) for row in rows]
