"""Who is told of cases, and when; and cases whose time is over are closed.

A step of a case leaves rows in ``ecg.consultation_call`` in its own transaction: now, when half of the time
is gone, and at the due time. The teller tells the pager of what is due, and notes that it did. Ended between
the two, it tells it again, under the same id, by which the pager drops the repeat. Neither the question nor
a name travels.
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
    "sent_back": "something is missing: it is with you again",
    "answered": "it is answered",
}
_CALL = {"half": 2, "due": 3}
_NEEDED: dict[str, tuple[State, ...]] = {
    "asked": (State.ASKED,),
    "half": (State.ASKED,),
    "due": (State.ASKED, State.TAKEN),
    "sent_back": (State.RETURNED,),
    "answered": (State.ANSWERED,),
}
_TO_WHO_ASKED = ("sent_back", "answered")

_DUE: LiteralString = """
SELECT k.id, k.consultation, k.what, k.turn, c.turn AS now_turn, c.state, c.patient, c.urgency, c.due_at,
    c.asked_by, f.path::text AS path
FROM ecg.consultation_call AS k JOIN ecg.consultation AS c USING (consultation)
JOIN ecg.facility AS f ON f.code = c.at
WHERE k.done_at IS NULL AND k.due <= coalesce(%s, clock_timestamp()) ORDER BY k.due, k.id LIMIT %s
FOR UPDATE OF k SKIP LOCKED
"""
_OVERDUE: LiteralString = """
SELECT count(*) FROM ecg.consultation
WHERE state IN ('asked', 'taken', 'returned') AND due_at <= coalesce(%s, clock_timestamp())
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
    asked_by: str
    path: str

    @property
    def is_needed(self) -> bool:
        """Whether it still says what is so: the case is with those who would be called."""
        is_here = self.what in _TO_WHO_ASKED or self.turn == self.now_turn
        return is_here and State(self.state) in _NEEDED[self.what]


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
    with connection.transaction():
        row = connection.execute(
            "SELECT ecg.close_consultations(coalesce(%s, clock_timestamp()))", (moment,)
        ).fetchone()
        closed = int(row[0]) if row else 0
    with connection.transaction():
        with connection.cursor(row_factory=class_row(Due)) as cursor:
            found = cursor.execute(_DUE, (moment, BATCH)).fetchall()
        needed = [due for due in found if due.is_needed]
        _publish(sender, partitions, needed)
        connection.execute(
            "UPDATE ecg.consultation_call SET done_at = clock_timestamp(), told = id = ANY(%s)"
            " WHERE id = ANY(%s)",
            ([due.id for due in needed], [due.id for due in found]),
        )
    for due in needed:
        metrics.CONSULTATION_CALLS.labels(due.what).inc()
    row = connection.execute(_OVERDUE, (moment,)).fetchone()
    metrics.CONSULTATIONS_OVERDUE.set(row[0] if row else 0)
    return len(found) + closed


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
