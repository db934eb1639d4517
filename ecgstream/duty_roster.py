"""The roster in Kafka: what is published, and which one the pager calls people by."""

import time
from contextlib import suppress

from kafka import TopicPartition

from alerts.roster.model import Roster as Duty
from alerts.roster.read import RosterError, from_json, to_json, version_of
from ecgstream import clients
from ecgstream.settings import Settings
from ecgstream.whole import records
from schemas import topics
from schemas.codec import decode_as, encode
from schemas.errors import BadRecordError
from schemas.records import Roster

KEY, PARTITION = b"roster", 0
_WRITE_S = 10.0


class Latest:
    """The roster that holds, of those that come one after the other; what cannot be read changes nothing."""

    def __init__(self) -> None:
        self.roster: Duty | None = None
        self.told: Roster | None = None
        self._published_ns = -1

    def take(self, value: bytes | None) -> Roster | None:
        """Take what was told; return it if it is the one that holds now.

        Raises:
            BadRecordError, RosterError: it cannot be read.
        """
        if value is None:  # deleted by hand
            self.roster = self.told = None
            return None
        told = decode_as(Roster, value)
        if told.published_ns < self._published_ns:
            return None
        self.roster = from_json(told.content)
        self.told, self._published_ns = told, told.published_ns
        return told


def publish(settings: Settings, roster: Duty, by: str) -> Roster:
    """Write a roster, and return it as it travels; the pager calls people by it from now on.

    Raises:
        KafkaError: it could not be written.
    """
    told = Roster(version_of(roster), to_json(roster), time.time_ns(), by)
    producer = clients.producer(settings)
    try:
        producer.send(topics.ROSTER.name, encode(told), key=KEY, partition=PARTITION).get(_WRITE_S)
    finally:
        producer.close(timeout=_WRITE_S)
    return told


def newest(settings: Settings) -> Roster | None:
    """Return the roster that holds; None: there is none.

    Raises:
        KafkaError: it cannot be read.
    """
    reader, latest = clients.reader(settings), Latest()
    try:
        for _, record in records(reader, [TopicPartition(topics.ROSTER.name, PARTITION)]):
            with suppress(BadRecordError, RosterError):  # the pager and the watch tell of it
                latest.take(record.value)
    finally:
        reader.close()
    return latest.told
