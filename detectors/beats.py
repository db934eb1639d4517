"""A decided QRS becomes a beat: its place, its RR interval, the heart rate, its class.

Shapes (0.4 s of two leads, 10 ms apart) are gathered in a few running clusters; the one with the most
members is the patient's own beat. Against it and the running RR interval a beat is N, S (early, of the
patient's own shape), V (of another shape, and early or wide), / (behind a pace mark) or Q (no lead to
compare).

References: P. de Chazal, M. O'Dwyer and R. B. Reilly, IEEE Trans. Biomed. Eng. 51 (2004) 1196-1206 (RR
ratio and morphology as features); P. Hamilton, "Open source ECG analysis", Computers in Cardiology 29
(2002) 101-104 (running templates, dominant beat, width); M. Lagerholm et al., IEEE Trans. Biomed. Eng.
47 (2000) 838-848 (clustering of shapes).
Deviations: fixed rules instead of a trained classifier; the interval after the beat is not waited for.
"""

import math
from typing import Any

import numpy as np

from detectors.atrial import atrial_beat
from detectors.compiled import jit
from detectors.output import write_beat
from detectors.state import CLUSTERS, RING, SHAPE, SHAPE_LEADS
from detectors.trends import trend_beat

NORMAL, SUPRAVENTRICULAR, VENTRICULAR, UNKNOWN, PACED = (ord(c) for c in "NSVQ/")
SHAPE_STEP_S = 0.01
SHAPE_BEFORE = 16  # points before the R peak
QRS_POINTS = 11  # points on either side of the R peak that width is measured in
SHIFTS = 3  # points a shape is moved to and fro to match
MATCH = 0.88  # correlation that makes a beat one of a cluster
UNLIKE = 0.80  # correlation with the patient's own beat below which a beat is of another shape
WIDE = 1.22  # times the width of the patient's own beat
EARLY = 0.88  # RR over the running RR
EARLY_S = 0.80  # the same for a supraventricular beat
IRREGULAR = 0.12  # mean deviation of RR from its mean above which an early beat says nothing
CLUSTER_GAIN = 0.12
REPEATED = 1.5  # members of a cluster that more than one beat has made
FORGET = 0.995  # a beat: how members fade
RR_NORMAL_GAIN = 0.12
RR_IRREGULAR_GAIN = 0.04
HR_BEATS = 8  # RR intervals that are averaged
PACE_BEFORE_S = 0.20
PACE_AFTER_S = 0.06
LOCATE_S = 0.05
_WRAP = RING - 1


@jit
def decide_beat(d: Any, s: Any, r: Any, out: Any, at: float) -> None:
    """Write the beat at block ``at`` and keep it."""
    at_refined = _locate(s, r, at)
    sample = s.origin + at_refined * r.step + 0.5 * (r.step - 1)
    before = s.at[(s.beats - 1) % len(s.at)] if s.run > 0 else np.nan
    rr_s = (sample - before) / s.rate_hz
    code = _classify(s, r, at, sample, rr_s)
    slot = s.beats % len(s.at)
    s.at[slot] = sample
    s.code[slot] = code
    s.beats += 1
    s.run += 1
    s.hr_bpm = mean_rate(s, min(s.run - 1, HR_BEATS))
    write_beat(d, s, out, sample, code, rr_s, s.hr_bpm)
    trend_beat(d, s, code)
    atrial_beat(s, r, at_refined, sample, code)


@jit
def mean_rate(s: Any, intervals: int) -> float:
    """Return the heart rate over the last RR intervals, in beats a minute, NaN without any."""
    if intervals < 1:
        return np.nan
    last = s.at[(s.beats - 1) % len(s.at)]
    first = s.at[(s.beats - 1 - intervals) % len(s.at)]
    return float(60.0 * s.rate_hz * intervals / (last - first))


@jit
def _locate(s: Any, r: Any, at: float) -> float:
    """Return the block of the greatest deflection next to the envelope's peak, of the strongest lead."""
    best = -1
    for lead in range(s.leads):
        if not (s.unusable >> lead) & 1 and (
            best < 0 or s.candidate_envelope[lead] > s.candidate_envelope[best]
        ):
            best = lead
    if best < 0:
        return at
    middle = round(at)
    reach = int(LOCATE_S * r.internal_hz)
    mean = 0.0
    for k in range(middle - 2 * reach, middle + 2 * reach + 1):
        mean += s.x[best, k & _WRAP]
    mean /= 4 * reach + 1
    found = middle
    top = -1.0
    for k in range(middle - reach, middle + reach + 1):
        # A little nearer counts a little more, so that a T wave's foot does not win by a hair.
        height = abs(s.x[best, k & _WRAP] - mean) * (1.0 - 0.5 * abs(k - at) / (reach + 1))
        if height > top:
            top = height
            found = k
    return float(found)


@jit
def _extract(s: Any, r: Any, at: float, shape: Any) -> None:
    """Fill ``shape`` (leads, points) around block ``at``, each lead about its mean."""
    for slot in range(SHAPE_LEADS):
        lead = s.shape_lead[slot]
        if lead < 0 or (s.unusable >> lead) & 1:
            shape[slot, :] = 0.0
            continue
        mean = 0.0
        for i in range(SHAPE):
            place = at + (i - SHAPE_BEFORE) * SHAPE_STEP_S * r.internal_hz
            k = math.floor(place)
            part = place - k
            if k + 1 > s.block:
                k, part = s.block - 1, 1.0
            value = (1.0 - part) * s.x[lead, k & _WRAP] + part * s.x[lead, (k + 1) & _WRAP]
            shape[slot, i] = value
            mean += value
        shape[slot, :] -= mean / SHAPE


@jit
def _correlation(a: Any, b: Any) -> float:
    """Return the best correlation of two shapes over small shifts."""
    best = -1.0
    for shift in range(-SHIFTS, SHIFTS + 1):
        ab = 0.0
        aa = 1e-9
        bb = 1e-9
        for slot in range(SHAPE_LEADS):
            for i in range(SHIFTS, SHAPE - SHIFTS):
                p, q = a[slot, i + shift], b[slot, i]
                ab += p * q
                aa += p * p
                bb += q * q
        best = max(best, ab / math.sqrt(aa * bb))
    return best


@jit
def _width(shape: Any) -> float:
    """Return area over height of the QRS complex, in s, over both leads."""
    area = 0.0
    height = 1e-6
    for slot in range(SHAPE_LEADS):
        low = SHAPE_BEFORE - QRS_POINTS
        high = SHAPE_BEFORE + QRS_POINTS
        base = 0.5 * (shape[slot, low] + shape[slot, high])
        top = 0.0
        for i in range(low, high + 1):
            value = abs(shape[slot, i] - base)
            area += value
            top = max(top, value)
        height += top
    return area / height * SHAPE_STEP_S


@jit
def _match(s: Any, shape: Any) -> int:
    """Return the cluster that a shape belongs to; an old one is given up where it is new."""
    best, close = -1, -1.0
    for c in range(CLUSTERS):
        if s.members[c] > 0.0:
            found = _correlation(shape, s.shape[c])
            if found > close:
                best, close = c, found
    if best >= 0 and close >= MATCH:
        return best
    least = 0
    for c in range(CLUSTERS):
        if s.members[c] < s.members[least]:
            least = c
    s.members[least] = 0.0
    return least


@jit
def likeness(s: Any, r: Any, at: float) -> float:
    """Return how much what lies around block ``at`` looks like beats that came before; 1 if no lead tells."""
    shape = np.zeros((SHAPE_LEADS, SHAPE), np.float32)
    _extract(s, r, at, shape)
    if not np.any(shape):
        return 1.0
    best = -1.0
    for c in range(CLUSTERS):
        if s.members[c] >= REPEATED:
            best = max(best, _correlation(shape, s.shape[c]))
    return best


@jit
def _own(s: Any) -> int:
    """Return the cluster of the patient's own beat."""
    best = 0
    for c in range(CLUSTERS):
        # Many members, and narrow: in bigeminy both shapes are as frequent.
        if s.members[c] / max(0.03, s.width_s[c]) > s.members[best] / max(0.03, s.width_s[best]):
            best = c
    return best


@jit
def _paced(s: Any, sample: float) -> bool:
    for i in range(min(s.paces, len(s.pace))):
        if -PACE_AFTER_S * s.rate_hz <= sample - s.pace[i] <= PACE_BEFORE_S * s.rate_hz:
            return True
    return False


@jit
def _update(s: Any, c: int, shape: Any, width: float, ratio: float) -> None:
    """Let the cluster follow the beat."""
    if s.members[c] == 0.0:
        s.shape[c] = shape
        s.width_s[c] = width
        s.early[c] = ratio
    else:
        for slot in range(SHAPE_LEADS):
            for i in range(SHAPE):
                s.shape[c, slot, i] += CLUSTER_GAIN * (shape[slot, i] - s.shape[c, slot, i])
        s.width_s[c] += CLUSTER_GAIN * (width - s.width_s[c])
        s.early[c] += CLUSTER_GAIN * (ratio - s.early[c])
    for k in range(CLUSTERS):
        s.members[k] *= FORGET
    s.members[c] += 1.0


@jit
def _follow_rr(s: Any, rr_s: float, ratio: float) -> None:
    """Let the running RR interval and its irregularity follow an interval without a ventricular beat."""
    if np.isnan(rr_s):
        return
    if np.isnan(s.normal_rr):
        s.normal_rr = rr_s
        return
    bounded = min(1.5, max(0.6, ratio))
    s.normal_rr += RR_NORMAL_GAIN * (bounded - 1.0) * s.normal_rr
    s.irregular += RR_IRREGULAR_GAIN * (abs(bounded - 1.0) - s.irregular)


@jit
def _classify(s: Any, r: Any, at: float, sample: float, rr_s: float) -> int:
    """Return the beat's code."""
    paced = _paced(s, sample)
    shape = np.zeros((SHAPE_LEADS, SHAPE), np.float32)
    _extract(s, r, at, shape)
    if not np.any(shape):
        return PACED if paced else UNKNOWN
    ratio = 1.0 if np.isnan(rr_s) or np.isnan(s.normal_rr) else rr_s / s.normal_rr
    width = _width(shape)
    c = _match(s, shape)
    _update(s, c, shape, width, min(2.0, ratio))
    own = _own(s)
    code = NORMAL
    last = s.code[(s.beats - 1) % len(s.code)] if s.run > 0 else 0
    if c == own:
        if ratio < EARLY_S and s.members[own] > 8.0 and s.irregular < IRREGULAR:
            code = SUPRAVENTRICULAR
    else:
        likeness = _correlation(shape, s.shape[own])
        wide = width > WIDE * s.width_s[own]
        early = ratio < EARLY
        if likeness < UNLIKE and (
            (early and (wide or likeness < 0.6))
            or (wide and (likeness < 0.5 or s.early[c] < EARLY))
            or (last == VENTRICULAR and wide)
        ):
            code = VENTRICULAR
        elif ratio < EARLY_S and likeness > UNLIKE and s.irregular < IRREGULAR:
            code = SUPRAVENTRICULAR
    if code != VENTRICULAR and last != VENTRICULAR:
        _follow_rr(s, rr_s, ratio)
    return PACED if paced else code
