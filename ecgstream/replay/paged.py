"""What the alert pipeline makes of conditions that a replay finds: which alerts, and when people are called.

The clock runs with the signal: a condition comes when the packet that decided it was measured. Nobody is
called; everybody is on duty; a device stands nowhere, so that no site's storm groups alerts. What people said
of alerts then, they say again at the same time.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from alerts.history import CALLED
from alerts.pipeline import Pipeline, Rules
from alerts.state import Event, State
from schemas.records import Acknowledgement, Alert, AlertState, Condition

LATE_S = 120.0
"""The setting's default; in a replay nothing but a backlog is late."""
_STEP_NS, _SLOW_STEP_NS = 200_000_000, 2_000_000_000
"""How often a pager looks at the time (``ecgstream.pager.service.POLL_S``); slower where nothing has come for
``_LIVELY_NS``, since what is put off for longer is put off for minutes."""
_LIVELY_NS = 10_000_000_000
_AFTER_NS = 60_000_000_000
"""How long time goes on behind the last condition."""


class Paged(NamedTuple):
    """An alert, and when people were called for it first, UTC ns; None: they were not."""

    alert: Alert
    called_ns: int | None


def paged(phases: Iterable[Condition], said: Sequence[Acknowledgement] = ()) -> list[Paged]:
    """Return the alerts of conditions, by onset.

    Args:
        phases: in the order in which they came, each published when it came.
        said: what people said of these alerts.
    """
    pipeline = Pipeline(State(), Rules(LATE_S))
    words = sorted(said, key=lambda one: one.at_ns, reverse=True)
    now_ns = 0
    for offset, phase in enumerate(phases):
        now_ns = _until(pipeline, words, now_ns, max(now_ns, phase.published_ns))
        pipeline.run([Event(phase, 0, offset)], now_ns)
    _until(pipeline, words, now_ns, now_ns + _AFTER_NS)
    alerts = sorted(pipeline.state.alerts.values(), key=lambda alert: (alert.onset_ns, alert.id))
    return [Paged(alert, _called_ns(alert)) for alert in alerts]


def _until(pipeline: Pipeline, words: list[Acknowledgement], now_ns: int, until_ns: int) -> int:
    """Let time pass while something waits for it, and people speak; return ``until_ns``."""
    lively_ns = now_ns + _LIVELY_NS
    while now_ns < until_ns and _waits(pipeline.state):
        step_ns = _STEP_NS if now_ns < lively_ns else _SLOW_STEP_NS
        now_ns = min(now_ns + step_ns, until_ns)
        pipeline.run([], now_ns)
        said = []
        while words and words[-1].at_ns <= now_ns:
            said.append(words.pop())
        pipeline.hear(said, now_ns)
    return until_ns


def _waits(state: State) -> bool:
    """Return whether time may change anything: an alert that has not ended, or a phase that is waited for."""
    return bool(state.waiting) or any(alert.state is not AlertState.ENDED for alert in state.alerts.values())


def _called_ns(alert: Alert) -> int | None:
    return next((turn.at_ns for turn in alert.history if turn.what == CALLED), None)
