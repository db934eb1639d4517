"""What somebody brings about again and again is said now and then, with how often it was, and not each time.

Whoever can send can send without end: a line of log for each would fill the disk that the spool lies on.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

EVERY_S = 60.0
MOST = 1000
"""Of whom it is remembered; those beyond share a line."""
_OTHERS = "others"


@dataclass(slots=True)
class _Said:
    at_s: float
    since: int = 0


class Seldom:
    """Says of each no more than a line in ``EVERY_S``.

    >>> now = [0.0]
    >>> seldom = Seldom(now_s=lambda: now[0])
    >>> [seldom.times("10.0.0.7") for now[0] in (0.0, 1.0, 2.0, 61.0)]
    [1, 0, 0, 3]
    """

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._said: OrderedDict[str, _Said] = OrderedDict()

    def times(self, who: str) -> int:
        """Return how often it was since it was last said, with this time; 0: it is not to be said now."""
        now_s = self._now_s()
        said = self._said.get(who)
        if said is None and len(self._said) > MOST:
            if now_s - next(iter(self._said.values())).at_s >= EVERY_S:
                self._said.popitem(last=False)  # who was said of the longest ago
            else:
                who = _OTHERS
                said = self._said.get(who)
        if said is not None and now_s - said.at_s < EVERY_S:
            said.since += 1
            return 0
        self._said[who] = _Said(now_s)
        self._said.move_to_end(who)
        return 1 if said is None else said.since + 1
