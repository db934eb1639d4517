"""ECG paper: 25 mm/s and 10 mm/mV on a grid of 1 mm and 5 mm, counted in mm from the lower left corner.

What stands on it is true to scale where a PDF is printed at 100 %. Matplotlib costs a second and 40 MB to
import: whoever must not wait imports this on another thread. It is asked for figures only, never for
``pyplot``, and for one at a time (``drawing``), since parts of it are shared between figures.
"""

import threading

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

MM_PER_S = 25.0
MM_PER_MV = 10.0
PIXELS_PER_MM = 4
"""A strip of 10 s is some 1,100 pixels wide, which a telephone shows whole."""
PULSE_MV, PULSE_S = 1.0, 0.2
SCALE = f"{MM_PER_S:g} mm/s, {MM_PER_MV:g} mm/mV"
DPI = PIXELS_PER_MM * 25.4
BIG = 5.0
"""A large square, mm."""
SMALL, NORMAL, LARGE = 8.0, 9.0, 12.0
"""Sizes of words, pt."""
_FINE, _COARSE = "#f7cfcf", "#e89a9a"
_FONT = "DejaVu Sans"  # comes with matplotlib

drawing = threading.Lock()
"""Whoever draws holds it."""


def blank(width: float, height: float) -> Axes:
    """Return the axes of a new sheet, which count its millimetres."""
    figure = Figure(figsize=(width / 25.4, height / 25.4), dpi=DPI, facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(0, height))
    axes.set_axis_off()
    return axes


def grid(axes: Axes, left: float, right: float, low: float, high: float) -> None:
    """Rule a part of a sheet."""
    for step, colour, points in ((1.0, _FINE, 0.5), (BIG, _COARSE, 0.7)):
        upright = [[(x, low), (x, high)] for x in np.arange(left, right + 0.5, step)]
        level = [[(left, y), (right, y)] for y in np.arange(low, high + 0.5, step)]
        axes.add_collection(
            LineCollection(upright + level, colors=colour, linewidths=points, antialiaseds=False),
            autolim=False,
        )


def pulse(axes: Axes, at: float, base: float) -> None:
    """Draw the calibration pulse."""
    end, top = at + PULSE_S * MM_PER_S, base + PULSE_MV * MM_PER_MV
    axes.plot(
        [at - 1.5, at, at, end, end, end + 1.5],
        [base, base, top, top, base, base],
        color="black",
        linewidth=0.9,
        gid="pulse",
    )


def trace(
    axes: Axes, x: NDArray[np.float64], y: NDArray[np.float64], box: tuple[float, float, float, float]
) -> None:
    """Draw a signal within a box (left, low, width, height); NaN is a gap."""
    (line,) = axes.plot(x, y, color="black", linewidth=0.9, solid_joinstyle="round", gid="trace")
    left, low, width, height = box
    line.set_clip_path(Rectangle((left, low), width, height, transform=axes.transData))


def name(axes: Axes, x: float, y: float, words: str) -> None:
    """Write what a lead is called."""
    axes.text(x, y, _shown(words), family=_FONT, fontsize=NORMAL, weight="bold", parse_math=False)


def write(axes: Axes, x: float, y: float, words: str, room: float, **how: object) -> None:
    """Write a line; what is longer than its room, in mm, is cut."""
    written = axes.text(x, y, _shown(words), family=_FONT, parse_math=False, **how)  # type: ignore[arg-type]
    while len(words) > 1 and written.get_window_extent().width / PIXELS_PER_MM > room:
        words = words[: int(len(words) * 0.95)]
        written.set_text(_shown(words) + "…")


def figure_of(axes: Axes) -> Figure:
    """Return the sheet as a figure."""
    return axes.get_figure(root=True)  # type: ignore[return-value]


def _shown(words: str) -> str:
    """Return words in characters that the font has."""
    known = get_font(findfont(_FONT)).get_charmap()
    return "".join(c if ord(c) in known else "?" for c in words)
