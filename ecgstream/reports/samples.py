"""The signal of a strip in a document: evenly sampled pieces, as FHIR's SampledData writes them.

Whole microvolts in one text, apart by blanks, ``E`` where none was measured: a line a piece, not a sample.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from alerts.sheet import Lead

Samples = NDArray[np.float64]

_UV = 1000.0
_MISSING = "E"
_PLACES = 6
"""Of times in s and of Hz: microseconds."""


def text(mv: Samples) -> str:
    """Return values in mV as whole microvolts; NaN: none was measured.

    >>> text(np.array([0.012, np.nan, -1.5]))
    '12 E -1500'
    """
    return " ".join(f"{uv:.0f}" if np.isfinite(uv) else _MISSING for uv in np.round(mv * _UV) + 0.0)


def of_text(said: str) -> Samples:
    """Return what ``text`` was given, mV.

    Raises:
        ValueError: one is no number.
    """
    return np.array([np.nan if one == _MISSING else float(one) for one in said.split()]) / _UV


def pieces(lead: "Lead") -> list[dict[str, Any]]:
    """Return a lead's pieces: ``begin_s`` from the strip's beginning, ``rate_hz`` and ``uv``.

    >>> from alerts.sheet import Lead
    >>> pieces(Lead("II", np.array([0.0, 0.5, 1.0]), np.array([0.012, np.nan, -1.5])))
    [{'begin_s': 0.0, 'rate_hz': 2.0, 'uv': '12 E -1500'}]
    """
    found = []
    # Where a wave breaks off, a missing sample stands at the time of the next one (monitor.printed.leads).
    cuts = np.flatnonzero(np.diff(lead.time_s) <= 0) + 1
    for time_s, mv in zip(np.split(lead.time_s, cuts), np.split(lead.mv, cuts), strict=True):
        known = np.flatnonzero(np.isfinite(mv))
        if not known.size:
            continue
        first, last = int(known[0]), int(known[-1])
        time_s, mv = time_s[first : last + 1], mv[first : last + 1]
        step_s = float(time_s[-1] - time_s[0]) / (time_s.size - 1) if time_s.size > 1 else 1.0
        begin_s, rate_hz = round(float(time_s[0]), _PLACES), round(1 / step_s, _PLACES)
        found.append({"begin_s": begin_s, "rate_hz": rate_hz, "uv": text(mv)})
    return found


def lead(name: str, said: list[dict[str, Any]]) -> "Lead":
    """Return the lead of pieces.

    Raises:
        ValueError: a sample is no number.
    """
    from alerts.sheet import Lead  # it imports matplotlib

    times: list[Samples] = []
    values: list[Samples] = []
    for piece in said:
        mv = of_text(piece["uv"])
        time_s = piece["begin_s"] + np.arange(mv.size) / piece["rate_hz"]
        if times:  # a break
            times.append(time_s[:1])
            values.append(np.array([np.nan]))
        times.append(time_s)
        values.append(mv)
    if not times:
        return Lead(name, np.empty(0), np.empty(0))
    return Lead(name, np.concatenate(times), np.concatenate(values))
