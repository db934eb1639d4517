"""Three brokers of Apache Kafka on one machine, as a centre has them: any one of them may be away."""

from __future__ import annotations

import random
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from ecgstream.embedded.broker import SETTINGS, Broker, new_cluster_id, replicated
from ecgstream.embedded.jars import kafka_classpath

BROKERS = 3
IN_SYNC = 2
_HEAP = "256m"
_PORTS = range(20_000, 32_000)
"""Below those that Linux gives to clients: nobody takes a broker's port while it is away."""

_MEMBER = """\
node.id={number}
controller.quorum.voters={voters}
listeners=PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller},OUTSIDE://127.0.0.1:{outside}
advertised.listeners=PLAINTEXT://127.0.0.1:{broker},OUTSIDE://127.0.0.1:{told}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,OUTSIDE:PLAINTEXT
"""


class EmbeddedCluster:
    """Three brokers, each a controller too, three copies of everything, of which two must be in sync.

    A broker that was stopped starts again on its old address with its data. The cluster is open, and on
    loopback only; nothing outlives our process.

    Every broker has a second address besides, for clients that come from outside: it tells them the ports
    ``told``, one a broker, behind which something of the caller's may stand (a line that can be cut).

    Args:
        directory: for the data, a folder a broker.
        told: by default the outside ports themselves.
    """

    def __init__(self, directory: Path, *, told: Sequence[int] = ()) -> None:
        self._directory = directory
        ports = free_fixed_ports(3 * BROKERS)
        self._broker_ports = ports[:BROKERS]
        self._controller_ports = ports[BROKERS : 2 * BROKERS]
        self.outside = tuple(ports[2 * BROKERS :])
        """The ports at which the brokers await clients from outside."""
        self._told = tuple(told) or self.outside
        self._brokers: list[Broker] = []

    @property
    def bootstrap(self) -> str:
        """The addresses clients begin with."""
        return ",".join(f"127.0.0.1:{port}" for port in self._broker_ports)

    @property
    def bootstrap_outside(self) -> str:
        """The addresses clients begin with that come from outside."""
        return ",".join(f"127.0.0.1:{port}" for port in self._told)

    def start(self) -> str:
        """Start all brokers, wait until they serve, and return the addresses clients begin with."""
        classpath = kafka_classpath()
        cluster_id = new_cluster_id()
        folders = [self._directory / f"broker-{i + 1}" for i in range(BROKERS)]
        self._brokers = [Broker(f, classpath, heap=_HEAP, name=f"Kafka's {f.name}") for f in folders]
        try:
            for broker in self._brokers:
                broker.lock()
            with ThreadPoolExecutor(BROKERS) as pool:
                formats = [
                    pool.submit(b.format_once, self._settings(i), cluster_id) for i, b in self._numbered()
                ]
                for done in formats:
                    done.result()
            for broker in self._brokers:
                broker.launch()  # all, then wait: none serves before most of them can vote
            for broker in self._brokers:
                self._await(broker)
        except BaseException:
            self.stop()
            raise
        return self.bootstrap

    def stop_broker(self, index: int) -> None:
        """Stop a broker in order: it hands its partitions over before it goes."""
        self._brokers[index].stop()

    def start_broker(self, index: int) -> None:
        """Start a stopped broker again, and wait until it serves."""
        self._brokers[index].launch()
        self._await(self._brokers[index])

    def stop(self) -> None:
        """Stop all brokers; their data stays."""
        brokers, self._brokers = self._brokers, []
        with ExitStack() as stack:
            for broker in brokers:
                stack.callback(broker.unlock)
            # At once: a last broker that must hand over has nobody to hand over to, and waits.
            with ThreadPoolExecutor(BROKERS) as pool:
                list(pool.map(Broker.stop, brokers))

    def __enter__(self) -> EmbeddedCluster:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _numbered(self) -> list[tuple[int, Broker]]:
        return list(enumerate(self._brokers))

    def _await(self, broker: Broker) -> None:
        if not broker.serves():
            raise broker.error("does not start")

    def _settings(self, index: int) -> str:
        voters = ",".join(f"{i + 1}@127.0.0.1:{port}" for i, port in enumerate(self._controller_ports))
        member = _MEMBER.format(
            number=index + 1,
            voters=voters,
            broker=self._broker_ports[index],
            controller=self._controller_ports[index],
            outside=self.outside[index],
            told=self._told[index],
        )
        return SETTINGS + replicated(BROKERS, IN_SYNC) + member


def free_fixed_ports(count: int) -> list[int]:
    """Return loopback ports that are free now and that no client's connection will take."""
    found: list[int] = []
    for port in random.sample(_PORTS, len(_PORTS)):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise OSError("no free ports on loopback")
