"""The way back: a partition's newest snapshots, read from the compacted topic."""

from collections.abc import Collection
from dataclasses import dataclass, field

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from ecgstream import clients
from ecgstream.settings import Settings
from schemas import codec, topics
from schemas.errors import BadRecordError
from schemas.records import Snapshot, SnapshotKind

log = structlog.get_logger()


@dataclass(slots=True)
class Saved:
    """What the snapshot topic holds of one partition: where to go on, and each device's newest snapshot."""

    position: int = 0
    devices: dict[str, Snapshot] = field(default_factory=dict)

    def add(self, snapshot: Snapshot) -> None:
        """Take a record in; the highest offset holds, since a paused former owner may have written last."""
        if snapshot.kind is SnapshotKind.POSITION:
            self.position = max(self.position, snapshot.offset)
            return
        known = self.devices.get(snapshot.device)
        if known is None or snapshot.offset >= known.offset:
            self.devices[snapshot.device] = snapshot


async def read(settings: Settings, partitions: Collection[int]) -> dict[int, Saved]:
    """Return what the snapshot topic and the ingest topic's beginning say about these partitions."""
    found = {p: Saved() for p in partitions}
    if not found:
        return found
    # "earliest" matters: with aiokafka's default a reset under way can override the seek, and the topic
    # looks empty now and then.
    reader = AIOKafkaConsumer(
        **clients.connection(settings), enable_auto_commit=False, auto_offset_reset="earliest"
    )
    await reader.start()
    try:
        snapshots = [TopicPartition(topics.SNAPSHOTS.name, p) for p in found]
        reader.assign(snapshots)
        beginnings = await reader.beginning_offsets(snapshots)
        ends = await reader.end_offsets(snapshots)
        for tp in snapshots:
            reader.seek(tp, beginnings[tp])
        while any([await reader.position(tp) < ends[tp] for tp in snapshots]):
            for tp, records in (await reader.getmany(timeout_ms=200)).items():
                for record in records:
                    _add(found[tp.partition], record.value)
        await _skip_what_is_gone(reader, found)
    finally:
        await reader.stop()
    return found


def _add(saved: Saved, value: bytes) -> None:
    try:
        saved.add(codec.decode_as(Snapshot, value))
    except BadRecordError as error:
        log.warning("snapshot_unreadable", reason=str(error))


async def _skip_what_is_gone(reader: AIOKafkaConsumer, found: dict[int, Saved]) -> None:
    # A worker that was away for longer than the topic is kept goes on at the oldest record there is. The
    # detectors see the missing samples as a gap, and say so.
    ingest = {TopicPartition(topics.INGEST.name, p): saved for p, saved in found.items()}
    for tp, beginning in (await reader.beginning_offsets(list(ingest))).items():
        if ingest[tp].position < beginning:
            log.error("records_gone", partition=tp.partition, expected=ingest[tp].position, oldest=beginning)
            ingest[tp].position = beginning
