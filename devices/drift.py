"""How far a clock has slowly fallen behind, by how long its packets take to come; pure.

The packets of a clock that runs slow come later and later, by its own times. So do those of a slow line, or
of a device that cannot send as fast as it measures; but these change by tenths of a second, and back. What
counts is the least time of each minute. Where that grows by no more than ``FASTEST_S`` a minute, it may be
the clock; where it grows by more, nothing is concluded from that minute; where it falls, what had been
concluded falls with it, at once. So it is a clock that comes to a second: what else is so slow, so steady,
and does not fall back in half an hour and more, cannot be told from one.

``FASTEST_S`` is 500 ppm, the most that NTP takes a computer's clock to be wrong by (RFC 5905, ``MAXFREQ``).
"""

from dataclasses import dataclass

WINDOW_S = 60.0
FASTEST_S = 0.03
BEHIND_S = 1.0
ACROSS = 6
"""Minutes, at most, of which a growth may be where of those in between nothing was concluded."""
PATIENCE = 30
"""Minutes of which nothing was concluded, after which it begins anew: the way takes longer now."""
_NS = 1_000_000_000
_WINDOW_NS, _FASTEST_NS, _BEHIND_NS = round(WINDOW_S * _NS), round(FASTEST_S * _NS), round(BEHIND_S * _NS)


@dataclass(slots=True)
class Drift:
    """Of one clock; all ns.

    Attributes:
        base_ns: how long the quickest way takes, as far as is known; -1: nothing is.
        level_ns: how long it takes now, as far as a drift explains.

    >>> drift = Drift()
    >>> behind = [drift.hear(second * _NS, round((0.1 + second * 200e-6) * _NS)) for second in range(6000)]
    >>> [(second, ns / _NS) for second, ns in enumerate(behind) if ns]
    [(5160, 1.008)]
    """

    base_ns: int = -1
    level_ns: int = -1
    _begin_ns: int = 0
    _least_ns: int = 0
    _strange: int = 0

    def hear(self, now_ns: int, took_ns: int) -> int:
        """Hear when a packet has come, and how long after its end; return how far the clock is behind.

        0: not by a second, or it is not known. What was returned once is not counted again.
        """
        if 0 <= now_ns - self._begin_ns < _WINDOW_NS:
            if took_ns < self._least_ns:
                self._least_ns = took_ns
            return 0
        behind_ns = self._minute(max(self._least_ns, 0)) if self._begin_ns else 0
        self._begin_ns, self._least_ns = now_ns, took_ns - behind_ns
        return behind_ns

    def _minute(self, least_ns: int) -> int:
        if self.base_ns < 0 or self._strange >= PATIENCE:
            self.base_ns = self.level_ns = least_ns
        elif least_ns > self.level_ns + _FASTEST_NS * min(1 + self._strange, ACROSS):
            self._strange += 1
            return 0
        self._strange = 0
        self.level_ns, self.base_ns = least_ns, min(self.base_ns, least_ns)
        behind_ns = self.level_ns - self.base_ns
        if behind_ns <= _BEHIND_NS:
            return 0
        self.level_ns = self.base_ns
        return behind_ns
