"""Reads the backfill topic, while the live lane has nothing to do.

Not through Faust: what waits here must neither fill its buffers nor stand in the way of what arrives. The
partitions are those whose ingest partitions are ours, and the position records own the positions, so that the
reader belongs to no group.

A gateway sends the backlog of a gap once Kafka has the live packet behind it. So whoever has a record of the
backlog, asks only then where the ingest partition ends, and waits until the live lane has come as far, knows
the gap. What the live lane itself has heard of that end may be old: with a broker away it fetches nothing.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from ecgstream import clients
from ecgstream.settings import Settings
from ecgstream.worker.backfill import Backfill
from ecgstream.worker.checkpoint import Checkpoints
from ecgstream.worker.detect import Record
from schemas import topics

log = structlog.get_logger()

PAUSE_S = 0.1
MOST = 16
"""Records a turn: the live lane waits no longer than these take."""

Partitions = Mapping[int, Backfill]


class _Before(NamedTuple):
    """What lay before records of the backlog up to ``offset``: ingest records below ``end``."""

    offset: int
    end: int


class Backlog:
    """The reader of the backfill topic.

    Args:
        partitions: tells which are ours now; another object after each rebalance.
        is_busy: whether anything waits in the live lane.
        live_position: of an ingest partition, the next offset that the live lane will process.
    """

    def __init__(
        self,
        settings: Settings,
        checkpoints: Checkpoints,
        partitions: Callable[[], Partitions],
        is_busy: Callable[[], bool],
        live_position: Callable[[int], int],
    ) -> None:
        self._settings = settings
        self._checkpoints = checkpoints
        self._partitions = partitions
        self._is_busy = is_busy
        self._live_position = live_position
        self._reader: AIOKafkaConsumer | None = None
        self._assigned: Partitions = {}
        self._before: dict[TopicPartition, _Before] = {}

    async def turn(self) -> None:
        """Fill in a little; return after a moment where there is nothing, or it is not its turn."""
        if self._partitions() is not self._assigned:
            await self._switch(self._partitions())
        if self._reader is None or self._is_busy():
            await asyncio.sleep(PAUSE_S)
            return
        for tp, records in (await self._reader.getmany(timeout_ms=200, max_records=MOST)).items():
            if self._partitions() is not self._assigned:
                return
            await self._fill(tp, records)

    async def close(self) -> None:
        """Let go of the connection."""
        reader, self._reader = self._reader, None
        if reader is not None:
            await reader.stop()

    async def _switch(self, partitions: Partitions) -> None:
        await self.close()
        self._assigned = partitions
        self._before = {}
        if not partitions:
            return
        reader = AIOKafkaConsumer(
            **clients.connection(self._settings), enable_auto_commit=False, auto_offset_reset="earliest"
        )
        await reader.start()
        self._reader = reader
        tps = {TopicPartition(topics.BACKFILL.name, p.number): p for p in partitions.values()}
        reader.assign(list(tps))
        for tp, partition in tps.items():
            reader.seek(tp, partition.next_offset)

    async def _fill(self, tp: TopicPartition, records: Sequence[ConsumerRecord]) -> None:
        knows = await self._live_lane_knows(tp, records[-1].offset)
        if self._reader is None or self._partitions() is not self._assigned:
            return  # a rebalance meanwhile
        if not knows:
            self._reader.seek(tp, records[0].offset)
            await asyncio.sleep(PAUSE_S)
            return
        partition = self._assigned[tp.partition]
        partition.process(
            [
                Record(record.offset, record.timestamp, record.value or b"")
                for record in records
                if record.offset >= partition.next_offset
            ]
        )
        await self._checkpoints.send(partition)

    async def _live_lane_knows(self, tp: TopicPartition, offset: int) -> bool:
        """Return whether the live lane has seen all that lay in the log before a record that has come."""
        if offset > self._before.get(tp, _Before(-1, 0)).offset:
            ingest = TopicPartition(topics.INGEST.name, tp.partition)
            try:
                ends = await self._reader.end_offsets([ingest]) if self._reader is not None else {}
            except KafkaError as error:
                log.info("ingest_end_unknown", partition=tp.partition, error=type(error).__name__)
                return False
            if ingest not in ends:
                return False
            self._before[tp] = _Before(offset, ends[ingest])
        return self._live_position(tp.partition) >= self._before[tp].end
