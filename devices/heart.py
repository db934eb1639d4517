"""Heartbeats by NeuroKit2, repeated to any length, with asystole and runs of VT laid in.

NeuroKit2 works on whole signals and is slow, so a minute of each lead is simulated and repeated between two
diastoles.
"""

import math
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from devices.source import Span
from devices.trouble import Kind, Trouble

_BASE_RATE = 250
_BASE_S = 60
_DIASTOLE = 0.6  # where in an RR interval nothing happens: behind T, before P
_BLEND_S = 0.04
_VT_RATE = 180.0

# Lead: heights of P, Q, R, S, T for ECGSYN (McSharry 2003), peak-to-peak mV, mV of the ventricular complex.
_LEADS: dict[str, tuple[tuple[float, ...], float, float]] = {
    "I": ((1.0, -3, 20, -4, 0.6), 0.9, 0.5),
    "II": ((1.2, -5, 30, -7.5, 0.75), 1.4, -1.2),
    "V1": ((0.6, 0, 8, -28, -0.4), 1.5, 1.3),
    "V2": ((0.7, 0, 12, -34, 1.2), 2.2, 1.5),
    "V3": ((0.8, -1, 22, -26, 1.3), 2.0, 1.2),
    "V4": ((0.9, -3, 32, -16, 1.2), 2.1, 0.7),
    "V5": ((1.0, -4, 30, -9, 0.9), 1.7, -0.6),
    "V6": ((1.0, -5, 26, -5, 0.75), 1.4, -0.9),
}
# Einthoven and Goldberger: the other limb leads from I and II.
_DERIVED = {"III": (-1.0, 1.0), "aVR": (-0.5, -0.5), "aVL": (1.0, -0.5), "aVF": (-0.5, 1.0)}

Array = NDArray[np.float64]


class Heart:
    """The beats of a device and its noiseless leads. ``beats``: s, all that make a pulse or a complex."""

    def __init__(self, heart_rate: float, script: Sequence[Trouble], duration_s: float, seed: int) -> None:
        self.duration_s = duration_s
        timing, self._minute, self._seams = _minute(heart_rate, seed)
        self.sinus = _repeated(timing, self._seams, duration_s)
        self.silent = self._snapped(script, Kind.ASYSTOLE)
        self.tachycardia = self._snapped(script, Kind.VT)
        self.ventricular = np.concatenate(
            [np.empty(0), *(np.arange(a + 0.15, b - 0.3, 60 / _VT_RATE) for a, b in self.tachycardia)]
        )
        stopped = [s for s in self.sinus if not any(a <= s < b for a, b in self.silent + self.tachycardia)]
        self.beats = np.sort(np.concatenate([stopped, self.ventricular]))

    def _snapped(self, script: Sequence[Trouble], kind: Kind) -> list[Span]:
        """Trouble begins and ends between two beats: never within a complex."""
        return [
            (self._diastole(t.begin_s), self._diastole(t.end_s))
            for t in script
            if t.kind is kind and t.begin_s < self.duration_s
        ]

    def _diastole(self, at_s: float) -> float:
        middles = self.sinus[:-1] + _DIASTOLE * np.diff(self.sinus)
        before = middles[middles <= at_s]
        return float(before[-1]) if before.size else at_s

    def lead(self, name: str, rate: float) -> Array:
        """Return a lead without noise, mV."""
        if name in _DERIVED:
            return combined(name, {n: self.lead(n, rate) for n in ("I", "II")})
        from scipy.interpolate import CubicSpline

        first, last = self._seams
        piece = self._minute(name)[first:last]
        n = round(self.duration_s * _BASE_RATE)
        base = np.tile(piece, math.ceil(n / piece.size) + 1)[: n + 1]
        time = np.arange(round(self.duration_s * rate)) / rate
        wave = CubicSpline(np.arange(base.size) / _BASE_RATE, base)(time)
        for begin, end in self.silent + self.tachycardia:
            wave *= 1 - _window(time, begin, end)
        amplitude = _LEADS[name][2]
        for at in self.ventricular:
            near = slice(max(0, round((at - 0.4) * rate)), round((at + 0.6) * rate))
            wave[near] += amplitude * _ventricular(time[near] - at)
        return np.asarray(wave, np.float64)


@cache
def _minute(heart_rate: float, seed: int) -> tuple[Array, Any, tuple[int, int]]:
    """Return a simulated minute: R times from its first seam on, a function from lead to signal, the seams.

    The seams are two samples in diastole, between which the minute can be repeated.
    """
    from scipy.signal import find_peaks

    @cache
    def lead(name: str) -> Array:
        from neurokit2 import ecg_simulate

        heights, span_mv, _ = _LEADS[name]
        # Same seed, same beats: only the heights of the waves differ between leads.
        wave = np.asarray(
            ecg_simulate(
                duration=_BASE_S,
                sampling_rate=_BASE_RATE,
                noise=0,
                heart_rate=heart_rate,
                heart_rate_std=2,
                random_state=seed,
                ai=heights,
            )
        )
        wave = wave - np.median(wave)
        return np.asarray(wave * (span_mv / (wave.max() - wave.min())), np.float64)

    peaks, _ = find_peaks(lead("II"), height=0.5, distance=round(0.3 * _BASE_RATE))
    middles = (peaks[:-1] + _DIASTOLE * np.diff(peaks)).astype(int)
    first, last = int(middles[1]), int(middles[-2])
    timing = peaks[(peaks >= first) & (peaks < last)]
    return (timing - first) / _BASE_RATE, lead, (first, last)


def _repeated(timing: Array, seams: tuple[int, int], duration_s: float) -> Array:
    period = (seams[1] - seams[0]) / _BASE_RATE
    beats = np.concatenate([timing + i * period for i in range(math.ceil(duration_s / period))])
    return beats[beats < duration_s]


def _window(time: Array, begin: float, end: float) -> Array:
    """Return 1 between ``begin`` and ``end``, 0 elsewhere, with short slopes."""
    return np.clip((time - begin) / _BLEND_S, 0, 1) * np.clip((end - time) / _BLEND_S, 0, 1)


def _ventricular(t: Array) -> Array:
    """Return a wide complex (some 150 ms) with a T wave of the other sign and no P, 1 high, at ``t`` = 0."""
    width = np.where(t < 0, 0.026, 0.038)
    return np.asarray(np.exp(-0.5 * (t / width) ** 2) - 0.3 * np.exp(-0.5 * ((t - 0.165) / 0.04) ** 2))


def bases_of(leads: Sequence[str]) -> list[str]:
    """Return the leads that all of ``leads`` are made of."""
    return [n for n in _LEADS if n in leads or (n in {"I", "II"} and not _DERIVED.keys().isdisjoint(leads))]


def combined(name: str, bases: dict[str, Array]) -> Array:
    """Return what a lead is when its bases are these: signals or noise, mV, shape (n,)."""
    if name not in _DERIVED:
        return bases[name]
    a, b = _DERIVED[name]
    return a * bases["I"] + b * bases["II"]
