"""Reads the backfill topic, while the live lane has nothing to do.

Not through Faust: what waits here must neither fill its buffers nor stand in the way of what arrives. The
partitions are those whose ingest partitions are ours, and the position records own the positions, so that the
reader belongs to no group.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

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


class Backlog:
    """The reader of the backfill topic.

    Args:
        partitions: tells which are ours now; another object after each rebalance.
        is_busy: whether anything waits in the live lane.
        may: whether the live lane is past a time of the log, so that it knows the gaps which a record fills.
    """

    def __init__(
        self,
        settings: Settings,
        checkpoints: Checkpoints,
        partitions: Callable[[], Partitions],
        is_busy: Callable[[], bool],
        may: Callable[[int, int], bool],
    ) -> None:
        self._settings = settings
        self._checkpoints = checkpoints
        self._partitions = partitions
        self._is_busy = is_busy
        self._may = may
        self._reader: AIOKafkaConsumer | None = None
        self._assigned: Partitions = {}

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
        partition = self._assigned[tp.partition]
        ready = []
        for record in records:
            if not self._may(tp.partition, record.timestamp):
                if self._reader is not None:
                    self._reader.seek(tp, record.offset)
                break
            if record.offset >= partition.next_offset:
                ready.append(Record(record.offset, record.timestamp, record.value or b""))
        if ready:
            partition.process(ready)
            await self._checkpoints.send(partition)
        else:
            await asyncio.sleep(PAUSE_S)
