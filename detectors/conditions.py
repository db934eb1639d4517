"""Alarm conditions from beats, quality and ventricular waves: when they begin, go on and end.

Definitions of the five life-threatening ones: G. D. Clifford et al., "The PhysioNet/Computing in
Cardiology Challenge 2015: reducing false arrhythmia alarms in the ICU", Computers in Cardiology 42 (2015)
273-276; what is extreme depends on the kind of patient (``extremes``). None begins while the ECG cannot be
analysed.
Deviations: ends have their own, weaker thresholds, so that a condition at its limit does not flap; a single
pause or missed beat makes no bradycardia, however low the mean rate of the five beats around it; a
tachycardia that is well beyond its limit is told after nine beats; ventricular tachycardia and fibrillation
are what learnt models make of beats and wave (``runs``, ``fibrillation``).
"""

from typing import Any

import numpy as np

from detectors.atrial import LASTING_S
from detectors.beats import mean_rate
from detectors.classes import VENTRICULAR
from detectors.compiled import jit
from detectors.ectopy import ectopy
from detectors.evidence import pause_s, ventricular_run
from detectors.extremes import EXTREMES
from detectors.fibrillation import END_ODDS, WINDOW_S
from detectors.output import beat_back, code_back
from detectors.pauses import pauses
from detectors.phases import DECIDED_S, follow, now_of
from detectors.runs import BEATS as RUN_BEATS
from detectors.st import st_changes
from schemas.conditions import Code

ASYSTOLE_END_BEATS = 3
BRADYCARDIA_BEATS = 5
TACHYCARDIA_BEATS = 17
SOON_BEATS = 9
RUN_ODDS = -1.5  # natural log odds of five beats being a run, from which it is told: docs/ventricular.md
VF_WINDOWS = 3  # in a row: 4.5 s, the four seconds of the definition
UNRULY_WINDOWS = 2  # the last of these are not organised
VENTRICULAR_END_S = 6.0  # what comes back sooner is the same episode
RATE_HYSTERESIS_BPM = 3.0
RATE_HOLD_S = 1.0
RATE_END_S = 5.0
BLIND_END_S = 10.0  # a heart that cannot be seen for so long: the condition is over for want of knowledge
LEAD_HOLD_S = 2.0
NOISY_HOLD_S = 5.0
GAP_S = 1.0
TECHNICAL_END_S = 2.0
STALE_RATE = 1.5  # mean RR intervals without a beat, after which the rate is that of the pause

_ASYSTOLE = int(Code.ASYSTOLE)
_VF = int(Code.VENTRICULAR_FIBRILLATION)
_VT = int(Code.VENTRICULAR_TACHYCARDIA)
_BRADYCARDIA = int(Code.EXTREME_BRADYCARDIA)
_TACHYCARDIA = int(Code.EXTREME_TACHYCARDIA)
_AF = int(Code.ATRIAL_FIBRILLATION)
_HR_LOW = int(Code.HEART_RATE_LOW)
_HR_HIGH = int(Code.HEART_RATE_HIGH)
_LEAD_OFF = int(Code.LEAD_OFF)
_ALL_OFF = int(Code.ALL_LEADS_OFF)
_NOISY = int(Code.ECG_NOISY)
_GAP = int(Code.SIGNAL_GAP)
_RESTARTED = int(Code.DEVICE_RESTARTED)


@jit
def _first_beat(s: Any, since: float) -> float:
    """Return the ECG sample of the first ventricular beat since one; without any, that one."""
    first = since
    n = 1
    while n <= min(s.run, len(s.at)) and beat_back(s, n) >= since:
        if code_back(s, n) == VENTRICULAR:
            first = beat_back(s, n)
        n += 1
    return first


@jit
def _ventricular(d: Any, s: Any, now: float, seen: bool, blind: bool) -> None:
    """Decide on ventricular tachycardia, by its beats or its wave, and on fibrillation.

    A short burst need not be organised: tachycardia of many shapes is none the less one.
    """
    run = s.run_odds > RUN_ODDS
    wave = s.burst == 1 or (s.waving > 0 and s.organised == 1)
    over = seen and s.wave_odds < END_ODDS
    waving_since = now - (WINDOW_S + s.waving - 1) * s.rate_hz
    v = ventricular_run(s)
    since = beat_back(s, max(RUN_BEATS, v)) if run or v >= RUN_BEATS else waving_since
    onset = _first_beat(s, since)
    follow(d, s, _VT, seen and (run or wave), blind or (over and not run), 0.0, VENTRICULAR_END_S, onset)
    wild = s.waving >= VF_WINDOWS and s.unruly >= UNRULY_WINDOWS
    tame = over or (seen and s.organised == 1)
    follow(d, s, _VF, seen and wild, blind or tame, 0.0, VENTRICULAR_END_S, waving_since)


@jit
def _technical(d: Any, s: Any, now: float) -> None:
    everything = (1 << s.leads) - 1
    off = s.off | s.mask
    missing = s.gap > 0
    all_off = off == everything and not missing
    some_off = off != 0 and off != everything
    blind = s.blind > 0 and not missing
    long_gap = s.gap >= GAP_S * s.internal_hz
    gap_onset = now - s.gap * (s.rate_hz / s.internal_hz)
    follow(d, s, _GAP, long_gap, not missing, 0.0, 0.0, gap_onset)
    follow(d, s, _ALL_OFF, all_off, not all_off, LEAD_HOLD_S, TECHNICAL_END_S, now)
    follow(d, s, _LEAD_OFF, some_off, not some_off, LEAD_HOLD_S, TECHNICAL_END_S, now)
    noisy = blind and not all_off
    follow(d, s, _NOISY, noisy, not noisy, NOISY_HOLD_S, TECHNICAL_END_S, now)


@jit
def _slow_throughout(s: Any, rr_s: float) -> bool:
    """Return whether the last beats are slow one by one, not by one pause or missed beat among them."""
    long = 0
    for n in range(1, BRADYCARDIA_BEATS):
        if beat_back(s, n) - beat_back(s, n + 1) > rr_s * s.rate_hz:
            long += 1
    return long >= BRADYCARDIA_BEATS - 2


@jit
def _rates(d: Any, s: Any, now: float, seen: bool, blind: bool) -> None:
    """Decide what hangs on the heart rate; ``seen``: it is known now; ``blind``: for long it is not."""
    slow = mean_rate(s, BRADYCARDIA_BEATS - 1) if s.run >= BRADYCARDIA_BEATS else np.nan
    fast = mean_rate(s, TACHYCARDIA_BEATS - 1) if s.run >= TACHYCARDIA_BEATS else np.nan
    soon = mean_rate(s, SOON_BEATS - 1) if s.run >= SOON_BEATS else np.nan
    few = mean_rate(s, 4) if s.run > 4 else np.nan
    extreme = EXTREMES[d.category]
    d.limit_told[_BRADYCARDIA] = extreme.slow_bpm
    begins = seen and slow < extreme.slow_bpm and _slow_throughout(s, extreme.slow_rr_s)
    onset = beat_back(s, BRADYCARDIA_BEATS) if begins else now
    ends = blind or (slow > extreme.slow_end_bpm)
    follow(d, s, _BRADYCARDIA, begins, ends, 0.0, RATE_END_S, onset)
    long = fast > extreme.fast_bpm
    begins = seen and (long or soon > extreme.soon_bpm) and few > extreme.fast_bpm
    onset = beat_back(s, TACHYCARDIA_BEATS if long else SOON_BEATS) if begins else now
    back = fast < extreme.fast_end_bpm and few < extreme.fast_end_bpm
    ends = blind or back or s.hr_bpm < extreme.fast_back_bpm
    follow(d, s, _TACHYCARDIA, begins, ends, 0.0, RATE_END_S, onset)
    low, high, hr = d.low[0], d.high[0], s.hr_bpm
    enough = seen and (s.run > 4 or pause_s(s) > extreme.asystole_s)
    ends = blind or not hr < low + RATE_HYSTERESIS_BPM
    follow(d, s, _HR_LOW, enough and hr < low, ends, RATE_HOLD_S, RATE_END_S, now)
    ends = blind or not hr > high - RATE_HYSTERESIS_BPM
    follow(d, s, _HR_HIGH, enough and hr > high, ends, RATE_HOLD_S, RATE_END_S, now)


@jit
def assess(d: Any, s: Any, r: Any) -> None:
    """Look at all conditions of the ECG, at every tick; ``tell`` writes what comes of it."""
    now = now_of(s)
    _technical(d, s, now)
    seen = s.analysable == 1 and s.blind == 0
    blind = s.blind > BLIND_END_S * r.internal_hz
    pause = pause_s(s)
    asystole_s = EXTREMES[d.category].asystole_s
    if s.run == 0 or not seen:
        if s.blind > 0 or s.run == 0:
            s.hr_bpm = np.nan
    elif s.run > 1:
        rate = mean_rate(s, min(s.run - 1, 8))
        silent = pause - DECIDED_S
        s.hr_bpm = min(rate, 60.0 / silent) if silent * rate > 60.0 * STALE_RATE else rate
    still = seen and pause >= asystole_s and s.candidate == 0.0 and not d.open[_VF]
    if still:
        s.hr_bpm = 0.0
    if pause >= asystole_s:
        s.calm_beats = s.beats
    back = s.beats - s.calm_beats >= ASYSTOLE_END_BEATS
    onset = now - pause * s.rate_hz
    follow(d, s, _ASYSTOLE, still, back or blind, 0.0, 0.0, onset)
    _ventricular(d, s, now, seen, blind)
    _rates(d, s, now, seen, blind)
    ectopy(d, s, seen, blind)
    pauses(d, s, seen, blind)
    st_changes(d, s)
    lasts = s.atrial == 1 and now - s.atrial_since >= LASTING_S * s.rate_hz
    follow(d, s, _AF, lasts, s.atrial == 0, 0.0, 0.0, s.atrial_since)
