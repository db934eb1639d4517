"""A stretch of ECG as a strip shows it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Signal:
    """Some seconds of ECG.

    Attributes:
        leads: names.
        mv: leads x samples, mV; NaN: missing.
        rate_hz: samples a second.
        start_ns: when the first sample was measured, UTC ns.
    """

    leads: tuple[str, ...]
    mv: NDArray[np.floating]
    rate_hz: float
    start_ns: int
