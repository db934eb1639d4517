"""What the alert pipeline makes of conditions: what people would be told, and when.

The clock runs with the signal, and nothing disturbs the line.
"""

from typing import NamedTuple

import numpy as np

from alerts.history import CALLED
from alerts.pipeline import Pipeline, Rules
from alerts.state import Event, State
from devices.source import NS
from ecgstream.evaluate.played import START_NS, Played
from ecgstream.evaluate.told import record_of
from schemas.records import Alert, AlertState, Priority

LATE_S = 120.0
"""The setting's default."""
AFTER_S = 10.0
"""Within which a high-priority condition pages; the signal behind an alarm is not played, time goes on."""
STEP_S = 0.2
"""How often a pager looks at the time (``ecgstream.pager.service.POLL_S``)."""


class Told(NamedTuple):
    """What people are told, in s of signal.

    Attributes:
        condition, high: what it is, and whether its priority is high.
        onset_s, decided_s, over_s: of the condition; infinity: not within the signal.
        paged_s: when people were called; None: it joined what they had been called for.
    """

    condition: str
    high: bool
    onset_s: float
    decided_s: float
    over_s: float
    paged_s: float | None


def paged(found: Played) -> tuple[tuple[Told, ...], int]:
    """Return what people are told of what was found, and how many alerts were held back for good."""
    pipeline = Pipeline(State(), Rules(LATE_S))
    came = list(zip(found.condition_s.tolist(), found.conditions, strict=True))
    at = 0
    for now_s in np.arange(0.0, found.duration_s + AFTER_S, STEP_S).tolist():
        while at < len(came) and came[at][0] <= now_s:
            come_ns = _ns(came[at][0])
            pipeline.run([Event(record_of(came[at][1], come_ns), 0, at)], come_ns)
            at += 1
        pipeline.run([], _ns(now_s))
    alerts = sorted(pipeline.state.alerts.values(), key=lambda alert: alert.onset_ns)
    held = sum(a.calls == 0 and any(t.what == AlertState.CHECK for t in a.history) for a in alerts)
    return tuple(_told(alert) for alert in alerts if alert.calls > 0), held


def _ns(at_s: float) -> int:
    return START_NS + round(at_s * NS)


def _s(time_ns: int) -> float:
    return (time_ns - START_NS) / NS


def _told(alert: Alert) -> Told:
    called = [turn.at_ns for turn in alert.history if turn.what == CALLED]
    return Told(
        alert.condition,
        alert.priority is Priority.HIGH,
        _s(alert.onset_ns),
        _s(alert.decided_ns),
        np.inf if alert.end_ns is None else _s(alert.end_ns),
        _s(called[0]) if called else None,
    )
