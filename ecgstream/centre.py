"""A whole centre on one machine: broker, database and services, started in order and ended in order.

Used by ``ecgstream up`` and the demo. In production every service has a supervisor of its own (systemd,
compose, Kubernetes); here this process is it: a service that ends is started again.
"""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import structlog
from kafka.errors import GroupIdNotFoundError, KafkaError

import detectors
from ecgstream import clients
from ecgstream.audit import keys
from ecgstream.embedded.kafka import EmbeddedKafka
from ecgstream.embedded.postgres import EmbeddedPostgres
from ecgstream.embedded.process import end, spawn
from ecgstream.settings import PREFIX, Settings
from ecgstream.store.migrate import migrate
from ecgstream.topics import create_topics

log = structlog.get_logger()
# It cannot read what Faust's members say of themselves, and says so with every byte of it.
logging.getLogger("kafka.admin._groups").setLevel(logging.ERROR)

SERVICES = ("watch", "registry", "worker", "pager", "sink", "sealer")
"""The watch first, which must end before what it watches; the others in the way of the data."""
READY_PATIENCE_S = 240.0
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
        self._running: dict[str, _Child] = {}
        self._lock = threading.RLock()  # chaos strikes from threads of its own

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
            end(self._running[name].running)
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
        if self.settings.audit_key is None:
            found["audit_key"] = self.settings.data.absolute() / "audit.key"
            if not found["audit_key"].exists():
                keys.create(found["audit_key"])
        self.settings = Settings(**self.settings.model_dump() | found)
        create_topics(self.settings)
        migrate(self.settings.database.get_secret_value())

    def start(
        self,
        name: str,
        arguments: Sequence[str],
        *,
        module: str = "ecgstream",
        settings: Settings | None = None,
        kept: bool = False,
    ) -> subprocess.Popen[bytes]:
        """Start ``ecgstream ARGUMENTS`` as a child process whose output goes to ``logs/NAME.log``.

        Args:
            name: what runs under it already is forgotten.
            arguments: of the command line.
            module: another program of ours instead.
            settings: other settings than the centre's.
            kept: ``restart_what_ended`` starts it again unless it has ended with success.
        """
        child = _Child(module, list(arguments), settings or self.settings, kept=kept or name in SERVICES)
        with self._lock:
            return self._start_child(name, child)

    def _start_child(self, name: str, child: "_Child") -> subprocess.Popen[bytes]:
        with (self.logs / f"{name}.log").open("ab") as out:
            argv = [sys.executable, "-m", child.module, *child.arguments]
            environment = {**os.environ, **child.settings.environment(), **self._own_port(name)}
            process = spawn(argv, env=environment, stdout=out)
        self._running[name] = child
        child.process, child.ended_at = process, None
        return process

    def _own_port(self, name: str) -> dict[str, str]:
        """Return where a process serves its metrics: services from ``metrics_port`` on, in their order."""
        first = self.settings.metrics_port
        port = first + SERVICES.index(name) if first and name in SERVICES else 0
        return {f"{PREFIX}METRICS_PORT": str(port)}

    def process(self, name: str) -> subprocess.Popen[bytes]:
        """Return the process that runs under a name now."""
        with self._lock:
            return self._running[name].running

    def signal(self, name: str, by: signal.Signals) -> bool:
        """Send a signal to what runs under a name now; say whether something did."""
        with self._lock:
            process = self._running[name].running
            if process.poll() is not None:
                return False
            process.send_signal(by)
            return True

    def stop(self, name: str) -> None:
        """End a process that is not needed any more, politely."""
        with self._lock:
            child = self._running.pop(name)
        end(child.running)

    def start_services(self, names: Sequence[str] = SERVICES, settings: Settings | None = None) -> None:
        """Start services, and wait until those of them that read Kafka have their partitions.

        Raises:
            CentreError: one of them has ended, or does not in minutes.
        """
        if "worker" in names:
            self._say("Loading the detectors (compiled once, in about a minute) …")
            detectors.warm_up()  # here, since a worker that compiles looks like one that does not start
        self._say(f"Starting {', '.join(names)} …")
        for name in names:
            self.start(name, [name], settings=settings)
        waiting = {name: group for name, group in GROUPS.items() if name in names}
        deadline = time.monotonic() + READY_PATIENCE_S
        while waiting:
            stable = stable_groups(self.settings, list(waiting.values()))
            waiting = {name: group for name, group in waiting.items() if group not in stable}
            ended = [n for n in names if self.process(n).poll() is not None]
            if ended or time.monotonic() > deadline:
                name = next(iter(ended or waiting))
                raise CentreError(f"{name} does not start; its log is {self.logs / name}.log")
            time.sleep(0.2)

    def restart_what_ended(self) -> None:
        """Start what is kept again where it has ended; call it now and then."""
        with self._lock:
            for name, child in list(self._running.items()):
                status = child.running.poll()
                if status is None or not child.kept or (status == 0 and name not in SERVICES):
                    continue
                child.ended_at = child.ended_at or time.monotonic()
                if time.monotonic() - child.ended_at > RESTART_PAUSE_S:
                    log.warning("service_restarted", service=name, status=status)
                    self._start_child(name, child)


@dataclass(slots=True)
class _Child:
    """A child process, and how to start it again."""

    module: str
    arguments: list[str]
    settings: Settings
    kept: bool
    process: subprocess.Popen[bytes] | None = None
    ended_at: float | None = None

    @property
    def running(self) -> subprocess.Popen[bytes]:
        """Its present process."""
        if self.process is None:
            raise RuntimeError("not started")
        return self.process


def stable_groups(settings: Settings, groups: Sequence[str]) -> dict[str, int]:
    """Return those of some groups that have shared their partitions out, each with its number of members.

    An admin client of its own each time: it goes on asking the coordinator that it once found, which has
    nothing to say any more when a broker has come or gone.
    """
    try:
        with closing(clients.admin(settings)) as admin:
            found = admin.describe_groups(list(groups))
    except GroupIdNotFoundError:
        return {}  # nobody has asked for one of them yet
    except KafkaError as error:
        if not error.retriable:
            raise
        return {}
    return {group: len(of["members"]) for group, of in found.items() if of.get("group_state") == "Stable"}
