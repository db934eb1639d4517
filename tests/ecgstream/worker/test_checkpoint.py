"""The commit protocol: its order, and what a failure between any two steps leaves behind."""

import asyncio
from collections.abc import Awaitable
from typing import Any, NoReturn

import pytest

from ecgstream.worker.checkpoint import Checkpoints
from ecgstream.worker.outputs import Output
from ecgstream.worker.snapshots import VERSION, Keys, Saved
from schemas import codec, topics
from schemas.records import Lane, Snapshot, SnapshotKind


class GaveUpError(Exception):
    pass


def give_up(reason: str) -> NoReturn:
    raise GaveUpError(reason)


OLD_KEY = b"DEVICE LIVE dev 0 0 4"
"""Of the generation before; what it held is replaced by the first snapshot."""


def snapshot(kind: SnapshotKind, offset: int, generation: int) -> Snapshot:
    device = "dev" if kind is SnapshotKind.DEVICE else ""
    return Snapshot(kind, Lane.LIVE, device, 0, 0, offset, generation, VERSION, b"state")


class FakePartition:
    """Offsets processed, and what of it snapshots hold."""

    number = 3
    generation = 5
    lane = Lane.LIVE

    def __init__(self) -> None:
        before = codec.encode(snapshot(SnapshotKind.DEVICE, 0, 4))
        self.keys = Keys(Saved.of([(OLD_KEY, before)]))
        self.outbox: list[Output] = []
        self.next_offset = 0
        self.saved = 0

    def process(self, n: int) -> None:
        for _ in range(n):
            self.outbox.append(Output(topics.BEATS, None, b"%d" % self.next_offset))
            self.next_offset += 1

    def snapshots(self, turn: int, turns: int) -> list[Snapshot]:
        self.saved = self.next_offset
        return [snapshot(SnapshotKind.DEVICE, self.next_offset, self.generation)]

    def position(self) -> int:
        return self.saved

    def position_record(self, position: int) -> Snapshot:
        return snapshot(SnapshotKind.POSITION, position, self.generation)


class FakeBroker:
    """Counts steps; everything fails from step ``dies_at`` on, at the send or at the acknowledgement."""

    def __init__(
        self, dies_at: int = 10**9, *, at_acknowledgement: bool = False, refuses: bool = False
    ) -> None:
        self.kept: list[tuple[str, bytes | None, bytes | None]] = []
        self.committed: dict[int, int] = {}
        self.steps = 0
        self.dies_at = dies_at
        self.at_acknowledgement = at_acknowledgement
        self.refuses = refuses

    async def send(
        self, topic: topics.Topic, partition: int, key: bytes | None, value: bytes | None
    ) -> Awaitable[Any]:
        self.steps += 1
        dead = self.steps >= self.dies_at
        if dead and not self.at_acknowledgement:
            raise ConnectionError("broker gone")
        acknowledged: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if dead:
            acknowledged.set_exception(ConnectionError("no acknowledgement"))
        else:
            self.kept.append((topic.name, key, value))
            acknowledged.set_result(None)
        return acknowledged

    async def commit(self, positions: dict[int, int]) -> bool:
        if not self.refuses:
            self.committed = positions
        return not self.refuses

    def kinds(self) -> list[str]:
        return [name.removeprefix("ecg.") for name, _, _ in self.kept]

    def saved(self) -> Saved:
        """What a worker finds that starts now."""
        log: dict[bytes, bytes] = {OLD_KEY: codec.encode(snapshot(SnapshotKind.DEVICE, 0, 4))}
        for name, key, value in self.kept:
            if name == topics.SNAPSHOTS.name and key is not None:
                if value is None:
                    log.pop(key, None)
                else:
                    log[key] = value
        return Saved.of(log.items())

    def position(self) -> int:
        return self.saved().live.position


def take(broker: FakeBroker, partition: FakePartition, checkpoints: int = 1) -> None:
    async def run() -> None:
        taken = Checkpoints(broker, turns=1, timeout_s=1.0, give_up=give_up)
        for _ in range(checkpoints):
            partition.process(3)
            await taken.send(partition)  # type: ignore[arg-type]
            partition.process(2)
            await taken.take([partition])  # type: ignore[list-item]

    asyncio.run(run())


def test_outputs_come_before_snapshots_before_the_position_before_the_commit() -> None:
    broker = FakeBroker()
    take(broker, FakePartition(), checkpoints=2)
    assert broker.kinds() == (["beats"] * 5 + ["snapshots"] * 2) * 2 + ["snapshots"]
    assert broker.kept[-1] == (topics.SNAPSHOTS.name, OLD_KEY, None)
    assert broker.position() == 10
    assert broker.committed == {3: 10}


# 5 outputs, a snapshot, a position; then again, with the tombstone of the key that is replaced.
STEPS = 7 + 8


@pytest.mark.parametrize("at_acknowledgement", [False, True], ids=["at the send", "at the acknowledgement"])
@pytest.mark.parametrize("step", range(1, STEPS + 1))
def test_a_failure_between_any_two_steps_moves_no_position_beyond_what_the_broker_has(
    step: int, at_acknowledgement: bool
) -> None:
    broker = FakeBroker(step, at_acknowledgement=at_acknowledgement)
    with pytest.raises(GaveUpError):
        take(broker, FakePartition(), checkpoints=2)
    beats = broker.kinds().count("beats")
    found = broker.saved()
    position = 10 if step > 14 else 5 if step > 7 else 0
    assert found.live.position == position
    assert broker.committed == ({3: position} if position else {})
    held = found.live.devices["dev"].offset
    assert found.live.position <= held <= beats
    assert (OLD_KEY in found.stale) == (held > 0)


def test_a_refused_commit_does_no_harm() -> None:
    broker = FakeBroker(refuses=True)
    take(broker, FakePartition())
    assert broker.position() == 5


def test_a_broker_that_never_answers_ends_the_process() -> None:
    class Silent(FakeBroker):
        async def send(
            self, topic: topics.Topic, partition: int, key: bytes | None, value: bytes | None
        ) -> Awaitable[Any]:
            return asyncio.get_running_loop().create_future()

    async def run() -> None:
        checkpoints = Checkpoints(Silent(), turns=1, timeout_s=0.05, give_up=give_up)
        partition = FakePartition()
        partition.process(1)
        await checkpoints.take([partition])  # type: ignore[list-item]

    with pytest.raises(GaveUpError, match="checkpoint failed"):
        asyncio.run(run())
