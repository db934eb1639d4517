"""Units of OBX-6, by UCUM or MDC (IEEE 11073-10101), in those of ours."""

import re
from typing import NamedTuple

from devices.hl7.message import coded
from schemas import mdc
from schemas.units import UNITS as WAVE_UNITS

MMHG_PER_KPA = 1 / 0.133322387415
_DIMENSION = 4 * 65536
"""MDC's partition of units."""


class Unit(NamedTuple):
    """A unit of a message: value times ``factor`` plus ``shift`` is the value in ``name``, our UCUM unit.

    ``is_step``: it is the step of a converter rather than a unit.
    """

    name: str
    factor: float = 1.0
    shift: float = 0.0
    is_step: bool = False

    def converted(self, value: float) -> float:
        """Return a value of this unit in ours.

        >>> Unit("Cel", 5 / 9, -160 / 9).converted(98.6)
        37.0
        """
        return value if self == Unit(self.name) else tidy(value * self.factor + self.shift)


def tidy(value: float) -> float:
    """Return a number without the dust of floating point, so that one way to reach it is like another."""
    return float(f"{value:.12g}")


PER_SECOND = "/s"
_COUNTS = Unit("{counts}")
_PER_MIN = Unit("/min")
_UCUM = {
    **{name: Unit(name) for name in (*WAVE_UNITS, *mdc.UNITS.values())},
    "{beat}/min": _PER_MIN, "{beats}/min": _PER_MIN, "{breath}/min": _PER_MIN, "{breaths}/min": _PER_MIN,
    "/s": Unit(PER_SECOND), "Hz": Unit(PER_SECOND), "ms": Unit("s", 1e-3),
    "kPa": Unit("mm[Hg]", MMHG_PER_KPA), "cm[H2O]": Unit("mm[Hg]", 0.0980665 * MMHG_PER_KPA),
    "[degF]": Unit("Cel", 5 / 9, -160 / 9), "K": Unit("Cel", 1.0, -273.15),
    "uV": Unit("mV", 1e-3), "V": Unit("mV", 1e3), "1": _COUNTS,
}  # fmt: skip

_TERMS = {
    "MDC_DIM_DIMLESS": (512, "1"), "MDC_DIM_PERCENT": (544, "%"), "MDC_DIM_SEC": (2176, "s"),
    "MDC_DIM_MILLI_SEC": (2194, "ms"), "MDC_DIM_PER_SEC": (2464, "/s"), "MDC_DIM_HZ": (2496, "Hz"),
    "MDC_DIM_PER_MIN": (2528, "/min"), "MDC_DIM_BEAT_PER_MIN": (2720, "/min"),
    "MDC_DIM_RESP_PER_MIN": (2784, "/min"), "MDC_DIM_KILO_PASCAL": (3843, "kPa"),
    "MDC_DIM_MMHG": (3872, "mm[Hg]"), "MDC_DIM_CM_H2O": (3904, "cm[H2O]"), "MDC_DIM_VOLT": (4256, "V"),
    "MDC_DIM_MILLI_VOLT": (4274, "mV"), "MDC_DIM_MICRO_VOLT": (4275, "uV"), "MDC_DIM_OHM": (4288, "Ohm"),
    "MDC_DIM_KELVIN": (4384, "K"), "MDC_DIM_FAHR": (4416, "[degF]"), "MDC_DIM_DEGC": (6048, "Cel"),
}  # fmt: skip
_MDC = {name: _UCUM[ucum] for name, (_, ucum) in _TERMS.items()}
_MDC |= {str(_DIMENSION + term): _UCUM[ucum] for term, ucum in _TERMS.values()}
_STEP = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)\.([A-Za-z\[\]%]{1,10})/(\d{1,9})", re.ASCII)


def unit_of(components: list[str]) -> Unit | None:
    """Return the unit that a field's components name, once or twice (code, text, system); None: none of ours.

    >>> unit_of(["266418", "MDC_DIM_MILLI_VOLT", "MDC"]), unit_of(["mm[Hg]", "mmHg", "UCUM"]).name
    (Unit(name='mV', factor=1.0, shift=0.0, is_step=False), 'mm[Hg]')

    UCUM also lets a monitor write its step as a unit:

    >>> unit_of(["10.mV/4096"]).factor
    0.00244140625
    """
    for code, text, system in coded(components):
        found = None if system == "MDC" else _ucum(code)
        if found is None and system != "UCUM":
            found = _MDC.get(text if code in ("", "0") else code)
        if found is not None:
            return found
    return None


def _ucum(code: str) -> Unit | None:
    step = _STEP.fullmatch(code)
    if step is None:
        return _UCUM.get(code)
    whole = _UCUM.get(step[2])
    if whole is None or whole.shift or not float(step[1]) or not int(step[3]):
        return None
    return Unit(whole.name, whole.factor * float(step[1]) / int(step[3]), is_step=True)
