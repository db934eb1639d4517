"""What a condition shows as its reason: the names with their units, and the numbers."""

import math
from typing import Any

import numpy as np

from detectors.classes import VENTRICULAR
from detectors.compiled import jit
from detectors.irregularity import CLEAN_STEP, P_LIKENESS
from detectors.state import CONDITIONS
from schemas import mdc
from schemas.conditions import Code
from schemas.limits import LIMITED_CODES

EVIDENCE_SLOTS = 8

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
_SIGNAL = ("hr_bpm", "quality", "leads_usable", "leads", "leads_off", "gap_s")

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
    elif code == _VPC_CODE:
        into[6] = d.high[_VPC_LIMIT]
    elif code == _PAUSE_CODE:
        into[6] = d.high[_RR_LIMIT]
    if OF_PAUSES[code]:
        into[7] = s.normal_rr
    elif OF_PATTERNS[code]:
        into[7] = s.v_per_min
