"""What was noted a short while ago, and need not be noted again."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

MOST = 10_000


class Recent:
    """Remembers keys for a time, the newest ``MOST``; any thread may ask.

    >>> times = iter([0.0, 30.0, 61.0])
    >>> recent = Recent(60.0, lambda: next(times))
    >>> [recent.is_new(("li", "p-1")) for _ in range(3)]
    [True, False, True]
    """

    def __init__(self, again_s: float, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._again_s = again_s
        self._clock_s = clock_s
        self._kept: OrderedDict[tuple[str, ...], float] = OrderedDict()
        self._lock = threading.Lock()

    def is_new(self, key: tuple[str, ...]) -> bool:
        """Return whether a key was not asked for lately; from now on it was."""
        now_s = self._clock_s()
        with self._lock:
            before = self._kept.get(key)
            if before is not None and now_s - before < self._again_s:
                return False
            self._kept[key] = now_s
            self._kept.move_to_end(key)
            if len(self._kept) > MOST:
                self._kept.popitem(last=False)
        return True
