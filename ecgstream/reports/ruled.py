"""ECG paper on a printed report: 25 mm/s and 10 mm/mV on a grid of 1 mm and 5 mm, true to scale."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgstream.reports.page import Sheet

MM_PER_S, MM_PER_MV = 25.0, 10.0
_FINE, _COARSE = (247, 207, 207), (232, 154, 154)


def grid(sheet: Sheet[Any], left: float, top: float, width: float, height: float) -> None:
    """Rule a part of a sheet, mm."""
    for step, colour, points in ((1, _FINE, 0.08), (5, _COARSE, 0.16)):
        sheet.set_draw_color(*colour)
        sheet.set_line_width(points)
        for x in np.arange(0, width + 0.5, step):
            sheet.line(left + x, top, left + x, top + height)
        for y in np.arange(0, height + 0.5, step):
            sheet.line(left, top + y, left + width, top + y)
    sheet.set_draw_color(0, 0, 0)
    sheet.set_line_width(0.22)


def trace(
    sheet: Sheet[Any],
    x: NDArray[np.float64],
    mv: NDArray[np.float64],
    base: float,
    within: tuple[float, float],
) -> None:
    """Draw a signal whose median is at ``base``; NaN is a gap, and what is beyond the paper is cut off."""
    known = mv[np.isfinite(mv)]
    y = base - MM_PER_MV * (mv - (np.median(known) if known.size else 0.0))
    y = np.clip(y, *within)
    edges = np.flatnonzero(np.diff(np.isfinite(y).astype(np.int8))) + 1
    for xs, ys in zip(np.split(x, edges), np.split(y, edges), strict=True):
        if np.isfinite(ys).all():
            line(sheet, list(zip(xs.tolist(), ys.tolist(), strict=True)))


def line(sheet: Sheet[Any], points: Sequence[tuple[float, float]]) -> None:
    """Draw a line through points; of one, a dash."""
    if len(points) > 1:
        sheet.polyline(points)
    elif points:
        x, y = points[0]
        sheet.line(x - 0.2, y, x + 0.2, y)
