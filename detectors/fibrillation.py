"""Is the signal of the last seconds a ventricular wave rather than beats? Fibrillation, flutter, tachycardia.

Once a second, 2.5 s of each of two leads give features. Two models learnt from recordings, a logistic one
(``weights``) and boosted trees (``trees``, docs/ventricular.md), make log odds of them, whose mean is taken:
they err in different places. So is the mean of the leads that can be read. Besides the shape of the wave, the
features say how it differs from what the patient had before: a wide QRS complex that was always there is no
tachycardia. That reference stands still while an alarm of this kind is open.

How long it must last is the matter of ``conditions``. A wave that repeats itself slower than flutter is
organised: tachycardia; any other is fibrillation or flutter.

References: S. Kuo and R. Dillman, "Computer detection of ventricular fibrillation", Computers in
Cardiology 1978, 347-349 (leakage, period of the wave); M. A. Arafat, A. W. Chowdhury and M. K. Hasan, "A
simple time domain algorithm for the detection of ventricular fibrillation in electrocardiogram", Signal
Image Video Process. 5 (2011) 1-10 (samples beyond a share of the height); A. Amann, R. Tratnig and
K. Unterkofler, "Reliability of old and new ventricular fibrillation detection algorithms for automated
external defibrillators", Biomed. Eng. OnLine 4 (2005) 60 (both compared); I. Jekova and V. Krasteva, "Real
time detection of ventricular fibrillation and tachycardia", Physiol. Meas. 25 (2004) 1167-1178 and Q. Li,
C. Rajagopalan and G. D. Clifford, "Ventricular fibrillation and tachycardia classification using a machine
learning approach", IEEE Trans. Biomed. Eng. 61 (2014) 1607-1613 (share of samples near their mean; learnt
from leakage and counts together); B. Hjorth, "EEG analysis based on time domain properties",
Electroenceph. Clin. Neurophysiol. 29 (1970) 306-310 (mobility, and that of the derivative).
Deviations: windows of 2.5 s, of which three in a row make the four seconds of the definition; a moving mean
of 0.6 s is taken off instead of a band-pass; a logistic model and trees instead of a support vector machine.
"""

import math
from typing import Any

import numpy as np

from detectors.compiled import jit
from detectors.leads import lead_quality
from detectors.state import REFERENCES, SHAPE_LEADS, SLOW_RING
from detectors.trees import log_odds_of, trees
from detectors.weights import weights
from schemas.conditions import Code

SLOW_RATE_HZ = 50.0  # VF lies below 10 Hz
WINDOW_S = 2.5
TREND_S = 0.6
LOW_SHARE, HALF_SHARE = 0.2, 0.5  # of a third's height; Arafat 2011: 0.2
THIRDS = 3  # the height is taken of each third, so that one great deflection does not hide the rest
SHORTEST_S, LONGEST_S = 0.1, 0.75  # periods of a wave that are looked for: 600 to 80 a minute
ORGANISED = 0.80  # autocorrelation from which the wave repeats itself
FLUTTER_S = 0.25  # a shorter period is flutter: above 240 a minute
REFERENCE_GAIN = 1.0 / 30.0  # a second
LEARN_WINDOWS = 10  # after a cold start, whatever they are
BEGIN_ODDS, END_ODDS = 1.25, 0.0  # natural log odds: docs/ventricular.md
CLEAN_ODDS = 0.25  # of a wave in clean leads: five beats at 100 a minute last no longer than a window
CLEAN = 0.7  # quality of these: what noise and motion leave is below, fibrillation often too
NO_ODDS = -15.0
_LEAST_MV = 1e-3
_WRAP = SLOW_RING - 1
_VF = int(Code.VENTRICULAR_FIBRILLATION)
_VT = int(Code.VENTRICULAR_TACHYCARDIA)

FEATURES = (
    "beyond_fifth", "beyond_half", "flatness", "log_mv", "log_mobility", "log_complexity", "evenness",
    "near_mean", "leakage", "repeats", "period_s", "log_wander",
    "new_mv", "new_mobility", "new_complexity", "new_beyond_fifth", "new_evenness",
    "log_background", "log_level",
)  # fmt: skip
"""Of a window and lead. ``new_``: less the patient's reference. Logarithms are natural; mV, Hz."""
(
    BEYOND_FIFTH, BEYOND_HALF, FLATNESS, MV, MOBILITY, COMPLEXITY, EVENNESS,
    NEAR_MEAN, LEAKAGE, REPEATS, PERIOD, WANDER, NEW,
) = range(13)  # fmt: skip
BACKGROUND, LEVEL = NEW + REFERENCES, NEW + REFERENCES + 1
_REFERRED = np.array([MV, MOBILITY, COMPLEXITY, BEYOND_FIFTH, EVENNESS])
_WEIGHTS = weights("wave", FEATURES)
_TREES = trees("wave", FEATURES)


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
def slow_hz(r: Any) -> float:
    """Return the rate of the slow signal."""
    return float(r.internal_hz / round(r.internal_hz / SLOW_RATE_HZ))


@jit
def _window(s: Any, slot: int, n: int, trend: int, into: Any) -> float:
    """Fill ``into`` with the last ``n`` points less their moving mean; return that mean's range, mV."""
    start = s.slow_n - n
    total = 0.0
    for k in range(trend):
        total += s.slow[slot, (start + k) & _WRAP]
    least = most = total / trend
    low = 0
    for i in range(n):
        if low < min(i - trend // 2, n - trend):
            total += s.slow[slot, (start + low + trend) & _WRAP] - s.slow[slot, (start + low) & _WRAP]
            low += 1
            least = min(least, total / trend)
            most = max(most, total / trend)
        into[i] = s.slow[slot, (start + i) & _WRAP] - total / trend
    return float(most - least)


@jit
def _counts(v: Any, n: int, mean: float, f: Any) -> None:
    """Tell how the heights of the wave are spread."""
    part = n // THIRDS
    low = 0
    half = 0
    for third in range(THIRDS):
        high = 1e-9
        for i in range(third * part, (third + 1) * part):
            high = max(high, abs(v[i]))
        for i in range(third * part, (third + 1) * part):
            low += abs(v[i]) > LOW_SHARE * high
            half += abs(v[i]) > HALF_SHARE * high
    spread = 0.0
    for i in range(n):
        spread += abs(abs(v[i]) - mean)
    near = 0
    for i in range(n):
        near += abs(abs(v[i]) - mean) <= spread / n
    f[BEYOND_FIFTH] = low / (THIRDS * part)
    f[BEYOND_HALF] = half / (THIRDS * part)
    f[NEAR_MEAN] = near / n


@jit
def _repeats(v: Any, n: int, hz: float, square: float, f: Any) -> None:
    """Tell how well the wave repeats itself, and after how long, by its autocorrelation."""
    least, end = int(SHORTEST_S * hz), int(LONGEST_S * hz)
    products = np.zeros(end - least)
    # All lags at once, every other sample: so it is done in vectors, and each sum is the same.
    for i in range(0, n - least, 2):
        later = v[i + least : min(i + end, n)]
        for k in range(len(later)):
            products[k] += later[k] * v[i]
    best = 0.0
    at = 0
    fallen = False
    for lag in range(least, end):
        found = 2.0 * products[lag - least] / square * n / (n - lag)
        if found < 0.2:
            fallen = True
        if fallen and found > best + 0.02:
            best = found
            at = lag
    f[REPEATS] = min(best, 1.0)
    f[PERIOD] = max(SHORTEST_S, at / hz)


@jit
def _features(v: Any, n: int, hz: float, wander: float, f: Any) -> float:
    """Fill ``f`` with what a window tells by itself; return the frequency of its wave, Hz."""
    total = 1e-9
    square = 1e-12
    change = 1e-9
    steep = 1e-12
    bend = 1e-12
    for i in range(2, n):
        d = v[i] - v[i - 1]
        b = d - v[i - 1] + v[i - 2]
        total += abs(v[i])
        square += v[i] * v[i]
        change += abs(d)
        steep += d * d
        bend += b * b
    mean = total / n
    half = min(n // 2, max(1, math.floor(math.pi * total / change + 0.5)))
    left = 0.0
    both = 1e-9
    for i in range(half, n):
        left += abs(v[i] + v[i - half])
        both += abs(v[i]) + abs(v[i - half])
    _counts(v, n, mean, f)
    _repeats(v, n, hz, square, f)
    f[FLATNESS] = mean / math.sqrt(square / n)
    f[MV] = math.log(max(mean, _LEAST_MV))
    f[MOBILITY] = math.log(math.sqrt(steep / square) * hz / (2.0 * math.pi))
    f[COMPLEXITY] = math.log(math.sqrt(bend / steep) * hz / (2.0 * math.pi))
    f[EVENNESS] = change / n / math.sqrt(steep / n)
    f[LEAKAGE] = left / both
    f[WANDER] = math.log(wander / (mean + _LEAST_MV) + 0.1)
    return float(hz / (2.0 * half))


@jit
def log_odds(model: Any, f: Any) -> float:
    """Return the log odds of a logistic model; its bias is the last weight."""
    total = model[len(model) - 1]
    for i in range(len(model) - 1):
        total += model[i] * f[i]
    return float(max(NO_ODDS, min(-NO_ODDS, total)))


@jit
def readable(s: Any, slot: int) -> bool:
    """Return whether the lead of a slot can be read now, and moves."""
    lead = s.shape_lead[slot]
    return bool(lead >= 0 and not ((s.unusable | s.flat) >> lead) & 1)


@jit
def wave_quality(s: Any) -> float:
    """Return how clean the last second was, 0 to 1: the mean of the leads that a wave is looked for in."""
    total = 0.0
    asked = 0
    for slot in range(SHAPE_LEADS):
        if readable(s, slot):
            total += lead_quality(s, s.shape_lead[slot])
            asked += 1
    return total / max(1, asked)


@jit
def _follow_reference(s: Any, slot: int, held: bool) -> None:
    """Let the patient's reference follow the window, unless it is held and known."""
    n = s.reference_n[slot]
    if held and n >= LEARN_WINDOWS:
        return
    s.reference_n[slot] = n + 1
    gain = max(REFERENCE_GAIN, 1.0 / (n + 1))
    for k in range(REFERENCES):
        s.reference[slot, k] += gain * (s.window[slot, _REFERRED[k]] - s.reference[slot, k])


@jit
def look(d: Any, s: Any, r: Any) -> None:
    """Judge the last window of every lead: ``wave_odds``, whether organised, and for how long."""
    hz = slow_hz(r)
    n = int(WINDOW_S * hz)
    s.wave_odds = NO_ODDS
    s.organised = 0
    s.burst = 0
    s.leakage, s.crossing, s.slow_hz, s.slow_mv = np.nan, np.nan, np.nan, np.nan
    if s.slow_n < n or s.clear < WINDOW_S * r.internal_hz:
        s.waving = 0
        s.unruly = 0
        return
    v = np.empty(SLOW_RING, np.float64)
    held = d.open[_VF] or d.open[_VT]
    total = 0.0
    repeats = 0.0
    asked = 0
    for slot in range(SHAPE_LEADS):
        if not readable(s, slot):
            continue
        lead = s.shape_lead[slot]
        f = s.window[slot]
        frequency = _features(v, n, hz, _window(s, slot, n, int(TREND_S * hz), v), f)
        for k in range(REFERENCES):
            f[NEW + k] = f[_REFERRED[k]] - s.reference[slot, k] if s.reference_n[slot] > 0 else 0.0
        f[BACKGROUND] = math.log(min(10.0, max(1e-3, s.noise[lead] / max(s.level[lead], 1e-3))))
        f[LEVEL] = math.log(max(s.level[lead], 1e-2))
        total += 0.5 * (log_odds(_WEIGHTS, f) + log_odds_of(_TREES, f))
        if f[PERIOD] > FLUTTER_S:
            repeats = max(repeats, f[REPEATS])
        if asked == 0:
            s.leakage, s.crossing, s.slow_hz, s.slow_mv = (
                f[LEAKAGE],
                f[BEYOND_FIFTH],
                frequency,
                math.exp(f[MV]),
            )
        asked += 1
        _follow_reference(s, slot, held)
    if asked > 0:
        s.wave_odds = total / asked
        s.organised = repeats > ORGANISED
        s.burst = s.wave_odds > CLEAN_ODDS and wave_quality(s) > CLEAN
    s.waving = s.waving + 1 if s.wave_odds > BEGIN_ODDS else 0
    s.unruly = s.unruly + 1 if s.waving > 0 and s.organised == 0 else 0
