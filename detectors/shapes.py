"""Shapes of beats: cut out, compared, and gathered in a few running clusters.

A shape is what two leads look like around a beat, 10 ms apart: the P wave's place, the QRS complex and the
beginning of the T wave. The cluster with many members that are narrow is the patient's own beat.

References: M. Lagerholm et al., "Clustering ECG complexes using Hermite functions and self-organizing
maps", IEEE Trans. Biomed. Eng. 47 (2000) 838-848 (clustering of shapes); P. Hamilton, "Open source ECG
analysis", Computers in Cardiology 29 (2002) 101-104 (running templates, dominant beat, width).
Deviations: plain correlation over small shifts instead of a model of the shape.
"""

import math
from typing import Any

import numpy as np

from detectors.compiled import jit
from detectors.state import CLUSTERS, RING, SHAPE, SHAPE_LEADS

STEP_S = 0.01
BEFORE = 30  # points before the R peak
BEAT = (17, 51)  # points of QRS complex and beginning of the T wave, which shapes are told apart by
QRS = (23, 39)
P_WAVE = (4, 22)
WIDTH_POINTS = 11  # on either side of the R peak that width is measured in
SHIFTS = 3  # points a shape is moved to and fro to match
MOVES = 2 * SHIFTS + 1
MATCH = 0.88  # correlation that makes a beat one of a cluster
REPEATED = 1.5  # members of a cluster that more than one beat has made
GAIN = 0.12  # share of a new beat in its cluster
FORGET = 0.995  # a beat: how members fade
LEAST_WIDTH_S = 0.03
LEAST_MEASURED_S = 0.01  # a single point
ALIGN_S = 0.05
_WRAP = RING - 1


@jit
def align(s: Any, r: Any, at: float) -> float:
    """Return the block that a beat's shape is cut out around: not always its R peak.

    It is the greatest deflection near the envelope's peak in the strongest lead, which wavers less from beat
    to beat than the R peak of a wide complex.
    """
    best = -1
    for lead in range(s.leads):
        if (s.unusable >> lead) & 1:
            continue
        if best < 0 or s.candidate_envelope[lead] > s.candidate_envelope[best]:
            best = lead
    if best < 0:
        return at
    middle = round(at)
    reach = int(ALIGN_S * r.internal_hz)
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
def extract(s: Any, r: Any, at: float, shape: Any) -> None:
    """Fill ``shape`` (leads, points) around block ``at``, each lead about its mean."""
    for slot in range(SHAPE_LEADS):
        lead = s.shape_lead[slot]
        if lead < 0 or (s.unusable >> lead) & 1:
            shape[slot, :] = 0.0
            continue
        mean = 0.0
        for i in range(SHAPE):
            place = at + (i - BEFORE) * STEP_S * r.internal_hz
            k = math.floor(place)
            part = place - k
            if k + 1 > s.block:
                k, part = s.block - 1, 1.0
            elif k <= s.block - RING:  # rates whose ring is short
                k, part = s.block - RING + 1, 0.0
            value = (1.0 - part) * s.x[lead, k & _WRAP] + part * s.x[lead, (k + 1) & _WRAP]
            shape[slot, i] = value
            mean += value
        shape[slot, :] -= mean / SHAPE


@jit
def correlation(a: Any, b: Any, points: tuple[int, int], shift: int) -> tuple[float, float]:
    """Return correlation and ratio of heights of ``a``, moved by ``shift``, to ``b`` over some points."""
    first, end = points
    n = end - first
    ab = 0.0
    aa = 1e-9
    bb = 1e-9
    for slot in range(SHAPE_LEADS):
        a_sum = 0.0
        b_sum = 0.0
        for i in range(first, end):
            p, q = a[slot, i + shift], b[slot, i]
            a_sum += p
            b_sum += q
            ab += p * q
            aa += p * p
            bb += q * q
        ab -= a_sum * b_sum / n
        aa -= a_sum * a_sum / n
        bb -= b_sum * b_sum / n
    aa = max(aa, 1e-9)
    bb = max(bb, 1e-9)
    return ab / math.sqrt(aa * bb), math.sqrt(aa / bb)


@jit
def moved(a: Any) -> Any:
    """Return what ``match`` asks of a beat at each small shift, once for all it is compared with.

    Shape (leads + 1, shifts): the sum of its points in each lead, and their power about its means.
    """
    first, end = BEAT
    n = end - first
    found = np.zeros((SHAPE_LEADS + 1, MOVES))
    power = found[SHAPE_LEADS]
    power[:] = 1e-9
    for slot in range(SHAPE_LEADS):
        total = found[slot]
        for i in range(first, end):
            points = a[slot, i - SHIFTS : i + SHIFTS + 1]
            for k in range(MOVES):
                total[k] += points[k]
                power[k] += points[k] * points[k]
        for k in range(MOVES):
            power[k] -= total[k] * total[k] / n
    return found


@jit
def match(a: Any, of_a: Any, b: Any) -> tuple[float, int]:
    """Return the best correlation of two beats over small shifts, and the shift; ``of_a``: ``moved(a)``.

    All shifts at once, so that no sum waits for another; ``correlation`` says the same of each, bit for bit.
    """
    first, end = BEAT
    n = end - first
    ab = np.zeros(MOVES)
    bb = 1e-9
    for slot in range(SHAPE_LEADS):
        b_sum = 0.0
        for i in range(first, end):
            q = b[slot, i]
            b_sum += q
            bb += q * q
            points = a[slot, i - SHIFTS : i + SHIFTS + 1]
            for k in range(MOVES):
                ab[k] += points[k] * q
        for k in range(MOVES):
            ab[k] -= of_a[slot, k] * b_sum / n
        bb -= b_sum * b_sum / n
    best = -1.0
    at = 0
    for k in range(MOVES):
        found = ab[k] / math.sqrt(max(of_a[SHAPE_LEADS, k], 1e-9) * max(bb, 1e-9))
        if found > best:
            best, at = found, k - SHIFTS
    return best, at


@jit
def width_s(shape: Any) -> float:
    """Return area over height of the QRS complex, in s, over both leads."""
    area = 0.0
    height = 1e-6
    low = BEFORE - WIDTH_POINTS
    high = BEFORE + WIDTH_POINTS
    for slot in range(SHAPE_LEADS):
        base = 0.5 * (shape[slot, low] + shape[slot, high])
        top = 0.0
        for i in range(low, high + 1):
            value = abs(shape[slot, i] - base)
            area += value
            top = max(top, value)
        height += top
    return area / height * STEP_S


@jit
def cluster_of(s: Any, shape: Any) -> int:
    """Return the cluster that a shape belongs to; an old one is given up where it is new."""
    best, close = -1, -1.0
    of_shape = moved(shape)
    for c in range(CLUSTERS):
        if s.members[c] > 0.0:
            found, _ = match(shape, of_shape, s.shape[c])
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
def own_cluster(s: Any) -> int:
    """Return the cluster of the patient's own beat."""
    best = 0
    for c in range(CLUSTERS):
        # Many members, and narrow: in bigeminy both shapes are as frequent.
        of_c = s.members[c] / max(LEAST_WIDTH_S, s.width_s[c])
        if of_c > s.members[best] / max(LEAST_WIDTH_S, s.width_s[best]):
            best = c
    return best


@jit
def join(s: Any, c: int, shape: Any, width: float, ratio: float) -> None:
    """Let the cluster follow a beat of this shape, width and RR ratio."""
    if s.members[c] == 0.0:
        s.shape[c] = shape
        s.width_s[c] = width
        s.early[c] = ratio
        s.ventricular[c] = 0.0
    else:
        for slot in range(SHAPE_LEADS):
            for i in range(SHAPE):
                s.shape[c, slot, i] += GAIN * (shape[slot, i] - s.shape[c, slot, i])
        s.width_s[c] += GAIN * (width - s.width_s[c])
        s.early[c] += GAIN * (ratio - s.early[c])
    for k in range(CLUSTERS):
        s.members[k] *= FORGET
    s.members[c] += 1.0


@jit
def likeness(s: Any, r: Any, at: float) -> float:
    """Return how much what lies around block ``at`` looks like beats that came before; 1 if no lead tells."""
    shape = np.zeros((SHAPE_LEADS, SHAPE), np.float32)
    extract(s, r, at, shape)
    if not np.any(shape):
        return 1.0
    best = -1.0
    of_shape = moved(shape)
    for c in range(CLUSTERS):
        if s.members[c] >= REPEATED:
            best = max(best, match(shape, of_shape, s.shape[c])[0])
    return best


@jit
def width_at(s: Any, r: Any, at: float) -> float:
    """Return the width of what lies around block ``at``, in s."""
    shape = np.zeros((SHAPE_LEADS, SHAPE), np.float32)
    extract(s, r, align(s, r, at), shape)
    return max(LEAST_MEASURED_S, width_s(shape))


@jit
def blend(shape: Any, one: Any, other: Any) -> tuple[float, float, float]:
    """Return the shares of two shapes that together come nearest to a third, and how near (R squared)."""
    best = 0.0
    of_one = 0.0
    of_other = 0.0
    first, end = BEAT
    for shift in range(-SHIFTS, SHIFTS + 1):
        aa = bb = ab = xa = xb = 0.0
        xx = 1e-9
        for slot in range(SHAPE_LEADS):
            for i in range(first, end):
                x, a, b = shape[slot, i + shift], one[slot, i], other[slot, i]
                aa += a * a
                bb += b * b
                ab += a * b
                xa += x * a
                xb += x * b
                xx += x * x
        determinant = aa * bb - ab * ab + 1e-9
        p = (xa * bb - xb * ab) / determinant
        q = (xb * aa - xa * ab) / determinant
        near = (p * xa + q * xb) / xx
        if near > best:
            best, of_one, of_other = near, p, q
    return of_one, of_other, best
