"""A signal that is made: one lead, with what a front end knows of it."""

from typing import NamedTuple

import numpy as np

from devices.source import Session, Source, Wave
from ecgstream.evaluate.waveforms.shapes import Array
from schemas import mdc
from schemas.records import ECG_KIND
from schemas.units import MILLIVOLT

RATE_HZ = 250.0
GAIN = 200.0
"""Steps a mV."""
NOISE_MV = 0.005
"""Root mean square of white noise: some 30 uV from peak to valley, as much as EC13, 4.2.9.3, allows."""
LEAD_S = 20.0
"""Before anything is asked: IEC 60601-2-27, 201.7.9.2.9.101 b) 4), lets a heart rate settle for so long."""
PHASES = 16
"""So many runs meet the packets and the detectors' own second at as many phases of it."""
_HIGHEST = 32767


class Signal(NamedTuple):
    """One lead.

    Attributes:
        mv: at ``RATE_HZ``, shape (n,).
        onset_s: where that begins which is to be told; of a steady signal, from where it must be right.
        paces_s: when the front end says that it saw a pacing pulse.
    """

    mv: Array
    onset_s: float
    paces_s: tuple[float, ...] = ()

    def source(self) -> Source:
        """Return the signal as a device that can be played."""
        counts = np.clip(np.rint(self.mv * GAIN), -_HIGHEST, _HIGHEST).astype(np.int16)
        wave = Wave("II", mdc.LEADS["II"], ECG_KIND, MILLIVOLT, RATE_HZ, GAIN, counts)
        session = Session((wave,), paces=self.paces_s)
        return Source("synthesised", 0, "Synthesised", simulated=True, sessions=(session,))


def onset_of(run: int) -> float:
    """Return where in a run's signal the onset lies, s: each run at another phase.

    >>> [onset_of(run) for run in (0, 1, 17)]
    [20.0, 20.0625, 20.0625]
    """
    return LEAD_S + run % PHASES / PHASES


def with_noise(mv: Array, run: int) -> Array:
    """Return a signal with a front end's noise, which is the run's own."""
    return mv + np.random.default_rng(run).normal(0.0, NOISE_MV, mv.size)
