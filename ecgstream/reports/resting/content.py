"""What the report of a resting ECG says, computed from ten seconds of leads and the detectors' beats; no I/O.

After P. Kligfield et al., "Recommendations for the standardization and interpretation of the
electrocardiogram, part I", J. Am. Coll. Cardiol. 49 (2007) 1109-1127 (global measurements on a beat of all
leads), and P. M. Rautaharju et al., part IV, J. Am. Coll. Cardiol. 53 (2009) 982-991 (QT; ST; correction
for the rate). It says what was measured, and the rhythm that the detectors have found: no diagnosis.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ecgstream.reports.material import RhythmSpan, Span, Subject
from ecgstream.reports.resting.delineate import Points, points
from ecgstream.reports.resting.leads import INDEPENDENT, NAMES, Twelve
from ecgstream.reports.resting.median import FEW_BEATS, Median, median
from ecgstream.reports.st import HIGH_PASS_HZ

Array = NDArray[np.float64]

LEAST_RATE_HZ = 249.0
"""Below it edges of waves are not where samples say (part I asks for 500 Hz)."""
LEAST_LEADS = 6
"""Whole leads of the eight independent ones, for points to be called global."""
_NO_INTERVALS = {
    "P": "paced rhythm",
    "VT": "ventricular tachycardia",
    "VF": "ventricular fibrillation",
    "VFL": "ventricular flutter",
    "ASYS": "asystole",
    "NOISE": "noise",
}
_NO_P = {"AFIB": "atrial fibrillation", "SVTA": "supraventricular tachyarrhythmia"}
_LEAST_NET = 0.1
"""Net share of a wave's area in I and aVF: below it, as much points one way as the other."""
ST_MS = (0, 60, 80)


@dataclass(frozen=True, slots=True)
class Figure:
    """A measurement, or why it is none."""

    value: float | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Measurements:
    """Global measurements: times in ms, rate a minute, axes in the frontal plane in degrees."""

    heart_rate_bpm: Figure
    rr_ms: Figure
    p_ms: Figure
    pr_ms: Figure
    qrs_ms: Figure
    qt_ms: Figure
    qtc_bazett_ms: Figure
    qtc_fridericia_ms: Figure
    p_axis_deg: Figure
    qrs_axis_deg: Figure
    t_axis_deg: Figure


@dataclass(frozen=True, slots=True)
class OfLead:
    """A lead; ``high_pass_hz``: None: not stated.

    ``r_mv``, ``s_mv``: how far QRS goes up and down from where it begins; ``st_*_mv``: at the J point and so
    many ms behind it, from where QRS begins. None: not measurable; ``why_no_st`` says why of ST.
    """

    name: str
    derived: bool
    whole: bool
    high_pass_hz: float | None
    r_mv: float | None
    s_mv: float | None
    st_j_mv: float | None
    st_60_mv: float | None
    st_80_mv: float | None
    why_no_st: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a report is computed from.

    Attributes:
        filters: in words; ``high_pass_hz`` of each lead, where it is stated.
        beat_s: when the detectors saw a beat, s from where the ten seconds begin.
        code: WFDB letters.
    """

    subject: Subject
    asked: Span
    detectors: tuple[str, ...]
    rhythms: tuple[RhythmSpan, ...]
    twelve: Twelve
    filters: str
    high_pass_hz: Mapping[str, float | None]
    beat_s: Array
    code: str


@dataclass(frozen=True, slots=True)
class Resting:
    """All of a report but its signal. ``averaged``: normal beats that the median beat is of."""

    subject: Subject
    asked: Span
    detectors: tuple[str, ...]
    rhythms: tuple[RhythmSpan, ...]
    beats: dict[str, int]
    averaged: int
    rate_hz: float
    filters: str
    measured: Measurements
    leads: tuple[OfLead, ...]


def compute(one: Recorded) -> Resting:
    """Return the report."""
    beat = _median(one)
    averaged = beat if isinstance(beat, Median) else None
    why = beat if isinstance(beat, str) else ""
    at = Points(None, None, None, None, None, why, why, why) if averaged is None else _points(one, averaged)
    return Resting(
        one.subject,
        one.asked,
        one.detectors,
        one.rhythms,
        dict(sorted(Counter(one.code).items())),
        0 if averaged is None else len(averaged.each),
        one.twelve.rate_hz,
        one.filters,
        _measured(one, averaged, at),
        tuple(_of_lead(one, name, averaged, at) for name in NAMES),
    )


def _measurable(one: Recorded) -> list[str]:
    """Return the leads that are measured, in the order of ``NAMES``."""
    return [name for name in NAMES if name in one.twelve.whole]


def _median(one: Recorded) -> Median | str:
    """Return the median of normal beats, of all whole leads, or why there is none."""
    for span in one.rhythms:
        if span.rhythm in _NO_INTERVALS:
            return _NO_INTERVALS[span.rhythm]
    independent = [name for name in INDEPENDENT if name in one.twelve.whole]
    if one.twelve.rate_hz < LEAST_RATE_HZ:
        return "sampled below 250 Hz"
    if len(independent) < LEAST_LEADS:
        return "too few leads are whole"
    if not one.code:
        return "no beats found"
    letters = Counter(one.code)
    if letters["N"] * 2 <= len(one.code):
        return "paced rhythm" if letters["/"] else "most beats are not normal"
    normal = one.beat_s[np.array([letter == "N" for letter in one.code])]
    rr_ms = _rr_ms(one.beat_s)
    if rr_ms is None:
        return FEW_BEATS
    return median(one.twelve.fine(_measurable(one)), np.round(normal * 1000).astype(np.int64), rr_ms)


def _points(one: Recorded, beat: Median) -> Points:
    rows = [n for n, name in enumerate(_measurable(one)) if name in INDEPENDENT]
    return points(beat.of_leads(rows))


def _rr_ms(beat_s: Array) -> float | None:
    return float(np.diff(beat_s).mean()) * 1000 if beat_s.size > 1 else None


def _measured(one: Recorded, beat: Median | None, at: Points) -> Measurements:
    rr_ms = _rr_ms(one.beat_s)
    why_rr = "" if rr_ms else "fewer than 2 beats"
    qrs = _length(at.qrs_on, at.qrs_off, at.why_qrs)
    qt = _length(at.qrs_on, at.t_off, at.why_t)
    why_p = next((_NO_P[span.rhythm] for span in one.rhythms if span.rhythm in _NO_P), at.why_p)
    p_on, p_off = (None, None) if why_p else (at.p_on, at.p_off)
    root, cube = (_corrected(qt, rr_ms, power) for power in (1 / 2, 1 / 3))
    return Measurements(
        Figure(60_000 / rr_ms if rr_ms else None, why_rr),
        Figure(rr_ms, why_rr),
        _length(p_on, p_off, why_p),
        _length(p_on, at.qrs_on, why_p),
        qrs,
        qt,
        root,
        cube,
        _axis(one, beat, p_on, p_off, at.qrs_on, why_p),
        _axis(one, beat, at.qrs_on, at.qrs_off, at.qrs_on, at.why_qrs),
        _axis(
            one, beat, None if at.qrs_off is None else at.qrs_off + ST_MS[-1], at.t_off, at.qrs_on, at.why_t
        ),
    )


def _length(begin: int | None, end: int | None, why: str) -> Figure:
    return Figure(None, why) if begin is None or end is None else Figure(float(end - begin))


def _corrected(qt: Figure, rr_ms: float | None, power: float) -> Figure:
    """Return QT divided by a power of RR in s: 1/2 (H. C. Bazett, 1920), 1/3 (L. S. Fridericia, 1920)."""
    return qt if qt.value is None or not rr_ms else Figure(qt.value / (rr_ms / 1000) ** power)


def _level(wave: Array, on: int) -> Array:
    """Return where QRS begins, mV, in each lead: the level that all else is measured from."""
    found: Array = np.median(wave[..., max(0, on - 16) : max(1, on - 2)], axis=-1, keepdims=True)
    return found


def _axis(
    one: Recorded, beat: Median | None, begin: int | None, end: int | None, on: int | None, why: str
) -> Figure:
    """Return the direction of a wave's net area in the frontal plane, degrees: 0 to the left, 90 downwards.

    aVF is shorter by the square root of 3/4 than a lead of Einthoven's triangle.
    """
    if beat is None or begin is None or end is None or on is None or begin >= end:
        return Figure(None, why or "the wave is too short")
    names = _measurable(one)
    if not {"I", "aVF"} <= set(names):
        return Figure(None, "lead I or II is not whole")
    mv = beat.mv[[names.index("I"), names.index("aVF")]]
    # Of P, the level is what its own ends have: it may lie on a slope.
    ends = mv[:, [begin, end]].mean(axis=1, keepdims=True) if end <= on else _level(mv, on)
    wave = mv[:, begin:end] - ends
    left, down = wave.sum(axis=1) * (1, 2 / np.sqrt(3))
    if np.hypot(left, down) < _LEAST_NET * np.hypot(*np.abs(wave).sum(axis=1)):
        return Figure(None, "as much one way as the other")
    return Figure(float(np.degrees(np.arctan2(down, left))))


def _of_lead(one: Recorded, name: str, beat: Median | None, at: Points) -> OfLead:
    names, whole = _measurable(one), name in one.twelve.whole
    high_pass = one.high_pass_hz.get(name)
    unknown = OfLead(name, name in one.twelve.derived, whole, high_pass, None, None, None, None, None, "")
    why = at.why_qrs if whole else "the lead is not whole"
    if beat is None or at.qrs_on is None or at.qrs_off is None or not whole:
        return _without_st(unknown, why)
    mv = beat.mv[names.index(name)]
    mv = mv - _level(mv, at.qrs_on)
    qrs = mv[at.qrs_on : at.qrs_off]
    j, at_60, at_80 = (float(mv[at.qrs_off + ms]) if at.qrs_off + ms < mv.size else None for ms in ST_MS)
    up, down = max(0.0, float(qrs.max())), min(0.0, float(qrs.min()))
    swing = replace(unknown, r_mv=up, s_mv=down, st_j_mv=j, st_60_mv=at_60, st_80_mv=at_80)
    if high_pass is None:
        return _without_st(swing, "the high-pass filter is not stated")
    if not 0 <= high_pass <= HIGH_PASS_HZ:
        return _without_st(swing, f"the high-pass filter is {high_pass:.3g} Hz, above 0.05 Hz")
    return swing


def _without_st(lead: OfLead, why: str) -> OfLead:
    return replace(lead, st_j_mv=None, st_60_mv=None, st_80_mv=None, why_no_st=why)
