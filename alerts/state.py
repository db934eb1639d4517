"""What the pipeline knows: the alerts of one partition, how far each has been told, and what waits."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from alerts.told import Told
from schemas.records import Alert, AlertState, Condition, Priority


@dataclass(slots=True)
class Event:
    """A phase of a condition on its way through the stages, each of which adds what it finds.

    Attributes:
        partition, offset: of its record in the conditions topic.
        first: the phase that the alert is raised by, where this one was waited for.
        late: the condition is over, and was so long before it was known here.
        alert: the alert in its new state, once ``advance`` has been.
    """

    condition: Condition
    partition: int
    offset: int
    priority: Priority | None = None
    first: Condition | None = None
    late: bool = False
    alert: Alert | None = None


@dataclass(slots=True)
class Waiting:
    """A condition of which it is not sure yet whether it is over (``late``).

    Attributes:
        first, newest: phases.
        nearest_ns: the least age that a phase had when it came.
        patience_ns: how much longer it is waited for one that is younger by a second.
    """

    first: Event
    newest: Event
    nearest_ns: int
    patience_ns: int


@dataclass(slots=True)
class State:
    """Alerts by id, and the sample of the newest phase that each has taken in since the pager started.

    Attributes:
        waiting: by id; of none of these an alert is known.
        told: what was answered so long ago that its alerts are forgotten.
        passed_ns: when ``late`` last looked at what waits.
        replayed: phases dropped since they were answered long ago.
    """

    alerts: dict[str, Alert] = field(default_factory=dict)
    newest_sample: dict[str, int] = field(default_factory=dict)
    waiting: dict[str, Waiting] = field(default_factory=dict)
    told: Told = field(default_factory=Told)
    passed_ns: int | None = None
    replayed: int = 0

    @classmethod
    def of(cls, recorded: Iterable[Alert]) -> "State":
        """Return the state that recorded alerts tell, in any order: of each the newest holds.

        Newest by the condition it had taken in, not by its place in the topic: a pager that was paused and
        has lost its partition may have written an older one behind it. The first raise is kept, and so is
        the first acknowledgement, of which such a pager knew nothing.
        """
        state = cls()
        for alert in recorded:
            state.learn(alert)
        return state

    def learn(self, alert: Alert) -> None:
        """Take in a recorded alert, as ``of`` does."""
        known = self.alerts.get(alert.id)
        self.alerts[alert.id] = alert if known is None else _merged(known, alert)

    def held(self) -> int | None:
        """Return the lowest offset that must be read again after a crash, for its condition waits."""
        return min((w.first.offset for w in self.waiting.values()), default=None)

    def forget(self, alert: str) -> None:
        """Forget an alert that is over."""
        del self.alerts[alert]
        self.newest_sample.pop(alert, None)


ACKNOWLEDGED = {
    AlertState.ACTIVE: AlertState.ACKNOWLEDGED,
    AlertState.LATCHED: AlertState.ENDED,
    AlertState.LATE: AlertState.ENDED,
}
"""What an acknowledgement makes of a state; it changes nothing in any other."""


def _merged(one: Alert, other: Alert) -> Alert:
    newest = max(other, one, key=lambda alert: (alert.offset, alert.updated_ns))
    newest = replace(newest, raised_ns=min(one.raised_ns, other.raised_ns))
    said = [alert for alert in (one, other) if alert.acknowledged_ns is not None]
    if not said:
        return newest
    first = min(said, key=lambda alert: alert.acknowledged_ns or 0)
    return replace(
        newest,
        state=ACKNOWLEDGED.get(newest.state, newest.state),
        acknowledged_ns=first.acknowledged_ns,
        acknowledged_by=first.acknowledged_by,
        reason=first.reason,
    )
