"""What beats, rhythms and leads are called elsewhere.

Sources: DICOM PS3.16, CID 3335 and 3001, which print the terms of ISO/IEEE 11073-10102.
"""

from typing import NamedTuple

from ecgstream.exchange.recording import Lead
from schemas import mdc


class Beat(NamedTuple):
    """A kind of beat: DICOM's value in scheme MDC, the name of the term, what it means."""

    value: str
    term: str
    meaning: str


BEATS = {
    "N": Beat("10:8208", "MDC_ECG_BEAT_NORMAL", "Normal beat (sinus beat, normal conduction)"),
    "S": Beat("10:8256", "MDC_ECG_BEAT_SV_P_C", "Supraventricular premature contraction"),
    "V": Beat("10:8336", "MDC_ECG_BEAT_V_P_C", "Ventricular premature contraction beat"),
    "F": Beat("10:8352", "MDC_ECG_BEAT_V_P_C_FUSION", "Fusion of ventricular and normal beat"),
    "Q": Beat("10:8736", "MDC_ECG_BEAT_UNKNOWN", "Unclassifiable beat"),
    "/": Beat("10:8704", "MDC_ECG_BEAT_PACED", "Paced beat"),
}
"""By the letters of ``schemas.wfdb.BEATS``."""

TWELVE = frozenset(mdc.LEADS)
"""The leads of a resting ECG."""
_UNSPECIFIED = "CONFIG"


def lead_value(lead: Lead) -> str:
    """Return DICOM's value of a lead in scheme MDC; ``2:0`` is one that is not named further.

    >>> lead_value(Lead("II", mdc.LEADS["II"], 0, "mV", 250.0, 200.0))
    '2:2'
    """
    return f"2:{max(0, lead.code - mdc.ECG)}"


def lead_term(lead: Lead) -> str:
    """Return the name of a lead's term.

    >>> lead_term(Lead("aVR", mdc.LEADS["aVR"], 0, "mV", 250.0, 200.0))
    'MDC_ECG_LEAD_AVR'
    """
    name = mdc.lead_name(lead.code)
    return f"MDC_ECG_LEAD_{_UNSPECIFIED if lead.code == mdc.ECG else name.upper()}"
