"""Rhythms that a monitor must tell, or count right: one signal a run.

Clauses are those of ANSI/AAMI EC13:2002 and of IEC 60601-2-27:2011. The standards' figures are recordings;
these are drawn after them: intervals of figures 3a and 3b as on the published waveforms (A. L. Goldberger et
al., PhysioNet, "ANSI/AAMI EC13 test waveforms"), those of 3c and 3d and the complexes of 4a and 4b after what
the standard says of them: rate, amplitude, and that complexes alternate.
"""

from itertools import accumulate, cycle
from typing import NamedTuple

import numpy as np

from ecgstream.evaluate.waveforms.shapes import Array, Shape, ec13, lay, ventricular
from ecgstream.evaluate.waveforms.signal import RATE_HZ, Signal, onset_of, with_noise

SINUS_BPM = 80.0
SINUS = ec13(1.0, 0.08, 0.2)
BEHIND_S = 12.0
"""What follows an onset."""
STEADY_S = 20.0
"""How long a steady signal is looked at, once it has settled."""
JITTER = 0.02
"""Standard deviation of a tachycardia's intervals, of their mean."""


class Tachycardia(NamedTuple):
    """A ventricular tachycardia: its rate, and its complex at 1 mV from peak to valley."""

    bpm: float
    mv: float
    first_s: float
    second_s: float
    second_share: float

    def shape(self, share: float) -> Shape:
        """Return the complex at a share of the usual amplitude."""
        return ventricular(share * self.mv, self.first_s, self.second_s, self.second_share)


FIGURE_4A = Tachycardia(206.0, 1.0, 0.15, 0.13, 0.35)
FIGURE_4B = Tachycardia(195.0, -2.0, 0.16, 0.14, 0.4)

_NARROW = ec13(0.45, 0.07, 0.08)
_DOWN = ec13(-0.8, 0.12, 0.3, qt_s=0.42)
_UP = ec13(0.95, 0.12, -0.2, qt_s=0.42)
# The beats of a period, each with the interval to the next, s.
IRREGULAR: dict[str, tuple[tuple[Shape, float], ...]] = {
    "3a_bigeminy": ((_NARROW, 0.54), (_DOWN, 0.96)),
    "3b_slow_alternating_bigeminy": ((_NARROW, 0.80), (_DOWN, 1.21), (_NARROW, 0.58), (_UP, 1.41)),
    "3c_rapid_alternating_bigeminy": ((_NARROW, 0.40), (_DOWN, 0.60), (_NARROW, 0.36), (_UP, 0.64)),
    "3d_bidirectional_systoles": ((_DOWN, 60.0 / 90.0), (_UP, 60.0 / 90.0)),
}
"""EC13, figures 3a to 3d."""


def backwards(bpm: float, last_s: float) -> Array:
    """Return the R peaks of a regular rhythm up to its last one, ascending, s."""
    return np.arange(last_s, 0.3, -60.0 / bpm)[::-1]


def asystole(run: int) -> Signal:
    """Return a sinus rhythm that stops; the onset is its last R peak."""
    onset_s = onset_of(run)
    return _signal(run, onset_s, lay(backwards(SINUS_BPM, onset_s), onset_s + BEHIND_S, RATE_HZ, SINUS))


def tachycardia(run: int, of: Tachycardia, share: float) -> Signal:
    """Return a sinus rhythm that a ventricular tachycardia follows at once; the onset is its first peak.

    Args:
        run: which.
        of: the tachycardia.
        share: of its amplitude.
    """
    onset_s, seconds = onset_of(run), onset_of(run) + BEHIND_S
    random = np.random.default_rng(run)
    before = backwards(SINUS_BPM, onset_s - random.uniform(0.35, 60.0 / SINUS_BPM))
    mean_s = 60.0 / of.bpm
    intervals = random.normal(mean_s, JITTER * mean_s, int(BEHIND_S / mean_s))
    peaks = onset_s + np.concatenate([[0.0], np.cumsum(intervals)])
    mv = lay(before, seconds, RATE_HZ, SINUS) + lay(peaks, seconds, RATE_HZ, of.shape(share))
    return _signal(run, onset_s, mv)


def step(run: int, before_bpm: float, after_bpm: float) -> Signal:
    """Return a sinus rhythm that changes its rate; the onset is the first R peak at the new rate."""
    onset_s, seconds = onset_of(run), onset_of(run) + BEHIND_S
    before = backwards(before_bpm, onset_s - 60.0 / after_bpm)
    after = np.arange(onset_s, seconds, 60.0 / after_bpm)
    return _signal(run, onset_s, lay(np.concatenate([before, after]), seconds, RATE_HZ, SINUS))


def irregular(run: int, figure: str) -> Signal:
    """Return a rhythm of ``IRREGULAR``."""
    onset_s = onset_of(run)
    seconds = onset_s + STEADY_S
    period = IRREGULAR[figure]
    starts = accumulate(cycle([interval for _, interval in period]), initial=0.3 + run / RATE_HZ)
    beats = zip(cycle([shape for shape, _ in period]), starts, strict=False)
    mv = np.zeros(int(seconds * RATE_HZ))
    for shape, at in beats:
        if at > seconds:
            break
        mv += lay([at], seconds, RATE_HZ, shape)
    return _signal(run, onset_s, mv)


def rate_of(figure: str) -> float:
    """Return the rate of a rhythm of ``IRREGULAR``, all beats counted.

    >>> [round(rate_of(figure)) for figure in IRREGULAR]
    [80, 60, 120, 90]
    """
    period = IRREGULAR[figure]
    return 60.0 * len(period) / sum(interval for _, interval in period)


def steady(run: int, qrs_mv: float, qrs_s: float, t_mv: float) -> Signal:
    """Return a regular rhythm of one beat of EC13: see ``shapes.ec13``."""
    onset_s = onset_of(run)
    seconds = onset_s + STEADY_S
    at_s = backwards(SINUS_BPM, onset_s + STEADY_S)
    return _signal(run, onset_s, lay(at_s, seconds, RATE_HZ, ec13(qrs_mv, qrs_s, t_mv)))


def _signal(run: int, onset_s: float, mv: Array) -> Signal:
    return Signal(with_noise(mv, run), onset_s)
