"""Technical alarms that follow what happened to a run: which must come, which may, and no others.

A link is lost where the centre hears nothing of a device for 10 s of signal. So one must come where the load
itself is silent for longer, where a gateway was paused or out of reach, and at the end of the play. One may
come where a gateway was kept away for a time that may or may not be enough.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import psycopg

from devices.source import Source
from ecgstream.chaos import load
from ecgstream.chaos.faults import Struck
from ecgstream.chaos.schedule import Kind
from schemas.conditions import Code
from schemas.records import AlertState, Packet, Phase

LOST_LINK_S = 10.0
_UNSURE_S = 2.0
"""A silence that is so much shorter or longer than the time-out may be told or not."""
_UNDERWAY_S = 10.0
"""So much of what was measured may not have come through when its gateway is struck."""


@dataclass(frozen=True, slots=True)
class Silence:
    """A device is silent; the onset of its lost link lies between these, s of signal.

    ``must``: it is lost for sure, else it may be.
    """

    device: str
    from_s: float
    to_s: float
    must: bool


@dataclass(frozen=True, slots=True)
class LostLink:
    """A lost link that was told: its onset, s of signal, and how it and its alert stand.

    ``calls``: whether its alert calls people itself, and no other one for it.
    """

    id: str
    device: str
    onset_s: float
    phase: str
    alert: str | None
    calls: bool = True

    def __str__(self) -> str:
        return f"LINK_LOST of {self.device} at {self.onset_s:.1f} s, {self.phase}, alert {self.alert}"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What had to come and did not, what came and was not allowed, and what is not as it should be."""

    missing: tuple[str, ...]
    extra: tuple[str, ...]
    wrong: tuple[str, ...]


def lost_links(connection: psycopg.Connection) -> list[LostLink]:
    """Return the lost links that the database holds, with their alerts."""
    found = connection.execute(
        "SELECT c.id::text, c.device, c.onset_ns, c.phase, a.state,"
        " concat(a.joined, a.inhibited_by, a.grouped) = '' FROM ecg.condition AS c"
        " LEFT JOIN ecg.alert AS a USING (id) WHERE c.code = %s ORDER BY c.device, c.onset_ns",
        (Code.LINK_LOST.name,),
    ).fetchall()
    return [LostLink(i, device, (ns - load.START_NS) / 1e9, *stand) for i, device, ns, *stand in found]


def of_load(sources: Iterable[Source]) -> Iterator[Silence]:
    """Yield the silences that are part of what is played, the one behind its end too."""
    for source in sources:
        at_s = [e.at_s for e in source.emissions(load.START_NS) if isinstance(e.item, Packet)]
        for last_s, next_s in pairwise(at_s):
            silent_s = next_s - last_s
            if silent_s > LOST_LINK_S - _UNSURE_S:
                yield Silence(source.device, last_s - 1, last_s, must=silent_s > LOST_LINK_S + _UNSURE_S)
        yield Silence(source.device, at_s[-1] - 1, at_s[-1], must=True)


def of_faults(struck: Iterable[Struck], speed: float) -> Iterator[Silence]:
    """Yield the silences that faults brought."""
    for one in struck:
        from_s, to_s = one.from_s * speed, (one.to_s + (one.recovery_s or 0.0)) * speed
        fault = one.fault
        if fault.kind is Kind.BROKER_RESTART:
            for device in load.DEVICES:
                yield Silence(device, from_s - _UNDERWAY_S, to_s + 1, must=False)
        for device in load.GATEWAYS.get(fault.target, ()):
            yield Silence(device, from_s - _UNDERWAY_S, to_s + 1, must=False)
            if fault.kind is Kind.PAUSE:
                yield Silence(device, from_s - _UNDERWAY_S, from_s + 1, must=True)


def of_far(devices: Sequence[str], away_s: tuple[float, float]) -> Iterator[Silence]:
    """Yield the silence of devices whose gateway was out of reach."""
    for device in devices:
        yield Silence(device, away_s[0] - _UNDERWAY_S, away_s[0] + 1, must=True)
        yield Silence(device, away_s[0] - _UNDERWAY_S, away_s[1] + 20, must=False)


def judge(silences: Sequence[Silence], found: Sequence[LostLink]) -> Judgement:
    """Compare what was told with what must and may be."""
    missing = [
        f"LINK_LOST of {s.device} between {s.from_s:.1f} and {s.to_s:.1f} s"
        for s in silences
        if s.must and not any(_fits(_widened(s, silences), link) for link in found)
    ]
    extra = [str(link) for link in found if not any(_fits(s, link) for s in silences)]
    wrong = [str(link) for link in found if not _stands_right(link)]
    return Judgement(tuple(missing), tuple(extra), tuple(wrong))


def _widened(silence: Silence, silences: Sequence[Silence]) -> Silence:
    """Return a silence with that before it in which it may have begun: the device was away already."""
    before = (
        s.from_s for s in silences if s.device == silence.device and s.from_s <= silence.from_s <= s.to_s
    )
    return replace(silence, from_s=min(before, default=silence.from_s))


def _fits(silence: Silence, link: LostLink) -> bool:
    return silence.device == link.device and silence.from_s <= link.onset_s <= silence.to_s


def lost_at_end(link: LostLink) -> bool:
    """Return whether it came of the play's end, so that it lasts."""
    return link.onset_s >= load.SIGNAL_S - 2


def _stands_right(link: LostLink) -> bool:
    """Return whether it is over where the device was heard again, and its alert with it."""
    if lost_at_end(link):
        return (link.phase, link.alert) == (Phase.ONSET, AlertState.ACTIVE)
    return (link.phase, link.alert) == (Phase.END, AlertState.ENDED)
