"""The member of a consumer group against real Kafka."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable

from kafka import KafkaAdminClient, KafkaProducer, TopicPartition
from kafka.admin import NewPartitions, NewTopic

from ecgstream.clients import consumer
from ecgstream.member import Member
from ecgstream.settings import Settings

PATIENCE_S = 180.0


def poll_until_assigned(member: Member, wanted: set[TopicPartition]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while member.assignment != wanted:
        assert time.monotonic() < deadline, member.assignment
        member.poll(0.001)


def test_a_rebalance_that_outlasts_a_poll_ends_and_rereads_what_was_not_committed(kafka: str) -> None:
    name = f"member-{uuid.uuid4().hex}"
    where = [TopicPartition(name, 0), TopicPartition(name, 1)]
    admin = KafkaAdminClient(bootstrap_servers=kafka)
    admin.create_topics([NewTopic(name, 1, 1)])
    producer = KafkaProducer(bootstrap_servers=kafka, acks="all")
    for n in range(5):
        producer.send(name, b"%d" % n, partition=0).get(10)
    settings = Settings(kafka=kafka, session_timeout_s=6)
    member = Member(consumer(settings, name, metadata_max_age_ms=300))
    member.join([name])
    seen: list[int] = []

    def read(last: int) -> set[TopicPartition]:
        deadline = time.monotonic() + PATIENCE_S
        taken: set[TopicPartition] = set()
        while not seen or seen[-1] != last:
            assert time.monotonic() < deadline, seen
            revoked, found = member.poll(0.01)
            taken |= revoked
            seen.extend(record.offset for records in found.values() for record in records)
        return taken

    try:
        poll_until_assigned(member, {where[0]})
        read(4)
        assert member.commit({where[0]: 2})
        admin.create_partitions({name: NewPartitions(2)})
        seen.clear()
        deadline = time.monotonic() + PATIENCE_S
        taken: set[TopicPartition] = set()
        while where[0] not in taken or member.assignment != set(where) or seen[-1:] != [4]:
            assert time.monotonic() < deadline, (taken, member.assignment, seen)
            revoked, found = member.poll(0.001)
            taken |= revoked
            seen += [record.offset for records in found.values() for record in records]
        assert seen[-3:] == [2, 3, 4]
        time.sleep(7)  # longer than the session: heartbeats go on
        producer.send(name, b"5", partition=0).get(10)
        read(5)
        assert member.commit({where[0]: 6})
    finally:
        member.leave()
        producer.close()
        admin.close()


def test_partitions_that_were_held_in_the_middle_of_what_was_fetched_are_read_on(kafka: str) -> None:
    """All that kafka-python had fetched of them is put aside, and must be taken up again.

    Nothing is committed, so a rebalance (a busy broker tells late of partitions) begins each one anew: what
    was read is forgotten then, as every service does.
    """
    name = f"member-{uuid.uuid4().hex}"
    first, second, third = where = [TopicPartition(name, n) for n in range(3)]
    admin = KafkaAdminClient(bootstrap_servers=kafka)
    admin.create_topics([NewTopic(name, 3, 1)])
    producer = KafkaProducer(bootstrap_servers=kafka, acks="all")
    member = Member(consumer(Settings(kafka=kafka, session_timeout_s=6), name, max_poll_records=10))
    seen: dict[TopicPartition, list[int]] = {partition: [] for partition in where}
    held: list[TopicPartition] = []

    def send(partition: TopicPartition, count: int) -> None:
        for _ in range(count):
            producer.send(name, b"", partition=partition.partition)
        producer.flush()

    def read(until: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not until():
            assert time.monotonic() < deadline, seen
            member.hold(held)
            revoked, found = member.poll(0.1)
            for partition in revoked:
                seen[partition].clear()
            for partition, records in found.items():
                seen[partition] += [record.offset for record in records]

    try:
        member.join([name])
        poll_until_assigned(member, set(where))
        for one in (first, second):
            send(one, 35)
            read(lambda: bool(seen[one]))  # noqa: B023 - at once
            assert len(seen[one]) < 35  # the rest lies in the consumer
            held.append(one)
            send(third, 5)
            read(lambda: len(seen[third]) == 5 * len(held))
        held.clear()
        wanted = {first: list(range(35)), second: list(range(35)), third: list(range(10))}
        read(lambda: seen == wanted)
    finally:
        member.leave()
        producer.close()
        admin.close()
