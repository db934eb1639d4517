"""The way back: what the snapshot topic holds of partitions, and from where their logs are read on."""

import time
from collections.abc import Collection

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition

from ecgstream import clients
from ecgstream.settings import Settings
from ecgstream.worker.snapshots import LaneSaved, Saved
from schemas import topics

log = structlog.get_logger()

FETCH_BYTES = 16 * 1_048_576
LOOK_MS = 2_000
"""Patience for one record whose time is wanted."""


async def read(settings: Settings, partitions: Collection[int]) -> dict[int, Saved]:
    """Return what the snapshot topic, and the beginnings of the logs, say about these partitions."""
    if not partitions:
        return {}
    # "earliest" matters: with aiokafka's default a reset under way can override the seek, and the topic
    # looks empty now and then.
    reader = AIOKafkaConsumer(
        **clients.connection(settings),
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_bytes=4 * FETCH_BYTES,
        max_partition_fetch_bytes=FETCH_BYTES,
    )
    await reader.start()
    try:
        found = await _saved(reader, partitions)
        for number, saved in found.items():
            if saved.refused:
                await _rewind(reader, settings, number, saved)
        await _skip_what_is_gone(reader, found)
    finally:
        await reader.stop()
    return found


async def _saved(reader: AIOKafkaConsumer, partitions: Collection[int]) -> dict[int, Saved]:
    snapshots = [TopicPartition(topics.SNAPSHOTS.name, p) for p in partitions]
    reader.assign(snapshots)
    beginnings = await reader.beginning_offsets(snapshots)
    ends = await reader.end_offsets(snapshots)
    for tp in snapshots:
        reader.seek(tp, beginnings[tp])
    last: dict[int, dict[bytes, bytes]] = {p: {} for p in partitions}
    while any([await reader.position(tp) < ends[tp] for tp in snapshots]):
        for tp, records in (await reader.getmany(timeout_ms=200)).items():
            of_partition = last[tp.partition]
            for record in records:
                if record.value is None:
                    of_partition.pop(record.key, None)
                else:
                    of_partition[record.key] = record.value  # decoded once it is known to be the last
    return {p: Saved.of(records.items()) for p, records in last.items()}


async def _rewind(reader: AIOKafkaConsumer, settings: Settings, number: int, saved: Saved) -> None:
    """Go back by the time that detectors need to know a patient again, from where the log was read last."""
    tp = TopicPartition(topics.INGEST.name, number)
    reader.assign([tp])
    (beginning,) = (await reader.beginning_offsets([tp])).values()
    last = saved.live.position - 1
    if last < beginning:
        return
    reader.seek(tp, last)
    found = (await reader.getmany(tp, timeout_ms=LOOK_MS, max_records=1)).get(tp)
    at_ms = found[0].timestamp if found else round(time.time() * 1000)
    wanted = round(at_ms - settings.rebuild_s * 1000 / settings.clock_rate)
    (earlier,) = (await reader.offsets_for_times({tp: wanted})).values()
    position = min(saved.live.position, earlier.offset if earlier is not None else last)
    log.warning("states_refused", partition=number, rebuilt_from=position, until=saved.live.position)
    saved.live.position = position


async def _skip_what_is_gone(reader: AIOKafkaConsumer, found: dict[int, Saved]) -> None:
    # A worker that was away for longer than the topics are kept goes on at the oldest record there is.
    lanes: dict[TopicPartition, LaneSaved] = {}
    for number, saved in found.items():
        lanes[TopicPartition(topics.INGEST.name, number)] = saved.live
        lanes[TopicPartition(topics.BACKFILL.name, number)] = saved.backfill
    for tp, beginning in (await reader.beginning_offsets(list(lanes))).items():
        lane = lanes[tp]
        if lane.position >= beginning:
            continue
        log.error(
            "records_gone", topic=tp.topic, partition=tp.partition, expected=lane.position, oldest=beginning
        )
        if tp.topic == topics.INGEST.name:
            found[tp.partition].oldest = beginning
        else:
            lane.position = beginning
