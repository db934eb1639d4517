"""Timing two or more ways of doing the same, side by side."""

import time
from collections.abc import Callable, Mapping
from typing import Any

TURNS = 5


def seconds(ways: Mapping[str, Callable[[], Any]], turns: int = TURNS) -> dict[str, float]:
    """Return the best time of each way, s; they take turns, so that a busy moment hits all alike."""
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(turns):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            best[name] = min(best[name], time.perf_counter() - began)
    return best
