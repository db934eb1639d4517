"""Packets, vital signs and control records of a device in the order in which they lay in the log. No I/O.

A record of the log is known by its offset. What a record held is put together again, packets first, as the
detectors take them. The records of a backlog follow the first live packet behind their gap, which is when the
live lane has kept the state that they go on from.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from ecgstream.replay.packets import Came
from ecgstream.replay.stored import Placed, Ran
from ecgstream.worker.detect import Record
from schemas import codec
from schemas.bundle import Bundle
from schemas.records import BacklogEnd, Control, Lane, Packet, Vital

TOGETHER = 64
"""Records that are taken in one step."""
EDGE_NS = 5_000_000_000
"""How far from its packets a vital sign may be that came with them."""
_NAME = "replay"


class Step(NamedTuple):
    """Records that follow each other in a lane."""

    lane: Lane
    records: list[Record]


class Log:
    """Makes steps of what is stored of a device.

    Args:
        device: its name.
        late: its segments of the backfill lane.
        placed: its vital signs and control records, by offset and place.
    """

    def __init__(self, device: str, late: Sequence[Ran], placed: Iterable[Placed]) -> None:
        self._device = device
        self._late = [s for s in late if s.lane is Lane.BACKFILL]
        self._live: deque[Placed] = deque()
        self._doubtful: list[Placed] = []
        for one in placed:
            (self._doubtful if self._may_be_late(one) else self._live).append(one)
        self._waiting: list[Came] = []

    def steps(self, come: Sequence[Came]) -> Iterator[Step]:
        """Yield what lay in the log up to packets of one session, which follow each other by sample."""
        in_time = _in_time([one for one in come if not self._lies_late(one.packet)])
        waiting: list[Came] = []
        for one in come:
            if self._lies_late(one.packet):
                if waiting:
                    yield from self._step(waiting)
                    waiting = []
                self._waiting.append(one)
            elif (one.packet.first_sample, one.packet.seq) in in_time:
                waiting.append(one)
                if self._waiting:
                    numbers = self._sorted_out()
                    yield from self._step(waiting)
                    waiting = []
                    yield from self._backlog(numbers)
                elif len(waiting) >= TOGETHER:
                    yield from self._step(waiting)
                    waiting = []
        yield from self._step(waiting)

    def rest(self) -> Iterator[Step]:
        """Yield what lay behind all packets."""
        yield from self._backlog(self._sorted_out())
        self._live = deque(sorted([*self._live, *self._doubtful], key=_in_order))
        yield from self._step([], to_the_end=True)

    def _may_be_late(self, placed: Placed) -> bool:
        item = placed.item
        return isinstance(item, Vital) and any(
            s.from_ns - EDGE_NS <= item.time_ns and (s.to_ns is None or item.time_ns < s.to_ns + EDGE_NS)
            for s in self._late
        )

    def _sorted_out(self) -> list[Placed]:
        """Return the vital signs that came with a backlog that is whole; of which lane one is, is not stored.

        It is of the backlog where it has the offset of one of its packets, or lies among them.
        """
        sent = {one.offset: one.packet.received_ns for one in self._waiting}
        if not sent:
            return []
        last_ns = max(sent.values()) + EDGE_NS
        among = range(min(sent), max(sent))
        late: list[Placed] = []
        left: list[Placed] = []
        live: list[Placed] = []
        for one in self._doubtful:
            if _time_ns(one) >= last_ns:
                left.append(one)
            elif one.offset in sent:
                (late if abs(sent[one.offset] - _time_ns(one)) < EDGE_NS else live).append(one)
            else:
                (late if one.offset in among else live).append(one)
        self._doubtful = left
        self._live = deque(sorted([*self._live, *live], key=_in_order))
        return late

    def _lies_late(self, packet: Packet) -> bool:
        return any(
            s.session == packet.session
            and s.from_sample <= packet.first_sample
            and (s.to_sample is None or packet.first_sample < s.to_sample)
            for s in self._late
        )

    def _step(self, come: Sequence[Came], *, to_the_end: bool = False) -> Iterator[Step]:
        until = come[-1].offset + 1 if come else None
        placed = []
        while self._live and (to_the_end or (until is not None and self._live[0].offset < until)):
            placed.append(self._live.popleft())
        if records := self._records(come, placed):
            yield Step(Lane.LIVE, records)

    def _backlog(self, numbers: Sequence[Placed]) -> Iterator[Step]:
        """Yield a backlog that is whole, with its vital signs."""
        come, self._waiting = self._waiting, []
        if not come:
            return
        come.sort(key=lambda one: one.offset)
        last = come[-1].packet
        segment = next(s for s in reversed(self._late) if s.session == last.session)
        records = self._records(come, numbers)
        end = Control(
            "", self._device, segment.session, segment.to_sample or last.first_sample, 0, _NAME, BacklogEnd()
        )
        records.append(Record(records[-1].offset + 1, 0, codec.encode(end)))
        yield Step(Lane.BACKFILL, records)

    def _records(self, come: Sequence[Came], placed: Sequence[Placed]) -> list[Record]:
        """Return records by offset: of packets and vital signs one each, and of each control record."""
        made: list[Record] = []
        packets: dict[int, list[Packet]] = {}
        vitals: dict[int, list[Vital]] = {}
        controls: dict[int, list[Control]] = {}
        for one in come:
            packets.setdefault(one.offset, []).append(one.packet)
        for found in placed:
            if isinstance(found.item, Control):
                controls.setdefault(found.offset, []).append(found.item)
            else:
                vitals.setdefault(found.offset, []).append(found.item)
        for offset in sorted(packets.keys() | vitals.keys() | controls.keys()):
            if offset in controls:
                made += [Record(offset, 0, codec.encode(control)) for control in controls[offset]]
                continue
            its, numbers = packets.get(offset, []), vitals.get(offset, [])
            # When it was sent: as soon as all of it was measured.
            end_ns = max([p.received_ns for p in its] + [v.time_ns for v in numbers])
            made.append(Record(offset, 0, Bundle.of(_NAME, 0, end_ns, its, numbers).encode()))
        return made


def _in_time(come: Sequence[Came]) -> set[tuple[int, int]]:
    """Return the first sample and number of packets, but of those that came behind a later one.

    Detectors ignore these. ``come``: by first sample.
    """
    found = set()
    least: int | None = None
    for one in reversed(come):
        if least is None or one.offset <= least:
            least = one.offset
            found.add((one.packet.first_sample, one.packet.seq))
    return found


def _in_order(placed: Placed) -> tuple[int, int]:
    return placed.offset, placed.place


def _time_ns(placed: Placed) -> int:
    return placed.item.time_ns if isinstance(placed.item, Vital) else placed.item.issued_ns
