"""The twelve leads of ten seconds, on one grid; no I/O.

Where eight are stored (I, II, V1 to V6), the others follow from I and II: III = II - I (W. Einthoven,
"Weiteres über das Elektrokardiogramm", Pflügers Arch. 122 (1908) 517-584), and aVR = -(I + II) / 2, aVL = I
- II / 2, aVF = II - I / 2 (E. Goldberger, Am. Heart J. 23 (1942) 483-492).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ecgstream.registry.errors import RegistryError

if TYPE_CHECKING:
    from alerts.sheet import Lead

Array = NDArray[np.float64]

SECONDS = 10.0
STRETCH = timedelta(seconds=11)
"""What is asked for of a resting ECG: it begins at a time or within a second, which devices know better."""
INDEPENDENT = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
NAMES = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")
_FROM_I_AND_II = {"III": (-1.0, 1.0), "aVR": (-0.5, -0.5), "aVL": (1.0, -0.5), "aVF": (-0.5, 1.0)}
_MAY_LACK = 2
"""Samples at the edges, which lie where the device's clock has them."""


@dataclass(frozen=True, slots=True)
class Twelve:
    """Twelve leads of ten seconds.

    Attributes:
        mv: 12 x samples in the order of ``NAMES``, NaN where nothing was measured.
        rate_hz: samples a second.
        derived: which were not stored.
        whole: which have no gap.
    """

    mv: Array
    rate_hz: float
    derived: frozenset[str]
    whole: frozenset[str]

    def lead(self, name: str) -> Array:
        """Return a lead, mV."""
        found: Array = self.mv[NAMES.index(name)]
        return found

    def fine(self, names: Sequence[str]) -> Array:
        """Return whole leads at 1 kHz, by cubic splines; leads x 10,000."""
        from scipy.interpolate import CubicSpline  # not for who only looks at what a module is

        time = np.arange(self.mv.shape[1]) / self.rate_hz
        found = []
        for name in names:
            known = np.isfinite(self.lead(name))
            at = np.clip(np.arange(round(SECONDS * 1000)) / 1000, time[known][0], time[known][-1])
            found.append(CubicSpline(time[known], self.lead(name)[known])(at))
        return np.stack(found)


def twelve(stored: "Sequence[Lead]", rates: Mapping[str, float]) -> Twelve:
    """Return the leads of ten seconds; of two with the same name the first.

    Args:
        stored: leads, s from where the ten seconds begin.
        rates: samples a second of each.

    Raises:
        RegistryError: it is no ECG of 8 or 12 leads, they have different rates, or none is whole.
    """
    if not stored:
        raise RegistryError("no ECG is stored of these ten seconds")
    known = {lead.name: lead for lead in reversed(stored)}
    if lacking := [name for name in INDEPENDENT if name not in known]:
        raise RegistryError(
            "a resting ECG has 12 leads, or I, II and V1 to V6: of these ten seconds there is nothing of"
            f" {', '.join(lacking)}"
        )
    if len(found := {rates[name] for name in known if name in NAMES}) > 1:
        raise RegistryError("the leads have different rates, so that no beat of all of them can be measured")
    rate_hz = found.pop()
    n = round(SECONDS * rate_hz)
    rows = {name: _row(known[name], rate_hz, n) for name in NAMES if name in known}
    derived = frozenset(NAMES) - rows.keys()
    for name in derived:
        of_i, of_ii = _FROM_I_AND_II[name]
        rows[name] = of_i * rows["I"] + of_ii * rows["II"]
    measured = {name: int(np.isfinite(row).sum()) for name, row in rows.items()}
    whole = frozenset(name for name, samples in measured.items() if samples >= n - _MAY_LACK)
    if not whole:
        most_s = max(measured.values()) / rate_hz
        raise RegistryError(
            f"the ten seconds are not whole: of no lead more than {most_s:.1f} s were measured"
        )
    return Twelve(np.stack([rows[name] for name in NAMES]), rate_hz, derived, whole)


def _row(lead: "Lead", rate_hz: float, n: int) -> Array:
    row = np.full(n, np.nan)
    at = np.round(lead.time_s * rate_hz).astype(np.int64)
    good = (at >= 0) & (at < n) & np.isfinite(lead.mv)
    row[at[good]] = lead.mv[good]
    return row
