"""A service under a sampler: ``python -m ecgstream.bench.sampled worker`` runs it, and tells where time went.

The kernel's profiling timer interrupts the main thread; each sample counts the CPU that the thread has used
since the one before, so that a call into compiled code, which no signal interrupts, has its full weight. The
result lies in the file that ``ECGSTREAM_SAMPLES`` names, written anew twice a second: JSON, s since the start
by stack, outermost function first.
"""

import json
import os
import signal
import sys
import time
from collections import defaultdict
from pathlib import Path
from types import FrameType

FILE = "ECGSTREAM_SAMPLES"
OTHER_THREADS = "(other threads)"
INTERVAL_S = 0.005
WRITE_S = 0.5
_DEPTH = 60


class Sampler:
    """Collects stacks of the main thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._spent: defaultdict[str, float] = defaultdict(float)
        self._main_s = time.thread_time()
        self._all_s = time.process_time()
        self._written_s = time.monotonic()

    def start(self) -> None:
        """Sample from now on."""
        signal.signal(signal.SIGPROF, self._sample)
        signal.setitimer(signal.ITIMER_PROF, INTERVAL_S, INTERVAL_S)

    def _sample(self, _signum: int, frame: FrameType | None) -> None:
        main_s, all_s = time.thread_time(), time.process_time()
        mine = main_s - self._main_s
        self._spent[_stack(frame)] += mine
        self._spent[OTHER_THREADS] += max(0.0, all_s - self._all_s - mine)
        self._main_s, self._all_s = main_s, all_s
        if time.monotonic() - self._written_s > WRITE_S:
            self._written_s = time.monotonic()  # first: the next signal may come while we write
            new = self._path.with_suffix(".new")
            new.write_text(json.dumps(self._spent))
            new.replace(self._path)
            self._main_s, self._all_s = time.thread_time(), time.process_time()


def _stack(frame: FrameType | None) -> str:
    names: list[str] = []
    while frame is not None and len(names) < _DEPTH:
        names.append(f"{frame.f_code.co_filename}:{frame.f_code.co_name}")
        frame = frame.f_back
    return "\n".join(reversed(names))


def main() -> None:
    """Run the command line under the sampler."""
    from ecgstream.cli import app

    Sampler(Path(os.environ[FILE])).start()
    sys.argv[0] = "ecgstream"
    app()


if __name__ == "__main__":
    main()
