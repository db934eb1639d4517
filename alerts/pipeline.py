"""The stages in their order.

A stage takes the state, some events and the time, and returns the events that the next one gets: the same,
fewer, changed, or more. It does no I/O and reads no clock, so that a test is a timeline. Behind each batch
the stages are called without events once, for what waits on time. Only ``late`` keeps events in the state,
and only ``record`` changes the alerts in it. The model is Prometheus Alertmanager's ``notify`` package.

A phase that is news gets its priority, and makes an alert or carries it on (``advance``). What is new is held
back where other evidence refutes it, joins what it repeats, is inhibited by what says more, and grouped with
others in a storm; what is left calls people, and again if nobody answers. That it is over is told, too.
A test page that somebody asks for (``trial``), and a call for a consultation, begin where people are called.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from alerts import consultation, trial
from alerts.alert import advance
from alerts.call import Calling, Route, anybody
from alerts.clear import clear
from alerts.deduplicate import deduplicate
from alerts.hear import hear
from alerts.inhibit import inhibit
from alerts.late import Lateness
from alerts.place import Places, Placing, nowhere
from alerts.priority import prioritise
from alerts.record import record
from alerts.repeat import repeat
from alerts.state import Event, State
from alerts.storm import storm
from alerts.verify import verify
from schemas.records import Acknowledgement, Act, Alert

_MADE = {Act.TEST: trial.made, Act.CONSULT: consultation.made}
Stage = Callable[[State, Sequence[Event], int], list[Event]]


class Rules(NamedTuple):
    """What alerts follow.

    Attributes:
        late_s: the setting.
        route: who is called.
        places: where devices stand.
    """

    late_s: float
    route: Route = anybody
    places: Places = nowhere


class Pipeline:
    """The stages over the state of one partition; ``partition``: its number."""

    def __init__(self, state: State, rules: Rules, partition: int = 0) -> None:
        self.state = state
        self._partition = partition
        self._calling = Calling(rules.route)
        self._stages: tuple[Stage, ...] = (
            *(deduplicate, prioritise, Lateness(rules.late_s), advance, Placing(rules.places)),
            *(verify, repeat, inhibit, storm, self._calling, trial.end, clear, record),
        )

    def run(self, events: Iterable[Event], now_ns: int) -> list[Alert]:
        """Return the alerts that changed, each in every state it went through, in order.

        Events go through one by one, for what a phase does may depend on the phase before it.
        """
        changed: list[Alert] = []
        for event in events:
            changed += self._through([event], 0, now_ns)
            if event.condition is not None:
                self.state.told.note(event.condition)
        # What time does in one stage goes through those behind it, as what comes does.
        for at, stage in enumerate(self._stages):
            for event in stage(self.state, [], now_ns):
                changed += self._through([event], at + 1, now_ns)
        return changed

    def hear(self, said: Iterable[Acknowledgement], now_ns: int) -> list[Alert]:
        """Return the alerts that people's words have changed."""
        return [alert for one in said for alert in self._heard(one, now_ns)]

    def _heard(self, said: Acknowledgement, now_ns: int) -> list[Alert]:
        made = _MADE.get(said.act)
        if made is None:
            return hear(self.state, said, now_ns)
        call = made(self.state, said, self._partition, now_ns)
        return self._through([] if call is None else [call], self._stages.index(self._calling), now_ns)

    def _through(self, left: Sequence[Event], first: int, now_ns: int) -> list[Alert]:
        for stage in self._stages[first:]:
            if not left:
                return []  # to be called without events would mean something else
            left = stage(self.state, left, now_ns)
        return [event.alert for event in left if event.alert is not None]
