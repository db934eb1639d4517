"""Trends on a printed report: means of minutes over the stretch that was asked for."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from ecgstream.reports import ruled
from ecgstream.reports.material import MINUTE_NS, NS, Span
from ecgstream.reports.page import ACCENT, GREY, LEFT, RULE, WIDTH, Sheet

_MARGIN = 9.0
"""mm, in which the scale's values stand."""
_DAY_NS = 86_400 * NS


class Plot(NamedTuple):
    """Where a trend is drawn: from ``top`` on, mm; a stretch of time across, ``low`` to ``high`` upwards."""

    top: float
    height: float
    asked: Span
    low: float
    high: float

    @property
    def left(self) -> float:
        """Where the stretch begins, mm."""
        return LEFT + _MARGIN

    @property
    def width(self) -> float:
        """Of the stretch, mm."""
        return WIDTH - _MARGIN

    def x(self, ns: int) -> float:
        """Return where a time stands, mm."""
        begin, end = self.asked
        return self.left + self.width * (ns - begin) / (end - begin)

    def y(self, value: float) -> float:
        """Return where a value stands, mm."""
        return self.top + self.height * (self.high - value) / (self.high - self.low)


def ruled_at(sheet: Sheet[Any], plot: Plot, values: Iterable[float], form: str) -> None:
    """Rule lines at values of the scale, and write these beside them."""
    sheet.set_line_width(0.15)
    sheet.set_draw_color(*RULE)
    for value in values:
        y = plot.y(value)
        sheet.line(plot.left, y, plot.left + plot.width, y)
        sheet.set_xy(LEFT, y - 2)
        sheet.put(form.format(value), _MARGIN - 0.5, 7, colour=GREY, align="R", height=4)


def minutes(sheet: Sheet[Any], plot: Plot, means: Iterable[tuple[int, float]]) -> None:
    """Draw means of minutes (when each begins, and its value); a minute without one is a gap."""
    sheet.set_draw_color(*ACCENT)
    sheet.set_line_width(0.25)
    points: list[tuple[float, float]] = []
    last = None
    for from_ns, value in means:
        if last is not None and from_ns - last > MINUTE_NS:
            ruled.line(sheet, points)
            points = []
        points.append((plot.x(from_ns + MINUTE_NS // 2), plot.y(value)))
        last = from_ns
    ruled.line(sheet, points)


def times(sheet: Sheet[Any], plot: Plot) -> None:
    """Write times below, and go on behind them."""
    begin, end = plot.asked
    form = "%H:%M" if end - begin <= _DAY_NS else "%m-%d %H:%M"
    below = plot.top + plot.height
    for part in range(7):
        at, is_last = begin + (end - begin) * part // 6, part == 6
        sheet.set_xy(plot.x(at) - 11, below + 1)
        words, align = sheet.when(at, form), "R" if is_last else "C"
        sheet.put(words, 11 if is_last else 22, 7, colour=GREY, align=align, height=4)
    sheet.set_xy(LEFT, below + 6)
