"""The time that alarms are judged by: the signals' own, which is the wall clock's except in a play.

Where signals run faster than life (``clock_rate``) from a time that was chosen (``clock_offset_ns``), an
alarm's age is meant in their time: a play that is repeated is then judged in the same way.
"""

import time
from dataclasses import dataclass

from ecgstream.settings import Settings


@dataclass(frozen=True, slots=True)
class SignalClock:
    """The signals' time: ``rate`` s of it a s of the wall clock, UTC ns. Without an offset it is the wall's.

    >>> SignalClock(2.0, -1_000).of(1_500), SignalClock(2.0, None).of(1_500)
    (2000, 1500)
    """

    rate: float
    offset_ns: int | None

    @classmethod
    def set_by(cls, settings: Settings) -> "SignalClock":
        """Return the clock that the settings want."""
        return cls(settings.clock_rate, settings.clock_offset_ns)

    @classmethod
    def that_shows(cls, signal_ns: int, wall_ns: int, rate: float) -> "SignalClock":
        """Return the clock that shows ``signal_ns`` when the wall clock shows ``wall_ns``.

        >>> SignalClock.that_shows(50, wall_ns=1_000, rate=2.0).of(1_010)
        70
        """
        return cls(rate, signal_ns - round(wall_ns * rate))

    def of(self, wall_ns: int) -> int:
        """Return what it shows when the wall clock shows ``wall_ns``."""
        return wall_ns if self.offset_ns is None else round(wall_ns * self.rate) + self.offset_ns

    def wall_of(self, signal_ns: int) -> int:
        """Return what the wall clock shows when it shows ``signal_ns``.

        >>> SignalClock(2.0, -1_000).wall_of(2_000), SignalClock(2.0, None).wall_of(1_500)
        (1500, 1500)
        """
        return signal_ns if self.offset_ns is None else round((signal_ns - self.offset_ns) / self.rate)

    def now_ns(self) -> int:
        """Return what it shows now."""
        return self.of(time.time_ns())
