"""What a condition shows as its reason: the names with their units, and the numbers."""

import math
from typing import Any

import numpy as np

from detectors.classes import VENTRICULAR
from detectors.compiled import jit
from detectors.irregularity import CLEAN_STEP, P_LIKENESS
from detectors.state import CONDITIONS
from schemas.conditions import Code

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
_FIRST_SIGNAL = int(Code.LEAD_OFF)
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
    elif code >= _FIRST_SIGNAL:
        into[4] = bits(s.off)
        into[5] = s.gap / s.internal_hz if s.internal_hz > 0.0 else np.nan
    else:
        into[4] = pause_s(s)
        into[5] = ventricular_run(s)
        if code == _LOW_CODE:
            into[6] = d.low[0]
        elif code == _HIGH_CODE:
            into[6] = d.high[0]
