"""Apache Kafka itself, one process, for a laptop and for tests."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from ecgstream.embedded.broker import SETTINGS, Broker, new_cluster_id, replicated
from ecgstream.embedded.jars import kafka_classpath

_HEAP = "512m"
_PORT_TRIES = 5

_ALONE = """\
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{broker}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
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
        self._broker: Broker | None = None
        self._bootstrap: str | None = None

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
        self._broker = broker = Broker(self._directory, kafka_classpath(), heap=_HEAP)
        try:
            broker.lock()
            self._bootstrap = self._start_locked(broker)
        except BaseException:
            self.stop()
            raise
        return self._bootstrap

    def _start_locked(self, broker: Broker) -> str:
        for _ in range(_PORT_TRIES):
            port, controller = _free_ports()
            lines = SETTINGS + replicated(1, 1) + _ALONE + self._security.properties
            settings = lines.format(broker=port, controller=controller)
            broker.format_once(settings, new_cluster_id(), *self._security.format_arguments)
            broker.launch()
            if broker.serves():
                return f"127.0.0.1:{port}"
            if not broker.found_its_port_taken():
                break
        raise broker.error("does not start")

    def stop(self) -> None:
        """Stop the broker in order; its data stays."""
        broker, self._broker, self._bootstrap = self._broker, None, None
        if broker is not None:
            try:
                broker.stop()
            finally:
                broker.unlock()

    def __enter__(self) -> EmbeddedKafka:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _free_ports() -> tuple[int, int]:
    """Find two free ports; they are free still when Kafka binds them, or Kafka says so and we try others."""
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1]), int(other.getsockname()[1])
