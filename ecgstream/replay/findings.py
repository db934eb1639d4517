"""What was found in a stretch, in one form for what is stored and for what a replay finds. No I/O.

Each finding has a key, which says what it is of, and values, which a replay must give again to the last bit.
Left out, for they are no matter of the signal (docs/replay.md says why): when something was published, by
which worker and from which record; lost links; records that a log had lost.
"""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from schemas import wfdb
from schemas.batches import Beats, Rhythms, Trends
from schemas.conditions import Code
from schemas.records import Condition, Phase, Segment

LEFT_OUT = (Code.LINK_LOST.name, Code.RECORDS_LOST.name)
"""Conditions that follow from a broker's clock, or from a log that was lost, and not from signals."""
MINUTE_NS = 60_000_000_000
_PHASES = tuple(Phase)

Key = tuple[Any, ...]
Values = dict[str, Any]


@dataclass(slots=True)
class Findings:
    """Kind of finding to key to values.

    Attributes:
        beats, rhythms: by session and sample.
        trends: by session, minute and code, of whole minutes; both lanes together, as they are read.
        conditions: by id.
        segments: by session, lane and first sample.
        alerts: by the condition's id; ``called`` says whether people were called for it.
        phases: of conditions, in the order in which they came; none of what is stored.
        open_minutes: keys of trends that were not whole yet as the replay ended.
    """

    beats: dict[Key, Values] = field(default_factory=dict)
    rhythms: dict[Key, Values] = field(default_factory=dict)
    trends: dict[Key, Values] = field(default_factory=dict)
    conditions: dict[Key, Values] = field(default_factory=dict)
    segments: dict[Key, Values] = field(default_factory=dict)
    alerts: dict[Key, Values] = field(default_factory=dict)
    phases: list[Condition] = field(default_factory=list)
    open_minutes: set[Key] = field(default_factory=set)

    def kinds(self) -> Mapping[str, dict[Key, Values]]:
        """Return what is compared, by name."""
        return {
            "segment": self.segments,
            "beat": self.beats,
            "rhythm": self.rhythms,
            "trend": self.trends,
            "condition": self.conditions,
            "alert": self.alerts,
        }


class Collected:
    """Takes the records that a lane puts out, and gives the findings in a stretch of the device's time.

    Where lanes and phases tell of one thing twice, it is joined as the sink and the views do.
    """

    def __init__(self, since_ns: int, until_ns: int) -> None:
        self._since_ns = since_ns
        self._until_ns = until_ns
        self._found = Findings()
        self._minutes: dict[Key, dict[str, tuple[int, float, float, float]]] = {}
        self._of: dict[str, list[Condition]] = {}

    def beats(self, batch: Beats) -> None:
        """Take beats."""
        for row in batch.rows():
            if self._is_inside(row.time_ns):
                self._found.beats[row.session, row.sample] = {
                    "time_ns": row.time_ns,
                    "code": row.code,
                    "rr_s": number(row.rr_s),
                    "hr_bpm": number(row.hr_bpm),
                }

    def rhythms(self, batch: Rhythms) -> None:
        """Take rhythms."""
        for row in batch.rows():
            if self._is_inside(row.time_ns):
                name = wfdb.RHYTHMS[row.rhythm]
                self._found.rhythms[row.session, row.sample] = {"time_ns": row.time_ns, "rhythm": name}

    def trends(self, batch: Trends, *, are_open: bool = False) -> None:
        """Take minutes; ``are_open``: that are not over yet, so that the newest may not be stored."""
        for row in batch.rows():
            if not self._since_ns <= row.minute_ns <= self._until_ns - MINUTE_NS:
                continue
            key = (row.session, row.minute_ns, row.code)
            lanes = self._minutes.setdefault(key, {})
            if are_open:
                self._found.open_minutes.add(key)
                lanes.setdefault(batch.lane, (row.n, row.mean, row.low, row.high))
            else:
                lanes[batch.lane] = (row.n, row.mean, row.low, row.high)

    def condition(self, condition: Condition) -> None:
        """Take a phase."""
        if condition.code not in LEFT_OUT:
            self._found.phases.append(condition)
            if self._is_inside(condition.onset_ns):
                self._of.setdefault(condition.id, []).append(condition)

    def segment(self, segment: Segment) -> None:
        """Take the begin or the end of a segment."""
        if not self._is_inside(segment.from_ns):
            return
        key = (segment.session, str(segment.lane), segment.from_sample)
        known = self._found.segments.get(key, {})
        self._found.segments[key] = {
            "from_ns": segment.from_ns,
            "to_sample": segment.to_sample if segment.to_sample is not None else known.get("to_sample"),
            "to_ns": segment.to_ns if segment.to_ns is not None else known.get("to_ns"),
            "start": str(segment.start),
            "settings": json.loads(segment.settings),
        }

    def findings(self) -> Findings:
        """Return what was found."""
        found = self._found
        found.trends = {key: minute(lanes.values()) for key, lanes in self._minutes.items()}
        for phases in self._of.values():
            first = min(phases, key=lambda c: (c.sample, _PHASES.index(c.phase)))
            newest = max(phases, key=lambda c: (c.sample, _PHASES.index(c.phase)))
            found.conditions[(newest.id,)] = {
                "patient": newest.patient,
                "session": newest.session,
                "code": newest.code,
                "onset_sample": newest.onset_sample,
                "onset_ns": newest.onset_ns,
                "decided_sample": first.sample,
                "decided_ns": first.time_ns,
                "delay_s": first.delay_s,
                "lane": str(newest.lane),
                "phase": str(newest.phase),
                "end_ns": newest.time_ns if newest.phase is Phase.END else None,
                "evidence": {name: number(value) for name, value in newest.evidence.items()},
            }
        return found

    def _is_inside(self, time_ns: int) -> bool:
        return self._since_ns <= time_ns < self._until_ns


def minute(lanes: Iterable[tuple[int, float | None, float | None, float | None]]) -> Values:
    """Return a minute of which both lanes may know a part, as ``api.trends`` does.

    ``lanes``: how many values each has, their mean, the least and the greatest.
    """
    parts = list(lanes)
    means = [(n, of) for n, mean, _, _ in parts if (of := number(mean)) is not None]
    weight = sum(n for n, _ in means)
    lows = [of for _, _, low, _ in parts if (of := number(low)) is not None]
    highs = [of for _, _, _, high in parts if (of := number(high)) is not None]
    return {
        "n": sum(n for n, _, _, _ in parts),
        "mean": float(np.float32(sum(n * mean for n, mean in means) / weight)) if weight else None,
        "low": min(lows, default=None),
        "high": max(highs, default=None),
    }


def number(value: float | None) -> float | None:
    """Return a number as it is stored: of those that are none, nothing.

    >>> number(float("nan")), number(0.5)
    (None, 0.5)
    """
    return None if value is None or not math.isfinite(value) else value
