"""Ventricular fibrillation and flutter: is the signal of the last four seconds a wave rather than beats?

Three features of a window, a lead: the leakage of the VF filter (what is left when the signal is
added to itself half a period later; a wave leaves little), and the share of samples beyond a fifth of
each second's height (spikes leave most of it empty, a wave does not), and the background of the QRS band
against the QRS level.

References: S. Kuo and R. Dillman, "Computer detection of ventricular fibrillation", Computers in
Cardiology 1978, 347-349 (leakage); M. A. Arafat, A. W. Chowdhury and M. K. Hasan, "A simple time domain
algorithm for the detection of ventricular fibrillation in electrocardiogram", Signal Image Video
Process. 5 (2011) 1-10 (threshold crossing sample count); A. Amann, R. Tratnig and K. Unterkofler,
"Reliability of old and new ventricular fibrillation detection algorithms for automated external
defibrillators", Biomed. Eng. OnLine 4 (2005) 60 (both compared).
Deviations: four seconds instead of eight; a moving mean of 0.6 s is taken off instead of the band-pass;
no separate QRS test.
"""

import math
from typing import Any

import numpy as np

from detectors.compiled import jit
from detectors.state import SHAPE_LEADS, SLOW_RING

SLOW_RATE_HZ = 50.0  # VF lies below 10 Hz
WINDOW_S = 4.0  # the definition of PhysioNet/CinC 2015: VF or flutter for at least 4 s
TREND_S = 0.6
HEIGHT_SHARE = 0.20  # Arafat 2011
# These were fitted by grid on vfdb without 418, cudb and mitdb, VT left out of the negatives: no test result.
MIN_CROSSING = 0.55
MAX_LEAKAGE = 0.65
MIN_BACKGROUND = 0.25  # of the QRS level: between beats the QRS band is silent, in fibrillation it never is
MIN_HZ = 2.2
MAX_HZ = 9.0
MIN_MV = 0.05  # mean absolute value: below is a fine VF that is not told from noise
_WRAP = SLOW_RING - 1


@jit
def slow_step(s: Any, r: Any) -> None:
    """Take a block into the slow signal."""
    every = round(r.internal_hz / SLOW_RATE_HZ)
    for slot in range(SHAPE_LEADS):
        lead = s.shape_lead[slot]
        if lead >= 0:
            s.slow_sum[slot] += s.x[lead, s.block & (s.x.shape[1] - 1)]
    s.slow_phase += 1
    if s.slow_phase < every:
        return
    for slot in range(SHAPE_LEADS):
        s.slow[slot, s.slow_n & _WRAP] = s.slow_sum[slot] / every
        s.slow_sum[slot] = 0.0
    s.slow_n += 1
    s.slow_phase = 0


@jit
def _window(s: Any, slot: int, n: int, trend: int, into: Any) -> None:
    """Fill ``into`` with the last ``n`` points less their moving mean."""
    start = s.slow_n - n
    for i in range(n):
        low = max(0, min(i - trend // 2, n - trend))
        mean = 0.0
        for k in range(low, low + trend):
            mean += s.slow[slot, (start + k) & _WRAP]
        into[i] = s.slow[slot, (start + i) & _WRAP] - mean / trend


@jit
def _features(v: Any, n: int, hz: float) -> tuple[float, float, float, float]:
    """Return leakage, crossing share, frequency in Hz and mean absolute value in mV."""
    total = 1e-9
    change = 1e-9
    top = 1e-9
    for i in range(1, n):
        total += abs(v[i])
        change += abs(v[i] - v[i - 1])
        top = max(top, abs(v[i]))
    half = min(n // 2, max(1, math.floor(math.pi * total / change + 0.5)))
    left = 0.0
    both = 1e-9
    for i in range(half, n):
        left += abs(v[i] + v[i - half])
        both += abs(v[i]) + abs(v[i - half])
    beyond = 0
    second = max(1, int(hz))
    seconds = n // second
    for part in range(seconds):  # the height a second, so that one great deflection does not hide the rest
        high = 1e-9
        for i in range(part * second, (part + 1) * second):
            high = max(high, abs(v[i]))
        for i in range(part * second, (part + 1) * second):
            if abs(v[i]) > HEIGHT_SHARE * high:
                beyond += 1
    return left / both, beyond / (seconds * second), hz / (2.0 * half), total / n


@jit
def look(s: Any, r: Any) -> None:
    """Judge the last window: ``fibrillating`` counts the seconds in a row that look so."""
    hz = r.internal_hz / round(r.internal_hz / SLOW_RATE_HZ)
    n = min(SLOW_RING, int(WINDOW_S * hz))
    s.leakage = np.nan
    s.crossing = np.nan
    s.slow_hz = np.nan
    s.slow_mv = np.nan
    if s.slow_n < n or s.clear < WINDOW_S * r.internal_hz:
        s.fibrillating = 0
        return
    v = np.empty(SLOW_RING, np.float64)
    agreed = 0
    asked = 0
    for slot in range(SHAPE_LEADS):
        lead = s.shape_lead[slot]
        if lead < 0 or (s.unusable >> lead) & 1 or (s.flat >> lead) & 1:
            continue
        _window(s, slot, n, int(TREND_S * hz), v)
        leakage, crossing, frequency, height = _features(v, n, hz)
        asked += 1
        wave = leakage < MAX_LEAKAGE and crossing > MIN_CROSSING and MIN_HZ < frequency < MAX_HZ
        if wave and height > MIN_MV and s.noise[lead] > MIN_BACKGROUND * s.level[lead]:
            agreed += 1
        if asked == 1:
            s.leakage, s.crossing, s.slow_hz, s.slow_mv = leakage, crossing, frequency, height
    s.fibrillating = s.fibrillating + 1 if asked > 0 and agreed == asked else 0
