"""A playable device: its sessions of waves and numbers, cut into packets in signal time.

Recordings, the toy ECG and simulated devices are all a ``Source``. Times ``*_s`` are seconds of signal
since the source began to play; nothing here knows a wall clock.
"""

import heapq
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from operator import attrgetter
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from devices.trouble import Expectation
from schemas.records import Channel, Packet, Vital

PACKET_S = 1.0
MIN_PACKET_S, MAX_PACKET_S = 0.2, 2.0
NS = 1_000_000_000
_SLACK_S = 1e-9  # float seconds are not exact: 0.1 * 3 > 0.3

Span = tuple[float, float]
"""From (included) to (excluded), s since the session's start."""


@dataclass(frozen=True, slots=True, eq=False)
class Wave:
    """One channel of a session. ``samples``: int16, shape (n,); the rest as in ``schemas.records.Channel``.

    ``off``: when the device says that this electrode or sensor is off.
    """

    name: str
    code: int
    kind: int
    unit: int
    rate: float
    gain: float
    samples: NDArray[np.int16]
    offset: float = 0.0
    high_pass: float = math.nan
    low_pass: float = math.nan
    notch: float = math.nan
    off: tuple[Span, ...] = ()

    @property
    def duration_s(self) -> float:
        """How long the wave is."""
        return self.samples.size / self.rate


class Number(NamedTuple):
    """A measured number, ``at_s`` since the session's start."""

    at_s: float
    code: int
    value: float


@dataclass(frozen=True, slots=True, eq=False)
class Session:
    """What a device measures from one start to the next; all waves cover the same time.

    ``away``: when the device has no link. It makes no packets then, since it has no store: the samples of
    that time are gone (``first_sample`` jumps), ``seq`` goes on without a hole. So a hole in ``seq`` always
    means that a packet was lost behind the device. ``paces``: when the device says that it saw a pacing
    pulse, s since the session's start.
    """

    waves: tuple[Wave, ...]
    numbers: tuple[Number, ...] = ()
    start_s: float = 0.0
    away: tuple[Span, ...] = ()
    paces: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if not self.waves:
            raise ValueError("a session without waves")
        first = self.waves[0]
        for wave in self.waves:
            if wave.samples.dtype != np.int16 or wave.samples.ndim != 1:
                raise ValueError(f"{wave.name}: samples are not one row of int16")
            if not (math.isfinite(wave.rate) and wave.rate > 0):
                raise ValueError(f"{wave.name}: a rate of {wave.rate} Hz")
            if abs(wave.duration_s - first.duration_s) > 1 / wave.rate + 1 / first.rate:
                raise ValueError(
                    f"{wave.name} lasts {wave.duration_s:g} s, {first.name} {first.duration_s:g} s"
                )

    @property
    def duration_s(self) -> float:
        """How long channel 0 is."""
        return self.waves[0].duration_s


class Emission(NamedTuple):
    """What leaves the device ``at_s``: a packet once its last sample is measured, a number at once."""

    at_s: float
    item: Packet | Vital


class Playable(Protocol):
    """What a gateway plays as a device: a ``Source``, or what a replay reads from the store."""

    @property
    def device(self) -> str:
        """Its id."""

    @property
    def shard(self) -> int:
        """Where its records go."""

    @property
    def label(self) -> str:
        """What it is, said to a person."""

    @property
    def simulated(self) -> bool:
        """Whether it was never measured."""

    @property
    def expected(self) -> tuple[Expectation, ...]:
        """Alarm conditions that must come."""

    def emissions(self, start_ns: int, packet_s: float = PACKET_S) -> Iterator[Emission]:
        """Yield all packets and numbers in the order in which they leave, as ``Source.emissions``."""


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A playable device. ``label`` says to a person what it is; every screen shows it.

    ``expected``: alarm conditions that its scripted trouble must raise. ``left_out``: channels of a
    recording that are not played, each with the reason. ``start_ns``: when a recording says that it began,
    UTC ns; None where it does not say.
    """

    device: str
    shard: int
    label: str
    simulated: bool
    sessions: tuple[Session, ...]
    expected: tuple[Expectation, ...] = ()
    left_out: tuple[str, ...] = field(default=())
    start_ns: int | None = None

    @property
    def duration_s(self) -> float:
        """When its last session ends."""
        return max(s.start_s + s.duration_s for s in self.sessions)

    def emissions(self, start_ns: int, packet_s: float = PACKET_S) -> Iterator[Emission]:
        """Yield all packets and numbers in the order in which they leave; ``received_ns`` is still 0.

        Args:
            start_ns: device time at which the source begins to play, UTC ns. A session is named by the
                device time of its start.
            packet_s: length of a packet, 0.2 to 2 s.
        """
        if not MIN_PACKET_S <= packet_s <= MAX_PACKET_S:
            raise ValueError(f"packets of {packet_s:g} s ({MIN_PACKET_S:g} to {MAX_PACKET_S:g} s)")
        for session in self.sessions:
            # A packet first: a number that is measured at its very end waits for it.
            yield from heapq.merge(
                self._packets(session, start_ns, packet_s),
                self._vitals(session, start_ns),
                key=attrgetter("at_s"),
            )

    def _packets(self, session: Session, start_ns: int, packet_s: float) -> Iterator[Emission]:
        session_ns = start_ns + round(session.start_s * NS)
        paces = [round(at_s * session.waves[0].rate) for at_s in session.paces]
        seq = 0
        for begin_s, end_s in _present(session):
            edges_s = _edges(begin_s, end_s, packet_s)
            cuts = [_indices(wave, edges_s, session.duration_s) for wave in session.waves]
            for i, (from_s, to_s) in enumerate(pairwise(edges_s)):
                first, end = cuts[0][i], cuts[0][i + 1]
                yield Emission(
                    session.start_s + to_s,
                    Packet(
                        self.device,
                        session_ns,
                        seq,
                        first,
                        session_ns + round(first / session.waves[0].rate * NS),
                        0,
                        [
                            _channel(wave, cut[i], cut[i + 1], (from_s, to_s))
                            for wave, cut in zip(session.waves, cuts, strict=True)
                        ],
                        [mark - first for mark in paces if first <= mark < end],
                    ),
                )
                seq += 1

    def _vitals(self, session: Session, start_ns: int) -> Iterator[Emission]:
        session_ns = start_ns + round(session.start_s * NS)
        for at_s, code, value in sorted(session.numbers):
            if not any(a <= at_s < b for a, b in session.away):
                time_ns = session_ns + round(at_s * NS)
                yield Emission(session.start_s + at_s, Vital(self.device, session_ns, time_ns, code, value))


def _present(session: Session) -> list[Span]:
    """Return the stretches in which the link is up."""
    spans = []
    at = 0.0
    for begin, end in sorted(session.away):
        if begin > at:
            spans.append((at, min(begin, session.duration_s)))
        at = max(at, end)
    if at < session.duration_s:
        spans.append((at, session.duration_s))
    return spans


def _edges(begin_s: float, end_s: float, packet_s: float) -> list[float]:
    """Return the times at which packets begin and end; a rest that is too short for a packet joins the last.

    >>> _edges(0.0, 2.5, 1.0), _edges(0.0, 2.1, 1.0), _edges(0.0, 4.1, 2.0)
    ([0.0, 1.0, 2.0, 2.5], [0.0, 1.0, 2.1], [0.0, 2.0, 3.05, 4.1])
    """
    whole = int((end_s - begin_s) / packet_s + _SLACK_S)
    edges = [begin_s + i * packet_s for i in range(whole + 1)]
    rest = end_s - edges[-1]
    if rest <= _SLACK_S and whole:
        edges[-1] = end_s
    elif rest >= MIN_PACKET_S or not whole:
        edges.append(end_s)
    elif packet_s + rest <= MAX_PACKET_S:
        edges[-1] = end_s
    else:
        edges[-1] = (edges[-2] + end_s) / 2
        edges.append(end_s)
    return edges


def _indices(wave: Wave, edges_s: list[float], session_s: float) -> list[int]:
    """Return the sample at which each edge cuts.

    Every edge is at most half a sample off, so that the channels of a packet cover the same time.
    """
    cuts = [min(math.floor(edge * wave.rate + 0.5), wave.samples.size) for edge in edges_s]
    if edges_s[-1] >= session_s:
        cuts[-1] = wave.samples.size
    return cuts


def _channel(wave: Wave, first: int, end: int, span_s: Span) -> Channel:
    return Channel(
        wave.code,
        wave.kind,
        wave.unit,
        wave.rate,
        wave.gain,
        wave.samples[first:end],
        wave.offset,
        wave.high_pass,
        wave.low_pass,
        wave.notch,
        any(a < span_s[1] and span_s[0] < b for a, b in wave.off),
    )
