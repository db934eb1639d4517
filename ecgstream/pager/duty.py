"""What the pager follows besides its own topics: the duty roster, and where each device stands.

Both are compacted topics that others write, read by a consumer of its own, from the beginning at each start.
While they cannot be read what is known holds: an old roster calls somebody, none calls nobody in particular.
A roster that cannot be read is left aside; the one before it holds.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import structlog
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from alerts.place import Place
from alerts.roster.read import RosterError
from alerts.route import Routing
from devices.enrolment import Change, Enrolments, change_of
from ecgstream.duty_roster import Latest
from ecgstream.pager import metrics
from ecgstream.whole import records
from schemas import topics
from schemas.errors import BadRecordError

GREEN = "ambulance"
"""What the kind of a device begins with that is of the green channel."""

log = structlog.get_logger()


class Duty:
    """Who is called, as it stands in Kafka; one thread calls it.

    Args:
        reader: a consumer without a group.
        partitions: of each topic.
    """

    def __init__(self, reader: KafkaConsumer, partitions: int) -> None:
        self.route = Routing()
        self._reader = reader
        self._enrolments = Enrolments()
        self._latest = Latest()
        self._sources = [
            TopicPartition(topic.name, number)
            for topic in (topics.ENROLMENT, topics.ROSTER)
            for number in range(partitions)
        ]

    def load(self) -> None:
        """Read all that there is.

        Raises:
            UnreadError: it cannot be read to its end.
        """
        found: dict[TopicPartition, list[Any]] = defaultdict(list)
        for source, record in records(self._reader, self._sources):
            found[source].append(record)
        self._take(found)
        log.info(
            "duty_known",
            roster=self._latest.told and self._latest.told.version,
            devices=len(self._enrolments),
        )

    def follow(self) -> None:
        """Take what has come since."""
        try:
            self._take(self._reader.poll(timeout_ms=0))
        except KafkaError as error:
            log.warning("duty_not_followed", error=type(error).__name__)

    def close(self) -> None:
        """Close the consumer."""
        self._reader.close()

    def place(self, device: str) -> Place:
        """Return where a device stands."""
        found = self._enrolments.device(device)
        return Place() if found is None else Place(found.facility, found.kind.lower().startswith(GREEN))

    def _take(self, found: dict[TopicPartition, list[Any]]) -> None:
        enrolled: list[Any] = []
        for source, came in found.items():
            if source.topic == topics.ENROLMENT.name:
                enrolled += came
                continue
            for record in came:
                self._take_roster(record.value)
        if enrolled:
            self._enrolments = self._enrolments.changed(_changes(enrolled))

    def _take_roster(self, value: bytes | None) -> None:
        try:
            told = self._latest.take(value)
        except (BadRecordError, RosterError) as error:
            metrics.BAD.inc()
            log.error("roster_refused", error=type(error).__name__)  # noqa: TRY400
            return
        self.route.roster = self._latest.roster  # none: one call each
        if told is not None:
            log.info("roster", version=told.version, by=told.published_by)


def _changes(records: list[Any]) -> Iterator[Change]:
    for record in records:
        try:
            yield change_of(record.key, record.value)
        except BadRecordError as error:
            log.warning("bad_record", topic=topics.ENROLMENT.name, error=type(error).__name__)
