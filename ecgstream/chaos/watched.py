"""Alarms of the watch on the system itself: which must come, which may, and no others.

They come by the same webhook as pages, and follow what was done to the site. Times are wall-clock seconds
after the play began. That a disk is nearly full tells of the machine this runs on: it may come at any time.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import inf

from ecgstream.chaos import load
from ecgstream.chaos.faults import Struck
from ecgstream.chaos.receiver import Answer, Post
from ecgstream.chaos.schedule import PAGER, WORKER, Kind
from ecgstream.watch.alarms import CLEAR_S, ENDED, RAISED
from schemas.conditions import Code

_AROUND_S = 3.0
_HEALS_S = 15.0
_BROKER_MUST_S = 18.0
"""A broker that was away for so long was seen to be: the watch counts 10 s, looks every 3 s, and tells."""
_TELLS_S = 15.0
_TOLD_EVERY_S = 5.0
"""How often a gateway says that it is there."""


@dataclass(frozen=True, slots=True)
class Watched:
    """An alarm of the watch: when its trouble began, and when it was told to be over."""

    code: str
    onset_s: float
    over_s: float = inf

    @property
    def is_over(self) -> bool:
        """Whether its end was told."""
        return self.over_s < inf

    def __str__(self) -> str:
        return f"{self.code} at {self.onset_s:.1f} s{'' if self.is_over else ', not over'}"


@dataclass(frozen=True, slots=True)
class Trouble:
    """What the watch may see between two times, or must.

    Attributes:
        over_s: when it had to say that it is over.
        told_s: an alarm that began before and is not over by then has told of this one, too.
    """

    code: Code
    from_s: float
    to_s: float
    must: bool = False
    over_s: float = inf
    told_s: float = inf


def alarms(posts: Iterable[Post], begin_ns: int) -> list[Watched]:
    """Return the alarms of the watch that the receiver was told of; ``begin_ns``: when the play began."""
    bodies = [p.body for p in posts if p.answer is not Answer.REFUSED and not p.body["device"]]
    over_s = {b["alert"]: (b["decided_ns"] - begin_ns) / 1e9 for b in bodies if b["what"] == ENDED}
    raised = {b["alert"]: b for b in bodies if b["what"] == RAISED}
    return [
        Watched(b["condition"], (b["onset_ns"] - begin_ns) / 1e9, over_s.get(alert, inf))
        for alert, b in raised.items()
    ]


def of_faults(struck: Iterable[Struck], slowness: float) -> Iterator[Trouble]:
    """Yield what faults may and must show the watch; on a slow machine they heal, and it tells, later."""
    for one in struck:
        kind, target = one.fault.kind, one.fault.target
        from_s, to_s = one.from_s - _AROUND_S, one.to_s + (one.recovery_s or 0.0) + _HEALS_S * slowness
        if kind is Kind.DATABASE_OUTAGE:
            over_s = one.to_s + CLEAR_S + _TELLS_S * slowness
            yield Trouble(Code.DATABASE_AWAY, from_s, one.from_s + _AROUND_S, must=True, over_s=over_s)
        elif kind is Kind.DATABASE_RESTART:
            yield Trouble(Code.DATABASE_AWAY, from_s, to_s)
        elif kind is Kind.BROKER_RESTART:
            must = one.to_s - one.from_s >= _BROKER_MUST_S
            yield Trouble(Code.BROKER_DEGRADED, from_s, to_s, must=must, told_s=one.to_s)
        if target == WORKER or kind is Kind.BROKER_RESTART:
            yield Trouble(Code.PIPELINE_STALLED, from_s, to_s)
        if target == PAGER or kind is Kind.BROKER_RESTART:
            yield Trouble(Code.PAGER_STALLED, from_s, to_s)


def of_play(speed: float) -> Iterator[Trouble]:
    """Yield what the play itself may show.

    Services begin one after the other, gateways end with it, and the far one is out of reach.
    """
    wall_s = load.SIGNAL_S / speed
    yield Trouble(Code.DISK_NEARLY_FULL, -inf, inf)
    yield Trouble(Code.PIPELINE_STALLED, -inf, 0.0)
    yield Trouble(Code.GATEWAY_SILENT, wall_s - _AROUND_S - _TOLD_EVERY_S, inf)
    begin_s = load.AWAY_S[0] / speed
    told_s = begin_s - _AROUND_S - _TOLD_EVERY_S
    yield Trouble(Code.GATEWAY_SILENT, told_s, begin_s + _AROUND_S, must=True)
    yield Trouble(Code.GATEWAY_BEHIND, begin_s - _AROUND_S, inf)


def judge(troubles: Sequence[Trouble], found: Sequence[Watched], end_s: float) -> tuple[list[str], list[str]]:
    """Return what is missing, and what was not allowed; ``end_s``: when we stopped to look."""
    missing = [
        f"{t.code.name} between {t.from_s:.1f} and {t.to_s:.1f} s{', or its end' if t.over_s < end_s else ''}"
        for t in troubles
        if t.must and not any(_tells(t, a) and (a.is_over or t.over_s >= end_s) for a in found)
    ]
    extra = [str(a) for a in found if not any(_fits(t, a) for t in troubles)]
    return missing, extra


def _fits(trouble: Trouble, alarm: Watched) -> bool:
    return trouble.code.name == alarm.code and trouble.from_s <= alarm.onset_s <= trouble.to_s


def _tells(trouble: Trouble, alarm: Watched) -> bool:
    lasts = alarm.onset_s < trouble.from_s and alarm.over_s > trouble.told_s
    return _fits(trouble, alarm) or (trouble.code.name == alarm.code and lasts)
