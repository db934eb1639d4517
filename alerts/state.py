"""What the pipeline knows: the alerts of one partition, and how far each has been told."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from schemas.records import Alert, Condition, Priority


@dataclass(slots=True)
class Event:
    """A phase of a condition on its way through the stages, each of which adds what it finds.

    Attributes:
        partition, offset: of its record in the conditions topic.
        alert: the alert in its new state, once ``advance`` has been.
    """

    condition: Condition
    partition: int
    offset: int
    priority: Priority | None = None
    alert: Alert | None = None


@dataclass(slots=True)
class State:
    """Alerts by id, and the sample of the newest phase that each has taken in since the pager started."""

    alerts: dict[str, Alert] = field(default_factory=dict)
    newest_sample: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, recorded: Iterable[Alert]) -> "State":
        """Return the state that recorded alerts tell, in any order: of each the newest holds.

        Newest by the condition it had taken in, not by its place in the topic: a pager that was paused and
        has lost its partition may have written an older one behind it. The first raise is kept.
        """
        state = cls()
        for alert in recorded:
            known = state.alerts.get(alert.id)
            if known is None:
                state.alerts[alert.id] = alert
                continue
            newer = (alert.offset, alert.updated_ns) >= (known.offset, known.updated_ns)
            first_ns = min(alert.raised_ns, known.raised_ns)
            state.alerts[alert.id] = replace(alert if newer else known, raised_ns=first_ns)
        return state
