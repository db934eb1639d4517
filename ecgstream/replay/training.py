"""What is stored of devices, played once more as a live stream: for training rooms. Nothing is compared.

Signals and numbers alone are played, under names of their own: who wore a device, its limits and its settings
are said by the training room, if it has a centre of its own.
"""

import heapq
import threading
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any

import psycopg
from kafka.errors import KafkaError

from devices import gateway
from devices.enrolment_follower import Follower
from devices.errors import PlayError
from devices.ledger import Account, Mark, Play, Sent
from devices.source import PACKET_S, Emission
from devices.trouble import Expectation
from ecgstream import clients
from ecgstream.broker.errors import BrokerError
from ecgstream.replay import stored
from ecgstream.replay.errors import ReplayError
from ecgstream.replay.packets import packets
from ecgstream.replay.source import Stretch, duration_s
from ecgstream.settings import Settings
from ecgstream.topics import create_topics
from schemas import topics
from schemas.bundle import Bundle
from schemas.records import Packet, Vital
from schemas.topics import Topic, partition_of

PREFIX = "training-"
"""Begins the name under which a device is played: nobody takes it for the device that it was."""
GATEWAY = "gw-training"
_AT_ONCE = 500
"""Records that are on their way."""
_SEND_S = 60.0


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """A stretch of a device, as something to play: see ``devices.source.Playable``.

    Attributes:
        connection: of a person, who sees all of it.
        of: the device's name.
        stretch: which; it begins to play where this begins.
        shard: where its records go.
    """

    connection: psycopg.Connection
    of: str
    stretch: Stretch
    shard: int
    simulated: bool = False
    expected: tuple[Expectation, ...] = ()

    @property
    def device(self) -> str:
        """The name under which it is played."""
        return PREFIX + self.of

    @property
    def label(self) -> str:
        """What it is, said to a person."""
        return f"a recording of {self.of}"

    def emissions(self, start_ns: int, packet_s: float = PACKET_S) -> Iterator[Emission]:
        """Yield all packets and numbers in the order in which they leave, their times moved to ``start_ns``.

        Packets are those that there were, whatever ``packet_s`` is; all that belongs to a session is moved by
        the same time.
        """
        sessions = {one.session for one in stored.segments(self.connection, self.of, *self.stretch)}
        moved = start_ns - self.stretch.since_ns
        of_sessions = [self._packets(session, moved) for session in sorted(sessions)]
        yield from heapq.merge(*of_sessions, self._vitals(moved), key=attrgetter("at_s"))

    def _packets(self, session: int, moved: int) -> Iterator[Emission]:
        since_ns, until_ns = self.stretch
        for come in packets(stored.blocks(self.connection, self.of, session, since_ns, until_ns)):
            for _, packet in come:
                begin_s = (packet.start_ns - since_ns) / 1e9
                if begin_s >= 0 and packet.start_ns < until_ns:
                    yield Emission(begin_s + duration_s(packet), self._packet(packet, moved))

    def _packet(self, packet: Packet, moved: int) -> Packet:
        return replace(
            packet,
            device=self.device,
            session=packet.session + moved,
            start_ns=packet.start_ns + moved,
            received_ns=0,
        )

    def _vitals(self, moved: int) -> Iterator[Emission]:
        since_ns, until_ns = self.stretch
        found = [placed.item for placed in stored.vitals(self.connection, self.of, since_ns, until_ns)]
        measured = [one for one in found if isinstance(one, Vital) and one.time_ns >= since_ns]
        for one in sorted(measured, key=lambda vital: vital.time_ns):
            at = replace(one, device=self.device, session=one.session + moved, time_ns=one.time_ns + moved)
            yield Emission((one.time_ns - since_ns) / 1e9, at)


class TopicSink:
    """Sends bundles to a topic; what is on its way is bounded. See ``devices.gateway.Sink``."""

    def __init__(self, settings: Settings, topic: str) -> None:
        self._producer = clients.producer(settings)
        self._topic = topic
        self._partitions = settings.partitions
        self._account = Account()
        self._sent: deque[tuple[Any, Bundle]] = deque()

    @property
    def room(self) -> bool:
        """Whether more can be taken."""
        self._acknowledge()
        return len(self._sent) < _AT_ONCE

    def knows(self, play: str) -> bool:  # noqa: ARG002
        """Return whether a play of this name would go on: none does."""
        return False

    def begin(self, play: Play) -> tuple[Play, dict[str, Mark]]:
        """Begin a play."""
        return play, {}

    def start(self, patience_s: float) -> None:
        """The producer sends from the beginning."""

    def publish(self, bundles: Sequence[Bundle]) -> bool:
        """Send bundles."""
        for bundle in bundles:
            partition = partition_of(bundle.shard, self._partitions)
            value = bundle.encode()
            self._sent.append((self._producer.send(self._topic, value, partition=partition), bundle))
            self._account.bytes += len(value)
        return False

    def refuse(self) -> None:
        """A packet that cannot be sent was none that a gateway has taken: the play's report counts it."""

    def settled(self, patience_s: float) -> bool:
        """Return whether Kafka has acknowledged everything; wait so long for it."""
        if self._sent:
            with closing_errors(self._topic):
                self._producer.flush(timeout=patience_s)
        self._acknowledge()
        return not self._sent
