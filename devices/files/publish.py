"""A recording that a file held, on its way to Kafka: cut into packets, published as what is past.

A recording has an end, and nobody is at the device when it is taken in. So it goes by the backlog's lane,
never the live one: no link is supervised there, and what still lasts at the end is over with it. Whether a
condition calls people or is a late finding, the pager says by when it was (``late_s``), as of every backlog:
an ECG that was taken just now calls them, last week's does not.

Its packets follow from its bytes and its start alone, and the session is the start. So the same file twice is
the same packets, by (device, session, seq).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from devices.bundler import Bundler, Instant
from devices.errors import FullError, MessageError
from devices.source import NS, Source
from schemas.bundle import Bundle
from schemas.errors import BadRecordError
from schemas.records import BacklogEnd, Control, Packet

AHEAD_S = 300.0
"""How far a device's clock may be ahead; what ends later than that was not measured yet."""
PACKETS_A_RECORD = 10
"""The pager believes that something is past as long as it hears more of it: a record must not take long."""
_WRITE_BYTES = 4 * 1_048_576
"""What is made durable at once, about."""
_BEFORE_ALL = 1
"""The session that the end of a recording names: behind it, no gap of the device's counts as filled."""


class Taker(Protocol):
    """What recordings go to: ``devices.publisher.Publisher``, or a stand-in."""

    @property
    def room(self) -> bool:
        """Whether more can be taken."""

    def publish_past(self, shard: int, bundles: Sequence[Bundle], end: Control | None = None) -> bool:
        """Take bundles of a device; return whether they are durable. ``end``: says that this is all."""

    def refuse(self) -> None:
        """Count what was not taken."""


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """What a file holds, and when it began: UTC ns."""

    source: Source
    start_ns: int

    @classmethod
    def of(cls, source: Source, given_ns: int | None, now_ns: int) -> "Recording":
        """Return the recording, begun as somebody says (``given_ns``), else as the file does.

        Raises:
            MessageError: neither says so, or it would end in the future.
        """
        start_ns = source.start_ns if given_ns is None else given_ns
        if start_ns is None:
            raise MessageError("it does not say when it began, or not in which zone: its start must be given")
        if start_ns + source.duration_s * NS > now_ns + AHEAD_S * NS:
            raise MessageError(
                "it ends in the future: its clock's zone is another one, or the clock is wrong"
            )
        return cls(source, start_ns)

    def packets(self) -> Iterator[Packet]:
        """Yield its packets, about a second each; ``received_ns`` is still 0."""
        for _, item in self.source.emissions(self.start_ns):
            if isinstance(item, Packet):
                yield item

    def publish(
        self, taker: Taker, gateway: str, now_ns: int, told: Callable[[int], object] = lambda _packets: None
    ) -> int:
        """Publish it whole; return the number of its packets when it is durable.

        Args:
            taker: takes it.
            gateway: the name that bundles carry.
            now_ns: UTC ns.
            told: hears how many packets are durable, while it goes on.

        Raises:
            MessageError: no device can mean it.
            FullError: there is no room now. What was taken of it stays; all of it may be published again.
            SpoolError: nothing can be taken any more.
        """
        device, shard = self.source.device, self.source.shard
        end = Control(
            f"recording-{device}-{self.start_ns}", device, _BEFORE_ALL, 0, now_ns, gateway, BacklogEnd()
        )
        count = size = 0
        waiting: list[Bundle] = []
        for bundle in self._bundles(gateway, now_ns):
            waiting.append(bundle)
            count += bundle.packet.device.size
            size += bundle.sample.nbytes
            if size >= _WRITE_BYTES:
                _take(taker, shard, waiting)
                told(count)
                waiting, size = [], 0
        _take(taker, shard, waiting, end)
        told(count)
        return count

    def _bundles(self, gateway: str, now_ns: int) -> Iterator[Bundle]:
        bundler, now = Bundler(gateway), Instant(0.0, now_ns)
        try:
            for number, packet in enumerate(self.packets(), 1):
                packet.received_ns = now_ns
                yield from bundler.add(self.source.shard, packet, now)
                if number % PACKETS_A_RECORD == 0:
                    yield from bundler.flush(now)
        except BadRecordError as error:
            raise MessageError(str(error)) from None
        yield from bundler.flush(now)


def _take(taker: Taker, shard: int, bundles: Sequence[Bundle], end: Control | None = None) -> None:
    if not taker.room or not taker.publish_past(shard, bundles, end):
        raise FullError("the spool takes no more now: try again in some seconds")
