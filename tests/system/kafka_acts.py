"""Everything that can be done to a broker, each act by itself, to see whether it is refused."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import (
    ACL,
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ConfigResource,
    ConfigResourceType,
    NewTopic,
    ResourcePattern,
    ResourcePatternFilter,
    ResourceType,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from kafka.errors import AuthorizationError, for_code
from kafka.protocol.consumer import FetchRequest

from ecgstream import clients
from ecgstream.broker.access import ACCESS, CLUSTER, Right, Service
from ecgstream.settings import Settings
from schemas import topics

OTHER_TOPIC, OTHER_GROUP = "ecg.other", "other"
TOPICS = [*(t.name for t in topics.ALL), OTHER_TOPIC]
GROUPS = [*(a.group for a in ACCESS.values() if a.group), OTHER_GROUP]
PATIENCE_S = 10
_NO_RIGHT = ("AuthorizationFailedError", "needs ALTER permission")


class Somebody:
    """A user's connections. Every act returns when it was allowed, else raises ``AuthorizationError``."""

    def __init__(self, settings: Settings) -> None:
        self.connection = clients.connection(settings)
        self.admin = KafkaAdminClient(**self.connection)
        self._producer = KafkaProducer(**self.connection, acks="all", enable_idempotence=False)

    def close(self) -> None:
        self.admin.close()
        self._producer.close(timeout=PATIENCE_S)

    def may(self, act: Callable[[str], None], name: str) -> bool:
        """Return whether an act is allowed; what fails for another reason raises."""
        try:
            act(name)
        except AuthorizationError:
            return False
        return True

    # -- topics

    def see(self, topic: str) -> None:
        (found,) = self.admin.describe_topics([topic])
        _raise(found["error_code"])

    def read(self, topic: str) -> None:
        # A consumer would say nothing of a topic that it may not see. Version 12 asks by the topic's name.
        wanted = FetchRequest.FetchTopic.FetchPartition(
            partition=0,
            current_leader_epoch=-1,
            fetch_offset=0,
            last_fetched_epoch=-1,
            log_start_offset=-1,
            partition_max_bytes=1000,
        )
        request = FetchRequest(
            replica_id=-1,
            max_wait_ms=0,
            min_bytes=0,
            max_bytes=1000,
            isolation_level=0,
            session_id=0,
            session_epoch=-1,
            topics=[FetchRequest.FetchTopic(topic=topic, partitions=[wanted])],
            forgotten_topics_data=[],
            rack_id="",
            max_version=12,
        )
        answer: Any = self.admin._manager.run(self.admin._manager.send, request)
        _raise(answer.error_code)
        _raise(answer.responses[0].partitions[0].error_code)

    def write(self, topic: str) -> None:
        self._producer.send(topic, b"written by a test", key=b"test", partition=0).get(PATIENCE_S)

    def create(self, topic: str) -> None:
        self.admin.create_topics([NewTopic(topic, 1, 1)])

    def delete(self, topic: str) -> None:
        self.admin.delete_topics([topic])

    def delete_records(self, topic: str) -> None:
        self.admin.delete_records({TopicPartition(topic, 0): 0}, partition_leader_id=1)

    def add_partitions(self, topic: str) -> None:
        self.admin.create_partitions({topic: 64})

    def configure(self, topic: str) -> None:
        self._configure(ConfigResource(ConfigResourceType.TOPIC, topic, configs={"retention.ms": "1000"}))

    # -- groups

    def join(self, group: str) -> None:
        found = self.admin.describe_topics(TOPICS)
        readable = [t["name"] for t in found if "READ" in (t["authorized_operations"] or ())]
        consumer = KafkaConsumer(**self.connection, group_id=group, enable_auto_commit=False)
        try:
            consumer.subscribe(readable or TOPICS)
            until_s = time.monotonic() + PATIENCE_S
            while not consumer.assignment():  # neither taken in nor refused so far
                assert time.monotonic() < until_s, f"no answer from group {group}"
                consumer.poll(timeout_ms=100)
        finally:
            consumer.close(autocommit=False)

    def see_group(self, group: str) -> None:
        self.admin.list_group_offsets(group)

    def delete_group(self, group: str) -> None:
        for error in self.admin.delete_groups([group]).values():
            _raise_where_said(str(error))

    def begin_transaction(self, name: str) -> None:
        producer = KafkaProducer(**self.connection, transactional_id=name)
        try:
            producer.init_transactions()
        finally:
            producer._sender.force_close()
            producer.close(timeout=PATIENCE_S)

    # -- the cluster

    def see_rights(self, _: str) -> None:
        everything = ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY)
        self.admin.describe_acls(ACLFilter(None, None, ACLOperation.ANY, ACLPermissionType.ANY, everything))

    def see_disks(self, _: str) -> None:
        # To whom it does not show them, Kafka shows a broker without disks.
        if not all(broker["log_dirs"] for broker in self.admin.describe_log_dirs([OTHER_TOPIC])):
            raise AuthorizationError("no disk is shown")

    def give_rights(self, user: str) -> None:
        pattern = ResourcePattern(ResourceType.TOPIC, "nothing")
        right = ACL(f"User:{user}", "*", ACLOperation.ALL, ACLPermissionType.ALLOW, pattern)
        for error in self.admin.create_acls([right])["failed"]:
            raise error

    def set_password(self, user: str) -> None:
        password = UserScramCredentialUpsertion(user, ScramMechanism.SCRAM_SHA_512, "another-password")
        for error in self.admin.alter_user_scram_credentials([password]).values():
            _raise_where_said(str(error))

    def configure_broker(self, broker: str) -> None:
        self._configure(
            ConfigResource(ConfigResourceType.BROKER, broker, configs={"log.cleaner.threads": "1"})
        )

    def _configure(self, resource: ConfigResource) -> None:
        answer = self.admin.alter_configs([resource], raise_on_unknown=False)
        for results in answer.values():
            for result in results.values():
                _raise_where_said(str(result))


def _raise(code: int) -> None:
    if code:
        raise for_code(code)


def _raise_where_said(said: str) -> None:
    if any(words in said for words in _NO_RIGHT):
        raise AuthorizationError(said)


def allowed(service: Service, operation: str, kind: str, name: str) -> bool:
    rights = ACCESS[service].rights()
    if operation == "DESCRIBE":  # goes with every other
        return any((r.kind, r.name) == (kind, name) for r in rights)
    return Right(operation, kind, name) in rights


def acts(who: Somebody, service: Service) -> Iterator[tuple[str, Any, str, bool]]:
    """Yield what is tried: its name, the act, on what, and whether the table allows it."""
    makes = allowed(service, "CREATE", "CLUSTER", CLUSTER)
    alters = allowed(service, "ALTER", "CLUSTER", CLUSTER)
    for topic in TOPICS:
        yield "see", who.see, topic, allowed(service, "DESCRIBE", "TOPIC", topic)
        yield "read", who.read, topic, allowed(service, "READ", "TOPIC", topic)
        yield "write", who.write, topic, allowed(service, "WRITE", "TOPIC", topic)
        for act in (who.delete, who.delete_records, who.add_partitions, who.configure):
            yield act.__name__, act, topic, False
    yield "create", who.create, f"made.by-{service}", makes
    for group in GROUPS:
        yield "join", who.join, group, allowed(service, "READ", "GROUP", group)
        yield "see_group", who.see_group, group, allowed(service, "DESCRIBE", "GROUP", group)
        yield "delete_group", who.delete_group, group, False
    yield "begin_transaction", who.begin_transaction, "any", False
    for act in (who.see_rights, who.see_disks):
        yield act.__name__, act, "", allowed(service, "DESCRIBE", "CLUSTER", CLUSTER)
    yield "give_rights", who.give_rights, "nobody", alters
    yield "set_password", who.set_password, "nobody", alters
    yield "configure_broker", who.configure_broker, "1", False
