"""What a process of ours takes: CPU and memory as the kernel counts them, progress as its metrics tell."""

import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from ecgstream.bench.measure import CannotMeasureError
from ecgstream.embedded.process import end, spawn, tail
from ecgstream.settings import Settings

POLL_S = 0.1
PATIENCE_S = 600.0
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class MeasuredProcessError(CannotMeasureError):
    """A process that is measured has ended, or does not go on."""


class Reading(NamedTuple):
    """A process at a moment: its CPU in s, wall clock in s, memory in bytes, metrics by name."""

    cpu_s: float
    wall_s: float
    rss: int
    metrics: dict[str, float]

    @property
    def device_seconds(self) -> float:
        """The signal that a worker has processed."""
        return self.metrics.get("ecgstream_worker_device_seconds_total", 0.0)

    @property
    def snapshots(self) -> float:
        """The snapshots of devices that a worker has written."""
        return self.metrics.get("ecgstream_worker_snapshots_total", 0.0)


class Measured:
    """A running service and its metrics' port."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, log: Path) -> None:
        self.process = process
        self._port = port
        self._log = log

    def read(self) -> Reading:
        """Return how it stands.

        Raises:
            MeasuredProcessError: it has ended.
        """
        metrics = self._metrics()
        cpu_s, rss = usage(self.process.pid)
        return Reading(cpu_s, time.monotonic(), rss, metrics)

    def until(self, reached: Callable[[Reading], bool]) -> Reading:
        """Return the first reading of which ``reached`` holds; look ten times a second.

        Raises:
            MeasuredProcessError: it has ended, or it takes too long.
        """
        deadline = time.monotonic() + PATIENCE_S
        while not reached(found := self.read()):
            if time.monotonic() > deadline:
                raise MeasuredProcessError(f"it has not come so far in {PATIENCE_S:.0f} s\n{tail(self._log)}")
            time.sleep(POLL_S)
        return found

    def is_ready(self) -> bool:
        """Return whether it says that it has what it works on."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/ready", timeout=5):
                return True
        except OSError:
            return False

    def _metrics(self) -> dict[str, float]:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            if self.process.poll() is not None:
                raise MeasuredProcessError(f"it has ended\n{tail(self._log)}")
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/metrics", timeout=5) as answer:
                    text = answer.read().decode()
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(POLL_S)
                continue
            return {name: float(v) for name, v in re.findall(r"^(ecgstream\w+) (\S+)$", text, re.MULTILINE)}


def usage(pid: int) -> tuple[float, int]:
    """Return a process's CPU in s, of all its threads, and the memory it holds in bytes."""
    # Behind the name, which may hold anything.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS, int(fields[21]) * _PAGE


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


@contextmanager
def service(settings: Settings, name: str, *words: str, module: str = "ecgstream") -> Iterator[Measured]:
    """Run ``ecgstream NAME WORDS`` with its metrics served, and end it."""
    port = free_port()
    given = settings.model_copy(update={"metrics_port": port, "metrics_host": "127.0.0.1"})
    with tempfile.TemporaryDirectory(prefix="ecgstream-bench-") as directory:
        log = Path(directory) / f"{name}.log"
        with log.open("ab") as out:
            argv = [sys.executable, "-m", module, name, *words]
            process = spawn(argv, env={**os.environ, **given.environment()}, stdout=out)
        try:
            yield Measured(process, port, log)
        finally:
            end(process)
