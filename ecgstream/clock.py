"""The time that alarms are judged by: the signals' own, which is the wall clock's except in a play.

Where signals run faster than life (``clock_rate``) from a time that was chosen (``clock_offset_ns``), an
alarm's age is meant in their time: a play that is repeated is then judged in the same way.
"""

import time
from collections.abc import Callable

from ecgstream.settings import Settings


def signal_clock(settings: Settings, wall_ns: Callable[[], int] = time.time_ns) -> Callable[[], int]:
    """Return a clock of the signals' time, UTC ns.

    >>> play = Settings(clock_rate=2.0, clock_offset_ns=-1_000)
    >>> signal_clock(play, lambda: 1_500)()
    2000
    >>> signal_clock(Settings(), lambda: 1_500)()
    1500
    """
    offset_ns = settings.clock_offset_ns
    if offset_ns is None:
        return wall_ns
    return lambda: round(wall_ns() * settings.clock_rate) + offset_ns


def offset_ns(rate: float, wall_ns: int, signal_ns: int) -> int:
    """Return the offset of a clock that shows ``signal_ns`` when the wall clock shows ``wall_ns``.

    >>> settings = Settings(clock_rate=2.0, clock_offset_ns=offset_ns(2.0, 1_000, 50))
    >>> signal_clock(settings, lambda: 1_010)()
    70
    """
    return signal_ns - round(wall_ns * rate)
