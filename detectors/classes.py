"""The class of a beat after AAMI: N, S, V, F, paced or Q, from its time and its shape.

Against the patient's own beat and the running RR interval a beat is

- V: of another shape, and early or wide; in a restless rhythm (below) of quite another;
- F: a blend of the patient's own and a ventricular beat, when the own was due;
- S: of the patient's own shape, and early; the earlier, the less its P wave is where it usually is. The
  running interval hardly follows early beats, so that a tachycardia stays one. In a restless rhythm, where
  most intervals differ from the one before (atrial fibrillation), no beat is early;
- /: behind a pace mark;
- Q: no lead to compare.

References: ANSI/AAMI EC57:2012, table 3 (classes); P. de Chazal, M. O'Dwyer and R. B. Reilly, "Automatic
classification of heartbeats using ECG morphology and heartbeat interval features", IEEE Trans. Biomed.
Eng. 51 (2004) 1196-1206 (RR ratio and morphology as features); P. Hamilton, "Open source ECG analysis",
Computers in Cardiology 29 (2002) 101-104 (running templates, width).
Deviations: fixed rules instead of a trained classifier; the interval after the beat is not waited for.
Shares without a source were chosen on the development set (docs/evaluation.md).
"""

import math
from typing import Any

import numpy as np

from detectors import shapes
from detectors.compiled import jit
from detectors.state import CLUSTERS, SHAPE, SHAPE_LEADS

NORMAL, SUPRAVENTRICULAR, VENTRICULAR, FUSION, UNKNOWN, PACED = (ord(c) for c in "NSVFQ/")

UNLIKE = 0.82  # correlation with the patient's own beat below which a beat is of another shape
UNLIKE_RESTLESS = 0.55  # the same where no beat is early: all that is left to tell by is the shape
VERY_UNLIKE = 0.50
WIDE = 1.12  # times the width of the patient's own beat
EARLY = 0.88  # RR over the running RR

FUSION_SHARE = 0.3  # of each of the two beats at least
FUSION_NEAR = 0.8  # R squared of the blend
FUSION_UNLIKE = 0.95  # else it is the patient's own
KNOWN_MEMBERS = 3.0  # of a cluster, from which it can be one of the two
VENTRICULAR_SHARE = 0.5  # of a cluster's beats, that makes it ventricular

EARLY_S = 0.18  # -ln(RR ratio), with what the P wave adds: 0.84 of the running RR
P_WEIGHT, P_LEAST, P_MOST = 0.1, -0.2, 0.8  # of the loss of likeness of the P wave's place
P_GAIN = 0.05
LIKE_S = 0.75  # correlation with the patient's own beat
LEARN_BEATS = 8.0  # members of the patient's own cluster
RESTLESS = 0.55  # share of RR intervals that differ from the one before, from which no beat is early
RESTLESS_STEP = 0.06  # |ln| of two RR intervals that differ
RESTLESS_GAIN = 0.03
RR_GAIN = 0.12  # share of a new interval in the running one
RR_GAIN_S = 0.01  # the same of a supraventricular beat
RR_LEAST, RR_MOST = 0.6, 1.5  # ratios an interval counts as
MOST_RATIO = 2.0

PACE_BEFORE_S = 0.20
PACE_AFTER_S = 0.06


@jit
def _paced(s: Any, sample: float) -> bool:
    for i in range(min(s.paces, len(s.pace))):
        if -PACE_AFTER_S * s.rate_hz <= sample - s.pace[i] <= PACE_BEFORE_S * s.rate_hz:
            return True
    return False


@jit
def _last(s: Any, n: int) -> int:
    """Return the class of the ``n``-th last beat, 0 where there is none in this stretch."""
    return int(s.code[(s.beats - n) % len(s.code)]) if s.run >= n else 0


@jit
def _is_foreign(code: int) -> bool:
    """Return whether a beat tells nothing of the heart's own rhythm."""
    return code in (VENTRICULAR, UNKNOWN)


@jit
def _is_ventricular(s: Any, c: int, like: float, wide: bool, ratio: float) -> bool:
    if like >= (UNLIKE_RESTLESS if s.restless >= RESTLESS else UNLIKE):
        return False
    if ratio < EARLY and (wide or like < VERY_UNLIKE):
        return True
    return wide and (like < VERY_UNLIKE or s.early[c] < EARLY or _last(s, 1) == VENTRICULAR)


@jit
def _is_fusion(s: Any, own: int, shape: Any, like: float, ratio: float) -> bool:
    if like >= FUSION_UNLIKE or ratio < EARLY:
        return False
    v = -1
    for c in range(CLUSTERS):
        known = s.members[c] > KNOWN_MEMBERS and s.ventricular[c] > VENTRICULAR_SHARE
        if c != own and known and (v < 0 or s.members[c] > s.members[v]):
            v = c
    if v < 0:
        return False
    of_own, of_v, near = shapes.blend(shape, s.shape[own], s.shape[v])
    return bool(of_own > FUSION_SHARE and of_v > FUSION_SHARE and near > FUSION_NEAR)


@jit
def _is_supraventricular(s: Any, own: int, like: float, p_like: float, ratio: float) -> bool:
    if like < LIKE_S or s.restless >= RESTLESS or s.members[own] <= LEARN_BEATS:
        return False
    lost = min(P_MOST, max(P_LEAST, s.p_like - p_like))
    return bool(P_WEIGHT * lost - math.log(ratio) > EARLY_S)


@jit
def _code(
    s: Any, c: int, own: int, shape: Any, width: float, ratio: float, like: float, p_like: float
) -> int:
    if c != own:
        if _is_fusion(s, own, shape, like, ratio):
            return FUSION
        if _is_ventricular(s, c, like, width > WIDE * s.width_s[own], ratio):
            return VENTRICULAR
    return SUPRAVENTRICULAR if _is_supraventricular(s, own, like, p_like, ratio) else NORMAL


@jit
def _follow_rr(s: Any, code: int, rr_s: float, ratio: float) -> None:
    """Let what is known of the heart's own rhythm follow an interval between two of its beats."""
    if np.isnan(rr_s) or _is_foreign(code) or _is_foreign(_last(s, 1)):
        return
    if np.isnan(s.normal_rr):
        s.normal_rr = rr_s
        return
    gain = RR_GAIN_S if code == SUPRAVENTRICULAR else RR_GAIN
    s.normal_rr += gain * (min(RR_MOST, max(RR_LEAST, ratio)) - 1.0) * s.normal_rr
    if s.run >= 2 and not _is_foreign(_last(s, 2)):
        at = len(s.at)
        before_s = (s.at[(s.beats - 1) % at] - s.at[(s.beats - 2) % at]) / s.rate_hz
        differs = abs(math.log(rr_s / before_s)) > RESTLESS_STEP
        s.restless += RESTLESS_GAIN * (differs - s.restless)


@jit
def classify(s: Any, r: Any, at: float, sample: float, rr_s: float) -> int:
    """Return the code of the beat at block ``at``, ``rr_s`` after the one before (NaN: there is none)."""
    paced = _paced(s, sample)
    shape = np.zeros((SHAPE_LEADS, SHAPE), np.float32)
    shapes.extract(s, r, at, shape)
    if not np.any(shape):
        return PACED if paced else UNKNOWN
    ratio = 1.0 if np.isnan(rr_s) or np.isnan(s.normal_rr) else rr_s / s.normal_rr
    width = shapes.width_s(shape)
    c = shapes.cluster_of(s, shape)
    shapes.join(s, c, shape, width, min(MOST_RATIO, ratio))
    own = shapes.own_cluster(s)
    like, shift = shapes.match(shape, shapes.moved(shape), s.shape[own])
    p_like, _ = shapes.correlation(shape, s.shape[own], shapes.P_WAVE, shift)
    code = _code(s, c, own, shape, width, ratio, like, p_like)
    s.ventricular[c] += shapes.GAIN * ((code == VENTRICULAR) - s.ventricular[c])
    if code == NORMAL:
        s.p_like += P_GAIN * (p_like - s.p_like)
    _follow_rr(s, code, rr_s, ratio)
    return PACED if paced else code
