"""How much memory a target takes by itself: without libFuzzer, and without what atheris puts into code.

Both keep things of their own for ever, so that only what grows here too is a target's growth.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path

from tests.fuzz.target import Target

MOST = 200_000
"""Inputs that are tried."""
_TOP = Path(__file__).resolve().parents[2]


def weigh(target: Target, inputs: Sequence[Path], times: int) -> int:
    """Return by how many bytes memory grows at most, with so many tries of inputs, one after the other."""
    for data in [*map(bytes, target.seeds()), *(file.read_bytes() for file in inputs)]:
        target.run(data)
    warm = most = _bytes()
    for file in islice(cycle(inputs), times):
        target.run(file.read_bytes())
        most = max(most, _bytes())
    return most - warm


def weighed(name: str, folder: Path, times: int) -> int:
    """Return the same of all inputs in a folder, in a process of its own."""
    words = ["--weigh", str(folder), "--frames", str(min(times, MOST)), name]
    argv = [sys.executable, "-m", "tests.fuzz", *words]
    done = subprocess.run(
        argv, stdout=subprocess.PIPE, text=True, check=True, cwd=_TOP, preexec_fn=_without_limit
    )
    return int(done.stdout)


def _without_limit() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _bytes() -> int:
    """Return how much is in memory now: what imports took for a while would hide what grows."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
