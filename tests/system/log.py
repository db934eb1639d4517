"""Everything that a topic holds."""

from typing import Any

from kafka import TopicPartition

from ecgstream import clients
from ecgstream.settings import Settings
from schemas.topics import Topic


def read_log(settings: Settings, topic: Topic) -> list[Any]:
    """Return the records of a topic, each partition's in order."""
    reader = clients.reader(settings)
    try:
        partitions = [TopicPartition(topic.name, p) for p in range(settings.partitions)]
        reader.assign(partitions)
        reader.seek_to_beginning(*partitions)
        ends = reader.end_offsets(partitions)
        found: list[Any] = []
        while any(reader.position(p) < end for p, end in ends.items()):
            for records in reader.poll(timeout_ms=1000).values():
                found += records
        return found
    finally:
        reader.close()
