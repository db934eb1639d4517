"""Trends as lines, computed here: no script draws them, and templates put them into the page as SVG."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

_BREAK = 1.5
"""A line breaks where more than so many steps lie between two points: nothing is drawn where nothing was."""
_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 25, 50, 100)
_ALMOST = 9
"""Places that count: 0.3 is no less than three times 0.1."""
_LINES = 4
"""Of a scale, at most."""


class Point(NamedTuple):
    """A number in a bucket of time: its mean, and the least and greatest value."""

    time: datetime
    mean: float | None
    low: float | None
    high: float | None


class Tick(NamedTuple):
    """Where on an axis a value or a time stands."""

    at: float
    value: float


class Moment(NamedTuple):
    """Where on the axis of time something stands."""

    at: float
    time: datetime


@dataclass(frozen=True, slots=True)
class Frame:
    """What a line is drawn into: a stretch of time, a point each step, between two values, so large."""

    since: datetime
    until: datetime
    step: timedelta
    least: float
    greatest: float
    width: int
    height: int

    def x(self, time: datetime) -> float:
        """Return where a time stands."""
        return self.width * ((time - self.since) / (self.until - self.since))

    def y(self, value: float) -> float:
        """Return where a value stands; what is beyond the scale, at its edge."""
        inside = min(max(value, self.least), self.greatest)
        return self.height - self.height * (inside - self.least) / (self.greatest - self.least)

    def line(self, points: Sequence[Point]) -> str:
        """Return the path of the means."""
        return " ".join(self._stroke([(p.time, p.mean or 0.0) for p in part]) for part in self._parts(points))

    def band(self, points: Sequence[Point]) -> str:
        """Return the path around what lies between the least and the greatest values."""
        return " ".join(self._area(part) for part in self._parts(points))

    def values(self) -> list[Tick]:
        """Return the lines of the scale: round values."""
        wanted = (self.greatest - self.least) / _LINES
        step = next((one for one in _STEPS if one >= wanted), _STEPS[-1])
        first = math.ceil(round(self.least / step, _ALMOST))
        last = math.floor(round(self.greatest / step, _ALMOST))
        return [Tick(self.y(n * step), n * step) for n in range(first, last + 1)]

    def moments(self, count: int = 6) -> list[Moment]:
        """Return times at even distances."""
        step = (self.until - self.since) / count
        return [Moment(self.x(self.since + n * step), self.since + n * step) for n in range(count)]

    def _parts(self, points: Sequence[Point]) -> list[list[Point]]:
        """Return stretches without a hole."""
        known = [point for point in points if point.mean is not None]
        parts = [known[:1]] if known else []
        for before, point in pairwise(known):
            if point.time - before.time > self.step * _BREAK:
                parts.append([])
            parts[-1].append(point)
        return parts

    def _stroke(self, stretch: Sequence[tuple[datetime, float]]) -> str:
        places = [(self.x(time), self.y(value)) for time, value in stretch]
        if len(places) == 1:  # a dash, or it could not be seen
            places = [(places[0][0] - 1.5, places[0][1]), (places[0][0] + 1.5, places[0][1])]
        return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places)

    def _area(self, stretch: Sequence[Point]) -> str:
        if len(stretch) == 1:
            return ""
        over = [(p.time, p.high if p.high is not None else p.mean or 0.0) for p in stretch]
        under = [(p.time, p.low if p.low is not None else p.mean or 0.0) for p in reversed(stretch)]
        return self._stroke([*over, *under]) + "Z"
