"""What a device has published around an onset, read anew from the ingest topic.

Its records are found by time, which is the broker's (``LogAppendTime``), while an onset is in the device's.
What joins the two: the packet that decided was sent at ``published_ns`` by the gateway's clock, and is
younger than the onset by ``decided_ns - onset_ns``. Where a gateway's clock is ahead, the time at which the
pager had the condition holds instead.
"""

import time
from typing import Any, NamedTuple

from kafka import KafkaConsumer, TopicPartition

from devices.parts import only
from ecgstream.clock import SignalClock
from schemas import topics
from schemas.bundle import Bundle
from schemas.codec import decode
from schemas.errors import BadRecordError
from schemas.records import Alert, Packet

READ_S = 1.0
MOST_RECORDS, MOST_BYTES = 20_000, 64 * 1_048_576
"""Of one reading; a partition of a thousand devices has some 50 MB in 20 s."""
MARGIN_S = 5.0
"""How much earlier to begin: packets are sent when they are whole, and clocks differ."""


class Found(NamedTuple):
    """A device's packets; ``whole``: they reach behind what was wanted, so that nothing more will come."""

    packets: list[Packet]
    whole: bool


class Recent:
    """Reads what devices have published; one thread calls it.

    Args:
        reader: a consumer without a group.
        clock: that alerts' times are of.
    """

    def __init__(self, reader: KafkaConsumer, clock: SignalClock) -> None:
        self._reader = reader
        self._clock = clock

    def around(self, alert: Alert, before_s: float, after_s: float) -> Found:
        """Return the packets of an alert's device around its onset, and some more, within ``READ_S``.

        What is to be read ends at the log's present end, and where it is too much or takes too long: then
        what was found by then is returned.

        Raises:
            KafkaError: the topic cannot be read.
        """
        deadline_s = time.monotonic() + READ_S

        def left_ms() -> int:
            return max(1, round((deadline_s - time.monotonic()) * 1000))

        source = TopicPartition(topics.INGEST.name, alert.partition)
        wanted = {source: self._begin_ms(alert, before_s)}
        begin = self._reader.offsets_for_times(wanted, timeout_ms=left_ms())[source]
        if begin is None:
            return Found([], whole=False)
        end = self._reader.end_offsets([source], timeout_ms=left_ms())[source]
        end = min(end, begin.offset + MOST_RECORDS)
        self._reader.assign([source])
        self._reader.seek(source, begin.offset)
        found: list[Packet] = []
        at, taken, behind_ns = begin.offset, 0, alert.onset_ns + round(after_s * 1e9)
        while at < end and taken < MOST_BYTES and time.monotonic() < deadline_s:
            for record in self._reader.poll(timeout_ms=left_ms()).get(source, ()):
                at = record.offset + 1
                taken += len(record.value or b"")
                found += _packets(record, alert.device)
            if any(_end_ns(packet) >= behind_ns for packet in found):
                return Found(found, whole=True)
        return Found(found, whole=False)

    def _begin_ms(self, alert: Alert, before_s: float) -> int:
        decided_ns = min(alert.published_ns, alert.raised_ns)
        onset_ns = decided_ns - (alert.decided_ns - alert.onset_ns)
        begin_ns = self._clock.wall_of(onset_ns - round(before_s * 1e9)) - round(MARGIN_S * 1e9)
        return max(0, begin_ns // 1_000_000)


def _packets(record: Any, device: str) -> list[Packet]:
    """Return a device's packets of a record; what cannot be read is the worker's to report."""
    try:
        content = decode(record.value or b"")
        if not isinstance(content, Bundle) or device not in content.devices:
            return []
        return list(only(content, {device}).packets())  # a copy, which does not keep all of the record
    except BadRecordError:
        return []


def _end_ns(packet: Packet) -> int:
    first = packet.channels[0]
    return packet.start_ns + round(first.samples.size / first.rate * 1e9)
