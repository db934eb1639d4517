"""ST in a report: of each lead its level by minutes, or why it cannot be told.

Where a level is taken, and of which leads, ``detectors.st`` says: ten seconds make a value, a minute has
their mean. A lead is assessable where its high-pass is stated and at most 0.05 Hz (IEC 60601-2-27,
201.12.1.101).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ecgstream.reports import samples
from ecgstream.reports.material import MINUTE_NS, StoredLead, StStored
from ecgstream.reports.resting.leads import NAMES

HIGH_PASS_HZ = 0.0501
"""The highest for ST: 0.05, which no float32 holds."""
VALUE_S = 10.0
"""Of signal that a value stands for."""
_PLACES = 3
"""Of mV: microvolts."""


@dataclass(frozen=True, slots=True)
class Level:
    """Mean ST level of a minute."""

    from_ns: int
    mv: float


@dataclass(frozen=True, slots=True)
class LeadSt:
    """ST of a lead; ``reason``: why there is no level, else empty.

    Attributes:
        lead: its name, ``ECG`` where it has none.
        assessed_s: ten seconds for each value that was taken.
        share: of analysable time; None: there is none.
        mean_mv: of all values.
        lowest: the least of the minutes.
        highest: the greatest of the minutes.
        trend_from_ns: the first minute with a level.
        trend_uv: means of the minutes from there to the last one, whole microvolts (``samples.text``).
    """

    lead: str
    reason: str
    assessed_s: float
    share: float | None
    mean_mv: float | None
    lowest: Level | None
    highest: Level | None
    trend_from_ns: int | None
    trend_uv: str

    def minutes(self) -> list[Level]:
        """Return the levels of the trend, without minutes that have none."""
        begin_ns = self.trend_from_ns or 0
        each = enumerate(samples.of_text(self.trend_uv).tolist())
        return [Level(begin_ns + n * MINUTE_NS, mv) for n, mv in each if np.isfinite(mv)]


@dataclass(frozen=True, slots=True)
class St:
    """ST: assessable in any lead or why not; findings of change where it is; each lead."""

    assessable: bool
    reason: str
    elevations: int
    depressions: int
    leads: tuple[LeadSt, ...] = ()

    @property
    def assessed(self) -> list[LeadSt]:
        """The leads that have levels."""
        return [one for one in self.leads if not one.reason]

    @property
    def unassessed(self) -> dict[str, list[str]]:
        """Why there is no level, and of which leads."""
        found: dict[str, list[str]] = {}
        for one in self.leads:
            if one.reason:
                found.setdefault(one.reason, []).append(one.lead)
        return found


def st(stored: StStored, analysed_s: float) -> St:
    """Return what is known of ST; ``analysed_s``: the time that could be analysed."""
    leads = sorted(stored.leads, key=lambda one: (*NAMES, one.name).index(one.name))
    found = tuple(_lead(one, analysed_s) for one in leads)
    reason = _why_not([hz for one in leads for hz in one.high_pass_hz])
    changes = (0, 0) if reason else (stored.elevations, stored.depressions)
    return St(not reason, reason, *changes, found)


def _why_not(high_pass_hz: Sequence[float | None]) -> str:
    """Return why ST cannot be told from what was recorded with these high-pass filters; empty: it can."""
    stated = [hz for hz in high_pass_hz if hz is not None]
    if any(0 <= hz <= HIGH_PASS_HZ for hz in stated):
        return ""
    if stated:
        return f"the high-pass filter is {min(stated):.3g} Hz, above 0.05 Hz"
    return "the high-pass filter is not stated" if high_pass_hz else "no ECG is stored"


def _lead(stored: StoredLead, analysed_s: float) -> LeadSt:
    n, mv = stored.n, stored.mv
    if not n.size:
        unnamed = "" if stored.name in NAMES else "the lead has no name"
        reason = _why_not(stored.high_pass_hz) or unnamed or "no level was measured"
        return LeadSt(stored.name, reason, 0.0, None, None, None, None, None, "")
    minute = (stored.start_ns - stored.start_ns[0]) // MINUTE_NS
    trend = np.full(int(minute[-1]) + 1, np.nan)
    trend[minute] = mv
    assessed_s = VALUE_S * float(n.sum())
    share = min(1.0, assessed_s / analysed_s) if analysed_s else None
    lowest, highest = (
        Level(int(stored.start_ns[at]), round(float(mv[at]), _PLACES)) for at in (mv.argmin(), mv.argmax())
    )
    mean_mv = round(float(np.average(mv, weights=n)), _PLACES)
    begin_ns, text = int(stored.start_ns[0]), samples.text(trend)
    return LeadSt(stored.name, "", assessed_s, share, mean_mv, lowest, highest, begin_ns, text)
