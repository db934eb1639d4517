"""Compacted topics as a whole: from their beginning to their present end."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from ecgstream.member import end_offsets

PATIENCE_S = 60.0


class UnreadError(KafkaError):  # type: ignore[misc]
    """A topic could not be read to its end; a retry may help."""


def records(reader: KafkaConsumer, sources: Sequence[TopicPartition]) -> Iterator[tuple[TopicPartition, Any]]:
    """Yield what partitions hold, each in its order; the reader then stands at their end.

    Raises:
        UnreadError: the end is not reached in time.
    """
    reader.assign(sources)
    ends = end_offsets(reader, sources)
    reader.seek_to_beginning(*sources)
    deadline = time.monotonic() + PATIENCE_S
    while any(reader.position(source) < ends[source] for source in sources):
        if time.monotonic() > deadline:
            raise UnreadError(f"{sources[0].topic} could not be read to its end")
        for source, found in reader.poll(timeout_ms=200).items():
            for record in found:
                yield source, record
