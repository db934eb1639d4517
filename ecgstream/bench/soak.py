"""Whether a wall can stand for months: the memory of its page and of its server, looked at for a while.

All sectors sweep at 250 Hz, from Kafka, in a real browser. A straight line is laid through each memory.
"""

import time
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
from scipy.stats import linregress

from ecgstream.bench import kafka
from ecgstream.bench.latency import gateways_of
from ecgstream.bench.load import Load
from ecgstream.bench.measure import CannotMeasureError
from ecgstream.bench.process import usage
from ecgstream.bench.wall_page import MOST_SECTORS, chromium, opened
from ecgstream.bench.walls import serving
from ecgstream.settings import Settings

EVERY_S, WARM_S = 10.0, 60.0
LEAST_MINUTES = 2.0
GATEWAYS = 4
HEAP_KB_A_MINUTE = 5.0
"""7 MB a day, 650 MB in 90 days, after which a wall begins anew in any case."""
FRAMES_A_SECOND = 30.0


def run(given: Settings, minutes: float) -> dict[str, Any]:
    """Return frames a second, and of each memory its size at the end and how it grew.

    Args:
        given: where a broker is that is empty; unnamed, an embedded one is started.
        minutes: for how long, after a minute that does not count.

    Raises:
        CannotMeasureError: there is no broker or browser, or it is too short for a slope.
    """
    if minutes < LEAST_MINUTES:
        raise CannotMeasureError(f"{minutes:g} minutes are too short for a slope: at least {LEAST_MINUTES:g}")
    chromium()
    with kafka.own_kafka(given) as settings, ExitStack() as stack:
        kafka.renew(settings)
        port, pid = stack.enter_context(serving("kafka", MOST_SECTORS, settings))
        stack.enter_context(gateways_of(settings, Load(MOST_SECTORS, GATEWAYS, time.time_ns())))
        page = stack.enter_context(opened(port))
        time.sleep(WARM_S)
        seen = []
        first, begun_s = page.frames(), time.monotonic()
        console = Console(stderr=True)
        for n in track(range(round(60 * minutes / EVERY_S) + 1), "Watching", console=console, transient=True):
            time.sleep(max(0.0, begun_s + n * EVERY_S - time.monotonic()))
            seen.append((time.monotonic() - begun_s, page.heap(), page.resident(), usage(pid)[1]))
        frames = (page.frames() - first) / (time.monotonic() - begun_s)
    at_s, heap, browser, server = np.array(seen).T
    found: dict[str, Any] = {"minutes": minutes, "sectors": MOST_SECTORS, "frames_a_second": round(frames, 1)}
    for name, sizes in (("heap", heap), ("browser", browser), ("server", server)):
        slope, within = line(at_s / 60, sizes / 1e3)
        found |= {f"{name}_mb": round(sizes[-1] / 1e6, 1), f"{name}_kb_a_minute": round(slope, 2)}
        found[f"{name}_kb_a_minute_within"] = round(within, 2)
    return found


def line(x: Any, y: Any) -> tuple[float, float]:
    """Return the slope of the straight line through some points, and how far the true one may be off (95 %).

    >>> line(np.array([0.0, 1.0, 2.0, 3.0]), np.array([1.0, 3.0, 5.0, 7.0]))
    (2.0, 0.0)
    """
    found = linregress(x, y)
    return float(found.slope), 1.96 * float(found.stderr)


def bars(found: Mapping[str, Any]) -> list[tuple[str, str, str, bool]]:
    """Return what is wanted beside what was found."""
    slope, frames = found["heap_kb_a_minute"], found["frames_a_second"]
    told = f"{slope} ± {found['heap_kb_a_minute_within']}"
    return [
        ("page's memory", f"≤ {HEAP_KB_A_MINUTE:g} kB/min", told, slope <= HEAP_KB_A_MINUTE),
        ("frames", f"≥ {FRAMES_A_SECOND:g}/s", f"{frames}/s", frames >= FRAMES_A_SECOND),
    ]
