"""Waiting until a consumer group has read and committed all there is."""

import time
from collections.abc import Iterable

from kafka import TopicPartition

from ecgstream import clients
from ecgstream.settings import Settings
from schemas.topics import Topic


def lag(settings: Settings, group: str, followed: Iterable[Topic]) -> int:
    """Return how many records of these topics a group has not committed."""
    tps = [TopicPartition(t.name, p) for t in followed for p in range(settings.partitions)]
    admin = clients.admin(settings)
    reader = clients.reader(settings)
    try:
        ends = reader.end_offsets(tps)
        done = admin.list_group_offsets(group)[group]
    finally:
        reader.close()
        admin.close()
    return sum(end - max(0, done[tp].offset if tp in done else 0) for tp, end in ends.items())


def settle(settings: Settings, group: str, followed: Iterable[Topic], patience_s: float) -> int:
    """Wait until the group has committed everything; return what it has not when patience ends."""
    topics = list(followed)
    deadline = time.monotonic() + patience_s
    while (left := lag(settings, group, topics)) and time.monotonic() < deadline:
        time.sleep(0.2)
    return left
