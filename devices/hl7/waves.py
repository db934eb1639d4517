"""Waves in OBX-5 (NA) with what is said of them in facets (IHE WCM): samples in int16.

**Scale.** A sample in its unit is, by what the message says:

* with a resolution: sample times resolution, in the resolution's unit;
* with a scale range and a data range: as one maps on the other;
* else the sample itself, in the unit of OBX-6.

**Exactness.** The step of int16 follows from what is said of the wave, never from its samples, since a gain
that changes begins a new session. Whole samples with a scale come back as they are. Others come back exactly
down to the finest power of ten at which the data range fits, or, where none is stated, to 0.001 (mV, Ohm),
0.01 (mm[Hg], %) and 1 (counts). What is finer is rounded, and that is said.
"""

import math
import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from devices.hl7 import codes
from devices.hl7.errors import LeftOutError
from devices.hl7.message import Segment
from devices.hl7.units import PER_SECOND, Unit, tidy, unit_of
from schemas.checks import MAX_GAIN, MAX_RATE_HZ, MIN_GAIN, MIN_RATE_HZ
from schemas.records import ECG_KIND, MISSING, PLETH_KIND, PRESSURE_KIND, RESPIRATION_KIND, Channel
from schemas.units import COUNTS, MILLIVOLT, MM_HG, OHM, PERCENT, UNITS

_UNITS_OF = {
    ECG_KIND: (MILLIVOLT,),
    PRESSURE_KIND: (MM_HG,),
    PLETH_KIND: (COUNTS, PERCENT),
    RESPIRATION_KIND: (OHM, COUNTS, PERCENT, MILLIVOLT),
}
_FINEST = {MILLIVOLT: 1e-3, OHM: 1e-3, MM_HG: 0.01, PERCENT: 0.01, COUNTS: 1.0}
_LOWEST, _HIGHEST = -32767, 32767
_MAX_DECIMALS = 6
_MOST = 1e15  # beyond it a float does not count in whole steps
_DUST = 1e-6
_NOTHING = frozenset({"INV", "NAV", "OFF", "BUSY", "NI", "NA", "MSK", "OTH", "NAN", "PINF", "NINF"})
"""OBX-8 where there is no valid measurement (PCD TF-2, tables B.8.5-6 and B.8.5-7)."""

_NUMBER = re.compile(r"[+-]?(?:\d{1,15}(?:\.\d{0,30})?|\.\d{1,30})", re.ASCII)
_NO_NUMBER = re.compile(r"[^0-9+.^-]")
_PLAIN_NUMBERS = msgspec.json.Decoder(list[float])


def number(text: str) -> float:
    """Return a number as HL7 writes it (NM): no exponent, no infinity.

    Raises:
        LeftOutError: it is none.
    """
    if not _NUMBER.fullmatch(text):
        raise LeftOutError("its value is no number")
    return float(text)


@dataclass(slots=True, repr=False)
class Wave:
    """An OBX that holds samples, what it is, when it begins (UTC ns), and its facets as they come in."""

    segment: Segment
    code: int
    start_ns: int
    is_off: bool
    facets: dict[str, list[Segment]] = field(default_factory=lambda: defaultdict(list))


class _Scale(NamedTuple):
    """A sample of the message is ``sample * step + origin`` in the unit; ``whole``: it has no decimals."""

    unit: int
    step: float
    origin: float
    whole: bool


def flags(segment: Segment) -> set[str]:
    """Return the flags of OBX-8."""
    marks = segment.separators
    return {flag.partition(marks.component)[0].strip() for flag in segment[8].split(marks.repetition)}


def measures_nothing(segment: Segment) -> bool:
    """Return whether OBX-8 says that nothing is measured there."""
    return not _NOTHING.isdisjoint(flags(segment))


def channel_of(wave: Wave) -> tuple[Channel, list[str]]:
    """Return a wave, and what of it could not be kept.

    A lead is off where its monitor says that nothing is measured there, or marks all of its samples so.

    Raises:
        LeftOutError: it cannot be taken.
    """
    code, kind = codes.WAVES[wave.code]
    rate, scale, limits = _rate(wave), _scale(wave, kind), _range(wave, codes.DATA_RANGE)
    factor, shift = _fit(scale, limits)
    gain, offset = tidy(factor / scale.step), round(-shift - scale.origin * factor / scale.step, 6)
    if not (MIN_GAIN <= gain <= MAX_GAIN and math.isfinite(offset)):
        raise LeftOutError("a scale that cannot be meant")
    samples = _samples(wave.segment)
    marked = _marked(wave, samples)
    exact = samples * factor - shift
    stored = np.rint(exact)
    outside = np.abs(stored) > _HIGHEST
    if limits is not None:
        outside |= (samples < limits[0]) | (samples > limits[1])
    outside &= ~marked
    lost = marked | outside
    kept: NDArray[np.bool_] | slice = ~lost if lost.any() else slice(None)
    notes = [f"{outside.sum()} samples outside of what can be measured"] if outside.any() else []
    if scale.whole and (np.rint(samples) != samples)[kept].any():
        raise LeftOutError("decimals beside a scale: which of the two is meant is not certain")
    if (np.abs(stored - exact)[kept] > _DUST).any():
        notes.append(f"rounded to steps of {scale.step / factor:g} {UNITS[scale.unit]}")
    stored[lost] = MISSING
    high_pass, low_pass, notch = (_hertz(wave, n) for n in (codes.HIGH_PASS, codes.LOW_PASS, codes.NOTCH))
    values, off = stored.astype(np.int16), bool(marked.all())
    return Channel(code, kind, scale.unit, rate, gain, values, offset, high_pass, low_pass, notch, off), notes


def _marked(wave: Wave, samples: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which samples the monitor says were not measured."""
    if wave.is_off:
        return np.ones(samples.shape, bool)
    marks = {number(facet.text(5)) for facet in wave.facets[codes.INOPERATIVE] if facet[5]}
    marked = np.isnan(samples)
    if len(marks) == 1:  # as nearly always; ``isin`` is made for many
        marked |= samples == marks.pop()
    elif marks:
        marked |= np.isin(samples, [*marks])
    return marked


def _samples(segment: Segment) -> NDArray[np.float64]:
    """Return the samples, NaN for an empty one."""
    text = segment[5]
    if segment.separators.repetition in text:
        raise LeftOutError("more than one series in OBX-5")
    separator = segment.separators.component
    if _NO_NUMBER.search(text if separator == "^" else text.replace(separator, "^")):
        raise LeftOutError("samples that are no numbers")
    try:
        found = np.array(_numbers(text, separator))
    except ValueError:
        raise LeftOutError("samples that are no numbers") from None
    if np.isnan(found).all():
        raise LeftOutError("no samples")
    if (np.abs(found) > _MOST).any():
        raise LeftOutError("samples that are no numbers")
    return found


def _numbers(text: str, separator: str) -> list[float]:
    """Return numbers; msgspec reads those that JSON writes as well, in much less time than ``float``."""
    try:
        return _PLAIN_NUMBERS.decode(f"[{text.replace(separator, ',')}]")
    except msgspec.DecodeError:  # one is empty, or begins with a plus, a point or a zero
        return [float(part or "nan") for part in text.split(separator)]


def _rate(wave: Wave) -> float:
    facet = _one(wave, codes.SAMPLE_RATE)
    if facet is None:
        raise LeftOutError("no MDC_ATTR_SAMP_RATE")
    unit = unit_of(facet.components(6))
    if facet[6] and (unit is None or unit.name != PER_SECOND):
        raise LeftOutError("a sampling rate that is not in samples per second")
    rate = number(facet.text(5))
    if not MIN_RATE_HZ <= rate <= MAX_RATE_HZ:
        raise LeftOutError("a sampling rate that cannot be meant")
    return rate


def _scale(wave: Wave, kind: int) -> _Scale:
    own = unit_of(wave.segment.components(6))
    if wave.segment[6] and own is None:
        raise LeftOutError("a unit that is not known here")
    resolution, scale = _one(wave, codes.RESOLUTION), _one(wave, codes.SCALE_RANGE)
    data, values = _range(wave, codes.DATA_RANGE), _range(wave, codes.SCALE_RANGE)
    if resolution is not None:
        unit = _physical(resolution, own)
        step = number(resolution.text(5)) * unit.factor
        return _Scale(_allowed(unit, kind), _positive(step), 0.0, whole=True)
    if scale is None or data is None or values is None:
        unit = own or Unit(UNITS[COUNTS])
        return _Scale(_allowed(unit, kind), unit.factor, 0.0, unit.is_step)
    unit = _physical(scale, own)
    (first, last), (low, high) = data, values
    step = (high - low) / (last - first)
    return _Scale(
        _allowed(unit, kind), _positive(step * unit.factor), (low - first * step) * unit.factor, whole=True
    )


def _physical(facet: Segment, own: Unit | None) -> Unit:
    """Return the unit of a facet, or that of its wave where it has none, or only that of a bare number."""
    found = unit_of(facet.components(6))
    if facet[6] and found is None:
        raise LeftOutError("a unit that is not known here")
    plain = Unit(UNITS[COUNTS])
    return own or plain if found in (None, plain) else found or plain


def _allowed(unit: Unit, kind: int) -> int:
    """Return the index of a wave's unit."""
    allowed = {UNITS[index]: index for index in _UNITS_OF[kind]}
    if unit.name not in allowed or unit.shift:
        raise LeftOutError(f"not in {' or '.join(allowed)}")
    return allowed[unit.name]


def _positive(step: float) -> float:
    if step <= 0:
        raise LeftOutError("a scale that cannot be meant")
    return step


def _fit(scale: _Scale, limits: tuple[float, float] | None) -> tuple[float, int]:
    """Return the power of ten by which samples are multiplied, and how far they are moved then to fit."""
    decimals = 0
    if limits is None and not scale.whole:
        finest = _FINEST[scale.unit] * (1 + 1e-9)
        decimals = next((d for d in range(_MAX_DECIMALS) if scale.step / 10**d <= finest), _MAX_DECIMALS)
    if limits is None:
        return 10.0**decimals, 0
    low, high = limits
    most = 0 if scale.whole else _MAX_DECIMALS
    for decimals in range(most, -16, -1):
        factor = 10.0**decimals
        if (high - low) * factor <= _HIGHEST - _LOWEST:
            fits = low * factor >= _LOWEST and high * factor <= _HIGHEST
            return factor, 0 if fits else round((low + high) / 2 * factor)
    raise LeftOutError("a data range that cannot be meant")


def _one(wave: Wave, name: str) -> Segment | None:
    found = wave.facets[name]
    if len({(facet[5], facet[6]) for facet in found}) > 1:
        raise LeftOutError(f"{name} twice")
    return found[0] if found else None


def _range(wave: Wave, name: str) -> tuple[float, float] | None:
    """Return the two numbers of a range (NR)."""
    facet = _one(wave, name)
    if facet is None:
        return None
    ends = facet.components(5)
    if len(ends) != 2 or not (low := number(ends[0])) < (high := number(ends[1])):
        raise LeftOutError(f"{name} is no range")
    return low, high


def _hertz(wave: Wave, name: str) -> float:
    """Return the corner of a filter, NaN where it is not said so that it is certain."""
    facet = _one(wave, name)
    if facet is None or not _NUMBER.fullmatch(facet.text(5)):
        return math.nan
    unit = unit_of(facet.components(6))
    return number(facet.text(5)) if unit is not None and unit.name == PER_SECOND else math.nan
