"""How often somebody may be wrong who says who they are, before nothing is looked at for a while."""

import threading
import time
from collections import deque
from collections.abc import Callable

TRIES = 5
TRIES_S = 900.0
"""So many wrong ones an account in so long a time; then none is looked at until the oldest is that old."""
_ACCOUNTS = 10_000


class Tries:
    """Counts; any thread may ask.

    Args:
        clock_s: steady.
    """

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._wrong: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    def take(self, account: str) -> bool:
        """Count a try as a wrong one until it is ``right``; return whether it may be made at all.

        Counted before what was given is looked at, so that tries at one time are no way around it.
        """
        now_s = self._clock_s()
        with self._lock:
            if account not in self._wrong and len(self._wrong) >= _ACCOUNTS:
                self._forget(now_s)
                if len(self._wrong) >= _ACCOUNTS:
                    return False
            tried = self._wrong.setdefault(account, deque(maxlen=TRIES))
            if len(tried) == TRIES and now_s - tried[0] < TRIES_S:
                return False
            tried.append(now_s)
            return True

    def right(self, account: str) -> None:
        """Forget the tries of somebody who was right."""
        with self._lock:
            self._wrong.pop(account, None)

    def _forget(self, now_s: float) -> None:
        self._wrong = {of: tried for of, tried in self._wrong.items() if now_s - tried[-1] < TRIES_S}
