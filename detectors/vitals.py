"""Vital signs: limits with a short hold in vital event time, and their minute trends.

A vital belongs to the time its device gives it. What is a duplicate or a little late is ignored. A
number has one clock of its own, so that numbers that come at different paces do not shadow each other.

SpO2 and rates must stay out of their limits for 10 s, as bedside monitors commonly ask; no standard sets it.
"""

from typing import Any

import numpy as np

from detectors.compiled import jit
from detectors.control import limit_at
from detectors.evidence import OF_VITALS
from detectors.output import END, ONSET, UPDATE, outer, write_condition, write_trend
from detectors.trends import MINUTE_NS
from schemas import mdc
from schemas.conditions import Code
from schemas.limits import LIMITED_CODES

SECOND_NS = 1_000_000_000
# By the numbers of schemas.limits.LIMITED_CODES; the heart rate's conditions come from the ECG.
HOLD_NS = np.array([0, 10, 10, 10, 0, 0]) * SECOND_NS  # spot measurements are believed at once
LOW_CONDITION = np.array(
    [
        0,
        Code.PULSE_RATE_LOW,
        Code.SPO2_LOW,
        Code.RESPIRATION_RATE_LOW,
        Code.NIBP_SYSTOLIC_LOW,
        Code.TEMPERATURE_LOW,
    ]
)
HIGH_CONDITION = np.array(
    [
        0,
        Code.PULSE_RATE_HIGH,
        Code.SPO2_HIGH,
        Code.RESPIRATION_RATE_HIGH,
        Code.NIBP_SYSTOLIC_HIGH,
        Code.TEMPERATURE_HIGH,
    ]
)
END_NS = 5 * SECOND_NS
STALE_NS = 60 * SECOND_NS
"""Up to so far back a vital is a duplicate or out of order (gateways fill gaps of 60 s in order);
farther back the device's clock has been set back, and nobody must go unwatched until it catches up."""
_LIMITED = np.array(LIMITED_CODES[: len(HOLD_NS)])  # those behind are of the ECG
_ECG_RATE, _ECG_VPC = mdc.HEART_RATE, mdc.VPC_RATE


@jit
def _sample(d: Any, s: Any, session: int, time_ns: int) -> int:
    """Return the sample of channel 0 at a time; without an anchor, seconds stand for it."""
    if not s.started or session != d.session:
        return time_ns // SECOND_NS
    return max(0, outer(s, s.anchor + (time_ns - s.anchor_ns) * 1e-9 * s.rate_hz))


@jit
def _tell(d: Any, s: Any, out: Any, code: int, phase: int, at: int, time_ns: int, value: float) -> None:
    d.told[code] = time_ns
    write_condition(d, s, out, d.vital_session, code, phase, at, time_ns, value)


@jit
def _check(
    d: Any,
    s: Any,
    out: Any,
    code: int,
    broken: bool,
    limit: float,
    hold_ns: int,
    at: int,
    t: int,
    value: float,
) -> None:
    """Follow one limit; ``held`` is the time since when the state asked for has lasted."""
    if code == 0:
        return
    if not d.open[code]:
        if not broken:
            d.held[code] = 0
            return
        if d.held[code] == 0:
            d.held[code] = t
            d.since[code] = at
        if t - d.held[code] >= hold_ns:
            d.open[code] = 1
            d.onset[code] = d.since[code]
            d.onset_ns[code] = d.held[code]
            d.limit_told[code] = limit
            d.held[code] = 0
            _tell(d, s, out, code, ONSET, at, t, value)
        return
    if broken:
        d.held[code] = 0
        d.limit_told[code] = limit
        if t - d.told[code] >= SECOND_NS:
            _tell(d, s, out, code, UPDATE, at, t, value)
        return
    if d.held[code] == 0:
        d.held[code] = t
    if t - d.held[code] >= min(END_NS, hold_ns):
        _tell(d, s, out, code, END, at, t, value)
        d.open[code] = 0
        d.held[code] = 0


@jit
def _slot(d: Any, code: int) -> int:
    """Return the place of a number's minute, -1 where there is no room."""
    for i in range(len(d.vital_code)):
        if d.vital_code[i] == code:
            return i
        if d.vital_code[i] == 0:
            d.vital_code[i] = code
            d.vital_time[i] = -1
            return i
    return -1


@jit
def _flush(d: Any, out: Any, i: int) -> None:
    if d.vital_n[i] > 0:
        n = d.vital_n[i]
        mean = d.vital_sum[i] / n
        code = d.vital_code[i]
        write_trend(d.vital_session, out, d.vital_minute[i], code, n, mean, d.vital_low[i], d.vital_high[i])
    d.vital_n[i] = 0
    d.vital_sum[i] = 0.0
    d.vital_low[i] = np.inf
    d.vital_high[i] = -np.inf


@jit
def _new_session(d: Any, s: Any, out: Any, session: int, t: int) -> None:
    """End what the old session left open."""
    for code in range(len(d.open)):
        if not OF_VITALS[code]:
            continue
        if d.open[code]:
            at = _sample(d, s, d.vital_session, t)
            _tell(d, s, out, code, END, at, t, np.nan)
        d.open[code] = 0
        d.held[code] = 0
    for i in range(len(d.vital_code)):
        _flush(d, out, i)
    d.vital_session = session


@jit
def _clock_set_back(d: Any, code: int, t: int) -> None:
    """Start the number's holds anew; a condition that is open stays open."""
    for k in range(1, len(_LIMITED)):
        if _LIMITED[k] == code:
            for condition in (LOW_CONDITION[k], HIGH_CONDITION[k]):
                d.held[condition] = 0
                d.told[condition] = t


@jit
def feed_vital(d: Any, s: Any, out: Any, session: int, t: int, code: int, value: float) -> None:
    """Take one vital."""
    if not np.isfinite(value):
        return
    for old in d.seen:
        if old == session and session != d.session:
            return
    i = _slot(d, code)
    if i < 0:
        return
    if t <= d.vital_time[i]:
        if d.vital_time[i] - t <= STALE_NS:
            return
        _clock_set_back(d, code, t)
    if session != d.vital_session:
        _new_session(d, s, out, session, t)
    d.vital_time[i] = t
    minute = t - t % MINUTE_NS
    if minute != d.vital_minute[i]:
        _flush(d, out, i)
        d.vital_minute[i] = minute
    if code != _ECG_RATE and code != _ECG_VPC:  # those are trended from the ECG
        d.vital_n[i] += 1
        d.vital_sum[i] += value
        d.vital_low[i] = min(d.vital_low[i], value)
        d.vital_high[i] = max(d.vital_high[i], value)
    at = _sample(d, s, session, t)
    for k in range(1, len(_LIMITED)):
        if _LIMITED[k] == code:
            low, high = limit_at(d, s, k, session, at)
            _check(d, s, out, LOW_CONDITION[k], value < low, low, HOLD_NS[k], at, t, value)
            _check(d, s, out, HIGH_CONDITION[k], value > high, high, HOLD_NS[k], at, t, value)
