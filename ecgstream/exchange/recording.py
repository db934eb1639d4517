"""What is exported: plain arrays, wherever they come from. No I/O, no database.

Samples stand frame by frame, as WFDB has them: a frame is the shortest time in which each lead has a whole
number of samples. The array may be a file that is mapped; whoever goes through it does so by ``chunks``.
"""

import math
import mmap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import reduce
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ecgstream.exchange.errors import ExchangeError
from schemas.records import MISSING

NS = 10**9
APART_S = 10.0
"""A time in which no lead has a sample for so long parts a recording; what is shorter is missing samples."""
MOST_PER_FRAME = 1000
_CHUNK = 2**20
"""Samples that are gone through at once."""
_FINEST = 1000
"""Rates are told apart to a thousandth of a Hz."""


@dataclass(frozen=True, slots=True)
class Lead:
    """What a channel is: value in ``unit`` = (sample - offset) / gain.

    Attributes:
        name: as files show it; unique in its segment.
        code, kind: as in ``schemas.records.Channel``.
        unit: UCUM, as in ``schemas.units``.
        rate: Hz.
        high_pass, low_pass, notch: Hz; None: not known.
    """

    name: str
    code: int
    kind: int
    unit: str
    rate: float
    gain: float
    offset: float = 0.0
    high_pass: float | None = None
    low_pass: float | None = None
    notch: float | None = None


class Mark(NamedTuple):
    """Something that begins at a sample of the first lead, and ends before another (None: it is not said)."""

    sample: int
    text: str
    end: int | None = None


class Run(NamedTuple):
    """Samples, from one to before another."""

    first: int
    end: int


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """A time of signal in one arrangement of leads.

    Attributes:
        start_ns: when its first sample was taken, UTC.
        rate_hz: frames a second.
        leads: in order.
        samples: int16, shape (frames, samples a frame); ``MISSING`` where nothing was measured.
        beat_sample: int64, shape (beats,): of the first lead, from the segment's begin; in order.
        beat_code: uint8, shape (beats,): letters of ``schemas.wfdb.BEATS``.
        rhythms: the text is of ``schemas.wfdb.RHYTHMS``; each holds until the next one.
        conditions: alarm conditions, by their codes.
    """

    start_ns: int
    rate_hz: float
    leads: tuple[Lead, ...]
    samples: NDArray[np.int16]
    beat_sample: NDArray[np.int64]
    beat_code: NDArray[np.uint8]
    rhythms: tuple[Mark, ...] = ()
    conditions: tuple[Mark, ...] = ()

    @property
    def frames(self) -> int:
        """How many frames it has."""
        return int(self.samples.shape[0])

    @property
    def end_ns(self) -> int:
        """When it ends."""
        return self.start_ns + round(self.frames / self.rate_hz * NS)

    @property
    def per_frame(self) -> tuple[int, ...]:
        """How many samples each lead has in a frame."""
        return tuple(round(lead.rate / self.rate_hz) for lead in self.leads)

    def lead(self, number: int) -> NDArray[np.int16]:
        """Return all samples of a lead, shape (n,): in memory."""
        before = sum(self.per_frame[:number])
        return self.samples[:, before : before + self.per_frame[number]].reshape(-1)

    def chunks(self, of: int = 1) -> Iterator[tuple[int, NDArray[np.int16]]]:
        """Yield frames that follow each other, a multiple of ``of`` but at the end; and which is the first.

        What was gone through is let go from memory, where it lies in a file.
        """
        step = max(1, _CHUNK // (max(1, self.samples.shape[1]) * of)) * of
        for first in range(0, self.frames, step):
            yield first, self.samples[first : first + step]
            let_go(self.samples)

    def ns_of(self, sample: float) -> int:
        """Return when a sample of the first lead was taken."""
        return self.start_ns + round(sample / self.leads[0].rate * NS)


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """What is exported.

    Attributes:
        subject: a pseudonym or code, never a name; "" where it is nobody's, or of several.
        devices: ids.
        segments: in order.
        software: what wrote it, with its version.
        detectors: versions that found beats and rhythms.
        comments: lines for whoever reads the file.
    """

    subject: str
    devices: tuple[str, ...]
    segments: tuple[Segment, ...]
    software: str
    detectors: tuple[str, ...] = ()
    comments: tuple[str, ...] = ()

    def notes(self) -> list[str]:
        """Return what a file says of itself, in lines."""
        return [
            f"subject: {self.subject or 'not told'}",
            f"device: {', '.join(self.devices) or 'not told'}",
            f"written by {self.software}; times are UTC",
            f"beats and rhythms by detectors {', '.join(self.detectors)}, looked through by nobody"
            if self.detectors
            else "no beats or rhythms",
            *self.comments,
        ]


def frame_rate(rates: list[float]) -> float:
    """Return the rate of frames in which leads of these rates have a whole number of samples each.

    Raises:
        ExchangeError: a frame would be long.

    >>> frame_rate([250.0, 62.5]), frame_rate([360.0])
    (62.5, 360.0)
    """
    exact = [Fraction(rate).limit_denominator(_FINEST) for rate in rates]
    found = reduce(
        lambda a, b: Fraction(
            math.gcd(a.numerator * b.denominator, b.numerator * a.denominator), a.denominator * b.denominator
        ),
        exact,
    )
    if max(exact) / found > MOST_PER_FRAME:
        raise ExchangeError(f"leads at {' and '.join(f'{r:g} Hz' for r in sorted(set(rates)))} fit no frame")
    return float(found)


def missing(segment: Segment) -> list[list[Run]]:
    """Return where each lead has no samples, at its own rate."""
    found: list[list[Run]] = [[] for _ in segment.leads]
    for first, rows in segment.chunks():
        column = 0
        for runs, count in zip(found, segment.per_frame, strict=True):
            is_missing = (rows[:, column : column + count] == MISSING).reshape(-1)
            _extend(runs, is_missing, first * count)
            column += count
    return found


def let_go(samples: NDArray[np.int16]) -> None:
    """Give back the memory that pages of a mapped file take; nothing where it is no map."""
    base: object = samples
    while isinstance(base, np.ndarray):
        base = base.base
    if isinstance(base, mmap.mmap):
        base.madvise(mmap.MADV_DONTNEED)


def _extend(runs: list[Run], is_in: NDArray[np.bool_], at: int) -> None:
    """Add to runs what follows them, from sample ``at`` on."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], is_in, [False]))))
    for first, end in edges.reshape(-1, 2).tolist():
        if runs and runs[-1].end == at + first:
            runs[-1] = Run(runs[-1].first, at + end)
        else:
            runs.append(Run(at + first, at + end))


def parted(segment: Segment, time_of: Callable[[int], int]) -> list[Segment]:
    """Return a segment without what is missing at its ends and for ``APART_S`` and more.

    Args:
        segment: one.
        time_of: of a frame, when it was taken, UTC ns.
    """
    gaps: list[Run] = []
    for first, rows in segment.chunks():
        _extend(gaps, (rows == MISSING).all(axis=1), first)
    long = [
        gap
        for gap in gaps
        if gap.end - gap.first >= APART_S * segment.rate_hz or gap.first == 0 or gap.end == segment.frames
    ]
    edges = [0, *(edge for gap in long for edge in gap), segment.frames]
    kept = [Run(first, end) for first, end in zip(edges[::2], edges[1::2], strict=True) if first < end]
    return [_cut(segment, run, time_of(run.first)) for run in kept]


def _cut(segment: Segment, run: Run, start_ns: int) -> Segment:
    first, end = (edge * segment.per_frame[0] for edge in run)
    low, high = np.searchsorted(segment.beat_sample, (first, end))
    return replace(
        segment,
        start_ns=start_ns,
        samples=segment.samples[run.first : run.end],
        beat_sample=segment.beat_sample[low:high] - first,
        beat_code=segment.beat_code[low:high],
        rhythms=_in_force(segment.rhythms, first, end),
        conditions=tuple(
            Mark(mark.sample - first, mark.text, None if mark.end is None else min(mark.end, end) - first)
            for mark in segment.conditions
            if first <= mark.sample < end
        ),
    )


def _in_force(rhythms: tuple[Mark, ...], first: int, end: int) -> tuple[Mark, ...]:
    before = [mark for mark in rhythms if mark.sample < first]
    found = [Mark(0, before[-1].text)] if before else []
    found += [Mark(mark.sample - first, mark.text) for mark in rhythms if first <= mark.sample < end]
    return tuple(found[1:] if len(found) > 1 and found[1].sample == 0 else found)


def joined(segments: Sequence[Segment], least_s: float = 0.0) -> list[list[Segment]]:
    """Return segments that can stand in one file: of the same leads, each behind the one before.

    Args:
        segments: in order.
        least_s: from the end of one to the begin of the next.
    """
    found: list[list[Segment]] = []
    for segment in segments:
        last = found[-1][-1] if found else None
        if (
            last is not None
            and (last.rate_hz, last.leads) == (segment.rate_hz, segment.leads)
            and segment.start_ns >= last.end_ns + round(least_s * NS)
        ):
            found[-1].append(segment)
        else:
            found.append([segment])
    return found


def numbered(name: str, suffix: str, count: int) -> list[str]:
    """Return the names of so many files.

    >>> numbered("ecg", ".edf", 1), numbered("ecg", ".edf", 2)
    (['ecg.edf'], ['ecg-1.edf', 'ecg-2.edf'])
    """
    return [f"{name}{suffix}"] if count == 1 else [f"{name}-{number + 1}{suffix}" for number in range(count)]


def moment(ns: int) -> datetime:
    """Return a time in UTC ns, to the microsecond below.

    >>> moment(1_500_000_000).isoformat()
    '1970-01-01T00:00:01.500000+00:00'
    """
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=ns // 1000)
