"""Cases of consultation as somebody sees them: those that wait, one with its steps, what may answer it."""

from datetime import datetime
from typing import LiteralString, NamedTuple
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from ecgstream.consulting.store import Kept, Step
from ecgstream.monitor.read.alerts import Place, may_read
from ecgstream.registry.people import Position
from ecgstream.registry.roles import Kind

MOST = 200
"""Of a list: those that are due first, or of all the newest."""

_COLUMNS: LiteralString = """
SELECT c.consultation, c.patient, c.since, c.until, c.facility, c.asked_by, c.question, c.urgency, c.asked_at,
    c.due_at, c.ends_at, c.state, c.at, c.at_path::text AS at_path, c.taken_by, c.report, c.newest, c.moved
FROM api.consultations AS c
"""
_OPEN: LiteralString = f"""{_COLUMNS} WHERE c.state NOT IN ('closed', 'withdrawn')
ORDER BY c.state = 'answered', c.due_at, c.consultation LIMIT %s"""
_ALL: LiteralString = f"{_COLUMNS} ORDER BY c.asked_at DESC, c.consultation LIMIT %s"
_ONE: LiteralString = f"{_COLUMNS} WHERE c.consultation = %s"
_STEPS: LiteralString = """
SELECT id, act, said_by, said_at, words, facility, report FROM api.consultation_steps
WHERE consultation = %s ORDER BY id
"""
_ANSWERS: LiteralString = """
SELECT report, signed_at FROM api.reports
WHERE patient = %s AND since = %s AND until = %s AND signed_by = %s AND status IN ('final', 'amended')
    AND amended_by IS NULL AND NOT moved
ORDER BY signed_at DESC
"""


class Answer(NamedTuple):
    """A report with which somebody may answer."""

    report: UUID
    signed_at: datetime


def waiting(connection: psycopg.Connection, *, also_over: bool) -> list[Kept]:
    """Return the cases that somebody sees, those that are due first; or all, the newest first.

    None where one sees no cases at all.
    """
    if not may_read(connection, "consultations"):
        return []
    with connection.cursor(row_factory=class_row(Kept)) as cursor:
        return cursor.execute(_ALL if also_over else _OPEN, (MOST,)).fetchall()


def one(connection: psycopg.Connection, id_: UUID) -> Kept | None:
    """Return a case; None: there is none, or one does not see it.

    Raises:
        psycopg.errors.InsufficientPrivilege: this person sees no cases.
    """
    with connection.cursor(row_factory=class_row(Kept)) as cursor:
        return cursor.execute(_ONE, (id_,)).fetchone()


def steps(connection: psycopg.Connection, id_: UUID) -> list[Step]:
    """Return what was done with a case, in order."""
    with connection.cursor(row_factory=class_row(Step)) as cursor:
        return cursor.execute(_STEPS, (id_,)).fetchall()


def answers(connection: psycopg.Connection, case: Kept, account: str) -> list[Answer]:
    """Return the reports with which somebody may answer a case, the newest first."""
    given = (case.patient, case.since, case.until, account)
    return [Answer(*row) for row in connection.execute(_ANSWERS, given)]


def positions(connection: psycopg.Connection, account: str) -> list[Position]:
    """Return where somebody stands."""
    rows = connection.execute(
        "SELECT kind, facility FROM api.positions WHERE account = %s ORDER BY facility", (account,)
    )
    return [Position(Kind(kind), facility) for kind, facility in rows]


def names(connection: psycopg.Connection, cases: list[Kept]) -> dict[str, Place]:
    """Return the names of the facilities of cases by their codes, of those that one sees."""
    codes = sorted({code for case in cases for code in (case.facility, case.at)})
    rows = connection.execute(
        "SELECT code, name_en, name_zh FROM api.facilities WHERE code = ANY(%s)", (codes,)
    )
    return {code: Place(name_en, name_zh) for code, name_en, name_zh in rows}
