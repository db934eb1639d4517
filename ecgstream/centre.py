"""A whole centre on one machine: broker, database and services, started in order and ended in order.

Used by ``ecgstream up`` and the demo. In production every service has a supervisor of its own (systemd,
compose, Kubernetes); here this process is it: a service that ends is started again.
"""

import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import structlog
from kafka import KafkaAdminClient
from kafka.errors import CoordinatorNotAvailableError, GroupIdNotFoundError

import detectors
from ecgstream import clients
from ecgstream.embedded.kafka import EmbeddedKafka
from ecgstream.embedded.postgres import EmbeddedPostgres
from ecgstream.embedded.process import end, spawn
from ecgstream.settings import PREFIX, Settings
from ecgstream.store.migrate import migrate
from ecgstream.topics import create_topics

log = structlog.get_logger()
# It cannot read what Faust's members say of themselves, and says so with every byte of it.
logging.getLogger("kafka.admin._groups").setLevel(logging.ERROR)

SERVICES = ("watch", "registry", "worker", "pager", "sink")
"""The watch first, which must end before what it watches; the others in the way of the data."""
READY_PATIENCE_S = 60.0
RESTART_PAUSE_S = 1.0
GROUPS = {"worker": "ecgstream-worker", "sink": "sink", "pager": "pager"}


class CentreError(RuntimeError):
    """A service does not come up; the message says which, and where its log lies."""


class Centre:
    """Embedded services where the settings name none, and our own services as child processes.

    Args:
        settings: as the user gave them; ``settings`` of this object has the addresses filled in.
        say: told what is being started, for a person to read.
    """

    def __init__(self, settings: Settings, say: Callable[[str], None]) -> None:
        self.settings = settings
        self.database_given = bool(settings.database.get_secret_value())
        self._say = say
        self._stack = ExitStack()
        self._running: dict[str, tuple[list[str], subprocess.Popen[bytes]]] = {}
        self._ended_at: dict[str, float] = {}

    @property
    def logs(self) -> Path:
        """The folder of the services' logs."""
        return self.settings.data / "logs"

    def __enter__(self) -> "Centre":
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # In the way of the data, so that what is under way arrives: gateways, then the services.
        for name in [n for n in self._running if n not in SERVICES] + [
            n for n in SERVICES if n in self._running
        ]:
            end(self._running[name][1])
        self._running.clear()
        self._stack.close()

    def _start(self) -> None:
        self.logs.mkdir(parents=True, exist_ok=True)
        found: dict[str, Any] = {}
        if not self.settings.kafka:
            self._say("Starting Kafka (embedded) …")
            found["kafka"] = self._stack.enter_context(EmbeddedKafka(self.settings.data / "kafka")).bootstrap
        if not self.database_given:
            self._say("Starting PostgreSQL (embedded) …")
            postgres = self._stack.enter_context(EmbeddedPostgres(self.settings.data / "postgres"))
            found["database"] = postgres.url
        self.settings = Settings(**self.settings.model_dump() | found)
        create_topics(self.settings)
        migrate(self.settings.database.get_secret_value())

    def start(self, name: str, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
        """Start ``ecgstream ARGUMENTS`` as a child process whose output goes to ``logs/NAME.log``."""
        with (self.logs / f"{name}.log").open("ab") as out:
            argv = [sys.executable, "-m", "ecgstream", *arguments]
            environment = {**os.environ, **self.settings.environment(), **self._own_port(name)}
            process = spawn(argv, env=environment, stdout=out)
        self._running[name] = (list(arguments), process)
        return process

    def _own_port(self, name: str) -> dict[str, str]:
        """Return where a process serves its metrics: services from ``metrics_port`` on, in their order."""
        first = self.settings.metrics_port
        port = first + SERVICES.index(name) if first and name in SERVICES else 0
        return {f"{PREFIX}METRICS_PORT": str(port)}

    def process(self, name: str) -> subprocess.Popen[bytes]:
        """Return the process that runs under a name now."""
        return self._running[name][1]

    def start_services(self) -> None:
        """Start the services, and wait until those that read Kafka have their partitions.

        Raises:
            CentreError: one of them does not within a minute.
        """
        self._say("Loading the detectors (compiled once, in about a minute) …")
        detectors.warm_up()  # here, since a worker that compiles looks like one that does not start
        self._say(f"Starting {', '.join(SERVICES)} …")
        for name in SERVICES:
            self.start(name, [name])
        waiting = dict(GROUPS)
        admin = clients.admin(self.settings)
        try:
            deadline = time.monotonic() + READY_PATIENCE_S
            while waiting:
                waiting = {name: group for name, group in waiting.items() if not _is_stable(admin, group)}
                ended = [n for n in SERVICES if self._running[n][1].poll() is not None]
                if ended or time.monotonic() > deadline:
                    name = next(iter(ended or waiting))
                    raise CentreError(f"{name} does not start; its log is {self.logs / name}.log")
                time.sleep(0.1)
        finally:
            admin.close()

    def restart_what_ended(self) -> None:
        """Start services again that have ended; call it now and then."""
        for name in SERVICES:
            arguments, process = self._running[name]
            if process.poll() is None:
                continue
            ended_at = self._ended_at.setdefault(name, time.monotonic())
            if time.monotonic() - ended_at > RESTART_PAUSE_S:
                log.warning("service_restarted", service=name, status=process.returncode)
                del self._ended_at[name]
                self.start(name, arguments)


def _is_stable(admin: KafkaAdminClient, group: str) -> bool:
    try:
        found = admin.describe_groups([group]).get(group, {})
    except (CoordinatorNotAvailableError, GroupIdNotFoundError):
        return False  # nobody has asked for the group yet
    return bool(found.get("group_state") == "Stable" and found.get("members"))
