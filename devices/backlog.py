"""Which lane each part of a spooled record goes by, and when. Pure: no I/O and no clock.

A *record* is a bundle as it was spooled, known by its number; a *part* is what it holds of one device. A
gateway that could not reach Kafka, or not fast enough, has records waiting. Then, for each device by itself:

* Where the stretch from its first waiting packet to its newest one is at most ``GAP_S`` of signal, its parts
  go in order, on the live lane.
* Otherwise the newest part goes first, on the live lane, and so does all that is measured from then on. What
  lies before it is a ``Gap``: it goes by the backlog's lane, in order too, once Kafka has the live part.
* What was measured at another time, as a file holds it (``add_past``), goes by the backlog's lane at once.

Signal is counted in samples, over changes of session, never by a clock. Only where a device has sent numbers
and no packets for so long, the time of its numbers counts.

What was handed over once is never moved to the other lane, since Kafka may hold it without having said so. At
most ``WINDOW`` records of a shard are handed over and not yet deleted from the spool. So after a crash the
first ``WINDOW`` records that wait are all that may have been handed over, and stay on the live lane. This is
how every part goes by one lane alone, however often it is sent.

>>> def second(n: int) -> Part:
...     return Part("dev-1", (Run(7, 1, n, n, 250 * n, float(n), n + 1.0),), ())
>>> lanes = Lanes()
>>> for n in range(100):
...     lanes.add(n, [second(n)])
>>> lanes.plan(now_ns=5).begun
[Gap(device='dev-1', begin=0, end=99, session=7, from_sample=24750, planned_ns=5)]
>>> lanes.next_live()
99
"""

import math
from collections import OrderedDict, deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

GAP_S = 60.0
"""s of signal; behind a longer stretch, a worker starts anew (``Segment``)."""
WINDOW = 8
"""Records of a shard that may be on their way to Kafka at once."""
_NS = 1_000_000_000


class Run(NamedTuple):
    """A part's packets of one session, from ``begin_s`` to ``end_s`` of its signal."""

    session: int
    packets: int
    first_seq: int
    last_seq: int
    first_sample: int
    begin_s: float
    end_s: float


class Numbers(NamedTuple):
    """A part's numbers of one session, with time and code of the last one."""

    session: int
    vitals: int
    last_ns: int
    last_code: int


class Part(NamedTuple):
    """What a record holds of one device."""

    device: str
    runs: tuple[Run, ...]
    numbers: tuple[Numbers, ...]


class Gap(NamedTuple):
    """What of a device goes as backlog: its parts of records ``begin`` (included) to ``end`` (excluded).

    Record ``end`` holds the live part that is sent first. It begins at ``from_sample`` of ``session``, both 0
    where it has numbers only.
    """

    device: str
    begin: int
    end: int
    session: int
    from_sample: int
    planned_ns: int


class Plan(NamedTuple):
    """Gaps that begin, and those that became part of them since their live part was never handed over."""

    begun: list[Gap]
    dropped: list[Gap]


class Lanes:
    """The lanes of one shard; ``gaps``: those of an earlier process.

    Numbers rise. Whoever uses this hands over ``next_live``, tells what became of it, and sends the backlog
    while ``backlog_is_open``. A plan must be kept durably before anything more is handed over.
    """

    def __init__(self, gap_s: float = GAP_S, gaps: Iterable[Gap] = ()) -> None:
        self._gap_s = gap_s
        self._devices: dict[str, _Device] = {}
        self._late: set[str] = set()
        self._again: deque[int] = deque()
        self._flying: list[int] = []
        # Never handed over, to the number of devices whose part is to go live. Ordered, with a cheap first.
        self._wanted: OrderedDict[int, int] = OrderedDict()
        self._gaps: dict[str, list[Gap]] = {}
        self._past: set[int] = set()
        self._newest_past = -1
        for gap in gaps:
            self._gaps.setdefault(gap.device, []).append(gap)

    @classmethod
    def restored(
        cls,
        records: Iterable[tuple[int, Sequence[Part]]],
        gaps: Iterable[Gap],
        gap_s: float = GAP_S,
        window: int = WINDOW,
        *,
        past: Iterable[tuple[int, Sequence[Part]]] = (),
    ) -> "Lanes":
        """Return the lanes as a spool tells them after a restart.

        Args:
            records: those whose live part is not acknowledged, in order.
            gaps: those whose end is not acknowledged.
            gap_s: as above.
            window: of the process before.
            past: those without a live part: what no gap has of them was taken as ``add_past`` takes it.
        """
        lanes = cls(gap_s, gaps)
        for number, parts in past:
            lanes.resume_past(number, parts)
        for number, parts in records:
            lanes.resume(number, parts, window)
        return lanes

    def resume_past(self, number: int, parts: Sequence[Part]) -> None:
        """Take the next one of ``restored`` without a live part."""
        if not self.split(number, parts)[1]:
            self.add_past(number)

    def resume(self, number: int, parts: Sequence[Part], window: int = WINDOW) -> None:
        """Take the next record of ``restored``."""
        live, _ = self.split(number, parts)
        if live and len(self._again) < window:
            self._again.append(number)
        elif live:
            self.add(number, live)

    def add(self, number: int, parts: Sequence[Part]) -> None:
        """Take a record that was spooled."""
        self._wanted[number] = len(parts)
        for part in parts:
            device = self._devices.setdefault(part.device, _Device())
            for overtaken in device.add(number, part, self._gap_s):
                self._release(overtaken)
            if device.late:
                self._late.add(part.device)

    def add_past(self, number: int) -> None:
        """Take a record of what was measured at another time: it goes as backlog, though there is no gap."""
        self._past.add(number)
        self._newest_past = number

    @property
    def is_late(self) -> bool:
        """Whether there is something to plan."""
        return bool(self._late)

    def plan(self, now_ns: int) -> Plan:
        """Let the live signal of each late device go first, from its newest part on."""
        plan = Plan([], [])
        for name in sorted(self._late):
            first, live = self._devices[name].overtake()
            self._release(first.number)
            begin = first.number
            gaps = self._gaps.setdefault(name, [])
            if gaps and gaps[-1].end == first.number:
                plan.dropped.append(gaps.pop())
                begin = plan.dropped[-1].begin
            gaps.append(Gap(name, begin, live.number, live.session, live.from_sample, now_ns))
            plan.begun.append(gaps[-1])
        self._late.clear()
        return plan

    def hurry(self) -> None:
        """Let live signal that was planned for and never handed over begin with what has come since."""
        for name, gaps in self._gaps.items():
            if (device := self._devices.get(name)) is not None:
                for overtaken in device.hurry(gaps[-1].end, self._gap_s):
                    self._release(overtaken)
                if device.late:
                    self._late.add(name)

    def is_backlog(self, begin: int, end: int, devices: Collection[str]) -> bool:
        """Return whether all goes as backlog that records from ``begin`` to ``end`` have of these devices."""
        return bool(devices) and all(
            any(gap.begin <= begin and end <= gap.end for gap in self._gaps.get(device, ()))
            for device in devices
        )

    def split(self, number: int, parts: Sequence[Part]) -> tuple[list[Part], list[Part]]:
        """Return the parts of a record that go live, and those that go as backlog."""
        if number in self._past:
            return [], list(parts)
        if not self._gaps:
            return list(parts), []
        live: list[Part] = []
        backlog: list[Part] = []
        for part in parts:
            late = any(gap.begin <= number < gap.end for gap in self._gaps.get(part.device, ()))
            (backlog if late else live).append(part)
        return live, backlog

    def next_live(self) -> int | None:
        """Return the record to hand over next on the live lane."""
        if self._again:
            return self._again[0]
        return next(iter(self._wanted), None)

    def handed(self, number: int, live: Sequence[Part]) -> None:
        """Hear that ``next_live`` was handed over, with these parts."""
        if self._again:
            self._again.popleft()
        else:
            del self._wanted[number]
            for part in live:
                self._devices[part.device].handed(number)
        self._flying.append(number)

    def wants(self, number: int) -> bool:
        """Return whether a part of this record goes live, or has gone and is not acknowledged."""
        return number in self._wanted or self.may_have_gone(number)

    def may_have_gone(self, number: int) -> bool:
        """Return whether Kafka may have a live part of this record without having said so."""
        return number in self._again or number in self._flying

    def drop(self, number: int) -> None:
        """Hear that a record is lost that is not on its way; nothing must be late."""
        self._past.discard(number)
        if number in self._again:
            self._again.remove(number)
        elif self._wanted.pop(number, 0):
            for device in self._devices.values():
                device.drop(number)

    @property
    def flying(self) -> int:
        """How many records are handed over and not acknowledged."""
        return len(self._flying)

    def acknowledged(self, number: int) -> None:
        """Hear that Kafka has the live parts of a record."""
        self._flying.remove(number)

    def failed(self) -> None:
        """Hear that what is not acknowledged by now must be handed over again."""
        self._again.extendleft(reversed(self._flying))
        self._flying.clear()

    @property
    def gaps(self) -> Mapping[str, Sequence[Gap]]:
        """The gaps whose backlog has not ended, by device, the oldest first."""
        return self._gaps

    @property
    def backlog_below(self) -> int:
        """The number that no record of the backlog reaches."""
        end = max((gap.end for gaps in self._gaps.values() for gap in gaps), default=0)
        return max(end, self._newest_past + 1) if self._past else end

    def backlog_is_open(self) -> bool:
        """Return whether there is a backlog, and Kafka has all live parts before which it must wait."""
        oldest_live = [next(iter(queue), math.inf) for queue in (self._again, self._flying, self._wanted)]
        return 0 < self.backlog_below < min(oldest_live)

    def ended(self, next_number: int | None) -> list[Gap]:
        """Return the gaps that are over where the backlog goes on with this record, or with none."""
        return [
            gap
            for gaps in self._gaps.values()
            for gap in gaps
            if next_number is None or gap.end <= next_number
        ]

    def went(self, number: int) -> None:
        """Hear that Kafka has all of a record that went as backlog."""
        self._past.discard(number)

    def nothing_waits(self) -> None:
        """Hear that no record of the backlog is left, though some may not have been told of."""
        self._past.clear()

    def close(self, gap: Gap) -> None:
        """Hear that Kafka knows the end of a gap's backlog."""
        gaps = self._gaps[gap.device]
        gaps.remove(gap)
        if not gaps:
            del self._gaps[gap.device]

    def _release(self, number: int) -> None:
        """One device less wants this record on the live lane."""
        self._wanted[number] -= 1
        if not self._wanted[number]:
            del self._wanted[number]


class _Waiting(NamedTuple):
    """A part that was never handed over; ``at_s``: where in the device's signal, or among its numbers."""

    number: int
    at_s: float
    session: int = 0
    from_sample: int = 0
    is_signal: bool = True


class _Device:
    """What waits of a device. Once it is late, only the first part and those that go live are remembered."""

    def __init__(self) -> None:
        self.late = False
        self._waiting: deque[_Waiting] = deque()
        self._session = -1
        self._session_s = 0.0  # where in the signal of all sessions the present one begins
        self._end_s = 0.0

    def add(self, number: int, part: Part, gap_s: float) -> list[int]:
        """Take a part; return the numbers of those that will not go live any more."""
        self._waiting.append(self._waits(number, part))
        return self._pass_over(gap_s)

    def hurry(self, number: int, gap_s: float) -> list[int]:
        """Where a part of this record is the oldest, let newer signal overtake it; else as ``add``."""
        if not self._waiting or self._waiting[0].number != number:
            return []
        self.late = self.late or any(waiting.is_signal for waiting in islice(self._waiting, 1, None))
        return self._pass_over(gap_s)

    def _pass_over(self, gap_s: float) -> list[int]:
        if len(self._waiting) == 1:
            return []
        overtaker = self._overtaker(gap_s)
        self.late = overtaker > 0
        middle = [self._waiting[i].number for i in range(1, overtaker)]
        for _ in middle:
            del self._waiting[1]
        return middle

    def handed(self, number: int) -> None:
        """Hear that the oldest part was handed over."""
        if self._waiting[0].number != number:
            raise ValueError(f"record {number} is not the next one")
        self._waiting.popleft()

    def drop(self, number: int) -> None:
        """Hear that a part is lost."""
        self._waiting = deque(waiting for waiting in self._waiting if waiting.number != number)

    def overtake(self) -> tuple[_Waiting, _Waiting]:
        """Return the first part and the one that overtakes it, and forget the first."""
        self.late = False
        return self._waiting.popleft(), self._waiting[0]

    def _overtaker(self, gap_s: float) -> int:
        """Return the index of the part with which the live signal goes on; 0: all goes in order."""
        waiting = self._waiting
        last = len(waiting) - 1
        newest = next((i for i in range(last, -1, -1) if waiting[i].is_signal), -1)
        if newest < last and waiting[last].at_s - waiting[newest + 1].at_s > gap_s:
            return last  # numbers only, for so long
        first = next((w for w in waiting if w.is_signal), waiting[0])
        if newest > 0 and (self.late or waiting[newest].at_s - first.at_s > gap_s):
            return newest
        return last if self.late else 0

    def _waits(self, number: int, part: Part) -> _Waiting:
        if not part.runs:
            return _Waiting(number, part.numbers[-1].last_ns / _NS, is_signal=False)
        first = part.runs[0]
        at_s = self._place(first)
        for run in part.runs[1:]:
            self._place(run)
        return _Waiting(number, at_s, first.session, first.first_sample)

    def _place(self, run: Run) -> float:
        """Return where in the signal of all sessions a run begins: a new one where the last one ended."""
        if run.session != self._session:
            self._session = run.session
            self._session_s = self._end_s - run.begin_s
        self._end_s = self._session_s + run.end_s
        return self._session_s + run.begin_s
