"""What is stored of devices, played once more as a live stream: for training rooms. Nothing is compared.

Signals and numbers alone are played, under names of their own: who wore a device, its limits and its settings
are said by the training room, if it has a centre of its own.
"""

import heapq
import tempfile
import threading
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from operator import attrgetter
from pathlib import Path
from typing import Any

import psycopg
from kafka import KafkaProducer
from kafka.errors import KafkaTimeoutError

from devices import gateway
from devices.bundler import FLUSH_S
from devices.enrolment_follower import Follower
from devices.errors import PlayError
from devices.gateway import GatewayReport
from devices.ledger import Account, Mark, Play
from devices.parts import parts_of
from devices.source import PACKET_S, Emission
from devices.trouble import Expectation
from ecgstream import clients
from ecgstream.broker.errors import BrokerError
from ecgstream.replay import stored
from ecgstream.replay.packets import packets
from ecgstream.replay.source import Stretch, duration_s
from ecgstream.settings import Settings
from ecgstream.topics import create_topics
from schemas import topics
from schemas.bundle import Bundle
from schemas.checks import SHARDS
from schemas.records import Packet, Vital
from schemas.topics import Topic, partition_of

PREFIX = "training-"
"""Begins the name under which a device is played: nobody takes it for the device that it was."""
GATEWAY = "gw-training"
_AT_ONCE = 500
"""Records that are on their way."""


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

    def emissions(self, start_ns: int, packet_s: float = PACKET_S) -> Iterator[Emission]:  # noqa: ARG002
        """Yield all packets and numbers in the order in which they leave, their times moved to ``start_ns``.

        Packets are those that there were: their length is not asked for. All that belongs to a session is
        moved by the same time.
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

    def __init__(self, producer: KafkaProducer, topic: str, partitions: int) -> None:
        self._producer = producer
        self._topic = topic
        self._partitions = partitions
        self._account = Account()
        self._sent: deque[tuple[Any, Bundle, int]] = deque()

    @property
    def room(self) -> bool:
        """Whether more can be taken.

        Raises:
            PlayError: the broker has not taken what was sent.
        """
        while self._sent and self._sent[0][0].is_done:
            sending, bundle, size = self._sent.popleft()
            if sending.failed():
                why = type(sending.exception).__name__
                raise PlayError(f"the broker takes nothing into {self._topic} ({why})")
            self._account.add(parts_of(bundle), size)
        return len(self._sent) < _AT_ONCE

    def knows(self, play: str) -> bool:  # noqa: ARG002 - a protocol's
        """Return whether a play of this name would go on: none does."""
        return False

    def begin(self, play: Play) -> tuple[Play, dict[str, Mark]]:
        """Begin a play."""
        return play, {}

    def start(self, patience_s: float) -> None:
        """The producer sends from its beginning."""

    def publish(self, bundles: Sequence[Bundle]) -> bool:
        """Send bundles; none is durable yet."""
        for bundle in bundles:
            value = bundle.encode()
            where = partition_of(bundle.shard, self._partitions)
            self._sent.append((self._producer.send(self._topic, value, partition=where), bundle, len(value)))
        return False

    def refuse(self) -> None:
        """The report of the play counts what cannot be meant."""

    def settled(self, patience_s: float) -> bool:
        """Return whether Kafka has acknowledged everything; wait so long for it."""
        with suppress(KafkaTimeoutError):
            self._producer.flush(timeout=patience_s)
        return self.room and not self._sent

    def account(self) -> Account:
        """Return what Kafka has acknowledged."""
        return self._account

    def waiting(self) -> int:
        """Return how many records Kafka has not acknowledged."""
        return len(self._sent)


def play(
    settings: Settings,
    recordings: Sequence[Recording],
    topic: str,
    *,
    speed: float,
    stop: threading.Event,
) -> GatewayReport:
    """Play recordings into a topic, which is made if there is none, until their end or until ``stop`` is set.

    Raises:
        BrokerError: the topic is of live patients, has other partitions, or may not be made.
        KafkaError: the broker is away.
        PlayError: it went away meanwhile.
    """
    check(settings, topic)
    create_topics(settings, [Topic(topic, topics.INGEST.carries, topics.INGEST.config)])
    with closing(clients.producer(settings)) as producer:
        sink = TopicSink(producer, topic, settings.partitions)
        return gateway.play(recordings, sink, speed=speed, stop=stop, gateway=GATEWAY, flush_s=FLUSH_S)


def check(settings: Settings, topic: str) -> None:
    """Make sure that what is played reaches nobody who watches over patients.

    Into the topic of live signals it may go where a broker says that it is of a training room.

    Raises:
        BrokerError: it may not.
    """
    known = next((one for one in topics.ALL if f".{topic}".endswith(f".{one.name}")), None)
    if known is None:
        return
    if topic != topics.INGEST.name:
        raise BrokerError(f"{topic} is a topic of a centre's own: name another, such as training.room-1")
    with closing(clients.reader(settings)) as reader:
        if not reader.partitions_for_topic(topics.TRAINING.name):
            raise BrokerError(
                f"{topic} at {settings.kafka} may be of living patients: nothing is played into it. A"
                " training room's broker is marked as such by `ecgstream kafka topics --training`"
            )


def shards(settings: Settings, topic: str, devices: Sequence[str]) -> dict[str, int]:
    """Return where records of devices go, each by the name that it had.

    In a training room's own centre that is where they are enrolled under the names that they are played as:
    there limits and wearers are told.

    Raises:
        NotAdmittedError: one is not enrolled there.
        EnrolmentsUnknownError: which are, is not to be heard of.
    """
    if topic != topics.INGEST.name:
        return {device: zlib.crc32(device.encode()) % SHARDS for device in devices}
    with (
        tempfile.TemporaryDirectory() as folder,
        Follower(settings.kafka, Path(folder, "enrolments"), security=clients.security(settings)) as follower,
    ):
        return {device: follower.enrolments.admitted(PREFIX + device).shard for device in devices}
