"""Three brokers: one may be away, and comes back where it was."""

from pathlib import Path

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic

from ecgstream.embedded.cluster import BROKERS, EmbeddedCluster
from ecgstream.embedded.errors import ServiceUnavailableError
from tests.system.conftest import lacking

TOPIC = "beats"


def cluster(folder: Path) -> EmbeddedCluster:
    made = EmbeddedCluster(folder)
    try:
        made.start()
    except ServiceUnavailableError as error:
        lacking(error)
    return made


def in_sync(bootstrap: str) -> set[int]:
    """How many copies of each partition are in sync."""
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        (found,) = admin.describe_topics([TOPIC])
        return {len(partition["isr_nodes"]) for partition in found["partitions"]}
    finally:
        admin.close()


def test_a_cluster_takes_records_while_a_broker_is_away(tmp_path: Path) -> None:
    three = cluster(tmp_path / "a cluster")
    try:
        admin = KafkaAdminClient(bootstrap_servers=three.bootstrap)
        admin.create_topics([NewTopic(TOPIC, BROKERS, BROKERS)])
        admin.close()
        assert in_sync(three.bootstrap) == {BROKERS}
        producer = KafkaProducer(bootstrap_servers=three.bootstrap, acks="all", enable_idempotence=True)
        sent = 0
        for away in range(BROKERS):
            three.stop_broker(away)
            for partition in range(BROKERS):
                producer.send(TOPIC, b"%d" % sent, partition=partition).get(30)
                sent += 1
            three.start_broker(away)
            while in_sync(three.bootstrap) != {BROKERS}:
                pass  # the test's time-out is the patience
        producer.close()
        assert received(three.bootstrap_outside) == {b"%d" % i for i in range(sent)}
    finally:
        three.stop()


def received(bootstrap: str) -> set[bytes]:
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    try:
        partitions = [TopicPartition(TOPIC, p) for p in range(BROKERS)]
        consumer.assign(partitions)
        ends = consumer.end_offsets(partitions)
        found: set[bytes] = set()
        while any(consumer.position(p) < ends[p] for p in partitions):
            for records in consumer.poll(timeout_ms=500).values():
                found |= {record.value for record in records}
        return found
    finally:
        consumer.close()
