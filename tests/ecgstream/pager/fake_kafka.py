"""Kafka as the pager sees it, in memory, and a power cut that can come behind any act."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kafka import TopicPartition
from kafka.errors import KafkaTimeoutError

from alerts.channels.budget import Budget
from alerts.notify import NotifyError, Page
from alerts.pipeline import Rules
from alerts.state import State
from ecgstream.pager import recorded
from ecgstream.pager.pages import Pages
from ecgstream.pager.recorded import Entry
from ecgstream.pager.sender import Draw, Tried
from ecgstream.pager.service import Pager
from schemas import topics
from schemas.codec import decode, encode
from schemas.records import Acknowledgement, Alert, Condition, Notification, NotificationState

SECOND = 1_000_000_000


class PowerCutError(BaseException):
    """The process is no more."""


@dataclass(frozen=True)
class Record:
    offset: int
    key: bytes | None
    value: bytes | None


class World:
    """Everything that outlives a pager: topics, committed offsets, the receiver of pages, the time.

    Attributes:
        acts: what was done, in order: every write, commit and page.
        cuts: numbers of acts at which the power is cut, before or behind the act.
        refused: acts that fail with an error instead, by what they begin with.
        answers: how the channel answers the next attempts; afterwards it takes them.
    """

    def __init__(self, now_ns: int, partitions: Collection[int] = (0,)) -> None:
        self.now_ns = now_ns
        self.partitions = set(partitions)
        self.log: dict[TopicPartition, list[Record]] = defaultdict(list)
        self.committed: dict[TopicPartition, tuple[int, str]] = {}
        self.received: list[Page] = []
        self.received_ns: list[int] = []
        self.acts: list[str] = []
        self.cuts: dict[int, bool] = {}
        self.refused: set[str] = set()
        self.answers: list[NotifyError | None] = []

    def act(self, name: str, do: Callable[[], None]) -> None:
        if any(name.startswith(prefix) for prefix in self.refused):
            raise KafkaTimeoutError(name)
        number = len(self.acts)
        self.acts.append(name)
        behind = self.cuts.get(number)
        if behind is False:
            raise PowerCutError(name)
        do()
        if behind is True:
            raise PowerCutError(name)

    # -- what others write

    def condition(self, condition: Condition, partition: int = 0) -> None:
        self._append(topics.CONDITIONS.name, partition, None, encode(condition))

    def raw(self, value: bytes | None, topic: str = topics.CONDITIONS.name, partition: int = 0) -> None:
        self._append(topic, partition, None, value)

    def acknowledgement(self, said: Acknowledgement, partition: int = 0) -> None:
        self._append(topics.ACKNOWLEDGEMENTS.name, partition, said.alert.encode(), encode(said))

    def _append(self, topic: str, partition: int, key: bytes | None, value: bytes | None) -> None:
        log = self.log[TopicPartition(topic, partition)]
        log.append(Record(len(log), key, value))

    # -- what the pager writes

    def write(self, topic: str, partition: int, key: bytes, value: bytes | None) -> None:
        kind = "forget" if value is None else self._kind(value)
        self.act(kind, lambda: self._append(topic, partition, key, value))

    @staticmethod
    def _kind(value: bytes) -> str:
        content = decode(value)
        if isinstance(content, Notification):
            return f"log {content.state}"
        assert isinstance(content, Alert)
        return f"alert {content.state}"

    def send(self, page: Page) -> NotifyError | None:
        answer = self.answers.pop(0) if self.answers else None
        self.act("page", lambda: None if answer else self._receive(page))
        return answer

    def _receive(self, page: Page) -> None:
        self.received.append(page)
        self.received_ns.append(self.now_ns)

    # -- what is left of it

    def entries(self, partitions: Iterable[int]) -> Iterator[Entry]:
        for partition in partitions:
            for topic in recorded.KEPT:
                source = TopicPartition(topic.name, partition)
                for record in self.log[source]:
                    yield from recorded._entry(source, record)

    def alerts(self) -> dict[str, Alert]:
        state = State()
        for entry in self.entries(self.partitions):
            if entry.topic == topics.ALERTS.name:
                recorded.learn(state, entry)
        return state.alerts

    def notifications(self) -> dict[str, NotificationState]:
        """What stands in the log as a compacted topic keeps it."""
        found: dict[str, NotificationState] = {}
        for entry in self.entries(self.partitions):
            if isinstance(entry.content, Notification):
                found[entry.key] = entry.content.state
            elif entry.topic == topics.NOTIFICATIONS.name:
                found.pop(entry.key, None)
        return found

    def told(self) -> dict[str, str]:
        """Key to what was told, as a receiver has it that drops repeats."""
        return {page.key: f"{page.what} {page.condition} {page.device}" for page in self.received}


class FakeMember:
    """The only member of its group."""

    def __init__(self, world: World, batch: int = 3) -> None:
        self._world = world
        self._batch = batch
        self._topics: list[str] = []
        self._position: dict[TopicPartition, int] = {}
        self._safe: dict[TopicPartition, int] = {}
        self.revoking: set[TopicPartition] = set()

    def join(self, names: Iterable[str]) -> None:
        self._topics = list(names)

    @property
    def assignment(self) -> set[TopicPartition]:
        return {TopicPartition(t, p) for t in self._topics for p in self._world.partitions}

    def poll(self, timeout_s: float) -> tuple[set[TopicPartition], dict[TopicPartition, list[Any]]]:
        revoked, self.revoking = self.revoking, set()
        self.rewind(revoked)
        found = {}
        for source in sorted(self.assignment):
            at = self._position.setdefault(source, self._world.committed.get(source, (0, ""))[0])
            self._safe.setdefault(source, at)
            if records := self._world.log[source][at : at + self._batch]:
                found[source] = records
                self._position[source] = at + len(records)
        return revoked, found

    def is_at_end(self) -> bool:
        return all(self._position.get(s, 0) == len(self._world.log[s]) for s in self.assignment)

    def rewind(self, partitions: Iterable[TopicPartition]) -> None:
        for source in partitions:
            self._position[source] = self._world.committed.get(source, (self._safe.get(source, 0), ""))[0]

    def commit(
        self, offsets: Mapping[TopicPartition, int], notes: Mapping[TopicPartition, str] | None = None
    ) -> bool:
        wanted = {p: (offset, (notes or {}).get(p, "")) for p, offset in offsets.items()}
        wanted = {p: told for p, told in wanted.items() if self._world.committed.get(p) != told}
        for source, (offset, _) in wanted.items():
            assert offset >= self._world.committed.get(source, (0, ""))[0], "progress goes back"
        if wanted:
            self._world.act("commit", lambda: self._world.committed.update(wanted))
        return True

    def read_from(self, source: TopicPartition, offset: int) -> None:
        self._position[source] = offset

    def noted(self, partition: TopicPartition) -> tuple[int, str] | None:
        return self._world.committed.get(partition)

    def leave(self) -> None:
        pass


class _Written:
    def get(self, timeout: float) -> None:
        pass


class FakeProducer:
    def __init__(self, world: World) -> None:
        self._world = world

    def send(self, topic: str, value: bytes | None, *, key: bytes, partition: int) -> _Written:
        self._world.write(topic, partition, key, value)
        return _Written()

    def close(self, timeout: float) -> None:
        pass


class FakeSender:
    """Sends at once; with ``room`` 0 it takes nothing."""

    def __init__(self, world: World, room: int = 16) -> None:
        self._world = world
        self.limit = room
        self._done: list[Tried] = []

    def room(self) -> int:
        return max(0, self.limit - len(self._done))

    def holds(self, key: str) -> bool:
        return any(tried.page.key == key for tried in self._done)

    def offer(self, page: Page, due_ns: int, partition: int, draw: Draw) -> None:
        self._done.append(Tried(page, partition, self._world.send(page)))

    def keep_only(self, partitions: Collection[int]) -> None:
        pass

    def tried(self) -> list[Tried]:
        done, self._done = self._done, []
        return done

    def stop(self) -> None:
        pass


class Process:
    """A pager and what dies with it."""

    def __init__(
        self,
        world: World,
        *,
        batch: int = 3,
        room: int = 16,
        channel: bool = True,
        per_minute: int = 1_000_000,
        signal_ns: Callable[[int], int] = lambda wall_ns: wall_ns,
    ) -> None:
        self.world = world
        self.member = FakeMember(world, batch)
        self.member.join([topics.CONDITIONS.name, topics.ACKNOWLEDGEMENTS.name])
        self.sender = FakeSender(world, room)
        member: Any = self.member
        producer: Any = FakeProducer(world)
        senders: Any = {"webhook": self.sender} if channel else {}
        pages = Pages(senders, {"webhook": Budget(per_minute)}, monotonic_ns=lambda: world.now_ns)
        clock = {"clock_ns": lambda: world.now_ns, "signal_ns": signal_ns}
        self.pager = Pager(
            member, producer, world.entries, Rules(late_s=120), pages, lambda _: ("webhook",), **clock
        )

    def settle(self, seconds: int = 30) -> None:
        """Work through the log, then let time pass, so that whatever waits or is tried again is over."""
        while not self.member.is_at_end():
            self.pager.step()
        for _ in range(seconds):
            self.world.now_ns += SECOND
            self.pager.step()


def live_through(world: World, **how: Any) -> int:
    """Run pagers, each until the power is cut, until one has settled; return how many there were."""
    processes = 0
    while True:
        processes += 1
        try:
            Process(world, **how).settle()
        except PowerCutError:
            continue
        return processes
