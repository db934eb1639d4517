"""The commit protocol: what a worker may forget, and when.

A checkpoint has one synchronous beginning and five steps. Fail between any two, and a restart replays from
the checkpoint before; rows that are written twice carry the same ids.

0. At one moment, without an await: the snapshots that are due, the position below which the snapshots so far
   hold everything, and the keys that hold no more.
1. All outputs up to that moment are acknowledged by the broker.
2. The device snapshots are acknowledged.
3. The positions are acknowledged: from here on a restart begins at the new ones.
4. The positions of the ingest topic are committed to the consumer group, for lag monitors and for Faust's
   own seek. A refusal means that another rebalance is coming; it harms nothing, since the position record
   owns the position.
5. Keys that hold no more are given up: tombstones, acknowledged before the next checkpoint ends.

If one of 1 to 3 or 5 fails or takes too long, the process ends: the broker may or may not have the record,
and going on could commit what is not there.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from itertools import chain
from typing import Any, NoReturn, Protocol

import structlog

from ecgstream.worker.detect import Partition
from schemas import codec, topics
from schemas.records import Lane, Snapshot

log = structlog.get_logger()


class Broker(Protocol):
    """What the protocol needs of Kafka."""

    async def send(
        self, topic: topics.Topic, partition: int, key: bytes | None, value: bytes | None
    ) -> Awaitable[Any]:
        """Hand a record to the producer; the result resolves when the broker has it."""

    async def commit(self, positions: dict[int, int]) -> bool:
        """Commit positions of ingest partitions; false: refused."""


class Checkpoints:
    """Sends what partitions have put out, and takes their checkpoints.

    Args:
        broker: the log.
        turns: over how many checkpoints the snapshots of all devices are spread.
        timeout_s: patience with the broker in one step.
        give_up: ends the process; called with the reason.
    """

    def __init__(
        self, broker: Broker, *, turns: int, timeout_s: float, give_up: Callable[[str], NoReturn]
    ) -> None:
        self._broker = broker
        self._turns = turns
        self._turn = 0
        self._timeout_s = timeout_s
        self._give_up = give_up
        self._sending = asyncio.Lock()
        self._one_at_a_time = asyncio.Lock()
        self._in_flight: dict[Partition, list[Awaitable[Any]]] = {}
        self._positions: dict[Partition, int] = {}
        self.refused = 0
        """Commits refused in a row."""
        self.snapshots = 0
        """Device snapshots written."""

    async def send(self, partition: Partition) -> None:
        """Hand the partition's outputs to the producer, without waiting for the broker."""
        async with self._sending:
            found, partition.outbox = partition.outbox, []
            in_flight = self._in_flight.setdefault(partition, [])
            try:
                in_flight += await self._hand(partition, ((o.topic, o.key, o.value) for o in found))
            except Exception as error:
                self._give_up(f"an output could not be sent: {error!r}")

    async def take(self, partitions: Collection[Partition], *, everything: bool = False) -> None:
        """Take a checkpoint; with ``everything`` all changed devices are due, as before a hand-over."""
        if not partitions:
            return  # Faust takes an empty commit for a crash
        async with self._one_at_a_time:
            self._turn += 1
            turn, turns = (0, 1) if everything else (self._turn, self._turns)
            due = [(p, p.snapshots(turn, turns), p.position()) for p in partitions]  # 0
            given_up = [(p, p.keys.take()) for p in partitions]
            # All partitions take each step together: one wait for the broker, however many they are.
            try:
                for partition, _, _ in due:  # 1
                    await self.send(partition)
                await self._acknowledged(chain(*(self._in_flight.pop(p, []) for p, _, _ in due)))
                await self._save((p, snapshots) for p, snapshots, _ in due)  # 2
                self.snapshots += sum(len(snapshots) for _, snapshots, _ in due)
                moved = [(p, position) for p, _, position in due if self._positions.get(p) != position]
                await self._save((p, [p.position_record(position)]) for p, position in moved)  # 3
                self._positions.update(moved)
            except Exception as error:
                self._give_up(f"a checkpoint failed: {error!r}")
            await self._commit({p.number: position for p, _, position in due if p.lane is Lane.LIVE})  # 4
            try:
                sent = [
                    await self._hand(p, ((topics.SNAPSHOTS, k, None) for k in keys)) for p, keys in given_up
                ]
                await self._acknowledged(chain(*sent))  # 5
            except Exception as error:
                self._give_up(f"keys could not be given up: {error!r}")

    def forget(self) -> None:
        """Drop what is under way of partitions that are no longer ours."""
        self._in_flight.clear()
        self._positions.clear()

    async def _commit(self, positions: dict[int, int]) -> None:
        if positions and not await self._broker.commit(positions):
            self.refused += 1
            log.info("commit_refused", partitions=sorted(positions))
        else:
            self.refused = 0

    async def _save(self, due: Iterable[tuple[Partition, Sequence[Snapshot]]]) -> None:
        """Write snapshots and wait until the broker has them."""
        sent = [
            await self._hand(p, ((topics.SNAPSHOTS, p.keys.wrote(s), codec.encode(s)) for s in snapshots))
            for p, snapshots in due
        ]
        await self._acknowledged(chain(*sent))

    async def _hand(
        self, partition: Partition, records: Iterable[tuple[topics.Topic, bytes | None, bytes | None]]
    ) -> list[Awaitable[Any]]:
        """Hand records to the producer, which may have to make room first."""
        async with asyncio.timeout(self._timeout_s):
            return [await self._broker.send(topic, partition.number, k, v) for topic, k, v in records]

    async def _acknowledged(self, waiting: Iterable[Awaitable[Any]]) -> None:
        async with asyncio.timeout(self._timeout_s):
            await asyncio.gather(*waiting)
