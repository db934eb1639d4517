"""The stages in their order.

A stage takes the state, some events and the time, and returns the events that the next one gets: the same,
fewer, changed, or more. It does no I/O and reads no clock, so that a test is a timeline. Behind each batch
the stages are called without events once, for what waits on time. Only ``late`` keeps events in the state,
and only ``record`` changes the alerts in it. The model is Prometheus Alertmanager's ``notify`` package.
"""

from collections.abc import Callable, Iterable, Sequence

from alerts.acknowledge import acknowledge
from alerts.alert import advance
from alerts.deduplicate import deduplicate
from alerts.late import Lateness
from alerts.priority import prioritise
from alerts.record import record
from alerts.state import Event, State
from schemas.records import Acknowledgement, Alert

Stage = Callable[[State, Sequence[Event], int], list[Event]]


class Pipeline:
    """The stages over the state of one partition; ``late_s``: the setting."""

    def __init__(self, state: State, late_s: float) -> None:
        self.state = state
        self._stages: tuple[Stage, ...] = (deduplicate, prioritise, Lateness(late_s), advance, record)

    def run(self, events: Iterable[Event], now_ns: int) -> list[Alert]:
        """Return the alerts that changed, each in every state it went through, in order.

        Events go through one by one, for what a phase does may depend on the phase before it.
        """
        changed: list[Alert] = []
        for event in events:
            changed += self._through([event], now_ns)
            self.state.told.note(event.condition)
        return changed + self._through([], now_ns)

    def acknowledge(self, said: Iterable[Acknowledgement], now_ns: int) -> list[Alert]:
        """Return the alerts that people's words have changed."""
        found = (acknowledge(self.state, one, now_ns) for one in said)
        return [alert for alert in found if alert is not None]

    def _through(self, left: Sequence[Event], now_ns: int) -> list[Alert]:
        for stage in self._stages:
            left = stage(self.state, left, now_ns)
        return [event.alert for event in left if event.alert is not None]
