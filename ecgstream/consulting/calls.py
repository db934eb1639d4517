"""Who is told of cases, and when; and cases whose time is over are closed.

A step of a case leaves rows in ``ecg.consultation_call`` in its own transaction: now, when half of the time
is gone, and at the due time. The teller tells the pager of what is due, and notes that it did. Ended between
the two, it tells it again, under the same id, by which the pager drops the repeat. From the due time on, the
note of a call and the row of the next one are one transaction, until there is none (``following``). Neither
the question nor a name travels.
"""

import time
from datetime import datetime
from typing import Any, LiteralString, NamedTuple
from uuid import UUID
from zlib import crc32

import psycopg
from kafka import KafkaProducer
from psycopg.rows import class_row

from alerts.notify import iso
from ecgstream.consulting.case import State
from ecgstream.registry import metrics
from schemas import codec, topics
from schemas.records import Acknowledgement, Act

BATCH = 200
PATIENCE_S = 30.0
BY = "consultation"
"""Who asks the pager to call."""
_SAID = {
    "asked": "an opinion is asked for",
    "half": "nobody has taken it, and half of its time is gone",
    "due": "its time is over, and it is not answered",
    "again": "its time is over, and nobody has taken it",
    "higher": "its time is long over, and nobody has taken it",
    "untaken": "nobody has taken it, and nobody is called for it any more: ask in another way",
    "sent_back": "something is missing: it is with you again",
    "answered": "it is answered",
}
_CALL = {"half": 2, "due": 3, "again": 4, "higher": 5}
_THEN = {"due": "again", "again": "higher", "higher": "untaken"}
_NEEDED: dict[str, tuple[State, ...]] = {
    "asked": (State.ASKED,),
    "half": (State.ASKED,),
    "due": (State.ASKED, State.TAKEN),
    "again": (State.ASKED,),
    "higher": (State.ASKED,),
    "untaken": (State.ASKED,),
    "sent_back": (State.RETURNED,),
    "answered": (State.ANSWERED,),
}
_TO_WHO_ASKED = ("sent_back", "answered", "untaken")
_OF_NO_TURN = ("sent_back", "answered")
"""It is with who has asked: whatever turn it is."""

_DUE: LiteralString = """
SELECT k.id, k.consultation, k.what, k.turn, c.turn AS now_turn, c.state, c.patient, c.urgency, c.due_at,
    c.asked_at, c.asked_by, f.path::text AS path
FROM ecg.consultation_call AS k JOIN ecg.consultation AS c USING (consultation)
JOIN ecg.facility AS f ON f.code = c.at
WHERE k.done_at IS NULL AND k.due <= %s ORDER BY k.due, k.id LIMIT %s
FOR UPDATE OF k SKIP LOCKED
"""
_NOTE: LiteralString = """
UPDATE ecg.consultation_call SET done_at = clock_timestamp(), told = id = ANY(%s) WHERE id = ANY(%s)
"""
_FOLLOW: LiteralString = """
INSERT INTO ecg.consultation_call (consultation, turn, what, due) VALUES (%s, %s, %s, %s)
ON CONFLICT DO NOTHING
"""
_OVERDUE: LiteralString = """
SELECT count(*) FROM ecg.consultation
WHERE state IN ('asked', 'taken', 'returned') AND due_at <= %s
"""


class Due(NamedTuple):
    """A call whose time has come, and its case as it stands."""

    id: UUID
    consultation: UUID
    what: str
    turn: int
    now_turn: int
    state: str
    patient: str
    urgency: str
    due_at: datetime
    asked_at: datetime
    asked_by: str
    path: str

    @property
    def is_needed(self) -> bool:
        """Whether it still says what is so: the case is with those who would be called."""
        is_here = self.what in _OF_NO_TURN or self.turn == self.now_turn
        return is_here and State(self.state) in _NEEDED[self.what]


def following(due: Due, moment: datetime) -> tuple[str, datetime] | None:
    """Return which call follows one that is told at a moment, and when; None: none does.

    From the due time on each follows in half of the time that the case had; the last goes to who has asked.
    Counted from when it is told: what was late, because the teller was away, comes in no burst.
    """
    then = _THEN.get(due.what)
    return None if then is None else (then, moment + (due.due_at - due.asked_at) / 2)


def said_of(due: Due, now_ns: int) -> Acknowledgement:
    """Return what the pager is asked for."""
    due_at = iso(int(due.due_at.timestamp()) * 1_000_000_000)
    to_who_asked = due.what in _TO_WHO_ASKED
    return Acknowledgement(
        str(due.id),
        str(due.id),
        BY,
        f"{due.urgency}, answer due by {due_at}; case {due.consultation}: {_SAID[due.what]}",
        now_ns,
        Act.CONSULT,
        facility="" if to_who_asked else due.path,
        patient=due.patient,
        account=due.asked_by if to_who_asked else "",
        call=_CALL.get(due.what, 1),
    )


def tell(
    connection: psycopg.Connection, sender: KafkaProducer, partitions: int, moment: datetime | None = None
) -> int:
    """Tell the pager of what is due, and close what is over; return how many calls and cases these were.

    Args:
        connection: in role ``ecg_registry``, autocommit.
        sender: waits for all replicas.
        partitions: of the topic.
        moment: now; None: by the database's clock.

    Raises:
        KafkaError: Kafka has not taken it; nothing is noted, and the next step tells it.
    """
    now = moment or _value(connection, "SELECT clock_timestamp()")
    with connection.transaction():
        closed: int = _value(connection, "SELECT ecg.close_consultations(%s)", now)
    with connection.transaction():
        with connection.cursor(row_factory=class_row(Due)) as cursor:
            found = cursor.execute(_DUE, (now, BATCH)).fetchall()
        needed = [due for due in found if due.is_needed]
        _publish(sender, partitions, needed)
        connection.execute(_NOTE, ([due.id for due in needed], [due.id for due in found]))
        for due in needed:
            if (then := following(due, now)) is not None:
                connection.execute(_FOLLOW, (due.consultation, due.turn, *then))
    for due in needed:
        metrics.CONSULTATION_CALLS.labels(due.what).inc()
    metrics.CONSULTATIONS_OVERDUE.set(_value(connection, _OVERDUE, now))
    return len(found) + closed


def _value(connection: psycopg.Connection, query: LiteralString, *given: object) -> Any:
    (value,) = connection.execute(query, given).fetchone() or (None,)
    return value


def _publish(sender: KafkaProducer, partitions: int, needed: list[Due]) -> None:
    sent: list[Any] = []
    for due in needed:
        said = said_of(due, time.time_ns())
        number = crc32((said.facility or said.account).encode()) % partitions
        sent.append(
            sender.send(
                topics.ACKNOWLEDGEMENTS.name, codec.encode(said), key=said.alert.encode(), partition=number
            )
        )
    for future in sent:
        future.get(timeout=PATIENCE_S)
