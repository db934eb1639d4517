"""What a channel of a recording is, from its name and unit as files write them."""

import re
from dataclasses import dataclass

from schemas import mdc
from schemas.records import ECG_KIND, PLETH_KIND, PRESSURE_KIND, RESPIRATION_KIND
from schemas.units import COUNTS, MILLIVOLT, MM_HG, OHM, PERCENT

# Unit as files write it (lower case) -> index into schemas.units, steps of that unit in one of ours.
_UNITS = {
    "mv": (MILLIVOLT, 1.0),
    "uv": (MILLIVOLT, 1e3),
    "\N{MICRO SIGN}v": (MILLIVOLT, 1e3),
    "v": (MILLIVOLT, 1e-3),
    "nv": (MILLIVOLT, 1e6),
    "mmhg": (MM_HG, 1.0),
    "mm[hg]": (MM_HG, 1.0),
    "%": (PERCENT, 1.0),
    "ohm": (OHM, 1.0),
    "nu": (COUNTS, 1.0),
    "ad": (COUNTS, 1.0),
    "adu": (COUNTS, 1.0),
    "pm": (COUNTS, 1.0),
    "": (COUNTS, 1.0),
}

_PLETH = re.compile(r"PLETH|PPG|^SPO2 WAVE")
_ARTERIAL = re.compile(r"^(ABP|ART|IBP|BP)\b")
_RESPIRATION = re.compile(r"^(RESP|RSP|IMP RESP|THOR)")
_NO_ECG = re.compile(r"EEG|EOG|EMG|NOISE|SCG|ICG|^BW$|^EM$|^MA$")


@dataclass(frozen=True, slots=True)
class Meaning:
    """``code``, ``kind``, ``unit`` as in ``schemas.records.Channel``; ``per_unit``: file's units in ours."""

    code: int
    kind: int
    unit: int
    per_unit: float


def meaning(name: str, unit: str) -> Meaning | str:
    """Return what a channel is, or why it cannot be played.

    >>> meaning("MLII", "mV")
    Meaning(code=131330, kind=0, unit=0, per_unit=1.0)
    >>> meaning("EEG Fpz-Cz", "uV")
    'no wave that is known here'
    """
    plain = name.strip().upper()
    if unit.strip().lower() not in _UNITS:
        return f"unit {unit!r} is not known here"
    index, per_unit = _UNITS[unit.strip().lower()]
    if _PLETH.search(plain):
        return Meaning(mdc.PLETH, PLETH_KIND, index, per_unit)
    if _ARTERIAL.search(plain):
        return Meaning(mdc.ABP, PRESSURE_KIND, index, per_unit)
    if _RESPIRATION.search(plain):
        return Meaning(mdc.RESP, RESPIRATION_KIND, index, per_unit)
    if index == MILLIVOLT and not _NO_ECG.search(plain):
        return Meaning(mdc.lead_code(name), ECG_KIND, index, per_unit)
    return "no wave that is known here"


def filters(text: str) -> tuple[float, float, float]:
    """Return high-pass, low-pass and notch in Hz from EDF's prefiltering field, NaN where it says nothing.

    >>> filters("HP:0.05Hz LP:150Hz N:50Hz")
    (0.05, 150.0, 50.0)
    """
    found = dict(re.findall(r"\b(HP|LP|N):\s*([0-9]*\.?[0-9]+)", text))
    high, low, notch = (float(found.get(k, "nan")) for k in ("HP", "LP", "N"))
    return high, low, notch
