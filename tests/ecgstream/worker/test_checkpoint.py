"""The commit protocol: its order, and what a failure between any two steps leaves behind."""

import asyncio
from collections.abc import Awaitable
from typing import Any, NoReturn

import pytest

from ecgstream.worker.checkpoint import Checkpoints, position_key
from ecgstream.worker.outputs import Output
from schemas import codec, topics
from schemas.records import Lane, Snapshot, SnapshotKind


class GaveUpError(Exception):
    pass


def give_up(reason: str) -> NoReturn:
    raise GaveUpError(reason)


class FakePartition:
    """Offsets processed, and what of it snapshots hold."""

    number = 3
    generation = 5

    def __init__(self) -> None:
        self.outbox: list[Output] = []
        self.next_offset = 0
        self.saved = 0

    def process(self, n: int) -> None:
        for _ in range(n):
            self.outbox.append(Output(topics.BEATS, None, b"%d" % self.next_offset))
            self.next_offset += 1

    def snapshots(self, turn: int, turns: int) -> list[Snapshot]:
        self.saved = self.next_offset
        return [
            Snapshot(
                SnapshotKind.DEVICE, Lane.LIVE, "dev", 0, 0, self.next_offset, self.generation, "v", b"state"
            )
        ]

    def position(self) -> int:
        return self.saved


class FakeBroker:
    """Counts steps; everything fails from step ``dies_at`` on, at the send or at the acknowledgement."""

    def __init__(
        self, dies_at: int = 10**9, *, at_acknowledgement: bool = False, refuses: bool = False
    ) -> None:
        self.kept: list[tuple[str, bytes | None, bytes]] = []
        self.committed: dict[int, int] = {}
        self.steps = 0
        self.dies_at = dies_at
        self.at_acknowledgement = at_acknowledgement
        self.refuses = refuses

    async def send(
        self, topic: topics.Topic, partition: int, key: bytes | None, value: bytes
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

    def position(self) -> int:
        found = [codec.decode_as(Snapshot, v) for _, k, v in self.kept if k == position_key(3)]
        return max((s.offset for s in found), default=0)


def take(broker: FakeBroker, partition: FakePartition) -> None:
    async def run() -> None:
        checkpoints = Checkpoints(broker, turns=1, timeout_s=1.0, give_up=give_up)
        partition.process(3)
        await checkpoints.send(partition)  # type: ignore[arg-type]
        partition.process(2)
        await checkpoints.take([partition])  # type: ignore[list-item]

    asyncio.run(run())


def test_outputs_come_before_snapshots_before_the_position_before_the_commit() -> None:
    broker = FakeBroker()
    take(broker, FakePartition())
    assert broker.kinds() == ["beats"] * 5 + ["snapshots"] * 2
    assert broker.kept[-1][1] == position_key(3)
    assert broker.position() == 5
    assert broker.committed == {3: 5}


@pytest.mark.parametrize("at_acknowledgement", [False, True], ids=["at the send", "at the acknowledgement"])
@pytest.mark.parametrize("step", range(1, 8))
def test_a_failure_between_any_two_steps_moves_no_position_beyond_what_the_broker_has(
    step: int, at_acknowledgement: bool
) -> None:
    broker = FakeBroker(step, at_acknowledgement=at_acknowledgement)
    with pytest.raises(GaveUpError):
        take(broker, FakePartition())
    assert broker.committed == {}
    assert broker.position() == 0
    if "snapshots" in broker.kinds():
        assert broker.kinds().count("beats") == 5


def test_a_refused_commit_does_no_harm() -> None:
    broker = FakeBroker(refuses=True)
    take(broker, FakePartition())
    assert broker.position() == 5


def test_a_broker_that_never_answers_ends_the_process() -> None:
    class Silent(FakeBroker):
        async def send(
            self, topic: topics.Topic, partition: int, key: bytes | None, value: bytes
        ) -> Awaitable[Any]:
            return asyncio.get_running_loop().create_future()

    async def run() -> None:
        checkpoints = Checkpoints(Silent(), turns=1, timeout_s=0.05, give_up=give_up)
        partition = FakePartition()
        partition.process(1)
        await checkpoints.take([partition])  # type: ignore[list-item]

    with pytest.raises(GaveUpError, match="checkpoint failed"):
        asyncio.run(run())
