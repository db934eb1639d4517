"""What was answered long ago, after its alerts are forgotten.

Alerts that are over are forgotten, so that neither memory nor their topic grows for ever. A worker that has
lost its snapshots, or one of a new version, then goes through a week's signal again and finds in it
conditions that nobody here remembers. They are told from new ones by their offsets in the log that the worker
reads: the pager answers conditions in that order, so that whatever lies before the one it has answered an
hour ago, it has answered as well.

Two ages of offsets are kept, so that what is forgotten always lies before ``until``. Both travel with the
committed offset of the conditions topic, as its metadata.
"""

from dataclasses import dataclass, field
from typing import Any

from schemas.records import Condition, Lane

KEPT_S = 3600.0
"""How long an alert that is over is kept, at least; at most twice as long. The database keeps all of them for
ever; here each one lengthens the start of a pager, during which nobody is paged: 10,000 devices with 190
alarms a day each (Drew et al., PLoS ONE 9(10):e110274, 2014) make 80,000 an hour."""
_KEPT_NS = int(KEPT_S * 1e9)


def _none() -> dict[Lane, int]:
    return dict.fromkeys(Lane, 0)


@dataclass(slots=True)
class Told:
    """Offsets by lane, of the logs that workers read.

    Attributes:
        until: conditions before this were answered, and those that were over then may be forgotten.
        next: what ``until`` becomes; alerts that were over before ``over_ns`` lie before it.
        over_ns: pager's clock; 0: of no alert that is sure.
        since_ns: when it was set; pager's clock.
        newest: all that has been answered now.
    """

    until: dict[Lane, int] = field(default_factory=_none)
    next: dict[Lane, int] = field(default_factory=_none)
    over_ns: int = 0
    since_ns: int = 0
    newest: dict[Lane, int] = field(default_factory=_none)

    def note(self, condition: Condition) -> None:
        """Take note of a condition that is being answered."""
        lane = condition.lane
        self.newest[lane] = max(self.newest[lane], condition.offset)

    def has(self, condition: Condition) -> bool:
        """Return whether a condition that nobody remembers was answered long ago."""
        return condition.offset < self.until[condition.lane]

    def turn(self, now_ns: int) -> int | None:
        """Where it is time, move on; return the time before which alerts that are over may be forgotten."""
        self.since_ns = min(
            self.since_ns, now_ns
        )  # else a clock that was ahead once would stop this for long
        if now_ns - self.since_ns < _KEPT_NS:
            return None
        over_ns, self.over_ns, self.since_ns = self.over_ns, now_ns, now_ns
        self.until, self.next = self.next, dict(self.newest)
        return over_ns

    @classmethod
    def of(cls, found: Any, now_ns: int) -> "Told":
        """Return what ``dataclasses.asdict`` gave; of anything else, one that knows nothing.

        >>> from dataclasses import asdict
        >>> Told.of(asdict(Told(since_ns=5)), 7).since_ns, Told.of(None, 7).since_ns
        (5, 7)
        """
        try:
            times = int(found["over_ns"]), int(found["since_ns"])
            return cls(_lanes(found["until"]), _lanes(found["next"]), *times, _lanes(found["newest"]))
        except (ValueError, KeyError, TypeError):
            return cls(since_ns=now_ns)


def _lanes(found: Any) -> dict[Lane, int]:
    return {lane: int(found[lane]) for lane in Lane}
