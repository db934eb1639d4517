"""How many alerts there are, and for how many of them people are called. No I/O."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from ecgstream.replay.paged import Paged

_DAY_S = 86_400.0


@dataclass(slots=True)
class Burden:
    """Alerts of some devices.

    Attributes:
        signal_s: of ECG in which they arose, s.
        alerts, called: how many, and for how many of them people are called, by condition.
    """

    signal_s: float = 0.0
    alerts: dict[str, int] = field(default_factory=dict)
    called: dict[str, int] = field(default_factory=dict)

    def add(self, pages: Iterable[Paged], signal_s: float) -> None:
        """Take the alerts of a device."""
        self.signal_s += signal_s
        for page in pages:
            condition = page.alert.condition
            self.alerts[condition] = self.alerts.get(condition, 0) + 1
            if page.called_ns is not None:
                self.called[condition] = self.called.get(condition, 0) + 1

    def per_bed_day(self, calls: int) -> float | None:
        """Return so many calls as a number a bed-day; None: there was no signal."""
        return calls / (self.signal_s / _DAY_S) if self.signal_s else None


def beside(then: Burden, now: Burden) -> list[dict[str, object]]:
    """Return a row a condition, and one of all, what there was beside what there would be."""
    names = sorted(then.alerts.keys() | now.alerts.keys())
    rows = [
        _row(name, *(_counts(burden, name) for burden in (then, now)), then=then, now=now) for name in names
    ]
    totals = ((sum(burden.alerts.values()), sum(burden.called.values())) for burden in (then, now))
    return [_row("all", *totals, then=then, now=now), *rows]


def _counts(burden: Burden, condition: str) -> tuple[int, int]:
    return burden.alerts.get(condition, 0), burden.called.get(condition, 0)


def _row(
    name: str, was: tuple[int, int], is_: tuple[int, int], *, then: Burden, now: Burden
) -> dict[str, object]:
    return {
        "alerts of": name,
        "then": was[0],
        "now": is_[0],
        "calls then": was[1],
        "calls now": is_[1],
        "calls a bed-day then": _rounded(then.per_bed_day(was[1])),
        "calls a bed-day now": _rounded(now.per_bed_day(is_[1])),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
