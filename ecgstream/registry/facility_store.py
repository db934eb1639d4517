"""The facility tree in the database. Functions on an open connection of role ``ecg_registry``."""

from typing import LiteralString

import psycopg

from ecgstream.registry import rights
from ecgstream.registry.errors import RegistryError, RegistryErrors
from ecgstream.registry.facilities import Facility, Kind, Level, Plan, paths
from ecgstream.registry.text import shown

_LOCK = 0x65636701  # "ecg" and 1: whoever holds this advisory lock changes the tree

_LOAD: LiteralString = """
SELECT code, parent, level, kind, name_en, name_zh, time_zone, contact FROM ecg.facility
WHERE (%(under)s::text IS NULL OR path <@ (SELECT path FROM ecg.facility WHERE code = %(under)s))
    AND (%(level)s::int IS NULL OR level = %(level)s)
ORDER BY path
"""

_COUNTS: LiteralString = """
WITH below AS (
    SELECT b.code FROM ecg.facility AS a JOIN ecg.facility AS b ON b.path <@ a.path WHERE a.code = %s
)
SELECT (SELECT count(*) FROM below),
    (SELECT count(*) FROM ecg.enrolment WHERE facility IN (SELECT code FROM below)),
    (SELECT count(*) FROM ecg.patient WHERE facility IN (SELECT code FROM below)),
    (SELECT count(*) FROM ecg.position WHERE facility IN (SELECT code FROM below))
"""

# A facility where a device once stood stays: who may see the data of that time follows from it.
_DEPENDENTS: LiteralString = """
SELECT code, what, count(*) FROM (
    SELECT facility AS code, 'devices' AS what FROM ecg.enrolment
    UNION ALL SELECT p.facility, 'devices of former times' FROM ecg.placement AS p
        JOIN ecg.enrolment AS e USING (device) WHERE e.facility <> p.facility
    UNION ALL SELECT facility, 'patients' FROM ecg.patient
    UNION ALL SELECT facility, 'positions of people' FROM ecg.position
    UNION ALL SELECT facility, 'shares' FROM ecg.share
    UNION ALL SELECT facility, 'consultations' FROM ecg.consultation
) AS found WHERE code = ANY(%s) GROUP BY code, what ORDER BY code, what
"""

_STAGE: LiteralString = """
CREATE TEMPORARY TABLE staged_facility (
    code text PRIMARY KEY, parent text, path ltree NOT NULL, level smallint NOT NULL, kind text NOT NULL,
    name_en text NOT NULL, name_zh text NOT NULL, time_zone text NOT NULL, contact text NOT NULL
) ON COMMIT DROP
"""

# There is one root at any moment: an old one gets its parent before a new one loses it or comes in.
_UPDATE: LiteralString = """
UPDATE ecg.facility AS f
SET parent = s.parent, path = s.path, level = s.level, kind = s.kind,
    name_en = s.name_en, name_zh = s.name_zh, time_zone = s.time_zone, contact = s.contact,
    changed_by = %s, changed_at = clock_timestamp()
FROM pg_temp.staged_facility AS s WHERE s.code = f.code AND (s.parent IS NULL) = %s
"""

_INSERT: LiteralString = """
INSERT INTO ecg.facility (code, parent, path, level, kind, name_en, name_zh, time_zone, contact, changed_by)
SELECT s.code, s.parent, s.path, s.level, s.kind, s.name_en, s.name_zh, s.time_zone, s.contact, %s
FROM pg_temp.staged_facility AS s
WHERE NOT EXISTS (SELECT FROM ecg.facility AS f WHERE f.code = s.code) ORDER BY s.path
"""


def lock(connection: psycopg.Connection) -> None:
    """Let nobody else change the tree until this transaction ends; wait for whoever does now."""
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))


def load(
    connection: psycopg.Connection, under: str | None = None, level: Level | None = None
) -> list[Facility]:
    """Return the facilities, parents before children: all, or those at and below one, or of a level."""
    rows = connection.execute(_LOAD, {"under": under, "level": level})
    return [
        Facility(code, parent, Level(level), Kind(kind), *texts) for code, parent, level, kind, *texts in rows
    ]


def path(connection: psycopg.Connection, code: str) -> str:
    """Return the way from the root to a facility, codes joined by dots.

    Raises:
        RegistryError: there is no such facility.
    """
    row = connection.execute("SELECT path::text FROM ecg.facility WHERE code = %s", (code,)).fetchone()
    if row is None:
        raise RegistryError(f"there is no facility {shown(code)}")
    return str(row[0])


def counts(connection: psycopg.Connection, code: str) -> dict[str, int]:
    """Return how many facilities, devices, patients and positions there are at and below a facility."""
    row = connection.execute(_COUNTS, (code,)).fetchone() or ()
    return dict(zip(("facilities", "devices", "patients", "positions"), row, strict=True))


def check(connection: psycopg.Connection, plan: Plan, by: str) -> None:
    """Make sure that the database and the rights of an account allow a plan.

    Raises:
        RegistryError: a facility would be removed to which devices, patients, people or shares belong; or the
            account is known, and is no operator where something would change.
    """
    for code in sorted(plan.places):
        rights.require(connection, by, ("operator",), code)
    found: dict[int | str, list[str]] = {}
    removed = [facility.code for facility in plan.removed]
    for code, what, n in connection.execute(_DEPENDENTS, (removed,)):
        found.setdefault(code, []).append(f"{n:,} {what}")
    if found:
        raise RegistryErrors(
            [(code, f"cannot be removed: {', '.join(there)} belong to it") for code, there in found.items()]
        )


def apply(connection: psycopg.Connection, plan: Plan, by: str) -> None:
    """Do what is planned and checked; the caller commits, and has held the lock since it read the tree."""
    connection.execute("SELECT set_config('ecg.acting', %s, true)", (by,))
    removed = [facility.code for facility in plan.removed]
    connection.execute("DELETE FROM ecg.facility WHERE code = ANY(%s)", (removed,))
    way, touched = paths(plan.tree), plan.touched
    was = dict[str, str](connection.execute("SELECT code, path::text FROM ecg.facility").fetchall())
    # Below a facility that moves nothing changes but the path.
    rows = [f for f in plan.tree if f.code in touched or was.get(f.code) != way[f.code]]
    if not rows:
        return
    connection.execute(_STAGE)
    with connection.cursor().copy("COPY pg_temp.staged_facility FROM STDIN") as copy:
        for f in rows:
            place = (f.code, f.parent, way[f.code], int(f.level), str(f.kind))
            copy.write_row((*place, f.name_en, f.name_zh, f.time_zone, f.contact))
    connection.execute(_UPDATE, (by, False))
    connection.execute(_UPDATE, (by, True))
    connection.execute(_INSERT, (by,))
