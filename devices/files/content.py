"""What a reader finds in a file, and the steps that all readers share."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from devices.errors import RecordingError
from devices.source import MIN_PACKET_S, Wave
from devices.waves import meaning
from schemas.checks import MAX_GAIN, MAX_RATE_HZ, MIN_GAIN
from schemas.mdc import ECG, lead_name
from schemas.records import ECG_KIND, MISSING

MAX_SAMPLES = 2**28
"""Of all waves of a file together, 512 MB: three leads at 128 Hz over eight days."""
BEYOND = "a scale, a rate or values that cannot be meant"
UNFILTERED = (math.nan, math.nan, math.nan)
"""High-pass, low-pass and notch of a wave whose file says nothing of them."""
_LOWEST, _HIGHEST = -32767, 32767
_LEAD_NAME = re.compile(r"-?(?:I{1,3}|aV[RLF]|V[1-9]R?|[XYZDAJ]|CC5|C[MB][456]|NASA|ECG[1-4])(?:_\d)?")


@dataclass(slots=True, eq=False)
class Content:
    """What a file holds; nothing in it tells who the patient is.

    Attributes:
        waves: in the file's order.
        left_out: what of it is not played, each with the reason.
        start: when the first sample was taken; without a zone where the file names none.
    """

    waves: list[Wave]
    left_out: list[str]
    start: datetime | None = None

    def take(self, begun: Sequence[tuple[Wave, float]]) -> None:
        """Take waves of which each begins at a time of its own: what was not measured is missing.

        Args:
            begun: each wave, and when it begins, s behind ``start``; that moves to the first of them.

        Raises:
            RecordingError: that would be more than ``MAX_SAMPLES``.
        """
        first = min((at_s for _, at_s in begun), default=0.0)
        end = max((at_s + wave.duration_s for wave, at_s in begun), default=0.0)
        sizes = [(end - first) * wave.rate for wave, _ in begun]
        if not sum(sizes) <= MAX_SAMPLES:  # nor is NaN
            raise RecordingError(f"more than {MAX_SAMPLES} samples")
        for (wave, at_s), size in zip(begun, sizes, strict=True):
            before = round((at_s - first) * wave.rate)
            behind = max(round(size) - before - wave.samples.size, 0)
            samples = np.pad(wave.samples, (before, behind), constant_values=MISSING)
            self.waves.append(replace(wave, samples=samples))
        if self.start is not None:
            self.start += timedelta(seconds=first)


def ecg_lead(
    label: str,
    number: int,
    values: NDArray[Any],
    *,
    unit: str,
    step: float,
    zero: float = 0.0,
    rate: float,
    filters: tuple[float, float, float] = UNFILTERED,
    off: bool = False,
) -> Wave | str:
    """Return an ECG lead as the file states it, or why it cannot be played.

    Args:
        label: its name in the file; one that names no lead is not kept, since it may be any text.
        number: its place in the file, from 1, which names it then.
        values: shape (n,), as stored; NaN where nothing was measured.
        unit: of ``step`` and ``zero``: a value is ``stored * step + zero``.
        step: what one step of ``values`` is.
        zero: what a stored 0 is.
        rate: Hz.
        filters: high-pass, low-pass and notch, Hz.
        off: the device says that the electrode was off.
    """
    if not unit:
        return "the file does not say what its steps are in mV"
    what = meaning(label, unit)
    if isinstance(what, str) or what.kind != ECG_KIND:
        return "no ECG lead, or of a unit that is not known here"
    if not (math.isfinite(zero) and math.isfinite(step) and step):
        return BEYOND
    digital = np.rint(values)
    if not np.array_equal(digital, values, equal_nan=True):
        return "its samples are not whole numbers"
    if step < 0:  # here a gain is above 0
        digital, step = -digital, -step
    missing = np.isnan(digital)
    digital[missing] = 0
    if np.abs(digital).max(initial=0) >= 2**31:
        return BEYOND
    try:
        samples, offset = to_int16(digital, missing, 0.0 - zero / step)
    except RecordingError as error:
        return str(error)
    name = lead_name(what.code) if what.code != ECG else label
    if not _LEAD_NAME.fullmatch(name):
        name = f"lead {number}"
    spans = ((0.0, samples.size / rate),) if off else ()
    gain = what.per_unit / step
    return Wave(name, what.code, what.kind, what.unit, rate, gain, samples, offset, *filters, spans)


def is_meant(wave: Wave) -> bool:
    """Return whether packets can be made of it: its scale and rate are such as a device has."""
    scaled = MIN_GAIN <= wave.gain <= MAX_GAIN and math.isfinite(wave.offset)
    return scaled and 1 / MIN_PACKET_S <= wave.rate <= MAX_RATE_HZ


def hertz(value: float | None) -> float:
    """Return a filter's frequency, NaN where it is not said, or said to be none.

    >>> hertz(0.05), hertz(0), hertz(None)
    (0.05, nan, nan)
    """
    return float(value) if value is not None and math.isfinite(value) and value > 0 else math.nan


def to_int16(
    digital: NDArray[Any], missing: NDArray[np.bool_], offset: float
) -> tuple[NDArray[np.int16], float]:
    """Return samples as int16 with their offset; what does not fit is moved as a whole, never scaled.

    Raises:
        RecordingError: they span more than 16 bits.
    """
    valid = digital[~missing]
    low, high = (int(valid.min()), int(valid.max())) if valid.size else (0, 0)
    shift = 0
    if low == MISSING and high <= _HIGHEST:
        low += 1
        digital = np.maximum(digital, low)
    elif low < _LOWEST or high > _HIGHEST:
        shift = (low + high) // 2
    if high - low > _HIGHEST - _LOWEST:
        raise RecordingError(f"a channel spans {high - low} steps, more than 16 bits")
    moved = digital.astype(np.int64) - shift
    moved[missing] = MISSING
    return moved.astype(np.int16), offset - shift
