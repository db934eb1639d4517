"""The alarms of a device that a wall shows: what the detectors find at once, then what the pager makes of it.

An onset shows before the pager has answered, and also while the pager is away. From then on the alert's own
record says how it stands: acknowledged, silenced, latched, over. Times are UTC ns.
"""

from collections import OrderedDict
from typing import Any, NamedTuple

from alerts.priority import priority_of
from schemas.records import Alert, AlertState, Condition, Lane, Phase, Priority

LATE_NS = 60_000_000_000
"""An onset that left its gateway longer ago is the pager's to judge: it may be over long since."""
_MOST_OVER = 20_000


class Alarm(NamedTuple):
    """One alarm; ``id`` is the condition's and the alert's. ``told``: the pager's word is what it says."""

    id: str
    code: str
    priority: Priority
    state: AlertState
    since_ns: int
    told: bool

    def plain(self) -> dict[str, Any]:
        """Return what a screen is told of it."""
        state, since_ms = self.state.value, self.since_ns // 1_000_000
        return {
            "id": self.id,
            "code": self.code,
            "priority": self.priority.value,
            "state": state,
            "since": since_ms,
        }


class Over:
    """The newest alarms that are over: a worker that goes through the log again says their onsets again."""

    def __init__(self, most: int = _MOST_OVER) -> None:
        self._ids: OrderedDict[str, None] = OrderedDict()
        self._most = most

    def add(self, id_: str) -> None:
        """Note an alarm, and forget the oldest where there are too many."""
        self._ids[id_] = None
        if len(self._ids) > self._most:
            self._ids.popitem(last=False)

    def __contains__(self, id_: str) -> bool:
        """Return whether an alarm is known to be over."""
        return id_ in self._ids


Alarms = dict[str, Alarm]
"""Those that stand at a device, by id."""


def of_condition(alarms: Alarms, over: Over, condition: Condition, now_ns: int) -> bool:
    """Take a phase of a condition in; return whether anything changed."""
    known = alarms.get(condition.id)
    if condition.phase is Phase.END:
        return known is not None and not known.told and _end(alarms, over, known)
    is_new = condition.phase is Phase.ONSET and known is None and condition.id not in over
    if not is_new or condition.lane is not Lane.LIVE or now_ns - condition.published_ns > LATE_NS:
        return False
    priority = priority_of(condition.code)
    alarms[condition.id] = Alarm(
        condition.id, condition.code, priority, AlertState.ACTIVE, condition.onset_ns, told=False
    )
    return True


def of_alert(alarms: Alarms, over: Over, alert: Alert) -> bool:
    """Take the newest record of an alert in; return whether anything changed."""
    if alert.state is AlertState.ENDED:
        over.add(alert.id)
        return alarms.pop(alert.id, None) is not None
    alarm = Alarm(alert.id, alert.condition, alert.priority, alert.state, alert.onset_ns, told=True)
    before, alarms[alert.id] = alarms.get(alert.id), alarm
    return before is None or before.plain() != alarm.plain()


def _end(alarms: Alarms, over: Over, known: Alarm) -> bool:
    """End an alarm of which the pager has said nothing; one of high priority stays, as it would there."""
    if known.priority is Priority.HIGH:
        alarms[known.id] = known._replace(state=AlertState.LATCHED)
        return known.state is not AlertState.LATCHED
    over.add(known.id)
    del alarms[known.id]
    return True
