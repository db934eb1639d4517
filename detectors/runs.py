"""Are the last five beats a run of ventricular tachycardia, or motion that looks like beats?

Asked once a second where three of the last five beats are ventricular and come faster than 100 a minute: a
run has one fusion beat or one badly seen one now and then. A logistic model learnt from recordings
(``weights``, docs/ventricular.md) makes log odds of how alike the five are, how fast and how many of those
before were ventricular too, and of the wave of the last seconds (``fibrillation``).

References: G. D. Clifford et al., Computers in Cardiology 42 (2015) 273-276 (five beats above 100 a minute);
F. Plesinger et al., "Taming of the monitors: reducing false alarms in intensive care units", Physiol. Meas.
37 (2016) 1313-1325 (motion against runs, from several properties of the same seconds).
Deviation: likeness of the beats to each other, not to a table of shapes.
"""

import math
from typing import Any

import numpy as np

from detectors.classes import VENTRICULAR
from detectors.compiled import jit
from detectors.fibrillation import (
    BACKGROUND,
    LEVEL,
    MOBILITY,
    MV,
    NEW,
    NO_ODDS,
    WANDER,
    log_odds,
    readable,
    slow_hz,
)
from detectors.output import beat_back
from detectors.state import REFERENCES, SHAPE_LEADS, SLOW_RING
from detectors.weights import weights

BEATS = 5
LEAST_VENTRICULAR = 3
SLOWEST_BPM = 100.0
FRESH_S = 2.0  # since the last of them
BEFORE_S, AFTER_S = 0.16, 0.28  # of a beat, compared
SHIFTS = 3  # points to and fro
CONTEXT = 18  # beats before the five
ROUGH_LEAST_MV = 1e-4
_POINTS = 40
_WRAP = SLOW_RING - 1

FEATURES = (
    "log_mv", "log_mobility", "log_wander",
    "new_mv", "new_mobility", "new_complexity", "new_beyond_fifth", "new_evenness",
    "log_background", "log_level", "log_roughness",
    "ventricular", "log_rr", "log_rr_to_before", "ventricular_before", "likeness",
)  # fmt: skip
"""Those of the window are means of the leads. Logarithms are natural; mV, Hz, s."""
_WEIGHTS = weights("run", FEATURES)


@jit
def _beat(s: Any, hz: float, age_s: float, slot: int, n: int, into: Any) -> bool:
    """Fill ``into`` with a lead about its mean around what was ``age_s`` ago; false if it is not held."""
    first = s.slow_n - round((age_s + BEFORE_S) * hz)
    if first + n > s.slow_n or first < max(0, s.slow_n - SLOW_RING):
        return False
    mean = 0.0
    for i in range(n):
        into[i] = s.slow[slot, (first + i) & _WRAP]
        mean += into[i]
    for i in range(n):
        into[i] -= mean / n
    return True


@jit
def _alike(a: Any, rest: Any, n: int) -> float:
    """Return the best correlation of two shapes (leads, points) over small shifts."""
    best = -1.0
    for shift in range(-SHIFTS, SHIFTS + 1):
        ab = 0.0
        aa = 1e-9
        bb = 1e-9
        for slot in range(SHAPE_LEADS):
            for i in range(SHIFTS, n - SHIFTS):
                p, q = a[slot, i + shift], rest[slot, i]
                ab += p * q
                aa += p * p
                bb += q * q
        best = max(best, ab / math.sqrt(aa * bb))
    return best


@jit
def _likeness(s: Any, r: Any, now: float) -> float:
    """Return how like each other the last beats are: the median correlation of one with the others."""
    hz = slow_hz(r)
    n = min(_POINTS, round((BEFORE_S + AFTER_S) * hz))
    shape = np.zeros((BEATS, SHAPE_LEADS, _POINTS))
    whole = np.zeros((SHAPE_LEADS, _POINTS))
    for back in range(1, BEATS + 1):
        for slot in range(SHAPE_LEADS):
            if readable(s, slot) and _beat(
                s, hz, (now - beat_back(s, back)) / s.rate_hz, slot, n, shape[back - 1, slot]
            ):
                whole[slot] += shape[back - 1, slot]
    found = np.empty(BEATS)
    for i in range(BEATS):
        found[i] = _alike(shape[i], whole - shape[i], n)
    found.sort()
    return float(found[BEATS // 2])


@jit
def _context(s: Any, rr_s: float, f: Any, at: int) -> None:
    """Fill in how the beats before the five were: how much slower, and how many of them ventricular."""
    n = min(CONTEXT, s.run - BEATS - 1)
    f[at] = 0.0
    f[at + 1] = 0.0
    if n < BEATS:
        return
    v = 0
    for back in range(BEATS + 1, BEATS + 1 + n):
        v += s.code[(s.beats - back) % len(s.code)] == VENTRICULAR
    before_s = (beat_back(s, BEATS + 1) - beat_back(s, BEATS + 1 + n)) / n / s.rate_hz
    f[at] = math.log(rr_s / before_s)
    f[at + 1] = v / n


@jit
def look_at_run(s: Any, r: Any) -> None:
    """Judge the last five beats: ``run_odds``; ``NO_ODDS`` where there is nothing to ask."""
    s.run_odds = NO_ODDS
    if s.run <= BEATS:
        return
    now = s.origin + s.block * (s.rate_hz / s.internal_hz)
    rr_s = (beat_back(s, 1) - beat_back(s, BEATS + 1)) / BEATS / s.rate_hz
    v = 0
    for back in range(1, BEATS + 1):
        v += s.code[(s.beats - back) % len(s.code)] == VENTRICULAR
    if v < LEAST_VENTRICULAR or rr_s > 60.0 / SLOWEST_BPM or now - beat_back(s, 1) > FRESH_S * s.rate_hz:
        return
    f = s.run_window
    f[:] = 0.0
    asked = 0
    for slot in range(SHAPE_LEADS):
        if readable(s, slot):
            asked += 1
            w = s.window[slot]
            f[0] += w[MV]
            f[1] += w[MOBILITY]
            f[2] += w[WANDER]
            for k in range(REFERENCES):
                f[3 + k] += w[NEW + k]
            f[8] += w[BACKGROUND]
            f[9] += w[LEVEL]
            f[10] += math.log(max(s.roughness[s.shape_lead[slot]], ROUGH_LEAST_MV))
    if asked == 0 or s.wave_odds == NO_ODDS:
        return
    f[:11] /= asked
    f[11] = v
    f[12] = math.log(rr_s)
    _context(s, rr_s, f, 13)
    f[15] = _likeness(s, r, now)
    s.run_odds = log_odds(_WEIGHTS, f)
