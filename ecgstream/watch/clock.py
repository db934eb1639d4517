"""The watch's clock."""

import threading
import time
from collections.abc import Callable

FROZEN_S = 3.0


class AwakeClock:
    """Monotonic seconds in which the process was awake.

    A process that was stopped (SIGSTOP, a paused virtual machine) would otherwise take its own sleep for the
    silence of all others. Asked at least every second or so; a longer silence of the askers was a sleep.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._last_s = monotonic()
        self._asleep_s = 0.0

    def __call__(self) -> float:
        """Return the time."""
        with self._lock:
            now_s = self._monotonic()
            if now_s - self._last_s > FROZEN_S:
                self._asleep_s += now_s - self._last_s
            self._last_s = now_s
            return now_s - self._asleep_s
