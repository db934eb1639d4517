"""The stages in their order.

A stage takes the state, some events and the time, and returns the events that the next one gets: the same,
fewer, changed, or more. It does no I/O and reads no clock, so that a test is a timeline. Only ``record``
changes the state of alerts. The model is Prometheus Alertmanager's ``notify`` package.
"""

from collections.abc import Callable, Iterable, Sequence

from alerts.alert import advance
from alerts.deduplicate import deduplicate
from alerts.priority import prioritise
from alerts.record import record
from alerts.state import Event, State
from schemas.records import Alert

Stage = Callable[[State, Sequence[Event], int], list[Event]]

STAGES: tuple[Stage, ...] = (deduplicate, prioritise, advance, record)


class Pipeline:
    """The stages over the state of one partition."""

    def __init__(self, state: State, stages: tuple[Stage, ...] = STAGES) -> None:
        self.state = state
        self._stages = stages

    def run(self, events: Iterable[Event], now_ns: int) -> list[Alert]:
        """Return the alerts that changed, each in every state it went through, in order.

        Events go through one by one, for what a phase does may depend on the phase before it.
        """
        changed: list[Alert] = []
        for event in events:
            left: Sequence[Event] = [event]
            for stage in self._stages:
                left = stage(self.state, left, now_ns)
            changed += [e.alert for e in left if e.alert is not None]
        return changed
