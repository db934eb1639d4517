"""Vital signs: limits with a short hold in vital event time, their minute trends, and the score made of them.

A vital belongs to the time its device gives it. What is a duplicate or a little late is ignored. A
number has one clock of its own, so that numbers that come at different paces do not shadow each other.

SpO2 and rates must stay out of their limits for 10 s, as bedside monitors commonly ask; no standard sets it.

Desaturation follows the patient's own limit: 10 points below the low limit of SpO2 in force, as monitors
commonly have it, so that a ward that moves the limit moves both. Apnoea is a respiration rate of 0 that
lasts. It is told from the number that the monitor sends, not from the respiration wave: the monitor counts
breaths over some time before its number is 0, so that its own alarm is earlier. As a condition of high
priority (IEC 60601-1-8) it has no limit that could be set, or switched off.

NEWS2 (``news2``) is scored anew with every input that comes, by the time of that input, where it is asked
for. It must ask for a response for a minute before that is told, and for a minute no longer before that ends,
so that a number at the edge of a band tells nobody twice. Where an input is missing or too old there is no
score: nothing is raised, and what is open stays open, for nothing says that the patient is better; it ends
with a full score below, with another wearer, a new session, or when the score is no longer asked for. The
minute trends have the full scores as ``NEWS2`` and how many inputs were fresh as ``NEWS2_INPUTS``: a minute
whose lowest is below 7 was incomplete.
"""

from typing import Any

import numpy as np

from detectors import news2
from detectors.compiled import jit
from detectors.control import CATEGORIES, SCORES, limit_at, patient_at
from detectors.evidence import OF_VITALS
from detectors.output import END, N_CONDITIONS, ONSET, UPDATE, outer, write_condition, write_trend
from detectors.trends import MINUTE_NS
from schemas import mdc
from schemas.conditions import Code
from schemas.limits import LIMITED_CODES
from schemas.records import Category, News2

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
_COMPUTED = tuple(sorted(mdc.COMPUTED))

_SPO2, _RESPIRATION = mdc.SPO2, mdc.RESP_RATE
_SPO2_AT = LIMITED_CODES.index(mdc.SPO2)
_DESATURATION, _APNOEA = int(Code.DESATURATION), int(Code.APNOEA)
DESATURATION_BELOW = 10.0  # %, below the limit in force
DESATURATION_WITHOUT = 80.0  # %, where none is in force: as of an adult. No standard sets it
APNOEA_PER_MIN = 1.0
APNOEA_NS = np.array([15 if c is Category.NEONATE else 20 for c in CATEGORIES]) * SECOND_NS
"""By category; 20 s is the usual definition of an apnoea, 15 s what monitors commonly have for neonates."""

_URGENT, _EMERGENCY = int(Code.NEWS2_URGENT), int(Code.NEWS2_EMERGENCY)
_NEWS2, _NEWS2_INPUTS = mdc.NEWS2, mdc.NEWS2_INPUTS
_OFF, _SCALE_2, _ADULT = (
    SCORES.index(News2.OFF),
    SCORES.index(News2.SCALE_2),
    CATEGORIES.index(Category.ADULT),
)
NEWS2_HOLD_NS = 60 * SECOND_NS  # chosen here: the RCP scores sets of observations, not streams


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
    end_ns: int,
    at: int,
    t: int,
    value: float,
) -> None:
    """Follow one limit; ``held`` is the time since when the state asked for has lasted.

    ``hold_ns``, ``end_ns``: how long it must be broken before it is told, and kept before it ends.
    """
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
    if t - d.held[code] >= end_ns:
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
def _sum_up(d: Any, out: Any, i: int, t: int, value: float) -> None:
    """Take a value into the minute of the number at a place."""
    minute = t - t % MINUTE_NS
    if minute != d.vital_minute[i]:
        _flush(d, out, i)
        d.vital_minute[i] = minute
    d.vital_n[i] += 1
    d.vital_sum[i] += value
    d.vital_low[i] = min(d.vital_low[i], value)
    d.vital_high[i] = max(d.vital_high[i], value)


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
def _hold_anew(d: Any, condition: int, t: int) -> None:
    d.held[condition] = 0
    d.told[condition] = t


@jit
def _clock_set_back(d: Any, code: int, t: int) -> None:
    """Start the number's holds anew; a condition that is open stays open."""
    for k in range(1, len(_LIMITED)):
        if _LIMITED[k] == code:
            for condition in (LOW_CONDITION[k], HIGH_CONDITION[k]):
                _hold_anew(d, condition, t)
    if code == _SPO2:
        _hold_anew(d, _DESATURATION, t)
    if code == _RESPIRATION:
        _hold_anew(d, _APNOEA, t)
    if d.worn_ns > t:  # what was measured before that can no longer be told from what was behind it
        d.vital_last[:] = np.nan
        d.worn_ns = 0


@jit
def _follow(d: Any, s: Any, out: Any, session: int, at: int, t: int, code: int, value: float) -> None:
    """Follow the limits of a number, and what goes by it besides."""
    for k in range(1, len(_LIMITED)):
        if _LIMITED[k] != code:
            continue
        low, high = limit_at(d, s, k, session, at)
        hold = HOLD_NS[k]
        end = min(END_NS, hold)
        _check(d, s, out, LOW_CONDITION[k], value < low, low, hold, end, at, t, value)
        _check(d, s, out, HIGH_CONDITION[k], value > high, high, hold, end, at, t, value)
        if k == _SPO2_AT:
            floor = DESATURATION_WITHOUT if np.isnan(low) else low - DESATURATION_BELOW
            _check(d, s, out, _DESATURATION, value < floor, floor, hold, end, at, t, value)
    if code == _RESPIRATION:
        hold = APNOEA_NS[patient_at(d, s, session, at)[0]]
        none = value < APNOEA_PER_MIN
        _check(d, s, out, _APNOEA, none, APNOEA_PER_MIN, hold, END_NS, at, t, value)


@jit
def _check_score(
    d: Any,
    s: Any,
    out: Any,
    condition: int,
    broken: bool,
    hold_ns: int,
    at: int,
    t: int,
    total: float,
    points: Any,
) -> None:
    """Follow a response that the score asks for; the points are the evidence."""
    before = out.n[N_CONDITIONS]
    _check(d, s, out, condition, broken, np.nan, hold_ns, NEWS2_HOLD_NS, at, t, total)
    if out.n[N_CONDITIONS] > before:
        out.conditions[before].evidence[1 : 1 + len(points)] = points


@jit
def _respond(d: Any, s: Any, out: Any, at: int, t: int, total: float, points: Any) -> None:
    """Follow both responses: one is open at a time, but for the minute in which it becomes the other."""
    was_emergency = d.open[_EMERGENCY]
    emergency = total >= news2.EMERGENCY
    _check_score(d, s, out, _EMERGENCY, emergency, NEWS2_HOLD_NS, at, t, total, points)
    urgent = (total >= news2.URGENT or points.max() >= news2.SINGLE) and not d.open[_EMERGENCY]
    # What has just come down from an emergency has asked for no less all the time.
    hold_ns = 0 if was_emergency and not d.open[_EMERGENCY] else NEWS2_HOLD_NS
    _check_score(d, s, out, _URGENT, urgent, hold_ns, at, t, total, points)


@jit
def _end_responses(d: Any, s: Any, out: Any, at: int, t: int) -> None:
    for condition in (_EMERGENCY, _URGENT):
        if d.open[condition]:
            _tell(d, s, out, condition, END, at, t, np.nan)
        d.open[condition] = 0
        d.held[condition] = 0


@jit
def _score(d: Any, s: Any, out: Any, session: int, at: int, t: int, code: int) -> None:
    """Score anew now that an input has come, where NEWS2 is kept of the patient."""
    category, scale, worn_ns = patient_at(d, s, session, at)
    if scale == _OFF or category != _ADULT:
        _end_responses(d, s, out, at, t)
        return
    i, j = _slot(d, _NEWS2_INPUTS), _slot(d, _NEWS2)
    if i < 0 or j < 0 or t < worn_ns:
        return
    if t < d.vital_time[i]:
        if news2.is_spot(code) or d.vital_time[i] - t <= STALE_NS:
            return  # measured before the last score: the next one has it
        _hold_anew(d, _EMERGENCY, t)
        _hold_anew(d, _URGENT, t)
    d.vital_time[i] = t
    if t - t % MINUTE_NS != d.vital_minute[j]:
        _flush(d, out, j)  # the next full score may be far off
    value, points = np.empty(news2.INPUTS), np.empty(news2.INPUTS)
    fresh, known = news2.gather(d, t, worn_ns, value)
    _sum_up(d, out, i, t, fresh)
    if fresh == news2.INPUTS:
        total = news2.score(value, scale == _SCALE_2, points)
        _sum_up(d, out, j, t, total)
        _respond(d, s, out, at, t, total, points)
    elif known < news2.INPUTS:
        _end_responses(d, s, out, at, t)
    else:
        d.held[_EMERGENCY] = 0
        d.held[_URGENT] = 0


@jit
def feed_vital(d: Any, s: Any, out: Any, session: int, t: int, code: int, value: float) -> None:
    """Take one vital."""
    if not np.isfinite(value) or code in _COMPUTED:
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
    d.vital_last[i] = value
    if code != _ECG_RATE and code != _ECG_VPC:  # those are trended from the ECG
        _sum_up(d, out, i, t, value)
    at = _sample(d, s, session, t)
    _follow(d, s, out, session, at, t, code, value)
    if news2.is_input(code):
        _score(d, s, out, session, at, t, code)
