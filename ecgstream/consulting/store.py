"""Cases in the database: asked, carried on, read.

``ask`` and ``go_on`` call functions of the database, which decide whether an account may; the connection is
of the registry or of the monitor itself, which know who asks. ``load`` and ``steps`` are for role
``ecg_registry``; what a person sees, views give (``api.consultations``).
"""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import LiteralString, NamedTuple
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from ecgstream.consulting.case import Act, Case, State
from ecgstream.settings import Settings

LONGEST_WORDS = 4000
REFUSED = {
    "unworn": "nothing was worn in this stretch",
    "changed": "somebody has done something with the case since: look at it again",
    "over": "the case is over",
    "state": "this cannot be done with the case as it stands",
    "held": "somebody else has taken the case",
    "words": "say what is missing, or what is added",
    "level": "a case is passed up to a facility above the one that has it",
    "unsigned": "the answer is a report of exactly this stretch that you have signed, and that holds",
    "moved": "what the patient wore in this stretch was corrected since it was asked: send it back",
}
"""Why the database does not do it, in words for a person."""


class Urgency(StrEnum):
    """How soon an answer is wanted."""

    EMERGENCY = "emergency"
    URGENT = "urgent"
    ROUTINE = "routine"


class Asking(NamedTuple):
    """What is asked.

    Attributes:
        id: of the case; asked twice under one, it is asked once.
        who: account.
        since, until: the stretch, one minute to 14 days.
        facility: code of the one that asks; ``asked``: of the one above that is asked.
        question: what is asked, for people; never a name.
    """

    id: UUID
    who: str
    patient: str
    since: datetime
    until: datetime
    facility: str
    asked: str
    urgency: Urgency
    question: str


class Terms(NamedTuple):
    """By when an answer is wanted, in minutes, and for how many days from then on a case stays open."""

    emergency_min: int = 10
    urgent_min: int = 120
    routine_min: int = 1440
    open_days: int = 7

    @classmethod
    def of(cls, settings: Settings) -> "Terms":
        """Return what is set."""
        return cls(
            settings.consult_emergency_min,
            settings.consult_urgent_min,
            settings.consult_routine_min,
            settings.consult_open_days,
        )

    def due(self, urgency: Urgency) -> timedelta:
        """Return how soon an answer is wanted.

        >>> Terms().due(Urgency.EMERGENCY)
        datetime.timedelta(seconds=600)
        """
        minutes = {
            Urgency.EMERGENCY: self.emergency_min,
            Urgency.URGENT: self.urgent_min,
            Urgency.ROUTINE: self.routine_min,
        }
        return timedelta(minutes=minutes[urgency])


class Kept(NamedTuple):
    """A case as it is kept. ``newest``: id of its last step."""

    consultation: UUID
    patient: str
    since: datetime
    until: datetime
    facility: str
    asked_by: str
    question: str
    urgency: str
    asked_at: datetime
    due_at: datetime
    ends_at: datetime
    state: str
    at: str
    at_path: str
    taken_by: str | None
    report: UUID | None
    newest: int
    moved: bool

    @property
    def case(self) -> Case:
        """Return what decides what may be done with it."""
        at = tuple(self.at_path.split("."))
        return Case(State(self.state), self.facility, self.asked_by, at, self.taken_by)


class Step(NamedTuple):
    """What was done with a case; ``said_by``: account, empty: its time was over."""

    id: int
    act: str
    said_by: str
    said_at: datetime
    words: str
    facility: str | None
    report: UUID | None


_LOAD: LiteralString = """
SELECT c.consultation, c.patient, c.since, c.until, c.facility, c.asked_by, c.question, c.urgency, c.asked_at,
    c.due_at, c.ends_at, c.state, c.at, f.path::text AS at_path, c.taken_by, c.report,
    (SELECT max(t.id) FROM ecg.consultation_step AS t WHERE t.consultation = c.consultation) AS newest,
    ecg.worn(c.patient, c.since, c.until) <> c.worn AS moved
FROM ecg.consultation AS c JOIN ecg.facility AS f ON f.code = c.at
WHERE (%(id)s::uuid IS NULL OR c.consultation = %(id)s)
    AND (%(facility)s::text IS NULL OR %(facility)s IN (c.facility, c.at))
    AND (%(all)s OR c.state NOT IN ('closed', 'withdrawn'))
ORDER BY c.due_at, c.consultation
"""
_STEPS: LiteralString = """
SELECT id, act, said_by, said_at, words, facility, report FROM ecg.consultation_step
WHERE consultation = %s ORDER BY id
"""


def ask(connection: psycopg.Connection, asking: Asking, terms: Terms) -> str:
    """Ask for an opinion; return why it was not done (a key of ``REFUSED``), empty if it was.

    Raises:
        psycopg.errors.InsufficientPrivilege: this account may not, or does not see the stretch.
        psycopg.errors.CheckViolation: what is said cannot be meant.
    """
    lasts = (terms.due(asking.urgency), timedelta(days=terms.open_days))
    *said, urgency, question = asking
    id_, who, patient, *rest = said
    given = (who, id_, patient, *rest, str(urgency), *lasts, question)
    row = connection.execute(
        f"SELECT api.ask_consultation({', '.join(['%s'] * len(given))})", given
    ).fetchone()
    return str(row[0]) if row else ""


def go_on(
    connection: psycopg.Connection,
    id: UUID,  # noqa: A002 - as in Asking
    who: str,
    seen: int,
    act: Act,
    words: str = "",
    *,
    up_to: str | None = None,
    report: UUID | None = None,
) -> str:
    """Do something with a case; return why it was not done (a key of ``REFUSED``), empty if it was.

    Args:
        connection: of the registry, or of the monitor itself.
        id: of the case.
        who: account.
        seen: the newest step that they know of.
        act: what is done.
        words: that go with it.
        up_to: PASSED_UP: code of the facility.
        report: ANSWERED: the signed report.

    Raises:
        psycopg.errors.InsufficientPrivilege: this account may not, or there is no such case.
    """
    given = (who, id, seen, str(act), words, up_to, report)
    row = connection.execute("SELECT api.consult(%s, %s, %s, %s, %s, %s, %s)", given).fetchone()
    return str(row[0]) if row else ""


def load(
    connection: psycopg.Connection,
    *,
    id: UUID | None = None,  # noqa: A002 - as in Asking
    facility: str | None = None,
    all: bool = False,  # noqa: A002 - the flag's name
) -> list[Kept]:
    """Return cases that are not over, the first that is due first; of one facility, or also what is over."""
    with connection.cursor(row_factory=class_row(Kept)) as cursor:
        return cursor.execute(_LOAD, {"id": id, "facility": facility, "all": all}).fetchall()


def steps(connection: psycopg.Connection, id: UUID) -> list[Step]:  # noqa: A002 - as in Asking
    """Return what was done with a case, in order."""
    with connection.cursor(row_factory=class_row(Step)) as cursor:
        return cursor.execute(_STEPS, (id,)).fetchall()


def forget(connection: psycopg.Connection, teaching: UUID, by: str) -> bool:
    """Take a teaching case out of the collection; return whether it was there."""
    connection.execute("SELECT set_config('ecg.acting', %s, true)", (by,))
    found = connection.execute("DELETE FROM ecg.teaching_case WHERE teaching = %s", (teaching,))
    return found.rowcount == 1
