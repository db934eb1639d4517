"""The strip of a page: ECG paper as a picture, as people have learnt to read it.

A calibration pulse of 1 mV and 200 ms stands before each lead (``alerts.paper``). The same input gives
the same bytes.
"""

import math
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from alerts import paper
from alerts.ecg import Signal
from alerts.notify import Strip, iso
from alerts.paper import BIG, MM_PER_MV, MM_PER_S

_MARGIN = 4.0
_HEAD = 15.0
_FOOT = 8.0
_SIDE = 20.0  # before the signal: the lead's name and the pulse
_PULSE_AT = 11.0
_LEAST_UP, _LEAST_DOWN, _MOST = 15.0, 5.0, 40.0  # of a lead, from its base line, in mm
_ONSET = "#1f4fbf"


@dataclass(frozen=True, slots=True)
class Caption:
    """What stands above a strip; never a patient's name.

    Attributes:
        title: priority and condition.
        line: pseudonym, device, place.
        onset_ns: UTC ns.
    """

    title: str
    line: str
    onset_ns: int


def draw(signal: Signal, caption: Caption, *, before_s: float, after_s: float) -> Strip:
    """Draw a signal from before an onset to behind it; what is missing there is left blank.

    Raises:
        ValueError: names and leads differ in number, or there is nothing to draw.
    """
    with paper.drawing:
        figure = figure_of(signal, caption, before_s=before_s, after_s=after_s)
        png, pdf = BytesIO(), BytesIO()
        figure.savefig(png, format="png", dpi=paper.DPI, metadata={"Software": None})
        figure.savefig(pdf, format="pdf", metadata={"CreationDate": None})
    return Strip(png.getvalue(), pdf.getvalue(), _alt(signal, caption, before_s + after_s))


def figure_of(signal: Signal, caption: Caption, *, before_s: float, after_s: float) -> Figure:
    """Return the strip as a figure whose only axes count millimetres of paper from the lower left corner."""
    names, mv = signal.leads, np.asarray(signal.mv, np.float64)
    if mv.ndim != 2 or len(mv) != len(names) or not names:
        raise ValueError(f"{len(names)} lead names for a signal of shape {mv.shape}: give leads x samples")
    if not (before_s >= 0 and after_s >= 0 and before_s + after_s > 0):
        raise ValueError(f"a strip of {before_s} s before and {after_s} s behind the onset is empty")
    time_s, mm = _cut(signal, mv, caption.onset_ns, before_s, after_s)
    rows = [_extent(row) for row in mm]
    length = _SIDE + math.ceil((before_s + after_s) * MM_PER_S / BIG) * BIG
    height = sum(up + down for up, down in rows)
    axes = paper.blank(length + 2 * _MARGIN, height + _HEAD + _FOOT)
    paper.grid(axes, _MARGIN, _MARGIN + length, _FOOT, _FOOT + height)
    top = _FOOT + height
    for name, row, (up, down) in zip(names, mm, rows, strict=True):
        _lead(axes, name, _MARGIN + _SIDE + time_s * MM_PER_S, row, (top - up, top, top - up - down), length)
        top -= up + down
    _words(axes, caption, before_s, length, _FOOT + height)
    return paper.figure_of(axes)


def _alt(signal: Signal, caption: Caption, seconds: float) -> str:
    leads = f"lead{'s' if len(signal.leads) > 1 else ''} {', '.join(signal.leads)}"
    return f"ECG, {leads}, {seconds:g} s around {iso(caption.onset_ns)}, {paper.SCALE}"


def _cut(
    signal: Signal, mv: NDArray[np.float64], onset_ns: int, before_s: float, after_s: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return what is drawn: seconds from the strip's begin, and millimetres above each lead's middle."""
    at_s = (signal.start_ns - onset_ns) / 1e9 + before_s + np.arange(mv.shape[1]) / signal.rate_hz
    inside = (at_s >= 0) & (at_s <= before_s + after_s)
    mm = mv[:, inside] * MM_PER_MV
    middle = np.array([np.median(row[known]) if (known := np.isfinite(row)).any() else 0.0 for row in mm])
    return at_s[inside], mm - middle[:, None]


def _extent(row: NDArray[np.float64]) -> tuple[float, float]:
    """Return how far the paper of a lead reaches up and down from its base line."""
    known = row[np.isfinite(row)]
    up, down = (known.max() + 1, 1 - known.min()) if len(known) else (0.0, 0.0)
    whole = [min(_MOST, math.ceil(reach / BIG) * BIG) for reach in (up, down)]
    return max(_LEAST_UP, whole[0]), max(_LEAST_DOWN, whole[1])


def _lead(
    axes: Axes,
    name: str,
    x: NDArray[np.float64],
    mm: NDArray[np.float64],
    band: tuple[float, float, float],
    length: float,
) -> None:
    """Draw a lead; ``band``: its base line, upper and lower end."""
    base, high, low = band
    paper.pulse(axes, _MARGIN + _PULSE_AT, base)
    paper.name(axes, _MARGIN + 1, base + 1.5, name)
    paper.trace(axes, x, base + mm, (_MARGIN, low, length, high - low))


def _words(axes: Axes, caption: Caption, before_s: float, length: float, top: float) -> None:
    room = length
    paper.write(axes, _MARGIN, top + _HEAD - 5, caption.title, room, fontsize=paper.LARGE, weight="bold")
    paper.write(axes, _MARGIN, top + _HEAD - 9.5, caption.line, room, fontsize=paper.NORMAL)
    onset = _MARGIN + _SIDE + before_s * MM_PER_S
    axes.plot(
        [onset, onset], [_FOOT, top + 1], color=_ONSET, linewidth=0.9, linestyle=(0, (4, 3)), gid="onset"
    )
    at_right = onset > _MARGIN + length / 2
    paper.write(
        axes,
        onset - 1 if at_right else onset + 1,
        top + 1.3,
        f"onset {iso(caption.onset_ns)}",
        room / 2,
        fontsize=paper.SMALL,
        color=_ONSET,
        horizontalalignment="right" if at_right else "left",
    )
    paper.write(axes, _MARGIN, 2.5, paper.SCALE, room, fontsize=paper.SMALL)
