"""A closed broker: the example of deploy/kafka on one machine, with certificates made here.

Two authorities are made, as deploy/kafka/README.md says: one whose certificate the services trust, and one
that only the cluster's nodes know.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kafka.errors import (
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    NotCoordinatorError,
)

from ecgstream.broker import accounts
from ecgstream.broker.access import Service
from ecgstream.embedded.kafka import EmbeddedKafka, Security
from ecgstream.settings import Settings
from ecgstream.topics import create_topics
from tests.certificates import Authority
from tests.system.kafka_acts import GROUPS, OTHER_TOPIC, Somebody

EXAMPLE = Path(__file__).parents[2] / "deploy" / "kafka" / "server.properties"
ADMIN = "admin"
FORMAT_PASSWORD = "seen-in-the-list-of-processes"  # noqa: S105 - as the README says: changed at once
NODE = "kafka-1"
PARTITIONS = 2
_EXAMPLE_TLS = "/etc/kafka/tls"
_END_OF_NODE = "# --- The same on all"

# In place of "This node", and of what needs three machines.
_ONE_MACHINE = """
listeners=CLIENTS://127.0.0.1:{broker},INTERNAL://127.0.0.1:0,CONTROLLER://127.0.0.1:{controller}
advertised.listeners=CLIENTS://127.0.0.1:{broker},INTERNAL://127.0.0.1:0
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
"""


def closed_kafka(folder: Path) -> EmbeddedKafka:
    """Return a closed broker that is not yet started; clients trust ``folder/ca.pem``."""
    services, cluster = Authority.make("services' authority"), Authority.make("cluster's authority")
    folder.mkdir(parents=True, exist_ok=True)
    services.write(folder / "ca.pem")
    services.issue("kafka", folder / "clients.pem")
    cluster.write(folder / "cluster-ca.pem")
    cluster.issue(NODE, folder / "cluster.pem")
    properties = _ours(folder) + _ONE_MACHINE
    scram = f"SCRAM-SHA-512=[name={ADMIN},password={FORMAT_PASSWORD}]"
    return EmbeddedKafka(folder / "broker", Security(properties, ("--add-scram", scram)))


def _ours(folder: Path) -> str:
    """Return what the example says of every node, with our files."""
    same_on_all = EXAMPLE.read_text("utf-8").split(_END_OF_NODE)[1]
    return "#" + same_on_all.replace(_EXAMPLE_TLS, str(folder))


class Closed:
    """A closed broker with its topics, and a user of each service."""

    def __init__(self, folder: Path, address: str) -> None:
        self.folder = folder
        self.address = address
        self.passwords = {ADMIN: FORMAT_PASSWORD}
        with self.somebody(ADMIN) as admin:
            self.change(admin.admin, Service.ADMIN, ADMIN)  # the one that was seen among the processes
        create_topics(self.settings(ADMIN))
        with self.somebody(ADMIN) as admin:
            admin.create(OTHER_TOPIC)
            for service in Service:
                self.change(admin.admin, service, self.user(service))
            for group in GROUPS:
                self._await_coordinator(admin, group)

    def change(self, admin: Any, service: Service, user: str) -> None:
        self.passwords[user] = accounts.generate_password()
        accounts.grant(admin, service, user, self.passwords[user])

    @staticmethod
    def _await_coordinator(admin: Somebody, group: str) -> None:
        """A new broker needs a moment until it answers for groups."""
        deadline = time.monotonic() + 180
        while True:
            try:
                admin.see_group(group)
            except (CoordinatorNotAvailableError, CoordinatorLoadInProgressError, NotCoordinatorError):
                assert time.monotonic() < deadline
                time.sleep(0.1)
            else:
                return

    @staticmethod
    def user(service: Service) -> str:
        return f"{service}-1"

    def settings(self, user: str, **more: Any) -> Settings:
        values: dict[str, Any] = {
            "kafka": self.address,
            "kafka_security": "SASL_SSL",
            "kafka_user": user,
            "kafka_password": self.passwords.get(user, "none"),
            "kafka_ca": self.folder / "ca.pem",
            "partitions": PARTITIONS,
            "data": self.folder / "data",
        }
        return Settings(**values | more)

    def of(self, service: Service, **more: Any) -> Settings:
        return self.settings(self.user(service), **more)

    @contextmanager
    def somebody(self, user: str) -> Iterator[Somebody]:
        """Give a user's connections."""
        somebody = Somebody(self.settings(user))
        try:
            yield somebody
        finally:
            somebody.close()
