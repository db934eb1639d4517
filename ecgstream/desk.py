"""Where people look at alerts and acknowledge them: on Kafka alone, so that the database may be away."""

import re
import time
import uuid
from collections.abc import Generator, Iterable
from contextlib import closing
from zlib import crc32

from kafka import TopicPartition
from kafka.errors import KafkaError

from ecgstream import clients
from ecgstream.audit import told
from ecgstream.broker.access import Service
from ecgstream.broker.errors import BrokerError
from ecgstream.broker.ready import check
from ecgstream.member import end_offsets
from ecgstream.pager import recorded
from ecgstream.settings import Settings
from schemas import topics
from schemas.codec import decode_as, encode
from schemas.errors import BadRecordError
from schemas.records import Acknowledgement, Act, Alert, AlertState

SHORTEST_PREFIX = 4
LONGEST_REASON = 500
ANSWER_S = 10.0
_WRITE_S = 10.0
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class DeskError(ValueError):
    """What was asked for cannot be done; the message is one line that says why and what to do."""


def alerts(settings: Settings) -> dict[str, Alert]:
    """Return all alerts that are kept, by id: those that are open, and those that ended a short while ago.

    Raises:
        BrokerError, KafkaError: they cannot be read.
    """
    check(settings, Service.DESK)
    return recorded.alerts(settings)


def note(settings: Settings, who: str, kind: str, object_: str, facility: str = "", **detail: object) -> None:
    """Tell the audit log that somebody reads, before they do.

    Raises:
        BrokerError, KafkaError: it cannot be told.
    """
    told.tell(settings, [told.read(str(Service.DESK), who, kind, object_, facility, **detail)])


def prefix_length(ids: Iterable[str]) -> int:
    """Return how many characters tell these ids apart, at least eight.

    >>> prefix_length(["f7cccd15-398d", "f7cccd15-4000"]), prefix_length([])
    (10, 8)
    """
    told = set(ids)
    n = 8
    while len({id_[:n] for id_ in told}) < len(told):
        n += 1
    return n


def find(known: dict[str, Alert], prefix: str) -> Alert:
    """Return the one alert whose id begins so.

    Raises:
        DeskError: there is none, or there are several.
    """
    wanted = prefix.strip().lower()
    if len(wanted) < SHORTEST_PREFIX:
        raise DeskError(f"{prefix!r} is short for an alert: give at least {SHORTEST_PREFIX} characters")
    found = [alert for id_, alert in known.items() if id_.startswith(wanted)]
    if not found:
        raise DeskError(f"no alert begins with {wanted!r}: `ecgstream alert list` shows those that are open")
    if len(found) > 1:
        n = prefix_length(alert.id for alert in found)
        which = ", ".join(f"{a.id[:n]} ({a.condition} on {a.device})" for a in found[:5])
        raise DeskError(f"{len(found)} alerts begin with {wanted!r}: {which}")
    return found[0]


def reason_of(text: str) -> str:
    """Return why an alert is acknowledged, as it is written down.

    Raises:
        DeskError: it says nothing, or too much.
    """
    found = _CONTROL.sub(" ", text).strip()
    if not 1 <= len(found) <= LONGEST_REASON:
        raise DeskError(f"--reason: say why, in 1 to {LONGEST_REASON} characters")
    return found


def say_of(
    settings: Settings, alert: Alert, by: str, reason: str, act: Act = Act.ACKNOWLEDGE, silent_s: float = 0.0
) -> Alert | None:
    """Write down what somebody says of an alert; return it as the pager has it then.

    None: the pager has not answered in time. What is written is written; it answers when it runs.

    Raises:
        KafkaError: it could not be written.
    """
    said = Acknowledgement(str(uuid.uuid4()), alert.id, by, reason, time.time_ns(), act, silent_s)
    with closing(_becoming(settings, said, alert.partition, ANSWER_S)) as becoming:
        return next((found for found in becoming if _is_answer(alert, found, said)), None)


def ask_for_test(settings: Settings, team: str, by: str, patience_s: float = ANSWER_S) -> Generator[Alert]:
    """Ask for a test page to a team; yield it as the pager has it, each time that it changes.

    The first comes as soon as the pager answers; none: it has not in time, or there is one already
    (``alerts.trial``). The last is ENDED, if that is in time.

    Raises:
        KafkaError: it could not be written.
    """
    ids, at_ns = (str(uuid.uuid4()), str(uuid.uuid4())), time.time_ns()
    said = Acknowledgement(*ids, by, "sent", at_ns, Act.TEST, team=team)
    yield from _becoming(settings, said, crc32(team.encode()) % settings.partitions, patience_s)


def _becoming(
    settings: Settings, said: Acknowledgement, partition: int, patience_s: float
) -> Generator[Alert]:
    """Write down what somebody says; yield what the alert becomes, until so much time has passed."""
    reader = clients.reader(settings)
    try:
        where = TopicPartition(topics.ALERTS.name, partition)
        reader.assign([where])
        reader.seek(where, end_offsets(reader, [where])[where])
        _write(settings, said, partition)
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            for record in reader.poll(timeout_ms=200).get(where, []):
                found = _alert(record.value)
                if found is not None and found.id == said.alert:
                    yield found
    finally:
        reader.close()


def _is_answer(known: Alert, found: Alert, said: Acknowledgement) -> bool:
    """Return whether an alert as it is now tells what became of somebody's words."""
    if found.acknowledged_ns is not None:
        return True
    what = {Act.REJECT: "REJECTED", Act.SILENCE: AlertState.SILENCED}.get(said.act)
    news = (turn for turn in found.history if turn.at_ns > known.updated_ns)
    return any(turn.what == what and turn.by == said.by for turn in news)


def _write(settings: Settings, said: Acknowledgement, partition: int) -> None:
    producer = clients.producer(settings)
    try:
        value, key = encode(said), said.alert.encode()
        producer.send(topics.ACKNOWLEDGEMENTS.name, value, key=key, partition=partition).get(_WRITE_S)
    finally:
        producer.close(timeout=_WRITE_S)


def _alert(value: bytes | None) -> Alert | None:
    try:
        return decode_as(Alert, value or b"")
    except BadRecordError:
        return None


REFUSALS = (BrokerError, DeskError, KafkaError)
"""What a command tells in one line."""
