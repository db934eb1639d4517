"""How many alerts there are, how many call people, how soon they are answered, and how many were false.

Read from the views of schema ``api`` as whoever the connection belongs to: what one sees, one counts.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any, LiteralString

import psycopg

from ecgstream.evaluate.statistics import exact, share
from schemas import mdc

MOST_FALSE_PERCENT, AIM_FALSE_PERCENT = 25.0, 15.0
"""Of the alerts that called people and were judged, at most so many may be false; and what is aimed at."""
DAYS = (1, 7, 30)
"""That may be asked for; a day is 24 hours."""


@dataclass(frozen=True, slots=True)
class Counted:
    """The alerts of a condition, of a facility, or all; they began in the time that is asked for.

    Attributes:
        of: the condition, or the facility's code; empty: all, or devices that stand nowhere.
        alerts, paged: how many there were, and for how many people were called.
        bed_days: days of ECG signal.
        median_s, ninetieth_s: from when an alert was raised to its acknowledgement; None: none was.
        true, false, unclear: by the newest verdicts.
        paged_true, paged_false: those of them for which people were called.
    """

    of: str
    alerts: int
    paged: int
    bed_days: float
    median_s: float | None
    ninetieth_s: float | None
    true: int
    false: int
    unclear: int
    paged_true: int
    paged_false: int

    @property
    def not_judged(self) -> int:
        """Of which nobody has said whether they were true."""
        return self.alerts - self.true - self.false - self.unclear

    @property
    def pages_per_bed_day(self) -> float | None:
        """None: there was no signal."""
        return self.paged / self.bed_days if self.bed_days else None

    @property
    def false_percent(self) -> float | None:
        """The false ones of what called people and was judged true or false; None: nothing was."""
        return share(self.paged_false, self.paged_true)

    @property
    def false_interval(self) -> tuple[float, float] | None:
        """Its exact 95 % interval, in %."""
        return exact(self.paged_false, self.paged_false + self.paged_true)

    @property
    def standing(self) -> str:
        """Whether that is within the budget: ``aim``, ``within`` or ``beyond``; empty: nothing was judged."""
        if self.false_percent is None:
            return ""
        within = "within" if self.false_percent <= MOST_FALSE_PERCENT else "beyond"
        return "aim" if self.false_percent <= AIM_FALSE_PERCENT else within

    def told(self) -> dict[str, Any]:
        """Return all of it, for JSON and CSV."""
        low, high = self.false_interval or (None, None)
        more = {"not_judged": self.not_judged, "pages_per_bed_day": self.pages_per_bed_day}
        shares = {"false_percent": self.false_percent, "false_low": low, "false_high": high}
        return {**asdict(self), **more, **shares}


@dataclass(frozen=True, slots=True)
class Budget:
    """A time's alerts: all, by condition and by the facility where the device stands now, the most first."""

    days: int
    whole: Counted
    conditions: list[Counted] = field(default_factory=list)
    facilities: list[Counted] = field(default_factory=list)

    def told(self) -> dict[str, Any]:
        """Return all of it, for JSON."""
        return {
            "days": self.days,
            "most_false_percent": MOST_FALSE_PERCENT,
            "aim_false_percent": AIM_FALSE_PERCENT,
            "all": self.whole.told(),
            "conditions": [one.told() for one in self.conditions],
            "facilities": [one.told() for one in self.facilities],
        }


_NEWEST: LiteralString = """
SELECT DISTINCT ON (j.alert) j.alert, j.verdict FROM api.judgements AS j
WHERE j.onset >= %(since)s AND j.onset < %(until)s ORDER BY j.alert, j.id DESC
"""
# Grouping sets: all, each condition, each facility.
_ALERTS: LiteralString = """
SELECT grouping(a.condition, h.facility), coalesce(a.condition, h.facility, ''), count(*),
    count(*) FILTER (WHERE a.calls > 0),
    percentile_cont(0.5) WITHIN GROUP (ORDER BY ((a.acknowledged_ns - a.raised_ns) / 1e9)::float8),
    percentile_cont(0.9) WITHIN GROUP (ORDER BY ((a.acknowledged_ns - a.raised_ns) / 1e9)::float8),
    count(*) FILTER (WHERE j.verdict = 'true'), count(*) FILTER (WHERE j.verdict = 'false'),
    count(*) FILTER (WHERE j.verdict = 'unclear'),
    count(*) FILTER (WHERE j.verdict = 'true' AND a.calls > 0),
    count(*) FILTER (WHERE j.verdict = 'false' AND a.calls > 0)
FROM api.alerts AS a LEFT JOIN newest AS j ON j.alert = a.id
LEFT JOIN (SELECT device, coalesce(facility, '') AS facility FROM api.device_health) AS h
    ON h.device = a.device
WHERE a.onset >= %(since)s AND a.onset < %(until)s
GROUP BY GROUPING SETS ((), (a.condition), (h.facility))
"""
_SIGNAL: LiteralString = """
SELECT coalesce(h.facility, ''), sum(t.n)::float8 / 86400 FROM api.trends_hourly AS t
LEFT JOIN api.device_health AS h ON h.device = t.device
WHERE t.code = %(analysed)s AND t.time >= %(since)s AND t.time < %(until)s GROUP BY 1
"""
_ALL, _CONDITION, _FACILITY = 3, 1, 2
"""What ``grouping`` says: the bits of what a row is not grouped by."""


def counted(connection: psycopg.Connection, days: int, until: datetime) -> Budget:
    """Return what there was in so many days before a time.

    Raises:
        psycopg.errors.InsufficientPrivilege: whoever this is sees no alerts.
    """
    asked = {"since": until - timedelta(days=days), "until": until, "analysed": mdc.ECG_ANALYSED}
    signal: Mapping[str, float] = dict(connection.execute(_SIGNAL, asked).fetchall())
    bed_days = sum(signal.values())
    query: LiteralString = f"WITH newest AS ({_NEWEST}) {_ALERTS}"
    found: dict[int, list[Counted]] = {_ALL: [], _CONDITION: [], _FACILITY: []}
    for by, of, alerts, paged, *rest in connection.execute(query, asked):
        signal_days = signal.get(of, 0.0) if by == _FACILITY else bed_days
        found[by].append(Counted(of, alerts, paged, signal_days, *rest))
    for of in signal.keys() - {one.of for one in found[_FACILITY]}:  # where all was quiet
        found[_FACILITY].append(Counted(of, 0, 0, signal[of], None, None, 0, 0, 0, 0, 0))
    rows = {by: sorted(many, key=lambda one: (-one.alerts, one.of)) for by, many in found.items()}
    return Budget(days, rows[_ALL][0], rows[_CONDITION], rows[_FACILITY])
