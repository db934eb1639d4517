"""A device's records as a topic has recorded them: the log itself while it is kept, or a copy of it.

Nothing has to be put together: records, their order, and how signals were cut into packets are those that
there were. Records of other devices are left out of each bundle.
"""

import heapq
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any, NamedTuple

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from ecgstream import clients
from ecgstream.member import end_offsets
from ecgstream.replay.errors import ReplayError
from ecgstream.replay.log import TOGETHER, Step
from ecgstream.replay.source import BEHIND_NS, Signal, at
from ecgstream.replay.stored import Ran
from ecgstream.settings import Settings
from ecgstream.worker.detect import Record
from schemas import codec, topics
from schemas.bundle import Bundle
from schemas.errors import BadRecordError
from schemas.records import Control, Lane, Packet

BEFORE_MS = 25 * 3600 * 1000
"""So much before a session a topic is read: what holds is told anew every day, and numbers count for one."""
_POLL_MS = 500
_SILENT_POLLS = 120
"""Answers with nothing in them, after which a broker is said to give nothing: a minute."""


class _Own(NamedTuple):
    """A record with what a device has in it; ``log_ms``: when the broker took it."""

    log_ms: int
    lane: Lane
    record: Record
    content: Bundle | Control


class FromTopic:
    """Reads the log of a device from Kafka.

    Args:
        settings: the broker's, and the user's that may read there.
        topic: ``ecg.ingest``, or a copy of it. The backlog is read from what is called likewise with
            ``ecg.backfill`` in it, if there is such a topic.
    """

    def __init__(self, settings: Settings, topic: str) -> None:
        self._settings = settings
        self._lanes = {Lane.LIVE: topic}
        if topics.INGEST.name in topic:
            self._lanes[Lane.BACKFILL] = topic.replace(topics.INGEST.name, topics.BACKFILL.name)

    def steps(self, device: str, ran: Sequence[Ran], signal: Signal) -> Iterator[Step]:
        """See ``ecgstream.replay.source.Source``."""
        begin_ns = min(one.from_ns for one in ran)
        lanes = {one.lane for one in ran} | {Lane.LIVE}
        of_lanes = [self._of_lane(lane, device, begin_ns) for lane in self._lanes if lane in lanes]
        begun = _Begun(device, ran)
        step: list[_Own] = []
        try:
            for own in heapq.merge(*of_lanes, key=lambda one: (one.log_ms, one.lane is Lane.BACKFILL)):
                if isinstance(own.content, Bundle):
                    packets = list(own.content.packets())
                    begun.check(own.lane, packets)
                    if own.lane is Lane.LIVE and _is_behind(packets, signal.stretch.until_ns):
                        break
                    signal.count(packets)
                if step and (step[0].lane is not own.lane or len(step) >= TOGETHER):
                    yield Step(step[0].lane, [one.record for one in step])
                    step = []
                step.append(own)
        except KafkaError as error:
            raise ReplayError(f"{device}: {self._lanes[Lane.LIVE]} cannot be read: {_why(error)}") from None
        if step:
            yield Step(step[0].lane, [one.record for one in step])

    def _of_lane(self, lane: Lane, device: str, begin_ns: int) -> Iterator[_Own]:
        name = self._lanes[lane]
        with closing(clients.reader(self._settings)) as reader:
            partitions = reader.partitions_for_topic(name)
            if not partitions:
                if lane is Lane.BACKFILL:
                    return
                raise ReplayError(
                    f"there is no topic {name} at {self._settings.kafka}, or you may not read it"
                )
            sources = [TopicPartition(name, number) for number in sorted(partitions)]
            for record in _records(reader, sources, max(0, begin_ns // 10**6 - BEFORE_MS)):
                if (own := _own(record, lane, device)) is not None:
                    yield own


def _records(reader: KafkaConsumer, sources: Sequence[TopicPartition], from_ms: int) -> Iterator[Any]:
    """Yield what came to partitions from a time of the broker's on, up to their present ends."""
    reader.assign(sources)
    ends = end_offsets(reader, sources)
    found = reader.offsets_for_times(dict.fromkeys(sources, from_ms))
    for source in sources:
        reader.seek(source, ends[source] if found.get(source) is None else found[source].offset)
    silent = 0
    while left := [source for source in sources if reader.position(source) < ends[source]]:
        came = reader.poll(timeout_ms=_POLL_MS)
        silent = 0 if came else silent + 1
        if silent > _SILENT_POLLS:
            raise KafkaError(f"nothing comes of {left[0].topic}")
        for records in came.values():
            yield from records


def _own(record: Any, lane: Lane, device: str) -> _Own | None:
    """Return what of a record is a device's."""
    value = record.value
    if value is None or device.encode() not in value:  # most are of others, and need not be decoded
        return None
    try:
        content = codec.decode(value)
    except BadRecordError:
        return None  # as the worker, which has sent it to dead letters
    if isinstance(content, Bundle):
        packets = [one for one in content.packets() if one.device == device]
        vitals = [one for one in content.vitals() if one.device == device]
        if not packets and not vitals:
            return None
        content = Bundle.of(content.gateway, content.shard, content.created_ns, packets, vitals)
        value = content.encode()
    elif not isinstance(content, Control) or content.device != device:
        return None
    return _Own(record.timestamp, lane, Record(record.offset, record.timestamp, value), content)


class _Begun:
    """Sees to it that a topic holds the session from its begin on that a stretch begins in."""

    def __init__(self, device: str, ran: Sequence[Ran]) -> None:
        self._device = device
        self._session = min(one.session for one in ran)
        self._begins: dict[Lane, int] = {}
        """Samples with which the session begins in lanes that have not shown it yet."""
        for one in ran:
            if one.session == self._session:
                self._begins[one.lane] = min(one.from_sample, self._begins.get(one.lane, one.from_sample))

    def check(self, lane: Lane, packets: Sequence[Packet]) -> None:
        """Take packets of a lane, in the order of the log.

        Raises:
            ReplayError: the first that is there of the session lies behind its begin.
        """
        of_session = [one for one in packets if one.session == self._session]
        if not of_session or lane not in self._begins:
            return
        first = min(of_session, key=lambda one: one.first_sample)
        if first.first_sample > self._begins.pop(lane):
            raise ReplayError(
                f"{self._device}: its session began {at(self._session)}, and the topic holds it only from"
                f" {at(first.start_ns)} on. Replay from what is stored, without --topic"
            )


def _is_behind(packets: Sequence[Packet], until_ns: int) -> bool:
    return any(one.start_ns >= until_ns + BEHIND_NS for one in packets)


def _why(error: KafkaError) -> str:
    return str(error) or type(error).__name__
