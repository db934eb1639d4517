"""What the pager's own topics hold: alerts, and the notification log."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import structlog
from kafka import TopicPartition

from alerts.state import State
from ecgstream import clients
from ecgstream.settings import Settings
from ecgstream.whole import records
from schemas import topics
from schemas.codec import decode
from schemas.errors import BadRecordError
from schemas.records import Alert, Notification
from schemas.topics import Topic

KEPT = (topics.ALERTS, topics.NOTIFICATIONS)

log = structlog.get_logger()


class Entry(NamedTuple):
    """A record of a compacted topic; without content where its key is no more."""

    topic: str
    partition: int
    key: str
    content: Alert | Notification | None


def read(settings: Settings, partitions: Iterable[int], kept: Sequence[Topic] = KEPT) -> Iterator[Entry]:
    """Yield what topics hold of these partitions, from their beginning to their present end.

    Raises:
        UnreadError: the end is not reached in time.
    """
    reader = clients.reader(settings)
    try:
        for source, record in records(
            reader, [TopicPartition(topic.name, p) for p in partitions for topic in kept]
        ):
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
