"""Minute trends of the ECG: heart rate, ventricular beats, ST by lead, the share that could be analysed.

A minute is a UTC minute by the anchor of the session (device time of a sample). A minute in which a
session begins or ends is written with what it had. An ST level is that of ten seconds (``st``), in the minute
in which they end; each lead with a name of MDC's has a number of its own (``mdc.ST_LEADS``), others have
none.
"""

from typing import Any

import numpy as np

from detectors.compiled import jit
from detectors.output import time_of, write_trend
from schemas import mdc

MINUTE_NS = 60_000_000_000
_HEART_RATE, _VPC_RATE, _ANALYSED = mdc.HEART_RATE, mdc.VPC_RATE, mdc.ECG_ANALYSED
_ST = np.array(list(mdc.ST_LEADS.values()))
VENTRICULAR = ord("V")
VALID_SHARE = 0.5  # of a second that must be readable to count as analysed
MINUTE_ROWS = 3 + len(_ST)  # that a minute can bring


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
def trend_st(d: Any, place: int, mv: float) -> None:
    """Take an ST level of the lead with this place in ``mdc.ST_LEADS``, from 1 on; 0: it has no name."""
    if place == 0:
        return
    d.st_n[place - 1] += 1
    d.st_total[place - 1] += mv
    d.st_low[place - 1] = min(d.st_low[place - 1], mv)
    d.st_high[place - 1] = max(d.st_high[place - 1], mv)


@jit
def _flush_st(d: Any, out: Any) -> None:
    for i in range(len(_ST)):
        n = d.st_n[i]
        if n > 0:
            write_trend(d.session, out, d.minute_ns, _ST[i], n, d.st_total[i] / n, d.st_low[i], d.st_high[i])
    d.st_n[:] = 0
    d.st_total[:] = 0.0
    d.st_low[:] = np.inf
    d.st_high[:] = -np.inf


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
    _flush_st(d, out)
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
