"""A decided QRS becomes a beat: its place, its RR interval, the heart rate, its class (``classes``)."""

from typing import Any

import numpy as np

from detectors.classes import classify
from detectors.compiled import jit
from detectors.output import write_beat
from detectors.state import RING
from detectors.trends import trend_beat

HR_BEATS = 8  # RR intervals that are averaged
LOCATE_S = 0.05
_WRAP = RING - 1


@jit
def decide_beat(d: Any, s: Any, r: Any, out: Any, at: float) -> None:
    """Write the beat at block ``at`` and keep it."""
    at_refined = _locate(s, r, at)
    sample = s.origin + at_refined * r.step + 0.5 * (r.step - 1)
    before = s.at[(s.beats - 1) % len(s.at)] if s.run > 0 else np.nan
    rr_s = (sample - before) / s.rate_hz
    code = classify(s, r, at_refined, sample, rr_s)
    slot = s.beats % len(s.at)
    s.at[slot] = sample
    s.code[slot] = code
    s.beats += 1
    s.run += 1
    s.hr_bpm = mean_rate(s, min(s.run - 1, HR_BEATS))
    write_beat(d, s, out, sample, code, rr_s, s.hr_bpm)
    trend_beat(d, s, code)


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
