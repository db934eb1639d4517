"""FHIR's SampledData as a channel: R5 says ``interval`` and ``intervalUnit``, R4 ``period`` (ms).

Value = data times ``factor``, plus ``origin`` (datatypes, *SampledData*). Where a factor is given, data are
the device's own steps and stay as they are. Where none is, or 1, data are values, and are rounded to steps
that depend on the unit alone: 1 µV, 0.01 mmHg, 0.01 %, 0.1 Ω, 1 count. So a device's gain is the same in
every message.

``E`` (error), ``U`` and ``L`` (beyond what the device can detect) are samples that are missing.
"""

import math
import re

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from devices.errors import MessageError
from devices.http.terms import wave
from schemas.checks import MAX_GAIN, MAX_RATE_HZ, MIN_GAIN, MIN_RATE_HZ
from schemas.records import MISSING, Channel
from schemas.units import COUNTS, MILLIVOLT, MM_HG, OHM, PERCENT

UCUM = "http://unitsofmeasure.org"

_STEPS = {MILLIVOLT: 1000.0, MM_HG: 100.0, PERCENT: 100.0, OHM: 10.0, COUNTS: 1.0}
_A_SECOND = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}
_DATA = re.compile(r"[0-9+\-.eEUL ]+")
_LONGEST = 40
"""Characters of a number."""
_MOST = 1e15
_NOT_MEASURED = {"E": "nan", "U": "nan", "L": "nan"}
_HIGHEST = 32767


class Quantity(Struct, rename="camel", frozen=True):
    """What is read of a Quantity."""

    value: float | None = None
    comparator: str = ""
    system: str = ""
    code: str = ""


class SampledData(Struct, rename="camel", frozen=True):
    """What is read of SampledData."""

    origin: Quantity = Quantity()
    dimensions: int = 1
    interval: float | None = None
    interval_unit: str = ""
    period: float | None = None
    factor: float | None = None
    offsets: str = ""
    data: str = ""


def ucum(quantity: Quantity) -> str:
    """Return the UCUM unit of a quantity.

    Raises:
        MessageError: it has none.
    """
    if quantity.system != UCUM or not quantity.code:
        raise MessageError(f"a unit is wanted, with system {UCUM} and code")
    return quantity.code


def channel(code: int, said: SampledData) -> tuple[Channel, int]:
    """Return a wave of this MDC code, and how many samples are missing since they are beyond 16 bits.

    Raises:
        MessageError: no wave that is known, no steady rate, several dimensions, no decimal numbers, or none
            of them within 16 bits.
    """
    what = wave(code, ucum(said.origin))
    if said.dimensions != 1 or said.offsets:
        raise MessageError("one dimension and a steady interval are wanted, a component for each wave")
    origin, values = said.origin.value or 0.0, _values(said.data)
    if abs(origin) > _MOST:
        raise MessageError("an origin out of range")
    if said.factor is None or said.factor == 1:
        gain, offset = _STEPS[what.unit], 0.0
        steps = np.rint((values + origin) / what.per_unit * gain)
    else:
        gain, offset, steps = _own_steps(values, said.factor, origin, what.per_unit)
    if not MIN_GAIN <= gain <= MAX_GAIN or not math.isfinite(offset):
        raise MessageError("a factor or origin out of range")
    samples, lost = _int16(steps)
    return Channel(what.code, what.kind, what.unit, _rate(said), gain, samples, offset), lost


def _own_steps(
    values: NDArray[np.float64], factor: float, origin: float, per_unit: float
) -> tuple[float, float, NDArray[np.float64]]:
    """Return gain, offset and steps; a factor below 0 turns the steps, since a gain is above it."""
    if factor == 0:
        raise MessageError("a factor of 0")
    if not np.array_equal(values, np.rint(values), equal_nan=True):
        raise MessageError("data beside a factor are whole numbers; values go without one")
    return per_unit / abs(factor), -origin / abs(factor), values * math.copysign(1.0, factor)


def _rate(said: SampledData) -> float:
    if said.period is not None and said.interval is None:
        interval, a_second = said.period, _A_SECOND["ms"]
    else:
        interval, a_second = said.interval or 0.0, _A_SECOND.get(said.interval_unit, 0.0)
    if interval <= 0 or a_second <= 0:
        raise MessageError(f"an interval above 0 is wanted, in {', '.join(_A_SECOND)}")
    rate = a_second / interval
    if not MIN_RATE_HZ <= rate <= MAX_RATE_HZ:
        raise MessageError("a sampling rate out of range")
    return rate


def _values(data: str) -> NDArray[np.float64]:
    """Return the numbers of ``data``, NaN where none was measured."""
    wrong = MessageError("data are decimal numbers, E, U and L, with one space between them")
    tokens = [_NOT_MEASURED.get(token, token) for token in data.split(" ")]
    if not _DATA.fullmatch(data) or max(map(len, tokens)) > _LONGEST:
        raise wrong
    try:
        values = np.array(tokens, np.float64)
    except ValueError:
        raise wrong from None
    if np.any(np.abs(values) > _MOST):
        raise MessageError("a sample out of range")
    return values


def _int16(steps: NDArray[np.float64]) -> tuple[NDArray[np.int16], int]:
    """Return samples, and how many do not fit: a defibrillator's pulse takes no more than itself."""
    beyond = np.abs(steps) > _HIGHEST
    kept = ~beyond & ~np.isnan(steps)
    if beyond.any() and not kept.any():
        raise MessageError("all samples are beyond 16 bits")
    return np.where(kept, steps, MISSING).astype(np.int16), int(beyond.sum())
