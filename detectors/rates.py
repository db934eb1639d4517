"""What depends on the sampling rate: the internal rate, and the QRS wavelet at it.

Computed once a rate, held in a table that the kernel indexes.

The internal rate is 100 to 200 Hz: the signal is averaged over ``step`` samples (a box filter with its
zeros at the multiples of the internal rate). The QRS wavelet is a Gabor pair, an even and an odd kernel
under one Gaussian window; the root of the sum of their squares is the envelope of the QRS band, with one
peak in the middle of the complex whatever its polarity, and without phase distortion.

References: J. P. Martinez et al., "A wavelet-based ECG delineator", IEEE Trans. Biomed. Eng. 51 (2004)
570-581 (wavelets for QRS detection); N. V. Thakor et al., "Estimation of QRS complex power spectra for
design of a QRS filter", IEEE Trans. Biomed. Eng. 31 (1984) 702-706 (the band).
Deviation: a pair in quadrature and its envelope instead of the zero crossings of one spline wavelet.
"""

import math

import numpy as np
from numpy.typing import NDArray

MIN_RATE_HZ = 100.0
MAX_RATE_HZ = 1000.0
INTERNAL_RATE_HZ = 100.0  # the least: twice the 40 Hz that IEC 60601-2-27 asks of a monitoring ECG, and some
QRS_CENTRE_HZ = (
    11.0  # Thakor 1984: best signal-to-noise ratio at 17 Hz for narrow QRS; lower for the wide ones
)
QRS_SIGMA_S = 0.028  # a first value, not yet fitted on recordings: about one third of a QRS of 90 ms
QRS_HALF_S = 0.085  # three sigma
REFERENCE_SIGMA_S = 0.013  # an R wave of 1 mV and this Gaussian width has an envelope of 1 mV
MAX_TAPS = 41

RATE = np.dtype(
    [
        ("step", np.int64),  # samples averaged into one internal sample
        ("internal_hz", np.float64),
        ("half", np.int64),  # internal samples on either side of the wavelet's middle
        ("even", np.float64, (MAX_TAPS,)),
        ("odd", np.float64, (MAX_TAPS,)),
    ],
    align=True,
)


class Rates:
    """The table: row ``round(rate) - 100`` is filled when the rate is first met."""

    def __init__(self) -> None:
        self.table = np.zeros(int(MAX_RATE_HZ - MIN_RATE_HZ) + 1, RATE)

    def add(self, rates_hz: NDArray[np.float64]) -> None:
        """Fill the rows of these rates; rates out of range are not analysed."""
        alike = rates_hz.size > 0 and rates_hz.min() == rates_hz.max()
        for rate_hz in rates_hz[:1] if alike else np.unique(rates_hz):
            if MIN_RATE_HZ - 0.5 < rate_hz < MAX_RATE_HZ + 0.5:
                row = round(rate_hz) - round(MIN_RATE_HZ)
                if self.table[row]["step"] == 0:
                    self.table[row] = _rate(round(rate_hz))


def _rate(rate_hz: int) -> NDArray[np.void]:
    row = np.zeros((), RATE)
    step = int(rate_hz // INTERNAL_RATE_HZ)
    internal_hz = rate_hz / step
    half = math.ceil(QRS_HALF_S * internal_hz)
    t = np.arange(-half, half + 1) / internal_hz
    window = np.exp(-0.5 * (t / QRS_SIGMA_S) ** 2)
    even = window * np.cos(2 * np.pi * QRS_CENTRE_HZ * t)
    even -= window * even.sum() / window.sum()  # no answer to a constant
    odd = window * np.sin(2 * np.pi * QRS_CENTRE_HZ * t)
    reference = np.exp(-0.5 * (t / REFERENCE_SIGMA_S) ** 2)
    scale = 1.0 / float(even @ reference)
    row["step"], row["internal_hz"], row["half"] = step, internal_hz, half
    row["even"][: t.size] = even * scale
    row["odd"][: t.size] = odd * scale
    return row
