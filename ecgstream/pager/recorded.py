"""What the pager's own topics hold: alerts, and the notification log."""

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import structlog
from kafka import TopicPartition
from kafka.errors import KafkaError

from alerts.state import State
from ecgstream import clients
from ecgstream.member import end_offsets
from ecgstream.settings import Settings
from schemas import topics
from schemas.codec import decode
from schemas.errors import BadRecordError
from schemas.records import Alert, Notification
from schemas.topics import Topic

PATIENCE_S = 60.0
KEPT = (topics.ALERTS, topics.NOTIFICATIONS)

log = structlog.get_logger()


class RebuildError(KafkaError):  # type: ignore[misc]
    """A topic could not be read to its end; a retry may help."""


class Entry(NamedTuple):
    """A record of a compacted topic; without content where its key is no more."""

    topic: str
    partition: int
    key: str
    content: Alert | Notification | None


def read(settings: Settings, partitions: Iterable[int], kept: Sequence[Topic] = KEPT) -> Iterator[Entry]:
    """Yield what topics hold of these partitions, from their beginning to their present end.

    Raises:
        RebuildError: the end is not reached in time.
    """
    reader = clients.reader(settings)
    try:
        mine = [TopicPartition(topic.name, p) for p in partitions for topic in kept]
        reader.assign(mine)
        ends = end_offsets(reader, mine)
        reader.seek_to_beginning(*mine)
        deadline = time.monotonic() + PATIENCE_S
        while any(reader.position(p) < ends[p] for p in mine):
            if time.monotonic() > deadline:
                raise RebuildError("the pager's topics could not be read to their end")
            for source, records in reader.poll(timeout_ms=200).items():
                for record in records:
                    yield from _entry(source, record)
    finally:
        reader.close()


def alerts(settings: Settings) -> dict[str, Alert]:
    """Return all alerts that are kept, by id.

    Raises:
        KafkaError: they cannot be read.
    """
    state = State()
    for entry in read(settings, range(settings.partitions), (topics.ALERTS,)):
        learn(state, entry)
    return state.alerts


def learn(state: State, entry: Entry) -> None:
    """Take an entry of the alerts' topic into a state."""
    if isinstance(entry.content, Alert):
        state.learn(entry.content)
    elif entry.key in state.alerts:
        state.forget(entry.key)


def _entry(source: TopicPartition, record: Any) -> Iterator[Entry]:
    key = (record.key or b"").decode(errors="replace")
    content: Any = None
    if record.value is not None:
        try:
            content = decode(record.value)
        except BadRecordError as error:
            at = {"topic": source.topic, "partition": source.partition, "offset": record.offset}
            log.warning("bad_record", error=type(error).__name__, **at)
            return
        if not isinstance(content, Alert | Notification) or content.partition != source.partition:
            return  # another's, or by hand
    yield Entry(source.topic, source.partition, key, content)
