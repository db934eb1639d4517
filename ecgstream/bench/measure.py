"""Timing two or more ways of doing the same, side by side."""

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

TURNS = 5


class CannotMeasureError(RuntimeError):
    """What a bench needs is not here."""


def seconds(ways: Mapping[str, Callable[[], Any]], turns: int = TURNS) -> dict[str, float]:
    """Return the best time of each way, s; they take turns, so that a busy moment hits all alike."""
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(turns):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            best[name] = min(best[name], time.perf_counter() - began)
    return best


def typical(ways: Mapping[str, Callable[[], Any]], turns: int) -> dict[str, tuple[float, float]]:
    """Return the median and the best time of each way, s; they take turns, after one for the caches."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(turns + 1):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            if turn:
                taken[name].append(time.perf_counter() - began)
    return {name: (statistics.median(times), min(times)) for name, times in taken.items()}
