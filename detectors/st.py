"""ST elevation and depression by lead, against the patient's own baseline.

Of each beat of the patient's own shape the ST level is the mean around J + 80 ms (J + 60 ms above 120 a
minute) less that of the PR segment. J and the beginning of the QRS complex are where the slope of the
patient's mean beat has fallen to a small share of its steepest. Ten seconds of beats make a value; the first
minute of values is the baseline; a change from it beyond the limits that lasts a minute is a condition. It is
over when no lead has been beyond for half a minute.

A lead is assessable only where its high-pass is stated and at most 0.05 Hz: a higher one bends ST. The values
of a minute make its trend (``trends``).

References: R. K. Sandau et al., "Update to practice standards for electrocardiographic monitoring in hospital
settings", Circulation 136 (2017) e273-e344 (J + 60 or 80 ms, change from the patient's baseline, one minute);
IEC 60601-2-27:2011, 201.12.1.101 (0.05 Hz for ST); P. Laguna et al., "New algorithm for QT interval analysis
in 24-hour Holter ECG", Med. Biol. Eng. Comput. 28 (1990) 67-73 (ends of the QRS complex by a share of the
steepest slope).
Deviations: one QRS complex for all leads, from the mean beat of two; a baseline that was taken in ischaemia
shows no change, and a new one is taken behind a gap of over a minute.
"""

from typing import Any

import numpy as np

from detectors.classes import NORMAL
from detectors.compiled import jit
from detectors.phases import follow, now_of
from detectors.shapes import BEFORE, QRS, STEP_S, own_cluster
from detectors.state import RING, SHAPE_LEADS
from detectors.trends import trend_st
from schemas import mdc
from schemas.conditions import Code
from schemas.limits import LIMITED_CODES

HIGHEST_HIGH_PASS_HZ = 0.0501  # 0.05, which no float32 holds
J_S, J_FAST_S = 0.080, 0.060  # behind J
FAST_BPM = 120.0
SEGMENT_S = 0.010  # to either side of where a level is taken
PR_S = 0.025  # before the QRS complex
SLOPE_SHARE = 0.10  # of the steepest, at which the QRS complex begins and ends
FEWEST_BEATS = 3  # in ten seconds
VALUE_S = 10
BASELINE_VALUES = 6
LASTING_VALUES = 6
OVER_VALUES = 3
_ELEVATION, _DEPRESSION = int(Code.ST_ELEVATION), int(Code.ST_DEPRESSION)
_ST_LIMIT = LIMITED_CODES.index(mdc.ST)
_LEADS = np.array(list(mdc.LEADS.values()))
_WRAP = RING - 1


@jit
def is_assessable(high_pass_hz: float) -> bool:
    """Return whether ST can be told from a lead with this high-pass; NaN: it is not known."""
    return 0.0 <= high_pass_hz <= HIGHEST_HIGH_PASS_HZ


@jit
def _place_of(code: int) -> int:
    """Return the place of a lead's name in ``mdc.LEADS``, from 1 on; 0: it has none."""
    for i in range(len(_LEADS)):
        if _LEADS[i] == code:
            return i + 1
    return 0


@jit
def st_lead(s: Any, lead: int, code: int, high_pass_hz: float) -> None:
    """Take what a packet says of a lead, after those before it; what is another lead now begins anew.

    Of leads that bear one name the first has its trend.
    """
    place = _place_of(code)
    for other in range(lead):
        if s.st_place[other] == place:
            place = 0
    if place != s.st_place[lead]:
        s.st_place[lead] = place
        s.st_sum[lead] = 0.0
        s.st_beats[lead] = 0
        s.st_values[lead] = 0
        s.st_mv[lead] = 0.0
        s.st_base_mv[lead] = 0.0
        s.st_above[lead] = 0
        s.st_below[lead] = 0
    s.assessable |= is_assessable(high_pass_hz) << lead


@jit
def _slope(shape: Any, i: int) -> float:
    total = 0.0
    for slot in range(SHAPE_LEADS):
        total += abs(shape[slot, i + 1] - shape[slot, i - 1])
    return total


@jit
def bounds(shape: Any) -> tuple[int, int]:
    """Return the points of a mean beat (leads, points) at which its QRS complex begins and ends."""
    steepest = 0.0
    first, end = QRS
    at = BEFORE
    for i in range(first, end):
        if _slope(shape, i) > steepest:
            steepest = _slope(shape, i)
            at = i
    low = SLOPE_SHARE * steepest
    onset = at
    while onset > first and (_slope(shape, onset) > low or _slope(shape, onset - 1) > low):
        onset -= 1
    j = at
    while j < end and (_slope(shape, j) > low or _slope(shape, j + 1) > low):
        j += 1
    return onset, j


@jit
def _level(s: Any, r: Any, lead: int, at: float) -> float:
    """Return the mean of a lead around a block."""
    reach = SEGMENT_S * r.internal_hz
    first = round(at - reach)
    last = round(at + reach)
    total = 0.0
    for k in range(first, last + 1):
        total += s.x[lead, k & _WRAP]
    return float(total / (last - first + 1))


@jit
def st_beat(s: Any, r: Any, at: float, code: int) -> None:
    """Take the ST level of a beat that is cut out around block ``at``."""
    if code != NORMAL or s.assessable == 0 or s.blind > 0:
        return
    onset, j = bounds(s.shape[own_cluster(s)])
    behind = J_FAST_S if s.hr_bpm > FAST_BPM else J_S
    s.j_s = (j - BEFORE) * STEP_S + behind
    st = at + s.j_s * r.internal_hz
    pr = at + ((onset - BEFORE) * STEP_S - PR_S) * r.internal_hz
    reach = SEGMENT_S * r.internal_hz + 1.0
    if st + reach > s.block or pr - reach < s.block - RING + 1:
        return
    for lead in range(s.leads):
        if (s.assessable >> lead) & 1 and not (s.unusable >> lead) & 1 and s.settle[lead] == 0:
            s.st_sum[lead] += _level(s, r, lead, st) - _level(s, r, lead, pr)
            s.st_beats[lead] += 1


@jit
def _value(d: Any, s: Any, lead: int, low: float, high: float) -> None:
    """Take the value of ten seconds of a lead."""
    n = s.st_beats[lead]
    if n >= FEWEST_BEATS:
        s.st_mv[lead] = s.st_sum[lead] / n
        trend_st(d, s.st_place[lead], s.st_mv[lead])
        if s.st_values[lead] < BASELINE_VALUES:
            s.st_values[lead] += 1
            s.st_base_mv[lead] += (s.st_mv[lead] - s.st_base_mv[lead]) / s.st_values[lead]
        change = s.st_mv[lead] - s.st_base_mv[lead]
        known = s.st_values[lead] == BASELINE_VALUES
        s.st_above[lead] = min(LASTING_VALUES, s.st_above[lead] + 1) if known and change >= high else 0
        s.st_below[lead] = min(LASTING_VALUES, s.st_below[lead] + 1) if known and change <= low else 0
    s.st_sum[lead] = 0.0
    s.st_beats[lead] = 0


@jit
def st_second(d: Any, s: Any) -> None:
    """Count a second; every tenth brings a value of each lead."""
    if s.assessable == 0:
        return
    s.st_seconds += 1
    if s.st_seconds % VALUE_S > 0:
        return
    above = False
    below = False
    for lead in range(s.leads):
        _value(d, s, lead, d.low[_ST_LIMIT], d.high[_ST_LIMIT])
        above |= s.st_above[lead] > 0
        below |= s.st_below[lead] > 0
    s.st_calm[0] = 0 if above else min(OVER_VALUES, s.st_calm[0] + 1)
    s.st_calm[1] = 0 if below else min(OVER_VALUES, s.st_calm[1] + 1)


@jit
def st_changes(d: Any, s: Any) -> None:
    """Decide on both conditions."""
    onset = now_of(s) - LASTING_VALUES * VALUE_S * s.rate_hz
    above = False
    below = False
    for lead in range(s.leads):
        above |= s.st_above[lead] >= LASTING_VALUES
        below |= s.st_below[lead] >= LASTING_VALUES
    follow(d, s, _ELEVATION, above, s.st_calm[0] >= OVER_VALUES, 0.0, 0.0, onset)
    follow(d, s, _DEPRESSION, below, s.st_calm[1] >= OVER_VALUES, 0.0, 0.0, onset)
