"""One target in a process of its own: what libFuzzer (by atheris) is told, and what is watched beside it.

libFuzzer ends the process at the first fault, and keeps the input. It sees crashes and hangs; memory is
watched here, after every input, so that the one that took it is known.
"""

from __future__ import annotations

import mmap
import operator
import os
import resource
import struct
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import numpy as np

from tests.fuzz.mutators import mutated
from tests.fuzz.target import MOST_BYTES, Target, load
from tests.fuzz.weigh import weighed

_WARM = 200
"""Inputs behind the seeds that may still make caches grow."""
_OWN = 5
"""A fifth of a target's bound is a leak, where it is weighed by itself."""
_OURS = 0.5
"""How much of all mutation is ours; the rest is libFuzzer's."""
_COMPARED = (operator.lt, operator.le, operator.eq, operator.ne, operator.gt, operator.ge)
"""By the number of the comparison, as ``dis.cmp_op``."""
_SEEN = struct.Struct("=QQQ")


class Seen(NamedTuple):
    """How many inputs were tried; memory at its highest, bytes: until it was warm, and of all."""

    tried: int = 0
    warm_bytes: int = 0
    most_bytes: int = 0

    @property
    def growth_mb(self) -> float:
        """How much memory has grown since it was warm."""
        return (self.most_bytes - self.warm_bytes) / 1e6


class Board:
    """Where a target's process writes how far it is, and its parent reads, also when it has died."""

    def __init__(self) -> None:
        self._shared = mmap.mmap(-1, _SEEN.size)

    def write(self, seen: Seen) -> None:
        _SEEN.pack_into(self._shared, 0, *seen)

    def read(self) -> Seen:
        return Seen(*_SEEN.unpack_from(self._shared, 0))


@dataclass(frozen=True)
class Bounds:
    """When a target has been tried enough, at the first that comes: seconds, or inputs; 0: without end."""

    seconds: int = 0
    inputs: int = 0


class GrowthError(Exception):
    """An input with which memory has grown beyond its bound."""


class Watched:
    """A target whose memory is looked at after each input.

    Where it has grown too much, the target is weighed by itself, with this input and those of the corpus,
    which have reached all that was reached: what does not grow there is libFuzzer's and atheris' own.
    """

    def __init__(
        self, name: str, target: Target, board: Board, warm: int, offender: str, corpus: Path
    ) -> None:
        self._name = name
        self._target = target
        self._corpus = corpus
        self._board = board
        self._warm = warm
        self._offender = offender
        self._tried = 0
        self._warm_bytes = 0

    def __call__(self, data: bytes) -> None:
        if not self._tried:
            _leave_arrays_alone()  # not before: atheris names its own anew as it begins
        self._tried += 1
        try:
            self._target.run(data)
            self._look(data)
        except BaseException:  # libFuzzer keeps what hangs or dies, but not always what raises
            Path(f"{self._offender}-{sha256(data).hexdigest()[:16]}").write_bytes(data)
            raise

    def _look(self, data: bytes) -> None:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        if self._tried <= self._warm:
            self._warm_bytes = most
        if most - self._warm_bytes > self._target.growth_bytes:
            (self._corpus / "newest").write_bytes(data)
            grown = weighed(self._name, self._corpus, self._tried)
            if grown > self._target.growth_bytes / _OWN:
                raise GrowthError(f"memory has grown by {grown / 1e6:.0f} MB")
            self._warm_bytes = most
        self._board.write(Seen(self._tried, self._warm_bytes, most))


def fuzz(name: str, target: Target, folder: Path, offenders: Path, bounds: Bounds, board: Board) -> None:
    """Fuzz until the bounds, or a fault; this process ends here, with status 0 or another.

    Args:
        name: of the target.
        target: what is fuzzed.
        folder: of this process alone: its corpus, its log, what it writes.
        offenders: where the input of a fault is written, as ``NAME-crash-…`` or ``NAME-timeout-…``.
        bounds: when it is enough.
        board: what is told meanwhile.
    """
    import atheris

    _say_into(folder / "log")
    tempfile.tempdir = str(folder)
    seeds = [bytes(seed) for seed in target.seeds()]
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(seeds):
        (corpus / f"seed-{number}").write_bytes(seed)
    _limit_addresses(min(10 * target.growth_bytes, MOST_BYTES))

    def mutate(data: bytes, most: int, number: int) -> bytes:
        chance = Random(number)  # noqa: S311  libFuzzer's own, so that its seed repeats all
        if chance.random() > _OURS:
            return bytes(atheris.Mutate(data, most))
        return mutated(chance, bytes(data), seeds, target.ways, most) or b"\0"

    told = [
        f"-max_len={max(target.most, *map(len, seeds))}",
        f"-timeout={target.hang_s}",
        f"-artifact_prefix={offenders}/{name}-",
        "-rss_limit_mb=0",
        "-print_final_stats=1",
    ]
    told += [f"-max_total_time={bounds.seconds}"] if bounds.seconds else []
    told += [f"-runs={bounds.inputs}"] if bounds.inputs else []
    watched = Watched(name, target, board, len(seeds) + _WARM, f"{offenders}/{name}-crash", corpus)
    atheris.Setup([name, *told, str(corpus)], watched, custom_mutator=mutate)
    atheris.Fuzz()


def _leave_arrays_alone() -> None:
    """Let atheris see no comparison of arrays: it learns nothing of them, and keeps each result for ever."""
    import atheris

    traced = atheris._trace_cmp

    def compare(left: Any, right: Any, how: int, *where: Any) -> Any:
        if isinstance(left, np.ndarray) or isinstance(right, np.ndarray):
            return _COMPARED[how](left, right)
        return traced(left, right, how, *where)

    atheris._trace_cmp = compare


def loaded(names: Sequence[str]) -> dict[str, Target]:
    """Return targets, with all code of ours that they import made to tell what of it is reached."""
    import atheris

    with atheris.instrument_imports(include=["alerts", "devices", "schemas"], enable_loader_override=False):
        return load(names)


def _say_into(log: Path) -> None:
    file = os.open(log, os.O_WRONLY | os.O_CREAT)
    for stream in (1, 2):
        os.dup2(file, stream)


def _limit_addresses(more_bytes: int) -> None:
    """Let no input have more than so much: a length that is only declared is not taken for granted."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + more_bytes
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (limit, most))
