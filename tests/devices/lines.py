"""A line to Kafka that the test answers for."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from devices.errors import LineError
from devices.line import Outcome
from schemas import codec
from schemas.bundle import Bundle
from schemas.records import BacklogEnd, Control, Packet
from schemas.topics import Topic


class Sent(NamedTuple):
    topic: str
    partition: int
    value: bytes
    token: int
    key: bytes | None


class FakeLine:
    """Keeps what is sent; ``acknowledge`` says that Kafka has some of it."""

    def __init__(self, *, at_once: bool = False) -> None:
        self.at_once = at_once
        self.broken = ""
        self.sent: list[Sent] = []
        self.told: list[Outcome] = []
        self.log: list[Sent] = []
        self.closed: list[bool] = []
        self.wake: Callable[[], None] = lambda: None

    def send(
        self, topic: Topic, partition: int, value: bytes, token: int, *, key: bytes | None = None
    ) -> None:
        if self.broken:
            raise LineError(self.broken)
        self.sent.append(Sent(topic.name, partition, value, token, key))
        if self.at_once:
            self.acknowledge()

    def acknowledge(self, count: int = 1_000_000) -> list[Sent]:
        """Acknowledge the oldest of what waits for it."""
        done, self.sent = self.sent[:count], self.sent[count:]
        self.log += done
        self.told += [Outcome(s.token, "") for s in done]
        self.wake()
        return done

    def outcomes(self) -> list[Outcome]:
        told, self.told = self.told, []
        return told

    def close(self, *, in_order: bool) -> None:
        self.closed.append(in_order)


def packets(sent: Sequence[Sent], topic: str = "ecg.ingest") -> list[Packet]:
    """The packets in records of a topic, in order."""
    found = []
    for record in sent:
        decoded = codec.decode(record.value)
        if record.topic == topic and isinstance(decoded, Bundle):
            found += list(decoded.packets())
    return found


def seqs(sent: Sequence[Sent], topic: str = "ecg.ingest", device: str = "a") -> list[int]:
    return [p.seq for p in packets(sent, topic) if p.device == device]


def ends(sent: Sequence[Sent]) -> list[Control]:
    """The ends of backlogs."""
    found = [codec.decode(s.value) for s in sent if s.topic == "ecg.backfill"]
    return [c for c in found if isinstance(c, Control) and isinstance(c.change, BacklogEnd)]
