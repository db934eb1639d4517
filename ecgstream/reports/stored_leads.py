"""Leads as they were recorded, and their ST levels, gathered row by row."""

import numpy as np

from ecgstream.reports.material import StoredLead
from schemas import mdc

_LEAD_OF = {code: lead for lead, code in mdc.ST_LEADS.items()}


class StoredLeads:
    """Takes what the store has of leads, in any order, and gives it lead by lead."""

    def __init__(self) -> None:
        self._high_pass: dict[str, dict[float | None, None]] = {}
        self._levels: dict[str, dict[int, tuple[float, float]]] = {}

    def recorded(self, code: int, high_pass_hz: float | None) -> None:
        """Take that a lead (MDC) was recorded with such a filter; None: it is not stated."""
        self._high_pass.setdefault(mdc.lead_name(code), {})[high_pass_hz] = None

    def level(self, code: int, minute_ns: int, n: float, mv: float) -> None:
        """Take the mean of ``n`` values of a minute; ``code``: of ``mdc.ST_LEADS``. Sessions add up."""
        minutes = self._levels.setdefault(_LEAD_OF[code], {})
        before, total = minutes.get(minute_ns, (0.0, 0.0))
        minutes[minute_ns] = before + n, total + n * mv

    def found(self) -> tuple[StoredLead, ...]:
        """Return the leads."""
        return tuple(self._lead(name) for name in dict.fromkeys((*self._high_pass, *self._levels)))

    def _lead(self, name: str) -> StoredLead:
        minutes = sorted(self._levels.get(name, {}).items())
        n, total = (np.array([of[which] for _, of in minutes], np.float64) for which in (0, 1))
        start = np.array([at for at, _ in minutes], np.int64)
        return StoredLead(name, tuple(self._high_pass.get(name, ())), start, n, total / n)
