"""Which fault comes when: pure, and the same for the same seed.

Times are wall-clock seconds after the devices begin to play; ``Pace.speed`` is seconds of signal a second.
On a machine that is slower than the one all this is made for, a round is played slower: the schedule, in
seconds of signal, is the same.
Faults may overlap where they strike different parts, within bounds that every schedule keeps:

* a part has one fault at a time, and time to recover before the next; all brokers together are one part,
  since two of three must be in sync;
* no gateway is kept from Kafka for 60 s of signal, however the faults that keep it away come together: a
  longer gap would be analysed in two segments;
* no alarm is delayed by 120 s of signal: one that is over by then is late, and is told differently.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import combinations
from random import Random

GAP_S = 60.0
DELAY_S = 120.0
PAUSE_S = 20.0
OUTAGE_S = 30.0
WORKER = "worker"
SECOND_WORKER = "worker-2"
SINK, PAGER, DATABASE = "sink", "pager", "database"
BROKERS = ("broker-1", "broker-2", "broker-3")
_FIRST_S = 8.0  # let everything have begun
_STEP_S = 0.5
_TRIES = 100
_PER_ROUND = 13
"""Faults, or kills of the pager where there are more of these."""


class Kind(StrEnum):
    """What can happen."""

    KILL_WORKER = "worker killed"
    KILL_SINK = "sink killed"
    KILL_PAGER = "pager killed"
    KILL_GATEWAY = "gateway killed"
    BROKER_RESTART = "broker stopped and started"
    DATABASE_RESTART = "database restarted"
    DATABASE_OUTAGE = "database away"
    SECOND_WORKER = "second worker joins and leaves"
    BURST = "packet burst"
    REBOOT = "device reboots"
    PAUSE = "process paused"


LOADED = frozenset({Kind.BURST, Kind.REBOOT})
"""Part of what is played, so of the undisturbed run too."""
_AT_GATEWAYS = frozenset({Kind.KILL_GATEWAY, Kind.BURST})


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault.

    Attributes:
        target: the service, gateway, device or broker that it strikes.
        silent: what cannot be reached says nothing, instead of refusing.
    """

    kind: Kind
    target: str
    at_s: float
    lasts_s: float
    silent: bool = False

    @property
    def end_s(self) -> float:
        """When it is over; from then on what it struck recovers."""
        return self.at_s + self.lasts_s


@dataclass(frozen=True, slots=True)
class Cast:
    """Who can be struck: gateways with their devices; ``devices`` may reboot."""

    gateways: tuple[str, ...]
    devices: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pace:
    """How long a round is played, and how fast.

    >>> Pace(400.0, 2.0).slower(2.5)
    Pace(signal_s=400.0, speed=0.8)
    """

    signal_s: float
    speed: float

    @property
    def wall_s(self) -> float:
        """How long that takes."""
        return self.signal_s / self.speed

    def slower(self, times: float) -> "Pace":
        """Return the pace for a machine that is so many times slower."""
        return replace(self, speed=self.speed / times)


@dataclass(frozen=True, slots=True)
class Weight:
    """What a kind of fault costs at the most, wall-clock s.

    Attributes:
        lasts_s: from its beginning to its end.
        lead_s: what it needs before.
        heals_s: from its end until what it struck is as before.
        silent_s: how long it keeps a gateway from Kafka.
        delay_s: how much later an alarm comes.
    """

    lasts_s: float
    heals_s: float
    lead_s: float = 0.0
    silent_s: float = 0.0
    delay_s: float = 0.0


_WEIGHTS = {
    Kind.KILL_WORKER: Weight(0, 14, delay_s=14),
    Kind.KILL_SINK: Weight(0, 12),
    Kind.KILL_PAGER: Weight(0, 12, delay_s=12),
    Kind.KILL_GATEWAY: Weight(0, 12, silent_s=12, delay_s=12),
    Kind.BROKER_RESTART: Weight(10, 20, silent_s=6, delay_s=10),
    Kind.DATABASE_RESTART: Weight(0, 12),
    Kind.DATABASE_OUTAGE: Weight(OUTAGE_S, 12),
    Kind.SECOND_WORKER: Weight(18, 16, delay_s=12),
    Kind.BURST: Weight(3, 5, silent_s=3, delay_s=3),
    Kind.REBOOT: Weight(2.5, 20),
}
_PAUSES = {
    WORKER: Weight(PAUSE_S, 30, lead_s=16, delay_s=24),  # a second worker comes before and leaves behind it
    SINK: Weight(PAUSE_S, 14),
    PAGER: Weight(PAUSE_S, 14, delay_s=24),
}
_GATEWAY_PAUSE = Weight(PAUSE_S, 6, silent_s=PAUSE_S + 3, delay_s=PAUSE_S + 3)


def weight(kind: Kind, target: str) -> Weight:
    """Return what a fault costs at the most."""
    if kind is Kind.PAUSE:
        return _PAUSES.get(target, _GATEWAY_PAUSE)
    return _WEIGHTS[kind]


@dataclass(frozen=True, slots=True)
class Round:
    """Faults of one play, by time."""

    seed: int
    faults: tuple[Fault, ...]

    def of(self, *kinds: Kind) -> tuple[Fault, ...]:
        """Return the faults of some kinds."""
        return tuple(f for f in self.faults if f.kind in kinds)

    def slower(self, times: float) -> "Round":
        """Return the round for a machine that is so many times slower: its faults come later, and last."""
        return replace(
            self,
            faults=tuple(replace(f, at_s=f.at_s * times, lasts_s=f.lasts_s * times) for f in self.faults),
        )


def plan(seed: int, faults: int, cast: Cast, pace: Pace, pager_kills: int = 0) -> list[Round]:
    """Return rounds with ``faults`` faults in all; each kind comes once before one comes again.

    ``pager_kills``: how often the pager is killed besides, spread over the rounds: what it was just doing is
    a matter of chance, and a page must outlive its end at any moment.

    Raises:
        ValueError: there is no time for so many.
    """
    rng = Random(seed)  # noqa: S311 - a schedule, no secret
    wanted = [_fault(kind, turn, cast, rng) for turn, kind in _kinds(faults, rng)]
    kill = Fault(Kind.KILL_PAGER, PAGER, 0.0, 0.0)
    count = -(-max(faults, pager_kills) // _PER_ROUND)
    shares = zip(_shared(wanted, count), _shared([kill] * pager_kills, count), strict=True)
    return [
        Round(seed * 1000 + n, _placed([*share, *kills], cast, pace, rng))
        for n, (share, kills) in enumerate(shares)
    ]


def _shared(faults: Sequence[Fault], count: int) -> list[Sequence[Fault]]:
    """Return the faults in so many parts of the same length, or nearly."""
    total = len(faults)
    return [faults[n * total // count : (n + 1) * total // count] for n in range(count)]


def _placed(wanted: Sequence[Fault], cast: Cast, pace: Pace, rng: Random) -> tuple[Fault, ...]:
    """Give faults their times, so that all bounds hold.

    Raises:
        ValueError: there is no time for so many; a smaller play, or a faster one, was asked for.
    """
    longest_first = sorted(wanted, key=lambda f: span(f)[0] - span(f)[1])
    for _ in range(_TRIES):
        placed: list[Fault] = []
        for fault in longest_first:
            at_s = _time_for(fault, placed, cast, pace, rng)
            if at_s is None:
                break
            placed.append(replace(fault, at_s=at_s))
        else:
            return tuple(sorted(placed, key=lambda f: f.at_s))
    raise ValueError(f"{len(wanted)} faults find no room in {pace.wall_s:g} s")


def _kinds(count: int, rng: Random) -> list[tuple[int, Kind]]:
    """Return kinds, all of them in some order, then all in another; with how often each came before."""
    found: list[tuple[int, Kind]] = []
    turn = 0
    while len(found) < count:
        kinds = list(Kind)
        rng.shuffle(kinds)
        found += [(turn, kind) for kind in kinds]
        turn += 1
    return found[:count]


def _fault(kind: Kind, turn: int, cast: Cast, rng: Random) -> Fault:
    targets: Sequence[str] = {
        Kind.KILL_WORKER: (WORKER,),
        Kind.KILL_SINK: (SINK,),
        Kind.KILL_PAGER: (PAGER,),
        Kind.KILL_GATEWAY: cast.gateways,
        Kind.BROKER_RESTART: BROKERS,
        Kind.DATABASE_RESTART: (DATABASE,),
        Kind.DATABASE_OUTAGE: (DATABASE,),
        Kind.SECOND_WORKER: (WORKER,),
        Kind.BURST: cast.gateways,
        Kind.REBOOT: cast.devices,
        # The zombie owner first: it is what the protocol must bear.
        Kind.PAUSE: (WORKER,) if turn % 2 == 0 else (SINK, PAGER, *cast.gateways),
    }[kind]
    target = rng.choice(targets)
    silent = kind is Kind.DATABASE_OUTAGE and rng.random() < 0.5
    return Fault(kind, target, 0.0, weight(kind, target).lasts_s, silent)


def _time_for(fault: Fault, placed: Sequence[Fault], cast: Cast, pace: Pace, rng: Random) -> float | None:
    """Return a time at which all bounds hold, or None if there is none."""
    w = weight(fault.kind, fault.target)
    first_s, last_s = _FIRST_S + w.lead_s, pace.wall_s - w.lasts_s - w.heals_s
    steps = range(int((last_s - first_s) / _STEP_S) + 1)
    for step in rng.sample(steps, len(steps)):
        tried = replace(fault, at_s=first_s + step * _STEP_S)
        if any(_clash(tried, other) for other in placed):
            continue
        if not broken_bounds([*placed, tried], cast, pace.speed):
            return tried.at_s
    return None


def part(fault: Fault) -> str:
    """Return the part that a fault strikes; a part has one fault at a time."""
    return "brokers" if fault.kind is Kind.BROKER_RESTART else fault.target


def span(fault: Fault) -> tuple[float, float]:
    """Return from when to when a fault may be felt."""
    w = weight(fault.kind, fault.target)
    return fault.at_s - w.lead_s, fault.end_s + w.heals_s


def broken_bounds(faults: Sequence[Fault], cast: Cast, speed: float) -> list[str]:
    """Return what a set of faults breaks of the bounds above; empty for every schedule."""
    broken = [
        f"{one} and {other} strike one part" for one, other in combinations(faults, 2) if _clash(one, other)
    ]
    for gateway in cast.gateways:
        away_s, late_s = gap_s(faults, gateway, speed), delay_s(faults, gateway, speed)
        if away_s >= GAP_S:
            broken.append(f"{gateway} may be away for {away_s:g} s of signal")
        if late_s >= DELAY_S:
            broken.append(f"an alarm of {gateway} may be {late_s:g} s of signal late")
    return broken


def _clash(one: Fault, other: Fault) -> bool:
    (a, b), (c, d) = span(one), span(other)
    return part(one) == part(other) and a < d and c < b


def gap_s(faults: Sequence[Fault], gateway: str, speed: float) -> float:
    """Return for how long the gateway may be kept from Kafka at the most, s of signal."""
    keeping = [f for f in faults if f.target == gateway or f.kind is Kind.BROKER_RESTART]
    return speed * max((sum(w.silent_s for w in felt) for felt in _felt_together(keeping)), default=0.0)


def delay_s(faults: Sequence[Fault], gateway: str, speed: float) -> float:
    """Return how much later an alarm of the gateway's devices may come at the most, s of signal."""
    others = {
        g.target for g in faults if g.kind in _AT_GATEWAYS or weight(g.kind, g.target) is _GATEWAY_PAUSE
    }
    in_the_way = [f for f in faults if f.target == gateway or f.target not in others]
    return speed * max((sum(w.delay_s for w in felt) for felt in _felt_together(in_the_way)), default=0.0)


def _felt_together(faults: Sequence[Fault]) -> Iterator[list[Weight]]:
    """Yield the weights of those that may be felt at one time; what is felt at any is so when one begins."""
    for at_s in {span(f)[0] for f in faults}:
        yield [weight(f.kind, f.target) for f in faults if span(f)[0] <= at_s < span(f)[1]]
