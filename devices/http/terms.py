"""What the codes and units of web messages mean here: MDC and LOINC codes, UCUM units."""

import math
import re

from devices.errors import MessageError
from devices.waves import Meaning
from schemas import mdc
from schemas.records import ECG_KIND, PLETH_KIND, PRESSURE_KIND, RESPIRATION_KIND, Channel
from schemas.units import COUNTS, MILLIVOLT, MM_HG, OHM, PERCENT

LEADS = {"ECG": mdc.ECG, **mdc.LEADS}
"""Names of leads; ``ECG``: one that is not named further."""

WAVE_UNITS = {
    "mV": (MILLIVOLT, 1.0),
    "uV": (MILLIVOLT, 1e3),
    "V": (MILLIVOLT, 1e-3),
    "%": (PERCENT, 1.0),
    "mm[Hg]": (MM_HG, 1.0),
    "kPa": (MM_HG, 0.133322387415),
    "Ohm": (OHM, 1.0),
    "{counts}": (COUNTS, 1.0),
}
"""UCUM unit of a wave to its index in ``schemas.units``, and how many of it are one of ours."""

_ECG_CODES = range(mdc.ECG, mdc.ECG + 256)  # 11073-10102 has a lead in the term's last eight bits
_WAVES = {
    mdc.PLETH: (PLETH_KIND, {COUNTS, PERCENT}),
    mdc.ABP: (PRESSURE_KIND, {MM_HG}),
    mdc.RESP: (RESPIRATION_KIND, {OHM, COUNTS, MILLIVOLT}),
} | {code: (ECG_KIND, {MILLIVOLT}) for code in _ECG_CODES}

NUMBERS = {code: unit for code, unit in mdc.UNITS.items() if code not in mdc.COMPUTED}
"""MDC code of each number that a device may measure, to its UCUM unit; the others are computed here."""

LOINC_NUMBERS = {
    "8867-4": mdc.HEART_RATE,
    "9279-1": mdc.RESP_RATE,
    "2708-6": mdc.SPO2,
    "59408-5": mdc.SPO2,
    "8310-5": mdc.TEMPERATURE,
    "8480-6": mdc.NIBP_SYS,
    "8462-4": mdc.NIBP_DIA,
    "8478-0": mdc.NIBP_MEAN,
}
"""LOINC codes of FHIR's vital signs (value set ``observation-vitalsignresult``, and 59408-5 of US Core).

LOINC says of a blood pressure nothing of how it was measured: it counts as taken with a cuff.
"""

_ANNOTATION = re.compile(r"\{[^{}]*\}")
_CONVERSIONS = {  # given, wanted: times, plus
    ("kPa", "mm[Hg]"): (1 / 0.133322387415, 0.0),
    ("[degF]", "Cel"): (5 / 9, -160 / 9),
    ("ms", "s"): (1e-3, 0.0),
    ("uV", "mV"): (1e-3, 0.0),
}


def wave(code: int, unit: str) -> Meaning:
    """Return what a wave of this MDC code and UCUM unit is.

    Raises:
        MessageError: no wave that is known here, or not in this unit.

    >>> wave(131330, "uV")
    Meaning(code=131330, kind=0, unit=0, per_unit=1000.0)
    """
    if code not in _WAVES:
        raise MessageError("no wave that is known here")
    kind, units = _WAVES[code]
    index, per_unit = WAVE_UNITS.get(unit, (-1, 0.0))
    if index not in units:
        known = ", ".join(name for name, (i, _) in WAVE_UNITS.items() if i in units)
        raise MessageError(f"such a wave is in {known} (UCUM)")
    return Meaning(code, kind, index, per_unit)


def check_wave(channel: Channel) -> None:
    """Raise ``MessageError`` where a channel's code, kind and unit do not go together."""
    kind, units = _WAVES.get(channel.code, (-1, set()))
    if channel.kind != kind or channel.unit not in units:
        raise MessageError("a channel whose code, kind and unit are not known together")


def number(code: int, value: float, unit: str) -> float:
    """Return a number in the unit that ``schemas.mdc.UNITS`` states for its code.

    UCUM's annotations mean nothing (UCUM, §12): ``{beats}/min`` is ``/min``.

    Raises:
        MessageError: no number that a device may send, or not in this unit.

    >>> round(number(150364, 98.6, "[degF]"), 6), number(147842, 71, "{beats}/min")
    (37.0, 71.0)
    """
    if code not in NUMBERS:
        raise MessageError("no number that is taken here")
    given, wanted = _plain(unit), _plain(NUMBERS[code])
    if given == wanted:
        return float(value)
    if (given, wanted) not in _CONVERSIONS:
        raise MessageError(f"such a number is in {NUMBERS[code]} (UCUM)")
    times, plus = _CONVERSIONS[given, wanted]
    converted = value * times + plus
    if math.isinf(converted):
        raise MessageError("a number that is not finite")
    return converted


def _plain(unit: str) -> str:
    bare = _ANNOTATION.sub("", unit)
    return {"1": "", "1/min": "/min"}.get(bare, bare)
