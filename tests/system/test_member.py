"""The member of a consumer group against real Kafka."""

from __future__ import annotations

import time
import uuid

from kafka import KafkaAdminClient, KafkaProducer, TopicPartition
from kafka.admin import NewPartitions, NewTopic

from ecgstream.clients import consumer
from ecgstream.member import Member
from ecgstream.settings import Settings

PATIENCE_S = 30.0


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
