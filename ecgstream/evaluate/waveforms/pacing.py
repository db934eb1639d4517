"""Pacing pulses as a front end delivers them, with the beats that they bring, and without.

IEC 60601-2-27:2011, 201.12.1.101.13, and ANSI/AAMI EC13:2002, 4.1.4: pulses of 2 to 700 mV of either sign and
0.1 to 2 ms are not counted; overshoot (method A) is a tail of the other sign, of up to a quarter of the
pulse and 2 mV, that decays with 4 to 100 ms. A patient's pulse is far shorter than a sample: what arrives is
what the filter before the converter lets through, as far as the converter reaches.
"""

from typing import NamedTuple

import numpy as np

from ecgstream.evaluate.waveforms.rhythms import BEHIND_S, backwards
from ecgstream.evaluate.waveforms.shapes import Array, ec13, lay
from ecgstream.evaluate.waveforms.signal import RATE_HZ, Signal, onset_of, with_noise

FAST_HZ = 20_000.0
"""At which pulses are made: the shortest lasts two samples."""
CUT_OFF = 0.4
"""Of the sampling rate: what a front end lets through."""
FILTER_ORDER = 4
TAIL_SHARE, TAIL_MOST_MV = 0.25, 2.0
"""EC13, 4.1.4.2, method A."""
PACED_BPM = 80.0
PACED = ec13(1.2, 0.14, -0.3, qt_s=0.42, t_s=0.2)
CAPTURE_S = 0.08
"""From a pulse to the R peak of its beat: the peak lies 60 ms behind the complex's begin."""


class Pulse(NamedTuple):
    """A pacing pulse.

    Attributes:
        mv: its amplitude, with its sign.
        ms: how long it lasts.
        tail_ms: with which its overshoot decays; 0: it has none.
    """

    mv: float
    ms: float
    tail_ms: float = 0.0


def pulses(at_s: Array, seconds: float, pulse: Pulse) -> Array:
    """Return pulses that begin at ``at_s``, at ``FAST_HZ``, mV."""
    length = round(pulse.ms * 1e-3 * FAST_HZ)
    mv = np.zeros(int(seconds * FAST_HZ))
    tail = np.zeros(0)
    if pulse.tail_ms:
        time_ms = np.arange(round(5.0 * pulse.tail_ms * 1e-3 * FAST_HZ)) * (1e3 / FAST_HZ)
        top = -np.sign(pulse.mv) * min(TAIL_SHARE * abs(pulse.mv), TAIL_MOST_MV)
        tail = top * np.exp(-time_ms / pulse.tail_ms)
    wave = np.concatenate([np.full(length, pulse.mv), tail])
    for begin in np.rint(at_s * FAST_HZ).astype(int):
        end = min(begin + wave.size, mv.size)
        mv[begin:end] += wave[: end - begin]
    return mv


def front_end(mv: Array, range_mv: float) -> Array:
    """Return what a converter delivers at ``RATE_HZ`` of a signal at ``FAST_HZ``.

    Args:
        mv: the signal.
        range_mv: how far the converter reaches on either side.
    """
    from scipy.signal import butter, sosfilt

    low_pass = butter(FILTER_ORDER, CUT_OFF * RATE_HZ, fs=FAST_HZ, output="sos")
    every = round(FAST_HZ / RATE_HZ)
    return np.asarray(np.clip(sosfilt(low_pass, mv)[::every], -range_mv, range_mv), np.float64)


def paced(run: int, pulse: Pulse, *, range_mv: float, marks: bool, captures: bool) -> Signal:
    """Return a paced rhythm, whose pulses bring no beat from the onset on unless it goes on capturing.

    The onset is the last paced R peak, or from where the rate must be right.

    Args:
        run: which.
        pulse: that paces.
        range_mv: see ``front_end``.
        marks: whether the front end says where it saw the pulses.
        captures: whether each pulse brings a beat throughout.
    """
    onset_s = onset_of(run)
    seconds = onset_s + BEHIND_S
    last = backwards(PACED_BPM, onset_s)
    after = np.arange(onset_s + 60.0 / PACED_BPM, seconds, 60.0 / PACED_BPM)
    all_at = np.concatenate([last, after])
    beats = lay(all_at if captures else last, seconds, FAST_HZ, PACED)
    mv = front_end(beats + pulses(all_at - CAPTURE_S, seconds, pulse), range_mv)
    return Signal(with_noise(mv, run), onset_s, tuple(all_at - CAPTURE_S) if marks else ())
