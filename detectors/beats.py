"""A decided QRS becomes a beat: its place, its RR interval, the heart rate, its class (``classes``)."""

from typing import Any

import numpy as np

from detectors.atrial import atrial_beat
from detectors.classes import classify
from detectors.compiled import jit
from detectors.output import write_beat
from detectors.pauses import blocked_beat
from detectors.shapes import align
from detectors.st import st_beat
from detectors.state import RING
from detectors.trends import trend_beat

HR_BEATS = 8  # RR intervals that are averaged
BEFORE_S, AFTER_S = 0.10, 0.05  # around the envelope's peak, which in wide complexes lies behind the R peak
_WRAP = RING - 1


@jit
def decide_beat(d: Any, s: Any, r: Any, out: Any, at: float) -> None:
    """Write the beat at block ``at`` and keep it."""
    sample = _sample(s, r, _locate(s, r, at))
    before = s.at[(s.beats - 1) % len(s.at)] if s.run > 0 else np.nan
    rr_s = (sample - before) / s.rate_hz
    aligned = align(s, r, at)
    code = classify(s, r, aligned, sample, rr_s)
    slot = s.beats % len(s.at)
    s.at[slot] = sample
    s.code[slot] = code
    s.beats += 1
    s.run += 1
    s.hr_bpm = mean_rate(s, min(s.run - 1, HR_BEATS))
    write_beat(d, s, out, sample, code, rr_s, s.hr_bpm)
    trend_beat(d, s, code)
    atrial_beat(s, r, aligned, _sample(s, r, aligned), code)
    blocked_beat(s, r, rr_s)
    st_beat(s, r, aligned, code)


@jit
def _sample(s: Any, r: Any, block: float) -> float:
    """Return the ECG sample in the middle of a block."""
    return float(s.origin + block * r.step + 0.5 * (r.step - 1))


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
    """Return the block of the greatest deflection around the envelope's peak, in the first usable lead."""
    lead = 0
    while lead < s.leads and ((s.unusable >> lead) & 1 or s.settle[lead] > 0):
        lead += 1
    if lead == s.leads:
        return at
    middle = round(at)
    before = int(BEFORE_S * r.internal_hz)
    mean = 0.0
    for k in range(middle - before, middle + before + 1):
        mean += s.x[lead, k & _WRAP]
    mean /= 2 * before + 1
    found = middle
    top = -1.0
    for k in range(middle - before, middle + int(AFTER_S * r.internal_hz) + 1):
        height = abs(s.x[lead, k & _WRAP] - mean)
        if height > top:
            top = height
            found = k
    return float(found)
