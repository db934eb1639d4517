"""Runs targets, each in a process of its own, and says what has come of it."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import connection, get_context
from pathlib import Path
from typing import Any

from tests.fuzz.child import Board, Bounds, Seen, fuzz
from tests.fuzz.target import Target

SLACK_S = 60.0
"""How much longer than its bound a process may take, beside one input that hangs."""
_REACHED = re.compile(r"cov: (\d+)")
_RAISED = re.compile(r"=== Uncaught Python exception: ===\s*\n(.+)")
_WHY = {70: "an input that hangs", 77: "a crash"}  # libFuzzer's
_LONGEST = 200


@dataclass(frozen=True)
class Result:
    """What has come of a target; ``reached``: branches of our code; ``fault``: empty where there is none."""

    name: str
    seen: Seen
    seconds: float
    reached: int
    fault: str = ""
    offender: Path | None = None


@dataclass(frozen=True)
class _Run:
    name: str
    process: Any
    board: Board
    folder: Path
    begun_s: float
    due_s: float

    def result(self, offenders: Path, before: set[Path]) -> Result:
        log = (self.folder / "log").read_text(errors="replace")
        found = [int(number) for number in _REACHED.findall(log)]
        made = sorted(set(offenders.glob(f"{self.name}-[ctols]*")) - before)
        return Result(
            self.name,
            self.board.read(),
            time.monotonic() - self.begun_s,
            max(found, default=0),
            self._fault(log),
            made[0] if made and self.process.exitcode else None,
        )

    def _fault(self, log: str) -> str:
        code = self.process.exitcode
        if code == 0:
            return ""
        raised = _RAISED.search(log)
        if raised is not None:
            return raised[1][:_LONGEST]
        return _WHY.get(code, f"it ended with {code}")


def run(
    targets: Mapping[str, Target],
    bounds: Callable[[Target], Bounds],
    folder: Path,
    offenders: Path,
    jobs: int,
) -> Iterator[Result]:
    """Fuzz targets, so many at once; yield each one's result when it has ended.

    Args:
        targets: by name.
        bounds: when a target has been tried enough.
        folder: for what is written meanwhile.
        offenders: where inputs of faults are written.
        jobs: how many at once.
    """
    offenders.mkdir(parents=True, exist_ok=True)
    before = set(offenders.iterdir())
    waiting, running = list(targets), list[_Run]()
    while waiting or running:
        while waiting and len(running) < jobs:
            name = waiting.pop(0)
            running.append(_begun(name, targets[name], bounds(targets[name]), folder / name, offenders))
        connection.wait([one.process.sentinel for one in running], _patience_s(running))
        for one in [one for one in running if time.monotonic() > one.due_s or not one.process.is_alive()]:
            one.process.kill()
            one.process.join()
            running.remove(one)
            yield one.result(offenders, before)


def _patience_s(running: Sequence[_Run]) -> float | None:
    due_s = min(one.due_s for one in running)
    return None if due_s == float("inf") else max(0.0, due_s - time.monotonic())


def _begun(name: str, target: Target, bounds: Bounds, folder: Path, offenders: Path) -> _Run:
    folder.mkdir()
    board, now_s = Board(), time.monotonic()
    # Forked: what it runs was imported once, and made to tell what of it is reached, for all targets.
    process = get_context("fork").Process(target=fuzz, args=(name, target, folder, offenders, bounds, board))
    process.start()
    due_s = now_s + bounds.seconds + target.hang_s + SLACK_S if bounds.seconds else float("inf")
    return _Run(name, process, board, folder, now_s, due_s)


def told(result: Result) -> str:
    """Return a result as a line; a fault is a second one."""
    tried, growth_mb = result.seen.tried, result.seen.growth_mb
    rate = tried / max(result.seconds, 1e-3)
    line = f"{result.name:14} {tried:>10,} {rate:>8,.0f}/s {result.reached:>7,} {growth_mb:>7.1f} MB\n"
    if not result.fault:
        return line
    where = f"; the input is in {result.offender}" if result.offender else ""
    return f"{line}FAULT of {result.name}: {result.fault}{where}\n"


HEAD = f"{'target':14} {'inputs':>10} {'rate':>10} {'reached':>7} {'grown by':>10}\n"


def say(words: str) -> None:
    """Say something on standard output, at once."""
    sys.stdout.write(words)
    sys.stdout.flush()
