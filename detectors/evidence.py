"""What a condition shows as its reason: the names with their units, and the numbers.

Every condition of the ECG shows these; what is not known, or not there, is left out:

| name | unit | what |
|---|---|---|
| `hr_bpm` | 1/min | heart rate of the ECG |
| `quality` | 0 to 1 | of the ECG in the last whole second: mean over its leads |
| `leads_usable`, `leads` | | how many leads can be read, and how many there are |
| `pulse_bpm` | 1/min | rate of the last good pulses, three or more in a run |
| `pulse_age_s` | s | since the last pulse began, good or not |
| `pulse_unbroken_s` | s | how long good pulses have run without a break; 0: there is a wave, and no run |
| `pulse_before_onset_s` | s | how long that run had lasted at the onset; below 0: it began afterwards |
| `leads_agreeing` | | how many usable leads show three of the last four beats by themselves |
| `quality_lead_1` … | 0 to 1 | of each lead now, in the packet's order: signal to noise; 0: cannot be read |

The pulse is that of the pleth or arterial pressure, whichever has run for longer (`pulse`). Besides:

| conditions | name | unit | what |
|---|---|---|---|
| of beats and rates | `pause_s` | s | since the last beat |
| | `ventricular_beats` | | the last so many in a row |
| heart rate low or high, extreme bradycardia | `limit_bpm` | 1/min | the limit that is passed |
| ectopy, pauses | `limit_per_min`, `limit_s` | 1/min, s | the limit that is passed, where there is one |
| ectopy | `ventricular_per_min` | 1/min | ventricular beats of the last minute |
| pauses | `normal_rr_s` | s | the usual RR interval |
| ST | `lead`, from 1 on | | the one that has changed most |
| | `st_mv`, `baseline_mv`, `limit_mv` | mV | its level, that it had, and the limit of the change |
| ventricular fibrillation | `leakage`, `crossing_share` | | of the wave: `fibrillation` |
| | `frequency_hz`, `amplitude_mv` | Hz, mV | of the wave |
| atrial fibrillation | `log_odds` | | natural, mean over some seconds |
| | `step_share`, `p_likeness` | | of the beats: `irregularity` |
| | `p_height_mv` | mV | of the mean P wave's place |
| of the signal | `leads_off` | | how many |
| | `gap_s` | s | without a sample of any lead |
| | `leads_saturated`, `leads_flat` | | how many are so (`quality`) |
| | `leads_mains`, `leads_muscle`, `leads_motion` | | the same |
| of vital signs | the number and its limit, or the points of the score | as named | nothing of the ECG |
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.classes import VENTRICULAR
from detectors.compiled import jit
from detectors.irregularity import CLEAN_STEP, P_LIKENESS
from detectors.leads import SATURATED, lead_quality, leads_agreeing
from detectors.pulse_feed import collect_pulse
from detectors.state import CONDITIONS, MAX_LEADS
from schemas import mdc
from schemas.conditions import Code
from schemas.limits import LIMITED_CODES

OWN_SLOTS = 11  # the first ones differ from condition to condition, the others are shared
PULSE = ("pulse_bpm", "pulse_age_s", "pulse_unbroken_s", "pulse_before_onset_s")
_SHARED = (*PULSE, "leads_agreeing", *(f"quality_lead_{n + 1}" for n in range(MAX_LEADS)))
_AGREEING = OWN_SLOTS + len(PULSE)
_LEADS = _AGREEING + 1
EVIDENCE_SLOTS = OWN_SLOTS + len(_SHARED)

_TROUBLES = tuple(f"leads_{kind}" for kind in ("saturated", "flat", "mains", "muscle", "motion"))
"""In the order of ``leads``' numbers, from ``SATURATED`` on."""
_ECG = ("hr_bpm", "quality", "leads_usable", "leads", "pause_s", "ventricular_beats", "limit_bpm")
_VF = (
    "hr_bpm",
    "quality",
    "leads_usable",
    "leads",
    "leakage",
    "crossing_share",
    "frequency_hz",
    "amplitude_mv",
)
_AF = (
    "hr_bpm",
    "quality",
    "leads_usable",
    "leads",
    "log_odds",
    "step_share",
    "p_likeness",
    "p_height_mv",
)
_PATTERN = (*_ECG[:6], "limit_per_min", "ventricular_per_min")
_PAUSE = (*_ECG[:6], "limit_s", "normal_rr_s")
_ST = (*_ECG[:4], "lead", "st_mv", "baseline_mv", "limit_mv")
_SIGNAL = ("hr_bpm", "quality", "leads_usable", "leads", "leads_off", "gap_s", *_TROUBLES)

_NEWS2 = (
    "score",
    "respiration_points",
    "spo2_points",
    "oxygen_points",
    "systolic_points",
    "pulse_points",
    "consciousness_points",
    "temperature_points",
)

NAMES: dict[int, tuple[str, ...]] = {
    Code.ASYSTOLE: _ECG,
    Code.VENTRICULAR_FIBRILLATION: _VF,
    Code.VENTRICULAR_TACHYCARDIA: _ECG,
    Code.EXTREME_BRADYCARDIA: _ECG,
    Code.EXTREME_TACHYCARDIA: _ECG,
    Code.HEART_RATE_LOW: _ECG,
    Code.HEART_RATE_HIGH: _ECG,
    Code.ATRIAL_FIBRILLATION: _AF,
    Code.VENTRICULAR_RUN: _PATTERN,
    Code.VENTRICULAR_COUPLET: _PATTERN,
    Code.VENTRICULAR_BIGEMINY: _PATTERN,
    Code.VENTRICULAR_TRIGEMINY: _PATTERN,
    Code.R_ON_T: _PATTERN,
    Code.VPC_RATE_HIGH: _PATTERN,
    Code.SUPRAVENTRICULAR_TACHYCARDIA: _PATTERN,
    Code.SUSTAINED_VENTRICULAR_TACHYCARDIA: _PATTERN,
    Code.PAUSE: _PAUSE,
    Code.MISSED_BEAT: _PAUSE,
    Code.AV_BLOCK: _PAUSE,
    Code.PACER_NOT_CAPTURING: _PAUSE,
    Code.PACER_NOT_PACING: _PAUSE,
    Code.ST_ELEVATION: _ST,
    Code.ST_DEPRESSION: _ST,
    Code.SPO2_LOW: ("spo2_percent", "limit_percent"),
    Code.SPO2_HIGH: ("spo2_percent", "limit_percent"),
    Code.RESPIRATION_RATE_LOW: ("respiration_per_min", "limit_per_min"),
    Code.RESPIRATION_RATE_HIGH: ("respiration_per_min", "limit_per_min"),
    Code.PULSE_RATE_LOW: ("pulse_bpm", "limit_bpm"),
    Code.PULSE_RATE_HIGH: ("pulse_bpm", "limit_bpm"),
    Code.NIBP_SYSTOLIC_LOW: ("systolic_mmhg", "limit_mmhg"),
    Code.NIBP_SYSTOLIC_HIGH: ("systolic_mmhg", "limit_mmhg"),
    Code.TEMPERATURE_LOW: ("temperature_celsius", "limit_celsius"),
    Code.TEMPERATURE_HIGH: ("temperature_celsius", "limit_celsius"),
    Code.LEAD_OFF: _SIGNAL,
    Code.ALL_LEADS_OFF: _SIGNAL,
    Code.ECG_NOISY: _SIGNAL,
    Code.SIGNAL_GAP: _SIGNAL,
    Code.DEVICE_RESTARTED: (),
    Code.DESATURATION: ("spo2_percent", "limit_percent"),
    Code.APNOEA: ("respiration_per_min", "limit_per_min"),
    Code.NEWS2_URGENT: _NEWS2,
    Code.NEWS2_EMERGENCY: _NEWS2,
}
"""Names of the evidence by condition code; slots without a name are NaN, and so is what is not known."""

_VF_CODE = int(Code.VENTRICULAR_FIBRILLATION)
_AF_CODE = int(Code.ATRIAL_FIBRILLATION)
_LOW_CODE = int(Code.HEART_RATE_LOW)
_HIGH_CODE = int(Code.HEART_RATE_HIGH)
_BRADYCARDIA_CODE = int(Code.EXTREME_BRADYCARDIA)
OF_VITALS = np.zeros(CONDITIONS, np.bool_)
OF_VITALS[int(Code.SPO2_LOW) : int(Code.SPO2_HIGH) + 1] = True
OF_VITALS[[Code.DESATURATION, Code.APNOEA, Code.NEWS2_URGENT, Code.NEWS2_EMERGENCY]] = True
"""Whether a condition, by its code, is of vital signs and follows their times instead of samples."""
OF_PATTERNS, OF_PAUSES = (
    np.array([NAMES.get(code) is names for code in range(CONDITIONS)]) for names in (_PATTERN, _PAUSE)
)
_FIRST_SIGNAL = int(Code.LEAD_OFF)
_VPC_CODE, _PAUSE_CODE = int(Code.VPC_RATE_HIGH), int(Code.PAUSE)
_ELEVATION_CODE, _DEPRESSION_CODE = int(Code.ST_ELEVATION), int(Code.ST_DEPRESSION)
_VPC_LIMIT, _RR_LIMIT, _ST_LIMIT = (LIMITED_CODES.index(code) for code in (mdc.VPC_RATE, mdc.RR, mdc.ST))
_RESTARTED = int(Code.DEVICE_RESTARTED)
for _code, _own in NAMES.items():
    if _own and not OF_VITALS[_code]:
        NAMES[_code] = (*_own, *("" for _ in range(OWN_SLOTS - len(_own))), *_SHARED)


def evidence_of(code: Code, values: NDArray[np.float64]) -> dict[str, float]:
    """Return the evidence of a condition by name, without what is not known.

    >>> values = np.full(EVIDENCE_SLOTS, np.nan)
    >>> values[:2] = 88.0, 90.0
    >>> evidence_of(Code.SPO2_LOW, values), evidence_of(Code.DEVICE_RESTARTED, values)
    ({'spo2_percent': 88.0, 'limit_percent': 90.0}, {})
    """
    named = zip(NAMES.get(code, ()), values.tolist(), strict=False)
    return {name: value for name, value in named if name and not math.isnan(value)}


@jit
def bits(mask: int) -> int:
    """Return how many bits are set."""
    n = 0
    while mask:
        mask &= mask - 1
        n += 1
    return n


@jit
def pause_s(s: Any) -> float:
    """Return the time since the last beat, or since the analysis began, in s."""
    if s.internal_hz == 0.0:
        return np.nan
    blocks = float(s.steady) if np.isnan(s.last_block) else min(float(s.steady), s.block - s.last_block)
    return float(blocks / s.internal_hz)


@jit
def ventricular_run(s: Any) -> int:
    """Return how many of the last beats in a row are ventricular."""
    n = 0
    while n < min(s.run, len(s.code)) and s.code[(s.beats - 1 - n) % len(s.code)] == VENTRICULAR:
        n += 1
    return n


@jit
def furthest(s: Any, up: bool) -> int:
    """Return the lead whose ST level has risen, or fallen, most from its baseline."""
    best = 0
    for lead in range(s.leads):
        change = s.st_mv[lead] - s.st_base_mv[lead]
        most = s.st_mv[best] - s.st_base_mv[best]
        if (change > most) if up else (change < most):
            best = lead
    return best


@jit
def _collect_st(d: Any, s: Any, up: bool, into: Any) -> None:
    lead = furthest(s, up)
    into[4] = lead + 1
    into[5] = s.st_mv[lead]
    into[6] = s.st_base_mv[lead]
    into[7] = d.high[_ST_LIMIT] if up else d.low[_ST_LIMIT]


@jit
def collect(d: Any, s: Any, code: int, value: float, into: Any) -> None:
    """Fill the evidence of a condition."""
    into[:] = np.nan
    if code == _RESTARTED:
        return
    if OF_VITALS[code]:
        into[0] = value
        into[1] = d.limit_told[code]
        return
    into[0] = s.hr_bpm
    into[1] = s.quality
    into[2] = s.leads - bits(s.unusable)
    into[3] = s.leads
    collect_pulse(s, d.onset[code] / s.ratio if s.ratio > 0.0 else np.nan, into[OWN_SLOTS:_AGREEING])
    into[_AGREEING] = leads_agreeing(s)
    for lead in range(s.leads):
        into[_LEADS + lead] = lead_quality(s, lead)
    if code == _VF_CODE:
        into[4] = s.leakage
        into[5] = s.crossing
        into[6] = s.slow_hz
        into[7] = s.slow_mv
    elif code == _AF_CODE:
        into[4] = s.af_log_odds
        into[5] = math.exp(s.af_feature[CLEAN_STEP])
        into[6] = s.af_feature[P_LIKENESS]
        into[7] = s.p_height_mv
    elif code in (_ELEVATION_CODE, _DEPRESSION_CODE):
        _collect_st(d, s, code == _ELEVATION_CODE, into)
    elif _FIRST_SIGNAL <= code <= _RESTARTED:
        into[4] = bits(s.off)
        into[5] = s.gap / s.internal_hz if s.internal_hz > 0.0 else np.nan
        for kind in range(len(_TROUBLES)):
            into[6 + kind] = (s.verdict[: s.leads] == SATURATED + kind).sum()
    else:
        _collect_beats(d, s, code, into)


@jit
def _collect_beats(d: Any, s: Any, code: int, into: Any) -> None:
    into[4] = pause_s(s)
    into[5] = ventricular_run(s)
    if code == _LOW_CODE:
        into[6] = d.low[0]
    elif code == _HIGH_CODE:
        into[6] = d.high[0]
    elif code == _BRADYCARDIA_CODE:
        into[6] = d.limit_told[code]
    elif code == _VPC_CODE:
        into[6] = d.high[_VPC_LIMIT]
    elif code == _PAUSE_CODE:
        into[6] = d.high[_RR_LIMIT]
    if OF_PAUSES[code]:
        into[7] = s.normal_rr
    elif OF_PATTERNS[code]:
        into[7] = s.v_per_min
