"""Reports that are kept: a patient's list, one with how it stands, and what people write of them."""

import hashlib
from datetime import datetime
from typing import LiteralString, NamedTuple
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from ecgstream.monitor.read.alerts import may_read
from ecgstream.reports.kind import Kind
from ecgstream.reports.standing import Signature, Standing

MOST = 200
"""Of a list, the newest."""

_OF_PATIENT: LiteralString = """
SELECT report, kind, since, until, status, made_by, made_at, signer, signed_at, amended_by, moved
FROM api.reports WHERE patient = %s ORDER BY made_at DESC LIMIT %s
"""
_ONE: LiteralString = """
WITH RECURSIVE before (report, amends) AS (
    SELECT r.report, r.amends FROM api.reports AS r WHERE r.report = %(id)s
    UNION SELECT r.report, r.amends FROM before AS b JOIN api.reports AS r ON r.report = b.amends
)
SELECT r.kind, r.patient, r.since, r.until, r.document, r.sha256, r.signed_sha256, r.status,
    (SELECT count(*) FROM before), r.made_by, r.made_at, r.conclusion, r.signed_by, r.signer, r.signed_at,
    r.amends, r.amended_by, r.reason, r.moved
FROM api.reports AS r WHERE r.report = %(id)s
"""
_SIGNS: LiteralString = """
SELECT EXISTS (SELECT FROM api.positions WHERE account = %s AND kind IN ('cardiologist', 'expert'))
"""


class Row(NamedTuple):
    """A report in a list; ``status`` as FHIR's DiagnosticReport has it."""

    report: UUID
    kind: str
    since: datetime
    until: datetime
    status: str
    made_by: str
    made_at: datetime
    signer: str | None
    signed_at: datetime | None
    amended_by: UUID | None
    moved: bool


class Kept(NamedTuple):
    """A report; ``is_altered``: its document is not the one that was made, or that was signed."""

    kind: Kind
    patient: str
    since: datetime
    until: datetime
    document: bytes
    standing: Standing
    is_altered: bool


def of_patient(connection: psycopg.Connection, patient: str) -> list[Row]:
    """Return a patient's reports, the newest first; none where one may read no reports."""
    if not may_read(connection, "reports"):
        return []
    with connection.cursor(row_factory=class_row(Row)) as cursor:
        return cursor.execute(_OF_PATIENT, (patient, MOST)).fetchall()


def kept(connection: psycopg.Connection, id_: UUID) -> Kept | None:
    """Return a report, None: there is none, or one does not see it.

    Raises:
        psycopg.errors.InsufficientPrivilege: this person may read no reports.
    """
    row = connection.execute(_ONE, {"id": id_}).fetchone()
    if row is None:
        return None
    kind, patient, since, until, document, sha256, signed_sha256, status, version, *rest = row
    made_by, made_at, conclusion, signed_by, signer, signed_at, amends, amended_by, reason, moved = rest
    signature = None if signed_by is None else Signature(conclusion, signed_by, signer, signed_at)
    standing = Standing(
        status,
        report=str(id_),
        sha256=sha256.hex(),
        version=version,
        made_by=made_by,
        made_at=made_at,
        signature=signature,
        amends=str(amends or ""),
        amended_by=str(amended_by or ""),
        reason=reason or "",
        moved=moved,
    )
    is_altered = hashlib.sha256(document).digest() != sha256 or signed_sha256 not in (None, sha256)
    return Kept(Kind(kind), patient, since, until, bytes(document), standing, is_altered)


def signs(connection: psycopg.Connection, account: str) -> bool:
    """Return whether somebody has a position that signs at all; of which reports, ``sign`` decides."""
    return connection.execute(_SIGNS, (account,)).fetchone() == (True,)


def sign(web: psycopg.Connection, account: str, id_: UUID, seen: bytes, conclusion: str) -> str:
    """Sign a report; return why it was not done, empty if it was (``api.sign_report``).

    Args:
        web: with the rights of the monitor itself.
        account: who signs, and has just said who they are.
        id_: of the report.
        seen: SHA-256 of the document that they have looked at.
        conclusion: what they say of it.

    Raises:
        psycopg.errors.InsufficientPrivilege: this person may not, or there is no such report.
    """
    row = web.execute("SELECT api.sign_report(%s, %s, %s, %s)", (account, id_, seen, conclusion)).fetchone()
    return str(row[0]) if row else ""


def withdraw(web: psycopg.Connection, account: str, id_: UUID, reason: str) -> bool:
    """Say that a report was entered in error; return whether it was written, which it is once.

    Raises:
        psycopg.errors.InsufficientPrivilege: as with ``sign``.
    """
    row = web.execute("SELECT api.withdraw_report(%s, %s, %s)", (account, id_, reason)).fetchone()
    return row == (True,)
