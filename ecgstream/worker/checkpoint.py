"""The commit protocol: what a worker may forget, and when.

A checkpoint has one synchronous beginning and four steps. Fail between any two, and a restart replays from
the checkpoint before; rows that are written twice carry the same ids.

0. At one moment, without an await: the snapshots that are due, and the position below which the snapshots
   so far hold everything.
1. All outputs up to that moment are acknowledged by the broker.
2. The device snapshots are acknowledged.
3. The partition's position record is acknowledged: from here on a restart begins at the new position.
4. The position is committed to the consumer group, for lag monitors and for Faust's own seek. A refusal means
   that another rebalance is coming; it harms nothing, since the position record owns the position.

If one of 1 to 3 fails or takes too long, the process ends: the broker may or may not have the record, and
going on could commit what is not there.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Any, NoReturn, Protocol

import structlog

import detectors
from ecgstream.worker.detect import Partition
from schemas import codec, topics
from schemas.records import Lane, Snapshot, SnapshotKind

log = structlog.get_logger()


class Broker(Protocol):
    """What the protocol needs of Kafka."""

    async def send(
        self, topic: topics.Topic, partition: int, key: bytes | None, value: bytes
    ) -> Awaitable[Any]:
        """Hand a record to the producer; the result resolves when the broker has it."""

    async def commit(self, positions: dict[int, int]) -> bool:
        """Commit positions of ingest partitions; false: refused."""


def position_key(partition: int) -> bytes:
    """Return the key of a partition's position record: no device id has a space in it."""
    return b"position %d" % partition


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

    async def send(self, partition: Partition) -> None:
        """Hand the partition's outputs to the producer, without waiting for the broker."""
        async with self._sending:
            found, partition.outbox = partition.outbox, []
            in_flight = self._in_flight.setdefault(partition, [])
            try:
                for o in found:
                    sent = self._broker.send(o.topic, partition.number, o.key, o.value)
                    in_flight.append(await asyncio.wait_for(sent, self._timeout_s))
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
            try:
                for partition, _, _ in due:  # 1
                    await self.send(partition)
                    await self._acknowledged(self._in_flight.pop(partition, []))
                for partition, snapshots, _ in due:  # 2
                    sends = [self._save(partition, s.device.encode(), s) for s in snapshots]
                    await self._acknowledged([await send for send in sends])
                await self._acknowledged(
                    [await self._save_position(p, position) for p, _, position in due]
                )  # 3
            except Exception as error:
                self._give_up(f"a checkpoint failed: {error!r}")
            if not await self._broker.commit({p.number: position for p, _, position in due}):  # 4
                log.info("commit_refused", partitions=[p.number for p, _, _ in due])

    def forget(self) -> None:
        """Drop what is under way of partitions that are no longer ours."""
        self._in_flight.clear()

    async def _save(self, partition: Partition, key: bytes, snapshot: Snapshot) -> Awaitable[Any]:
        value = codec.encode(snapshot)
        sent = self._broker.send(topics.SNAPSHOTS, partition.number, key, value)
        return await asyncio.wait_for(sent, self._timeout_s)

    async def _save_position(self, partition: Partition, position: int) -> Awaitable[Any]:
        record = Snapshot(
            SnapshotKind.POSITION, Lane.LIVE, "", 0, 0, position, partition.generation, detectors.VERSION, b""
        )
        return await self._save(partition, position_key(partition.number), record)

    async def _acknowledged(self, waiting: list[Awaitable[Any]]) -> None:
        await asyncio.wait_for(asyncio.gather(*waiting), self._timeout_s)
