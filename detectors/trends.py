"""Minute trends of the ECG: heart rate, ventricular beats, the share that could be analysed.

A minute is a UTC minute by the anchor of the session (device time of a sample). A minute in which a
session begins or ends is written with what it had.
"""

from typing import Any

import numpy as np

from detectors.compiled import jit
from detectors.output import time_of, write_trend
from schemas import mdc

MINUTE_NS = 60_000_000_000
_HEART_RATE, _VPC_RATE, _ANALYSED = mdc.HEART_RATE, mdc.VPC_RATE, mdc.ECG_ANALYSED
VENTRICULAR = ord("V")
VALID_SHARE = 0.5  # of a second that must be readable to count as analysed


@jit
def trend_beat(d: Any, s: Any, code: int) -> None:
    """Count a beat."""
    if code == VENTRICULAR:
        d.v_beats += 1
    if not np.isnan(s.hr_bpm):
        d.hr_n += 1
        d.hr_sum += s.hr_bpm
        d.hr_low = min(d.hr_low, s.hr_bpm)
        d.hr_high = max(d.hr_high, s.hr_bpm)


@jit
def flush_minute(d: Any, out: Any) -> None:
    """Write the minute that is being summed up, and begin anew."""
    if d.seconds > 0:
        if d.hr_n > 0:
            mean = d.hr_sum / d.hr_n
            write_trend(d.session, out, d.minute_ns, _HEART_RATE, d.hr_n, mean, d.hr_low, d.hr_high)
        if d.analysed > 0:
            rate = d.v_beats * 60.0 / d.analysed
            write_trend(d.session, out, d.minute_ns, _VPC_RATE, d.analysed, rate, rate, rate)
        share = 100.0 * d.analysed / d.seconds
        write_trend(d.session, out, d.minute_ns, _ANALYSED, d.seconds, share, share, share)
    d.hr_n = 0
    d.hr_sum = 0.0
    d.hr_low = np.inf
    d.hr_high = -np.inf
    d.v_beats = 0
    d.seconds = 0
    d.analysed = 0


@jit
def trend_second(d: Any, s: Any, r: Any, out: Any) -> None:
    """Count a second that has just ended; close its minute when it was the last."""
    now = time_of(s, s.origin + (s.block - s.second_blocks) * r.step)
    minute = now - now % MINUTE_NS
    if minute != d.minute_ns:
        flush_minute(d, out)
        d.minute_ns = minute
    d.seconds += 1
    if s.analysable and s.blind == 0:
        d.analysed += 1
