"""What OBX-3 names: numbers and waves by MDC code, or by reference id where only that is given."""

import re

from devices.hl7.errors import LeftOutError
from devices.hl7.message import Segment, coded
from schemas import mdc
from schemas.records import ECG_KIND, PLETH_KIND, PRESSURE_KIND, RESPIRATION_KIND

TTHOR_RESP_RATE = 151578  # MDC_TTHOR_RESP_RATE: breaths as the ECG's electrodes see them
IMPED_TTHOR = 151780  # MDC_IMPED_TTHOR: the wave that this is counted in

NUMBERS = {code: code for code in mdc.UNITS if code not in mdc.COMPUTED} | {TTHOR_RESP_RATE: mdc.RESP_RATE}
"""Code of a number to that of ours."""

WAVES = {
    **{code: (code, ECG_KIND) for code in (mdc.ECG, *mdc.LEADS.values())},
    mdc.PLETH: (mdc.PLETH, PLETH_KIND),
    mdc.ABP: (mdc.ABP, PRESSURE_KIND),
    mdc.RESP: (mdc.RESP, RESPIRATION_KIND),
    IMPED_TTHOR: (mdc.RESP, RESPIRATION_KIND),
}
"""Code of a wave to that of ours, and its kind."""

REFERENCES = {
    "MDC_ECG_HEART_RATE": mdc.HEART_RATE,
    "MDC_ECG_CARD_BEAT_RATE": mdc.HEART_RATE,
    "MDC_ECG_V_P_C_RATE": mdc.VPC_RATE,
    "MDC_ECG_TIME_PD_RR_GL": mdc.RR,
    "MDC_ECG_AMPL_ST": mdc.ST,
    "MDC_PULS_OXIM_PULS_RATE": mdc.PULSE_RATE,
    "MDC_PULS_OXIM_SAT_O2": mdc.SPO2,
    "MDC_RESP_RATE": mdc.RESP_RATE,
    "MDC_TTHOR_RESP_RATE": TTHOR_RESP_RATE,
    "MDC_PRESS_BLD_NONINV_SYS": mdc.NIBP_SYS,
    "MDC_PRESS_BLD_NONINV_DIA": mdc.NIBP_DIA,
    "MDC_PRESS_BLD_NONINV_MEAN": mdc.NIBP_MEAN,
    "MDC_TEMP_BODY": mdc.TEMPERATURE,
    "MDC_ATTR_VAL_BATT_CHARGE": mdc.BATTERY_CHARGE,
    "MDC_ECG_ELEC_POTL": mdc.ECG,
    **{f"MDC_ECG_ELEC_POTL_{lead.upper()}": code for lead, code in mdc.LEADS.items()},
    "MDC_PULS_OXIM_PLETH": mdc.PLETH,
    "MDC_PRESS_BLD_ART": mdc.ABP,
    "MDC_RESP": mdc.RESP,
    "MDC_IMPED_TTHOR": IMPED_TTHOR,
}
"""Reference id to code."""

SAMPLE_RATE, RESOLUTION = "MDC_ATTR_SAMP_RATE", "MDC_ATTR_NU_MSMT_RES"
DATA_RANGE, SCALE_RANGE = "MDC_ATTR_DATA_RANGE", "MDC_ATTR_SCALE_RANGE"
HIGH_PASS, LOW_PASS, NOTCH = "MDC_ATTR_FILTER_HIGH_PASS", "MDC_ATTR_FILTER_LOW_PASS", "MDC_ATTR_FILTER_NOTCH"
INOPERATIVE = "MDC_EVT_INOP"
FACETS = {
    **{name: name for name in (SAMPLE_RATE, RESOLUTION, DATA_RANGE, SCALE_RANGE)},
    **{name: name for name in (HIGH_PASS, LOW_PASS, NOTCH, INOPERATIVE)},
    "MDC_ATTR_SAMPLE_RATE": SAMPLE_RATE,
    "MDC_ATTR_SA_MSMT_RES": RESOLUTION,
    "MDC_EVT_DATA_INVALID": INOPERATIVE,
    "MDC_EVT_DATA_MISSING": INOPERATIVE,
}
"""What is said of a wave, by the names that it goes under; their codes differ from monitor to monitor."""

_CODE = re.compile(r"[1-9]\d{0,9}", re.ASCII)
_REFERENCE = re.compile(r"[A-Z]{2,8}_[A-Z0-9_]{1,60}", re.ASCII)


def facet_of(segment: Segment) -> str | None:
    """Return which facet of a wave an OBX is; None: none that is known here."""
    return next((FACETS[text] for _, text, _ in coded(segment.components(3)) if text in FACETS), None)


def code_of(segment: Segment, known: dict[int, int] | dict[int, tuple[int, int]]) -> int:
    """Return the code of what an OBX measures, one of those that are known.

    Raises:
        LeftOutError: it is not in MDC, not known here, or named once so and once otherwise.
    """
    named = [(code, text) for code, text, system in coded(segment.components(3)) if system == "MDC"]
    if not named:
        raise LeftOutError("its code is not one of MDC")
    code, reference = named[0]
    by_name = REFERENCES.get(reference)
    if code in ("", "0"):
        if by_name not in known or by_name is None:
            shown = reference if _REFERENCE.fullmatch(reference) else "its reference id"
            raise LeftOutError(f"{shown} is not known here")
        return by_name
    number = int(code) if _CODE.fullmatch(code) else 0
    if number not in known:
        raise LeftOutError(f"{number or 'its code'} is not known here")
    if by_name not in (None, number):
        raise LeftOutError(f"{number} is not the code of its reference id")
    return number
