"""Patterns of ventricular and early beats, and beats that are missed.

Looked at at every tick; what is over as it is seen is told once, with the beat that decides it.

- Run: three ventricular beats in a row and more, at any rate; couplet: two. Bigeminy: every other beat is
  ventricular, three times; trigeminy: every third, three times. Both are over once the pattern has been
  broken for some seconds.
- R on T: a ventricular beat within the mean QT interval of the beat before, after Fridericia.
- Too many: more ventricular beats in the last minute than the limit.
- Sustained ventricular tachycardia: one that lasts 30 s.
- Supraventricular tachycardia: five early beats in a row of the patient's own shape, and a fast rate. It is
  over when the rate has fallen well below that of its beginning; the class of its beats follows the rate.
- Missed beat: in a regular rhythm, an interval of nearly two, not behind an early beat.

References: R. K. Sandau et al., "Update to practice standards for electrocardiographic monitoring in hospital
settings", Circulation 136 (2017) e273-e344 (run, sustained 30 s, supraventricular tachycardia above 100);
ANSI/AAMI EC57:2012 (couplet, run); L. S. Fridericia, "Die Systolendauer im Elektrokardiogramm bei normalen
Menschen und bei Herzkranken", Acta Med. Scand. 53 (1920) 469-486.
Deviations: QT is not measured but taken from the rate, with the mean of healthy adults.
"""

from typing import Any

import numpy as np

from detectors.beats import mean_rate
from detectors.classes import RESTLESS, SUPRAVENTRICULAR, VENTRICULAR
from detectors.compiled import jit
from detectors.evidence import ventricular_run
from detectors.extremes import EXTREMES
from detectors.output import beat_back, code_back, time_of
from detectors.phases import follow, moment, now_of
from schemas import mdc
from schemas.conditions import Code
from schemas.limits import LIMITED_CODES

RUN_BEATS = 3
BIGEMINY_BEATS, TRIGEMINY_BEATS = 6, 9
PATTERN_END_S = 3.0
MEAN_QT_S = 0.38  # at a rate of 60, less what a mean over so many varies by: not to call every beat early
SUSTAINED_S = 30.0  # Sandau 2017
FAST_BEATS = 5
SLOWER = 0.85  # of the rate that a supraventricular tachycardia began with: it is over
MISSED_RR = 1.75  # running RR intervals, as bedside monitors commonly ask
REGULAR = 0.15  # of the running RR, by which the interval before a missed beat may differ
KNOWN_BEATS = 8  # before which no beat is called missed
RATE_END_S = 10.0
_RUN = int(Code.VENTRICULAR_RUN)
_COUPLET = int(Code.VENTRICULAR_COUPLET)
_BIGEMINY = int(Code.VENTRICULAR_BIGEMINY)
_TRIGEMINY = int(Code.VENTRICULAR_TRIGEMINY)
_R_ON_T = int(Code.R_ON_T)
_RATE = int(Code.VPC_RATE_HIGH)
_VT = int(Code.VENTRICULAR_TACHYCARDIA)
_VF = int(Code.VENTRICULAR_FIBRILLATION)
_SUSTAINED = int(Code.SUSTAINED_VENTRICULAR_TACHYCARDIA)
_SVT = int(Code.SUPRAVENTRICULAR_TACHYCARDIA)
_MISSED = int(Code.MISSED_BEAT)
_VPC_LIMIT = LIMITED_CODES.index(mdc.VPC_RATE)
_RR_LIMIT = LIMITED_CODES.index(mdc.RR)


@jit
def _is_v(s: Any, n: int) -> bool:
    """Return whether the ``n``-th last beat is ventricular."""
    return bool(code_back(s, n) == VENTRICULAR)


@jit
def _early_run(s: Any) -> int:
    """Return how many of the last beats in a row are supraventricular and early."""
    n = 0
    while n < min(s.run, FAST_BEATS) and code_back(s, n + 1) == SUPRAVENTRICULAR:
        n += 1
    return n


@jit
def _alternates(s: Any) -> bool:
    """Return whether every other of the last beats is ventricular."""
    alike = 0
    for n in range(1, BIGEMINY_BEATS):
        alike += _is_v(s, n) == _is_v(s, n + 1)
    return bool(s.run >= BIGEMINY_BEATS and alike == 0)


@jit
def _last_of_three(s: Any) -> int:
    """Return which of the last three beats is the only ventricular one, counted back; 0: not one of them."""
    if _is_v(s, 1) + _is_v(s, 2) + _is_v(s, 3) != 1:
        return 0
    return 1 if _is_v(s, 1) else (2 if _is_v(s, 2) else 3)


@jit
def _every_third(s: Any) -> bool:
    """Return whether every third of the last beats is ventricular, and no other."""
    other = 0
    for n in range(1, TRIGEMINY_BEATS - 2):
        other += _is_v(s, n) != _is_v(s, n + 3)
    return bool(s.run >= TRIGEMINY_BEATS and other == 0 and _last_of_three(s) > 0)


@jit
def _is_on_t(s: Any, last_s: float) -> bool:
    """Return whether the last beat lies on the T wave of the one before, ``last_s`` ago."""
    if not _is_v(s, 1) or _is_v(s, 2) or np.isnan(s.normal_rr):
        return False
    return bool(last_s < MEAN_QT_S * s.normal_rr ** (1.0 / 3.0))


@jit
def _is_behind_missed(d: Any, s: Any, last_s: float) -> bool:
    """Return whether a beat was missed before the last one, ``last_s`` behind the one before."""
    if s.run <= KNOWN_BEATS or d.paced or s.atrial or s.restless >= RESTLESS or np.isnan(s.normal_rr):
        return False
    if _is_v(s, 1) or code_back(s, 2) in (VENTRICULAR, SUPRAVENTRICULAR):
        return False
    before_s = (beat_back(s, 2) - beat_back(s, 3)) / s.rate_hz
    even = abs(before_s - s.normal_rr) < REGULAR * s.normal_rr
    return bool(even and last_s > MISSED_RR * s.normal_rr and not last_s >= d.high[_RR_LIMIT])


@jit
def _new_beat(d: Any, s: Any) -> None:
    """Tell what the last beat decides."""
    s.v_second += _is_v(s, 1)
    if s.run < 4 or d.open[_VF]:
        return
    last_s = (beat_back(s, 1) - beat_back(s, 2)) / s.rate_hz
    if not _is_v(s, 1) and _is_v(s, 2) and _is_v(s, 3) and not _is_v(s, 4):
        moment(d, s, _COUPLET, beat_back(s, 3))
    if _is_on_t(s, last_s):
        moment(d, s, _R_ON_T, beat_back(s, 1))
    if _is_behind_missed(d, s, last_s):
        moment(d, s, _MISSED, beat_back(s, 2))


@jit
def ectopy_second(s: Any) -> None:
    """Count the ventricular beats of the minute that ends with this second."""
    at = s.v_seconds % len(s.v_minute)
    s.v_per_min += s.v_second - s.v_minute[at]
    s.v_minute[at] = s.v_second
    s.v_second = 0
    s.v_seconds += 1


@jit
def ectopy(d: Any, s: Any, seen: bool, blind: bool) -> None:
    """Look at all patterns; ``seen``: the ECG can be read now; ``blind``: for long it cannot."""
    if s.beats != s.beats_seen:
        s.beats_seen = s.beats
        _new_beat(d, s)
    now = now_of(s)
    clear = seen and not d.open[_VF]
    run = ventricular_run(s)
    follow(d, s, _RUN, clear and run >= RUN_BEATS, blind or run == 0, 0.0, 0.0, beat_back(s, run))
    pairs = clear and _alternates(s)
    first = beat_back(s, BIGEMINY_BEATS if _is_v(s, BIGEMINY_BEATS) else BIGEMINY_BEATS - 1)
    broken = blind or _is_v(s, 1) == _is_v(s, 2)
    follow(d, s, _BIGEMINY, pairs, broken, 0.0, PATTERN_END_S, first)
    thirds = clear and _every_third(s)
    which = _last_of_three(s)
    first = beat_back(s, which + TRIGEMINY_BEATS - 3)
    follow(d, s, _TRIGEMINY, thirds, blind or which == 0, 0.0, PATTERN_END_S, first)
    limit = d.high[_VPC_LIMIT]
    many = clear and s.v_per_min > limit
    follow(d, s, _RATE, many, not s.v_per_min > limit, 0.0, RATE_END_S, now)
    _tachycardias(d, s, now, clear, blind)


@jit
def _tachycardias(d: Any, s: Any, now: float, clear: bool, blind: bool) -> None:
    begun_ns = d.onset_ns[_VT]
    lasts = d.open[_VT] == 1 and d.held[_VT] == 0 and time_of(s, now) - begun_ns >= SUSTAINED_S * 1e9
    onset = s.anchor + (begun_ns - s.anchor_ns) * 1e-9 * s.rate_hz
    follow(d, s, _SUSTAINED, lasts, not d.open[_VT], 0.0, 0.0, onset)
    rate = mean_rate(s, FAST_BEATS - 1) if s.run >= FAST_BEATS else np.nan
    least = EXTREMES[d.category].svt_bpm
    fast = clear and rate > least and _early_run(s) >= FAST_BEATS
    if fast and not d.open[_SVT]:
        s.svt_bpm = rate
    over = blind or rate < max(least, SLOWER * s.svt_bpm)
    follow(d, s, _SVT, fast, over, 0.0, PATTERN_END_S, beat_back(s, FAST_BEATS))
