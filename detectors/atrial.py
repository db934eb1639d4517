"""Atrial fibrillation: intervals without any order, and no P wave that stands still before the QRS.

Each beat leaves an interval and how like the stretch before its QRS is to the running mean of such
stretches: a P wave at its place makes them alike, the waves of fibrillation do not. Once a second the
last 32 beats are described (``irregularity``), boosted trees (``trees``, grown by
``ecgstream.learn.atrial``) make log-odds of that, and these are averaged over some seconds. It needs six
intervals and six seconds of them. Fibrillation is in force once the mean log-odds pass ``BEGIN``, until they
have stayed below ``END`` for ``END_S``: between the two nothing changes, so that it does not flap. It began
with the first beat behind the last regular stretch.

The condition follows when the rhythm has lasted 30 s, as the guideline asks (G. Hindricks et al., "2020 ESC
guidelines for the diagnosis and management of atrial fibrillation", Eur. Heart J. 42 (2021) 373-498); the
rhythm mark comes at once.

References: those of ``irregularity``, and N. Larburu, T. Lopetegi and I. Romero, "Comparative study of
algorithms for atrial fibrillation detection", Computing in Cardiology 38 (2011) 265-268 (intervals and P
waves together).
Deviations: P waves are not delineated; what comes right behind a beat, of another shape or
suddenly, is taken for its T wave and left out; intervals next to a paced beat are not known;
ventricular tachycardia freezes the verdict, fibrillation ends it.
"""

import math
from typing import Any

import numpy as np

from detectors.classes import NORMAL, PACED, VENTRICULAR
from detectors.compiled import jit
from detectors.irregularity import (
    FEATURES,
    P_HEIGHT,
    P_LIKENESS,
    describe,
    median,
    regular,
)
from detectors.state import AF_BEATS, P_POINTS, RING, SHAPE_LEADS
from detectors.trees import log_odds_of, trees
from schemas.conditions import Code

BEGIN, END = 0.25, -0.25  # log-odds
END_S = 3
LEAST_S = 6.0  # of intervals before a first verdict: in fewer, sinus arrhythmia looks alike
LASTING_S = 30.0  # ESC 2020
GAIN = 0.25  # a second: how the mean log-odds follow
FORGET_S = 10.0  # nothing could be analysed for so long: what was before says nothing of now
LONG_S = 3.0  # an interval above it is a pause, or a beat was missed
P_BEGIN_S, P_STEP_S = -0.30, 0.02  # before the R peak: from there on, points that far apart
P_GAIN = 0.08
P_LEAST = 3  # beats with a stretch to compare, below which nothing is said of it
P_FLOOR_MV = 0.002
T_LATEST_S = 0.33  # behind an R peak: what comes earlier, of another shape, is its T wave
T_SHARE, T_LIMIT_S = 0.42, 0.45  # the same at slow rates, of the mean interval
T_DROP = 0.6  # of the interval before: the same if it has the patient's own shape
T_BEATS = 8  # intervals in that mean
CALM_STEPS = 4  # regular steps in a row: fibrillation began behind them
_TREES = trees("atrial", FEATURES)
_VF = int(Code.VENTRICULAR_FIBRILLATION)
_VT = int(Code.VENTRICULAR_TACHYCARDIA)
_WRAP = RING - 1


@jit
def _mean_rr(s: Any) -> float:
    """Return the mean of the last known intervals, in s, 0 where there are too few."""
    total = 0.0
    n = 0
    for back in range(min(T_BEATS, s.af_beats)):
        rr = s.af_rr[(s.af_beats - 1 - back) % AF_BEATS]
        if rr > 0.0:
            total += rr
            n += 1
    return float(total / n) if n > 2 else 0.0


@jit
def _is_t_wave(s: Any, code: int, rr_s: float) -> bool:
    if code == PACED or rr_s <= 0.0:
        return False
    if code == NORMAL:
        return bool(rr_s < T_LATEST_S and rr_s < T_DROP * s.af_rr[(s.af_beats - 1) % AF_BEATS])
    return bool(rr_s < max(T_LATEST_S, min(T_LIMIT_S, T_SHARE * _mean_rr(s))))


@jit
def without_trend(stretch: Any) -> None:
    """Take its line of best fit off a stretch, shape (P_POINTS,)."""
    centre = 0.5 * (P_POINTS - 1)
    mean = 0.0
    slope = 0.0
    squares = 0.0
    for p in range(P_POINTS):
        mean += stretch[p] / P_POINTS
        slope += (p - centre) * stretch[p]
        squares += (p - centre) ** 2
    for p in range(P_POINTS):
        stretch[p] -= mean + slope / squares * (p - centre)


@jit
def _stretch(s: Any, r: Any, at: float, into: Any) -> int:
    """Fill ``into`` (leads, points) with what lies before block ``at``, trend taken off; return the leads."""
    leads = 0
    for slot in range(SHAPE_LEADS):
        lead = s.shape_lead[slot]
        if lead < 0:
            into[slot, :] = 0.0
            continue
        if (s.unusable >> lead) & 1 or at + P_BEGIN_S * r.internal_hz < 0.0:
            return 0
        leads += 1
        for p in range(P_POINTS):
            first = math.floor(at + (P_BEGIN_S + p * P_STEP_S) * r.internal_hz + 0.5)
            last = math.floor(at + (P_BEGIN_S + (p + 1) * P_STEP_S) * r.internal_hz + 0.5)
            first = max(first, s.block - RING + 1)  # near 200 Hz the ring is a little short
            last = max(last, first + 1)
            total = 0.0
            for k in range(first, last):
                total += s.x[lead, k & _WRAP]
            into[slot, p] = total / (last - first)
        without_trend(into[slot])
    return leads


@jit
def _likeness(s: Any, r: Any, at: float) -> float:
    """Return how like the stretch before the QRS is to their running mean, and let that follow it."""
    stretch = np.zeros((SHAPE_LEADS, P_POINTS))
    leads = _stretch(s, r, at, stretch)
    if leads == 0:
        return np.nan
    for slot in range(SHAPE_LEADS):
        if s.p_lead[slot] != s.shape_lead[slot]:
            s.p_lead[slot] = s.shape_lead[slot]
            s.p_beats = 0
    like = np.nan
    if s.p_beats == 0:
        s.p_mean[:] = 0.0
    else:
        both = (stretch * s.p_mean).sum()
        like = both / math.sqrt((stretch * stretch).sum() * (s.p_mean * s.p_mean).sum() + 1e-12)
    s.p_beats += 1
    gain = max(P_GAIN, 1.0 / s.p_beats)
    height = 0.0
    for slot in range(SHAPE_LEADS):
        for p in range(P_POINTS):
            s.p_mean[slot, p] += gain * (stretch[slot, p] - s.p_mean[slot, p])
        height += (s.p_mean[slot].max() - s.p_mean[slot].min()) / leads
    s.p_height_mv = height
    return like


@jit
def atrial_beat(s: Any, r: Any, at: float, sample: float, code: int) -> None:
    """Take a beat, at block ``at`` and ECG sample ``sample``, with the interval before it."""
    last = (s.af_beats - 1) % AF_BEATS
    rr_s = 0.0
    if s.af_beats > 0 and s.run > 1:
        rr_s = (sample - s.af_at[last]) / s.rate_hz
        if _is_t_wave(s, code, rr_s):
            return
    paced = code == PACED or (s.af_beats > 0 and s.af_code[last] == PACED)
    slot = s.af_beats % AF_BEATS
    s.af_at[slot] = sample
    s.af_rr[slot] = 0.0 if paced or rr_s > LONG_S else rr_s
    s.af_code[slot] = code
    s.af_like[slot] = np.nan if code == VENTRICULAR else _likeness(s, r, at)
    s.af_beats += 1


@jit
def _window(s: Any) -> tuple[Any, Any]:
    """Return the last intervals in s, and the codes of their beats, oldest first."""
    n = max(0, min(s.af_beats, AF_BEATS) - 1)
    rr = np.empty(n)
    code = np.empty(n, np.uint8)
    for i in range(n):
        slot = (s.af_beats - n + i) % AF_BEATS
        rr[i] = s.af_rr[slot]
        code[i] = s.af_code[slot]
    return rr, code


@jit
def _p_wave(s: Any, n: int) -> None:
    """Fill in the features of the P wave over the last ``n`` beats."""
    total = 0.0
    compared = 0
    for back in range(n):
        like = s.af_like[(s.af_beats - 1 - back) % AF_BEATS]
        if not np.isnan(like):
            total += like
            compared += 1
    s.af_feature[P_LIKENESS] = total / compared if compared >= P_LEAST else 0.0
    s.af_feature[P_HEIGHT] = math.log(s.p_height_mv + P_FLOOR_MV)


@jit
def _onset(s: Any, rr: Any) -> float:
    """Return the ECG sample of the first beat behind the last regular stretch of the window."""
    middle = median(rr[rr > 0.0])
    calm = 0
    first = rr.size - 1
    while first > 0 and calm < CALM_STEPS:
        step = abs(rr[first] - rr[first - 1])
        calm = calm + 1 if rr[first] > 0.0 and rr[first - 1] > 0.0 and regular(step, middle) else 0
        first -= 1
    if calm == CALM_STEPS:
        first += CALM_STEPS + 1
    back = rr.size - first  # beats from the last one back to where the interval ``first`` begins
    return float(s.af_at[(s.af_beats - 1 - back) % AF_BEATS])


@jit
def forget(s: Any) -> None:
    """Begin anew."""
    s.af_beats = 0
    s.p_beats = 0
    s.af_log_odds = np.nan
    s.af_feature[:] = np.nan
    s.atrial = 0
    s.atrial_calm = 0


@jit
def decide(s: Any, log_odds: float) -> bool:
    """Let the mean log-odds follow; return whether fibrillation comes into force now."""
    mean = s.af_log_odds
    s.af_log_odds = log_odds if np.isnan(mean) else mean + GAIN * (log_odds - mean)
    s.atrial_calm = s.atrial_calm + 1 if s.af_log_odds < END else 0
    if s.atrial and s.atrial_calm > END_S:
        s.atrial = 0
    elif not s.atrial and s.af_log_odds > BEGIN:
        s.atrial = 1
        return True
    return False


@jit
def atrial_second(d: Any, s: Any, r: Any) -> None:
    """Look whether the atria fibrillate."""
    if s.blind > FORGET_S * r.internal_hz or d.open[_VF]:
        forget(s)  # what is found in ventricular fibrillation are no beats
    if s.blind > 0 or d.open[_VF] or d.open[_VT]:
        return
    rr, code = _window(s)
    if rr.size < AF_BEATS - 1 and rr.sum() < LEAST_S:
        return
    if not describe(rr, code, s.af_feature):
        s.af_log_odds = np.nan
        s.atrial = 0
        return
    _p_wave(s, rr.size)
    if decide(s, log_odds_of(_TREES, s.af_feature)):
        s.atrial_since = _onset(s, rr)
