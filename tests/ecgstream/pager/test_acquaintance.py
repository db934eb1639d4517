"""Partitions that one pager answers know of each other, and of none that it has lost."""

from __future__ import annotations

from kafka import TopicPartition

from schemas import topics
from schemas.records import Phase
from tests.alerts.timeline import SESSION, condition
from tests.ecgstream.pager.fake_kafka import SECOND, Process, World


def test_partitions_of_one_pager_know_of_each_other_and_not_of_those_that_it_has_lost() -> None:
    found = World(SESSION + 4 * SECOND, partitions=(0, 1, 2))
    found.condition(condition(4, Phase.ONSET))
    process = Process(found)
    process.settle(2)
    partitions = process.pager._partitions
    for one in partitions.values():
        others = [other.state for other in partitions.values() if other is not one]
        assert [id(state) for state in one.state.siblings] == [id(state) for state in others]
    assert len(partitions) == 3
    found.partitions = {0, 1}
    process.pager._lose({TopicPartition(topics.CONDITIONS.name, 2)})
    assert sorted(partitions) == [0, 1]
    assert all(len(one.state.siblings) == 1 for one in partitions.values())
