"""The bank of one, for notebooks, replay and tests.

>>> import numpy as np
>>> monitor = Monitor(250.0, leads=1)
>>> events = monitor.push(np.zeros((1, 500)))
>>> len(events.beats)
0
"""

import numpy as np
from numpy.typing import NDArray

from detectors.bank import Bank
from detectors.output import Events
from schemas import mdc
from schemas.bundle import Bundle
from schemas.records import ECG_KIND, MISSING, Channel, Packet
from schemas.units import MILLIVOLT

MAX_PACKET_S = 5.0
FLOAT_GAIN = 1000.0  # counts a mV for samples given in mV: a step of 1 uV, up to 32 mV
_HIGHEST = 32767


class Monitor:
    """The detectors of one device.

    ``fs``: sampling rate, Hz. ``gain``: counts a mV of int16 samples. ``start_ns``: UTC time of the first
    sample, ns.
    """

    def __init__(self, fs: float, leads: int = 1, *, gain: float = 200.0, start_ns: int = 0) -> None:
        self._fs = fs
        self._leads = leads
        self._gain = gain
        self._start_ns = start_ns
        self._position = 0
        self._bank = Bank()

    def push(self, samples: NDArray[np.generic]) -> Events:
        """Take samples, shape (leads, n) or (n,): int16 counts, or mV as floats with NaN for missing.

        Raises:
            ValueError: of another number of leads.
        """
        found = np.atleast_2d(samples)
        if found.shape[0] != self._leads:
            raise ValueError(f"{found.shape[0]} leads, not {self._leads}")
        whole = found.dtype == np.int16
        gain = self._gain if whole else FLOAT_GAIN
        counts = found if whole else _counts(found.astype(np.float64))
        step = int(MAX_PACKET_S * self._fs)
        parts = [counts[:, at : at + step] for at in range(0, counts.shape[1], step)]
        return self._bank.push(Bundle.of("monitor", 0, 0, [self._packet(p, gain) for p in parts], []))

    def _packet(self, counts: NDArray[np.generic], gain: float) -> Packet:
        first = self._position
        self._position += counts.shape[1]
        start_ns = self._start_ns + round(first * 1e9 / self._fs)
        channels = [
            Channel(mdc.ECG, ECG_KIND, MILLIVOLT, self._fs, gain, np.ascontiguousarray(row, np.int16))
            for row in counts
        ]
        return Packet("monitor", 1, first, first, start_ns, start_ns, channels)


def _counts(mv: NDArray[np.float64]) -> NDArray[np.int16]:
    clipped = np.clip(np.rint(np.nan_to_num(mv) * FLOAT_GAIN), -_HIGHEST, _HIGHEST)
    return np.where(np.isnan(mv), MISSING, clipped).astype(np.int16)
