"""Ten seconds of 12 leads whose intervals are known, since each wave is a bow with a beginning and an end."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LEADS = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")


class Wave(NamedTuple):
    """A wave of a beat: ms after QRS begins, and mV in each lead."""

    begin: float
    end: float
    mv: tuple[float, ...]


class Beat(NamedTuple):
    """The intervals of a beat, ms; no P wave where ``p`` is 0."""

    p: float = 100
    pr: float = 160
    qrs: float = 90
    qt: float = 380

    def waves(self) -> list[Wave]:
        third = self.qrs / 3
        qrs = [
            Wave(0, third, (-0.05, -0.1, 0.15, 0.2, 0.1, -0.1, -0.1, -0.1)),
            Wave(third * 0.6, third * 2.2, (0.8, 1.2, 0.2, 0.4, 0.9, 1.6, 1.5, 1.2)),
            Wave(third * 1.7, self.qrs, (-0.1, -0.2, -1.0, -1.4, -0.8, -0.4, -0.2, -0.1)),
        ]
        t = Wave(self.qt - 180, self.qt, (0.25, 0.3, -0.1, 0.4, 0.5, 0.5, 0.4, 0.3))
        p = Wave(-self.pr, self.p - self.pr, (0.08, 0.14, 0.05, 0.06, 0.06, 0.06, 0.06, 0.06))
        return [*qrs, t, *([p] if self.p else [])]


def bow(x: Array) -> Array:
    """Return a raised cosine over 0 to 1, and nothing else."""
    return np.where((x > 0) & (x < 1), 0.5 - 0.5 * np.cos(2 * np.pi * np.clip(x, 0, 1)), 0.0)


def signal(beat: Beat, begins_s: Array, rate: float = 500, seconds: float = 10) -> Array:
    """Return I, II and V1 to V6 with a beat whose QRS begins at each time; leads x samples, mV."""
    time_ms = np.arange(round(seconds * rate)) / rate * 1000
    found = np.zeros((len(LEADS), time_ms.size))
    for begin in begins_s * 1000:
        for wave in beat.waves():
            shape = bow((time_ms - begin - wave.begin) / (wave.end - wave.begin))
            found += np.outer(wave.mv, shape)
    return found
