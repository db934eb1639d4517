"""The National Early Warning Score 2: the points of its seven inputs, and which of them are fresh.

Royal College of Physicians, "National Early Warning Score (NEWS) 2: Standardising the assessment of
acute-illness severity in the NHS", London 2017: charts 1 (points) and 2 (thresholds and triggers). It is for
patients of 16 years and more, and not in pregnancy. Scale 2 of SpO2 is for those with hypercapnic respiratory
failure, by the decision of a competent clinician.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.compiled import jit
from schemas import mdc

RESPIRATION, SPO2, OXYGEN, SYSTOLIC, PULSE, CONSCIOUSNESS, TEMPERATURE = range(7)
"""The inputs, in the order of the chart."""
INPUTS = 7
URGENT, EMERGENCY, SINGLE = 5, 7, 3
"""Chart 2: which score asks for which response; the points of one input that ask for the first."""

MINUTE_NS = 60_000_000_000
FRESH_NS = np.array([2, 2, 360, 360, 2, 360, 360]) * MINUTE_NS
"""How old each input may be. Chosen here, for the RCP gives no such number. What a monitor measures all the
time may miss once where it comes once a minute. What is measured or entered from time to time, oxygen too,
holds for 6 h: the longest that the RCP lets a patient with a score above 0 wait for the next observations."""
CODES = np.array(
    [
        mdc.RESP_RATE,
        mdc.SPO2,
        mdc.OXYGEN_GIVEN,
        mdc.NIBP_SYS,
        mdc.PULSE_RATE,
        mdc.CONSCIOUSNESS,
        mdc.TEMPERATURE,
    ]
)
_HEART_RATE = mdc.HEART_RATE
_UNRESPONSIVE = 4.0


def _chart(*bands: tuple[float, int]) -> NDArray[np.float64]:
    """Return the bands of an input: up to which value how many points, shape (n, 2)."""
    return np.array(bands, np.float64)


_ABOVE = np.inf
_RESPIRATION = _chart((8, 3), (11, 1), (20, 0), (24, 2), (_ABOVE, 3))
_SPO2_1 = _chart((91, 3), (93, 2), (95, 1), (_ABOVE, 0))
_SPO2_2_AIR = _chart((83, 3), (85, 2), (87, 1), (_ABOVE, 0))
_SPO2_2_OXYGEN = _chart((83, 3), (85, 2), (87, 1), (92, 0), (94, 1), (96, 2), (_ABOVE, 3))
_OXYGEN = _chart((0, 0), (_ABOVE, 2))
_SYSTOLIC = _chart((90, 3), (100, 2), (110, 1), (219, 0), (_ABOVE, 3))
_PULSE = _chart((40, 3), (50, 1), (90, 0), (110, 1), (130, 2), (_ABOVE, 3))
_CONSCIOUSNESS = _chart((0, 0), (_ABOVE, 3))
_TEMPERATURE = _chart((35.0, 3), (36.0, 1), (38.0, 0), (39.0, 1), (_ABOVE, 2))


@jit
def _points(chart: Any, value: float) -> float:
    for i in range(len(chart) - 1):
        if value <= chart[i, 0]:
            return float(chart[i, 1])
    return float(chart[len(chart) - 1, 1])


@jit
def _whole(value: float) -> float:
    """Return a number as the chart writes it: bands meet between two whole numbers."""
    return float(np.floor(value + 0.5))


@jit
def score(value: Any, scale_2: bool, points: Any) -> float:
    """Return the score of seven known inputs.

    Args:
        value: the inputs in their order, shape (7,), in the units of ``mdc.UNITS``.
        scale_2: of SpO2, instead of scale 1.
        points: filled with each input's, shape (7,).
    """
    spo2 = _SPO2_1
    if scale_2:
        spo2 = _SPO2_2_OXYGEN if value[OXYGEN] > 0.0 else _SPO2_2_AIR
    points[RESPIRATION] = _points(_RESPIRATION, _whole(value[RESPIRATION]))
    points[SPO2] = _points(spo2, _whole(value[SPO2]))
    points[OXYGEN] = _points(_OXYGEN, value[OXYGEN])
    points[SYSTOLIC] = _points(_SYSTOLIC, _whole(value[SYSTOLIC]))
    points[PULSE] = _points(_PULSE, _whole(value[PULSE]))
    points[CONSCIOUSNESS] = _points(_CONSCIOUSNESS, value[CONSCIOUSNESS])
    points[TEMPERATURE] = _points(_TEMPERATURE, _whole(10.0 * value[TEMPERATURE]) / 10.0)
    total = 0.0
    for k in range(INPUTS):
        total += points[k]
    return total


@jit
def is_input(code: int) -> bool:
    """Return whether a number is one of the inputs, or stands in for one."""
    for k in range(INPUTS):
        if CODES[k] == code:
            return True
    return bool(code == _HEART_RATE)


@jit
def is_spot(code: int) -> bool:
    """Return whether an input is measured or entered from time to time, and may come long after it was."""
    for k in range(INPUTS):
        if CODES[k] == code:
            return bool(FRESH_NS[k] > FRESH_NS[RESPIRATION])
    return False


@jit
def _last(d: Any, code: int, since_ns: int) -> int:
    """Return the place of a number that was measured since a time; -1: it was not."""
    for i in range(len(d.vital_code)):
        if d.vital_code[i] == code:
            is_known = d.vital_time[i] >= since_ns and not np.isnan(d.vital_last[i])
            return i if is_known else -1
    return -1


@jit
def _fresh(d: Any, i: int, now_ns: int, k: int) -> bool:
    """Return whether the number at a place is fresh enough for an input, and a value that can be meant.

    Its age may be below 0: a clock that is set back leaves what was measured before ahead of it.
    """
    if i < 0 or abs(now_ns - d.vital_time[i]) > FRESH_NS[k]:
        return False
    value = d.vital_last[i]
    return bool(value >= 0.0 and (k != CONSCIOUSNESS or value <= _UNRESPONSIVE))


@jit
def gather(d: Any, now_ns: int, since_ns: int, value: Any) -> tuple[int, int]:
    """Gather the inputs from a device's last numbers.

    Where there is no fresh pulse rate, the heart rate that the monitor counts from its ECG takes its place.
    Not the one that is found here: it goes by samples, and how far these have come when a number comes is
    chance.

    Args:
        d: the device's row.
        now_ns: time of the score, by the device's clock.
        since_ns: what was measured before is of somebody else.
        value: filled with the inputs, shape (7,); NaN: not fresh.

    Returns:
        How many are fresh, and how many were ever known of the patient.
    """
    fresh, known = 0, 0
    for k in range(INPUTS):
        i = _last(d, CODES[k], since_ns)
        if k == PULSE and not _fresh(d, i, now_ns, k):
            beside = _last(d, _HEART_RATE, since_ns)
            if beside >= 0:
                i = beside
        value[k] = np.nan
        known += i >= 0
        if _fresh(d, i, now_ns, k):
            fresh += 1
            value[k] = d.vital_last[i]
    return fresh, known
