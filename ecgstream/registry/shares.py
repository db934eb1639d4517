"""Shares: what opens a patient's data of a time to somebody who does not stand where the data are.

A share is never changed and never removed; it is revoked, or expires. Functions on an open connection of
role ``ecg_registry``; the caller commits. Who may: those who care for patients where the patient belongs.
"""

from datetime import UTC, datetime
from typing import LiteralString, NamedTuple
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from ecgstream.registry import facility_store, patients, people, rights, text
from ecgstream.registry.errors import RegistryError
from ecgstream.registry.roles import Kind

OPENS_TO = (Kind.CLINIC, Kind.CARDIOLOGIST, Kind.EXPERT)
"""The kinds of position to whose holders a share opens anything: view ``ecg.my_share`` asks for the same."""


class Share(NamedTuple):
    """A share; it opens data of [since, until) until it expires. ``state``: live, expired or revoked."""

    id: UUID
    patient: str
    since: datetime
    until: datetime
    account: str | None
    facility: str | None
    expires: datetime
    state: str
    reason: str
    said_by: str
    said_at: datetime
    revoked_by: str | None
    revoked_at: datetime | None


_LOAD: LiteralString = """
SELECT * FROM (
    SELECT id, patient, since, until, account, facility, expires,
        CASE WHEN revoked_at IS NOT NULL THEN 'revoked' WHEN expires <= clock_timestamp() THEN 'expired'
             ELSE 'live' END AS state,
        reason, said_by, said_at, revoked_by, revoked_at
    FROM ecg.share) AS s
WHERE (%(id)s::uuid IS NULL OR id = %(id)s) AND (%(patient)s::text IS NULL OR patient = %(patient)s)
    AND (%(account)s::text IS NULL OR account = %(account)s)
    AND (%(facility)s::text IS NULL OR facility = %(facility)s)
    AND (%(all)s OR state = 'live')
ORDER BY said_at, id
"""


def load(
    connection: psycopg.Connection,
    *,
    id: UUID | None = None,  # noqa: A002 - the column's name
    patient: str | None = None,
    account: str | None = None,
    facility: str | None = None,
    all: bool = False,  # noqa: A002 - the flag's name
) -> list[Share]:
    """Return live shares in the order in which they were made, or also those that are over."""
    with connection.cursor(row_factory=class_row(Share)) as cursor:
        given = {"id": id, "patient": patient, "account": account, "facility": facility, "all": all}
        return cursor.execute(_LOAD, given).fetchall()


def grant(
    connection: psycopg.Connection,
    patient: str,
    *,
    since: datetime,
    until: datetime,
    account: str | None = None,
    facility: str | None = None,
    expires: datetime,
    reason: str,
    by: str,
) -> UUID:
    """Open a patient's data of [since, until) to one account, or to all who stand at one facility.

    Raises:
        RegistryError: there is no such patient, account or facility; the account stands nowhere that a share
            opens to; the times are not in order; or ``by`` may not do this.
    """
    if (account is None) == (facility is None):
        raise RegistryError("a share is to one account or to one facility")
    if not since < until:
        raise RegistryError("since is not before until")
    if expires <= datetime.now(UTC):
        raise RegistryError("expires is over already")
    why = text.clean(reason, "reason", secret=True)
    _require(connection, patient, by)
    if account is not None:
        to = people.get(connection, account)
        if to.disabled or not any(position.kind in OPENS_TO for position in to.positions):
            raise RegistryError(f"account {account} is disabled, or none of {', '.join(OPENS_TO)} anywhere")
    if facility is not None:
        facility_store.path(connection, facility)  # or say that there is none
    row = connection.execute(
        "INSERT INTO ecg.share (patient, since, until, account, facility, expires, reason, said_by)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s) RETURNING id",
        (patient, since, until, account, facility, expires, why, by),
    ).fetchone()
    assert row is not None  # noqa: S101 - RETURNING
    return UUID(str(row[0]))


def revoke(connection: psycopg.Connection, id: UUID, by: str) -> None:  # noqa: A002
    """End a share before it expires.

    Raises:
        RegistryError: there is none, it was revoked already, or ``by`` may not do this.
    """
    found = load(connection, id=id, all=True)
    if not found:
        raise RegistryError(f"there is no share {id}")
    if found[0].state == "revoked":
        raise RegistryError(f"share {id} was revoked already")
    _require(connection, found[0].patient, by)
    connection.execute(
        "UPDATE ecg.share SET revoked_by = %s, revoked_at = clock_timestamp() WHERE id = %s", (by, id)
    )


def _require(connection: psycopg.Connection, patient: str, by: str) -> None:
    rights.require(connection, by, rights.CARE, patients.facility_of(connection, patient))
