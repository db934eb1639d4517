"""Kafka as the hub sees it, in memory: topics of one partition, and readers of them."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

from kafka import TopicPartition
from kafka.errors import KafkaTimeoutError
from kafka.structs import OffsetAndTimestamp

from schemas.codec import encode
from schemas.topics import Topic


class Record(NamedTuple):
    topic: str
    key: bytes | None
    value: bytes | None


class Log:
    """What was published, and whether the broker is away."""

    def __init__(self) -> None:
        self.records: defaultdict[str, list[Record]] = defaultdict(list)
        self.is_away = False
        self.readers = 0

    def put(self, topic: Topic, record: Any, key: str | None = None) -> None:
        value = record if isinstance(record, bytes | None) else encode(record)
        self.records[topic.name].append(Record(topic.name, key and key.encode(), value))  # type: ignore[arg-type]

    def reader(self) -> Any:
        if self.is_away:
            raise KafkaTimeoutError
        self.readers += 1
        return _Reader(self)


class _Reader:
    def __init__(self, log: Log) -> None:
        self.log = log
        self.at: dict[TopicPartition, int] = {}

    def assign(self, sources: Iterable[TopicPartition]) -> None:
        self.at = dict.fromkeys(sources, 0)

    def seek_to_beginning(self, *sources: TopicPartition) -> None:
        self.at |= dict.fromkeys(sources, 0)

    def seek(self, source: TopicPartition, offset: int) -> None:
        self.at[source] = offset

    def end_offsets(self, sources: list[TopicPartition]) -> dict[TopicPartition, int]:
        if self.log.is_away:
            raise KafkaTimeoutError
        return {source: len(self.log.records[source.topic]) for source in sources}

    def offsets_for_times(self, wanted: dict[TopicPartition, int]) -> dict[TopicPartition, Any]:
        """All that is there counts as new."""
        return {s: OffsetAndTimestamp(0, 0, 0) if self.log.records[s.topic] else None for s in wanted}

    def position(self, source: TopicPartition) -> int:
        return self.at[source]

    def poll(self, timeout_ms: int) -> dict[TopicPartition, list[Record]]:
        time.sleep(timeout_ms / 10_000)
        found = {}
        for source, at in [] if self.log.is_away else self.at.items():
            if new := self.log.records[source.topic][at:]:
                found[source] = new
        for source, new in found.items():
            self.at[source] += len(new)
        return found

    def close(self) -> None:
        pass
