"""The teaching collection, and what of a case its words must not name."""

from typing import LiteralString, NamedTuple
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from ecgstream.consulting.store import Kept
from ecgstream.consulting.teaching import Copy
from ecgstream.monitor.read.alerts import may_read

MOST = 500
"""Of a list."""

_CASES: LiteralString = "SELECT teaching, category, question, answer, leads, seconds FROM api.teaching_cases"


class Case(NamedTuple):
    """A teaching case without its record."""

    teaching: UUID
    category: str
    question: str
    answer: str
    leads: list[str]
    seconds: int


def cases(connection: psycopg.Connection) -> list[Case]:
    """Return the cases, in an order that says nothing; none where one may read none."""
    if not may_read(connection, "teaching_cases"):
        return []
    with connection.cursor(row_factory=class_row(Case)) as cursor:
        return cursor.execute(f"{_CASES} ORDER BY teaching LIMIT %s", (MOST,)).fetchall()


def case(connection: psycopg.Connection, id_: UUID) -> Case | None:
    """Return a case; None: there is none.

    Raises:
        psycopg.errors.InsufficientPrivilege: this person may read none.
    """
    with connection.cursor(row_factory=class_row(Case)) as cursor:
        return cursor.execute(f"{_CASES} WHERE teaching = %s", (id_,)).fetchone()


def record(connection: psycopg.Connection, id_: UUID) -> bytes | None:
    """Return a case's zip of WFDB; None: there is none."""
    row = connection.execute("SELECT record FROM api.teaching_cases WHERE teaching = %s", (id_,)).fetchone()
    return None if row is None else bytes(row[0])


def known(connection: psycopg.Connection, one: Kept) -> list[str]:
    """Return names, codes and accounts that have to do with a case, as far as one sees them.

    Patients' names are not among them: the monitor has no key to these.
    """
    accounts = [one.asked_by]
    rows = connection.execute(
        "SELECT said_by FROM api.consultation_steps WHERE consultation = %s", (one.consultation,)
    )
    accounts += [account for (account,) in rows]
    people = connection.execute("SELECT name FROM api.people WHERE account = ANY(%s)", (accounts,))
    places = connection.execute("SELECT code, name_en, name_zh FROM api.facilities")
    devices = connection.execute(
        "SELECT device FROM api.associations WHERE patient = %s UNION SELECT patient FROM api.patients"
        " WHERE patient = %s",
        (one.patient, one.patient),
    )
    named = [word for query in (people, places, devices) for row in query.fetchall() for word in row]
    return [one.patient, *accounts, *named]


def put_in(
    web: psycopg.Connection, account: str, of: UUID, id_: UUID, question: str, answer: str, copy: Copy
) -> None:
    """Put a copy into the collection.

    Args:
        web: with the rights of the monitor itself.
        account: who does; they must have answered the case.
        of: the case of consultation.
        id_: of the teaching case.
        question: what was asked, for those who learn.
        answer: likewise.
        copy: the record.

    Raises:
        psycopg.errors.InsufficientPrivilege: this account may not, or the case is over.
    """
    given = (account, of, id_, question, answer, list(copy.leads), copy.seconds, copy.content)
    web.execute("SELECT api.teach(%s, %s, %s, %s, %s, %s, %s, %s)", given)
