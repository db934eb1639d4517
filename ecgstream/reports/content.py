"""What a report says, computed from what is stored; no I/O, no clock.

Sources: IEC 60601-2-47 (what an ambulatory system reports: counts by class, rates, pauses); ANSI/AAMI EC57
(classes of beats, couplets and runs); M. H. Crawford et al., "ACC/AHA guidelines for ambulatory
electrocardiography", J. Am. Coll. Cardiol. 34 (1999) 912-948. Each share has its denominator beside it.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgstream.reports.intervals import neighbours, normal
from ecgstream.reports.material import (
    MINUTE_NS,
    NS,
    Beats,
    Material,
    Minutes,
    RhythmSpan,
    Span,
    Subject,
)
from ecgstream.reports.st import St, st
from ecgstream.reports.variability import Variability, variability

PAUSE_S = 2.0
"""An interval so long and longer is a pause (ACC/AHA 1999 and usual practice of Holter laboratories)."""
LEAST_RATE_S = 30.0
"""Of a minute that intervals must fill, for the minute to have a rate."""
HOUR_NS = 60 * MINUTE_NS


@dataclass(frozen=True, slots=True)
class Coverage:
    """Seconds: asked for, the subject's own, recorded, analysable."""

    asked_s: float
    covered_s: float
    recorded_s: float
    analysed_s: float

    @property
    def analysable_share(self) -> float:
        """Share of what was asked for that could be analysed, 0 to 1."""
        return self.analysed_s / self.asked_s if self.asked_s else 0.0


@dataclass(frozen=True, slots=True)
class Ectopy:
    """Early beats of a kind; ``share``: of all beats, None without beats.

    ``longest_run`` in beats, with its rate a minute and when it began; runs have three beats or more.
    """

    beats: int
    share: float | None
    isolated: int
    couplets: int
    runs: int
    longest_run: int
    longest_run_bpm: float | None
    longest_run_from_ns: int | None


@dataclass(frozen=True, slots=True)
class Rate:
    """Mean heart rate of a minute."""

    from_ns: int
    bpm: float


@dataclass(frozen=True, slots=True)
class Rates:
    """Heart rates: of minutes, the least and greatest of them, and the mean of all intervals."""

    minutes: tuple[Rate, ...]
    mean_bpm: float | None
    slowest: Rate | None
    fastest: Rate | None


@dataclass(frozen=True, slots=True)
class Pause:
    """An interval between neighbouring beats; ``from_ns``: the beat before it."""

    from_ns: int
    length_s: float


@dataclass(frozen=True, slots=True)
class RhythmTime:
    """A rhythm: episodes, seconds of it, share of analysable time (None: there is none), the longest."""

    rhythm: str
    episodes: int
    total_s: float
    share: float | None
    longest: RhythmSpan


@dataclass(frozen=True, slots=True)
class Hour:
    """An hour of UTC, or what of it was asked for."""

    from_ns: int
    analysed_s: float
    beats: int
    low_bpm: float | None
    mean_bpm: float | None
    high_bpm: float | None
    ventricular: int
    supraventricular: int
    pauses: int
    af_s: float


@dataclass(frozen=True, slots=True)
class Report:
    """All of a report but its strips."""

    subject: Subject
    asked: Span
    parts: tuple[Span, ...]
    detectors: tuple[str, ...]
    coverage: Coverage
    beats: dict[str, int]
    ventricular: Ectopy
    supraventricular: Ectopy
    rates: Rates
    pauses: tuple[Pause, ...]
    rhythms: tuple[RhythmTime, ...]
    variability: Variability
    st: St
    hours: tuple[Hour, ...]

    @property
    def longest_pause(self) -> Pause | None:
        """The longest pause; None: there was none of two seconds."""
        return max(self.pauses, key=lambda pause: pause.length_s, default=None)

    def rhythm(self, name: str) -> RhythmTime | None:
        """Return a rhythm by its WFDB string; None: it was not found."""
        return next((one for one in self.rhythms if one.rhythm == name), None)


def compute(material: Material) -> Report:
    """Return the report of what is stored."""
    beats = material.beats
    known = neighbours(beats, material.rhythms)
    seen = [piece for span in material.rhythms for piece in _recorded(span, material.minutes)]
    rates = _rates(beats, known)
    pauses = _pauses(beats, known)
    covered = Coverage(
        _seconds([material.asked]),
        _seconds(material.parts),
        float(material.minutes.recorded_s.sum()),
        float(material.minutes.analysed_s.sum()),
    )
    seconds = _by_minute(seen, material.minutes)
    return Report(
        material.subject,
        material.asked,
        material.parts,
        material.detectors,
        covered,
        {chr(code): n for code, n in sorted(Counter(beats.code.tolist()).items())},
        _ectopy(beats, known, "V"),
        _ectopy(beats, known, "S"),
        rates,
        pauses,
        _rhythms(seen, seconds, covered.analysed_s),
        variability(beats, known, normal(beats, material.rhythms, known)),
        st(material.st, covered.analysed_s),
        _hours(material, rates, pauses, seconds.get("AFIB")),
    )


def _seconds(spans: list[Span] | tuple[Span, ...]) -> float:
    return sum(end - begin for begin, end in spans) / NS


def _ectopy(beats: Beats, known: NDArray[np.bool_], letter: str) -> Ectopy:
    is_it = beats.code == ord(letter)
    n = int(is_it.sum())
    if not n:
        return Ectopy(0, 0.0 if is_it.size else None, 0, 0, 0, 0, None, None)
    at = np.flatnonzero(is_it)
    begins = np.flatnonzero(np.r_[True, (np.diff(at) > 1) | ~known[at[1:]]])
    lengths = np.diff(np.r_[begins, at.size])
    bpm, since, longest = None, None, 0
    if lengths.max() >= 3:
        first = int(at[begins[lengths.argmax()]])
        longest = int(lengths.max())
        bpm = 60 * (longest - 1) / float(beats.rr_s[first + 1 : first + longest].sum())
        since = int(beats.time_ns[first])
    alone, two, more = (int(lengths_are.sum()) for lengths_are in (lengths == 1, lengths == 2, lengths > 2))
    return Ectopy(n, n / is_it.size, alone, two, more, longest, bpm, since)


def _rates(beats: Beats, known: NDArray[np.bool_]) -> Rates:
    """Return rates of minutes: intervals by the minute that they end in, where they fill half of it."""
    rr_s, minute = beats.rr_s[known], beats.time_ns[known] // MINUTE_NS
    which, where = np.unique(minute, return_inverse=True)
    total_s, n = np.bincount(where, rr_s, which.size), np.bincount(where, minlength=which.size)
    found = tuple(
        Rate(int(m) * MINUTE_NS, float(60 * count / total))
        for m, total, count in zip(which, total_s, n, strict=True)
        if total >= LEAST_RATE_S
    )
    mean = 60 * rr_s.size / float(rr_s.sum()) if rr_s.size else None
    slowest, fastest = (end(found, key=lambda one: one.bpm, default=None) for end in (min, max))
    return Rates(found, mean, slowest, fastest)


def _pauses(beats: Beats, known: NDArray[np.bool_]) -> tuple[Pause, ...]:
    which = np.flatnonzero(known & (np.where(known, beats.rr_s, 0.0) >= PAUSE_S))
    return tuple(Pause(int(beats.time_ns[i - 1]), float(beats.rr_s[i])) for i in which)


def _recorded(span: RhythmSpan, minutes: Minutes) -> Iterator[RhythmSpan]:
    """Yield what of a rhythm lies in minutes that were recorded: it ends where nothing is measured."""
    first = int(np.searchsorted(minutes.start_ns + MINUTE_NS, span.from_ns, side="right"))
    last = int(np.searchsorted(minutes.start_ns, span.to_ns, side="left"))
    starts = minutes.start_ns[first:last][minutes.recorded_s[first:last] > 0]
    for piece in np.split(starts, np.flatnonzero(np.diff(starts) > MINUTE_NS) + 1):
        if piece.size:
            low, high = max(span.from_ns, int(piece[0])), min(span.to_ns, int(piece[-1]) + MINUTE_NS)
            yield RhythmSpan(span.rhythm, low, high)


def _by_minute(seen: Sequence[RhythmSpan], minutes: Minutes) -> dict[str, NDArray[np.float64]]:
    """Return the seconds of each rhythm in each minute, together never more than could be analysed."""
    found: dict[str, NDArray[np.float64]] = {}
    ends = minutes.start_ns + MINUTE_NS
    for span in seen:
        if span.rhythm in ("NOISE", "?"):
            continue
        seconds = found.setdefault(span.rhythm, np.zeros(ends.size))
        first = int(np.searchsorted(ends, span.from_ns, side="right"))
        last = int(np.searchsorted(minutes.start_ns, span.to_ns, side="left"))
        low = np.maximum(minutes.start_ns[first:last], span.from_ns)
        seconds[first:last] += (np.minimum(ends[first:last], span.to_ns) - low) / NS
    total = np.sum(list(found.values()), axis=0) if found else np.zeros(ends.size)
    scale = np.minimum(1.0, minutes.analysed_s / np.maximum(total, 1e-9))
    return {rhythm: seconds * scale for rhythm, seconds in found.items()}


def _rhythms(
    seen: Sequence[RhythmSpan], seconds: dict[str, NDArray[np.float64]], analysed_s: float
) -> tuple[RhythmTime, ...]:
    found = []
    for rhythm, each in seconds.items():
        spans = [span for span in seen if span.rhythm == rhythm]
        total = float(each.sum())
        share = min(1.0, total / analysed_s) if analysed_s else None
        longest = max(spans, key=lambda span: span.to_ns - span.from_ns)
        found.append(RhythmTime(rhythm, len(spans), total, share, longest))
    return tuple(sorted(found, key=lambda one: -one.total_s))


def _hours(
    material: Material, rates: Rates, pauses: tuple[Pause, ...], af_s: NDArray[np.float64] | None
) -> tuple[Hour, ...]:
    begin, end = material.asked
    beats, minutes = material.beats, material.minutes
    found = []
    for hour in range(begin - begin % HOUR_NS, end, HOUR_NS):
        a, b = np.searchsorted(beats.time_ns, (hour, hour + HOUR_NS))
        c, d = np.searchsorted(minutes.start_ns, (hour, hour + HOUR_NS))
        bpm = [one.bpm for one in rates.minutes if hour <= one.from_ns < hour + HOUR_NS]
        found.append(
            Hour(
                hour,
                float(minutes.analysed_s[c:d].sum()),
                int(b - a),
                min(bpm, default=None),
                float(np.mean(bpm)) if bpm else None,
                max(bpm, default=None),
                int((beats.code[a:b] == ord("V")).sum()),
                int((beats.code[a:b] == ord("S")).sum()),
                sum(hour <= one.from_ns < hour + HOUR_NS for one in pauses),
                0.0 if af_s is None else float(af_s[c:d].sum()),
            )
        )
    return tuple(found)
