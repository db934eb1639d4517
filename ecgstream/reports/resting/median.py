"""The median beat of an ECG: its beats laid over each other, all leads at once, on a grid of 1 ms.

As in programs for resting ECG: what is the same in each beat stays, and noise gets less with their number
(P. W. Macfarlane et al., "Methodology of ECG interpretation in the Glasgow program", Methods Inf. Med. 29
(1990) 354-361). The baseline is a cubic spline from beat to beat, through the same instant ahead of each
complex (C. R. Meyer, H. N. Keiser, "Electrocardiogram baseline noise estimation and removal using cubic
splines", Comput. Biomed. Res. 10 (1977) 459-470).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

FEW_BEATS = "fewer than 3 whole normal beats"
LEAST_BEATS = 3
"""Fewer say nothing of what is the same in each."""
BEFORE_MS, AFTER_MS = 400, 700
"""What a window has at most, ahead of a complex and behind it; a fast rhythm has less."""
_BEFORE_RR, _AFTER_RR = 0.45, 0.75
_LEVEL_MS = (-110, -80)
_LEAST_KNOTS = 4
_NEAR_MS = 100
_SHIFT_MS = 40
_SMOOTH_MS = 12
_LEAST_LIKE = 0.7
"""Correlation of a beat with the median one: what is below is another beat, or noise."""
_LEAST_SHARE = 0.5
_MEDIAN_SD = 1.2533  # of a median of n normal values, in SD / sqrt(n)
_MAD_SD = 1.4826


@dataclass(frozen=True)
class Median:
    """A median beat.

    Attributes:
        each: beats x leads x ms, the beats that it is of.
        at: index of the complex.
        rr_ms: mean interval.
    """

    each: Array
    at: int
    rr_ms: float

    @cached_property
    def mv(self) -> Array:
        """The median; leads x ms."""
        found: Array = np.median(self.each, axis=0)
        return found

    @cached_property
    def noise_mv(self) -> Array:
        """Its standard error, from how beats differ from each other where they are smooth; leads x ms."""
        off = np.stack([smooth(beat - self.mv) for beat in self.each])
        spread = _MAD_SD * np.median(np.abs(off), axis=0)
        found: Array = spread * _MEDIAN_SD / np.sqrt(len(self.each))
        return found

    def of_leads(self, rows: list[int]) -> "Median":
        """Return the median beat of some of its leads."""
        return Median(self.each[:, rows], self.at, self.rr_ms)

    def likeness(self, part: slice) -> Array:
        """Return how much each beat is like the median one in a part: correlations over all leads."""
        median = smooth(self.mv[:, part])
        return np.array([_like(smooth(beat[:, part]), median) for beat in self.each])


def median(mv: Array, at_ms: NDArray[np.int64], rr_ms: float) -> Median | str:
    """Return the median beat, or why there is none.

    Args:
        mv: leads x ms, without gaps.
        at_ms: where beats of one kind are.
        rr_ms: mean interval between all beats.
    """
    before = round(min(BEFORE_MS, _BEFORE_RR * rr_ms))
    after = round(min(AFTER_MS, _AFTER_RR * rr_ms))
    near = slice(before - min(before, _NEAR_MS), before + _NEAR_MS)
    for _ in range(2):  # by the detector's instants first, then by the shape
        known = (at_ms >= before + _SHIFT_MS) & (at_ms < mv.shape[1] - after - _SHIFT_MS)
        at_ms = at_ms[known]
        if at_ms.size < LEAST_BEATS:
            return FEW_BEATS
        level = mv - _baseline(mv, at_ms)
        template = np.median(_beats(level, at_ms, before, after), axis=0)[:, near]
        at_ms = np.array([_moved(level, int(at), template, near, before) for at in at_ms])
    level = mv - _baseline(mv, at_ms)
    found = Median(_beats(level, at_ms, before, after), before, rr_ms)
    alike = found.likeness(near) >= _LEAST_LIKE
    if alike.sum() < LEAST_BEATS or alike.mean() < _LEAST_SHARE:
        return "beats differ too much (noise)"
    return Median(found.each[alike], before, rr_ms)


def _baseline(mv: Array, at_ms: NDArray[np.int64]) -> Array:
    low, high = _LEVEL_MS
    knots = at_ms[(at_ms + low >= 0) & (at_ms + high <= mv.shape[1])]
    if not knots.size:
        return np.median(mv, axis=1, keepdims=True)
    levels = np.stack([np.median(mv[:, at + low : at + high], axis=1) for at in knots])
    instants = knots + (low + high) / 2
    # Beyond the first and the last, nothing is known.
    time = np.clip(np.arange(mv.shape[1]), instants[0], instants[-1])
    if knots.size < _LEAST_KNOTS:
        return np.stack([np.interp(time, instants, one) for one in levels.T])
    from scipy.interpolate import CubicSpline  # not for who only looks at what a module is

    return np.asarray(CubicSpline(instants, levels)(time).T, np.float64)


def _beats(mv: Array, at_ms: NDArray[np.int64], before: int, after: int) -> Array:
    """Return the windows of beats; beats x leads x ms."""
    return np.stack([mv[:, at - before : at + after] for at in at_ms])


def _moved(mv: Array, at: int, template: Array, near: slice, before: int) -> int:
    """Return where, near an instant, the signal is most like the template."""
    begin = at - before + near.start
    fits = [
        float((mv[:, begin + shift : begin + shift + template.shape[1]] * template).sum())
        for shift in range(-_SHIFT_MS, _SHIFT_MS)
    ]
    return at + int(np.argmax(fits)) - _SHIFT_MS


def smooth(mv: Array, width: int = _SMOOTH_MS) -> Array:
    """Return means of so many ms; leads x ms."""
    ends = np.pad(mv, ((0, 0), (width // 2, width - 1 - width // 2)), mode="edge")
    return np.stack([np.convolve(row, np.ones(width) / width, mode="valid") for row in ends])


def _like(one: Array, other: Array) -> float:
    """Return the correlation of two beats over all leads at once."""
    one, other = (beat - beat.mean(axis=1, keepdims=True) for beat in (one, other))
    power = float((one**2).sum() * (other**2).sum())
    return float((one * other).sum()) / np.sqrt(power) if power else 0.0
