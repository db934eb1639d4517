"""Whom a call goes to, by the duty roster.

The first call of an alert goes to who is on duty, the second to their back-up, the third and all that follow
to the whole team and the ward (``roster.steps``), as the roster stands when the call is made: so a change of
shift between two calls is followed. Somebody is found for each of them, whatever the roster says.
"""

from dataclasses import replace

from alerts import consultation
from alerts.call import LONGEST_S, Call, anybody
from alerts.roster.model import Roster
from alerts.roster.steps import Where, called_for_a_test, steps
from alerts.state import is_test
from schemas.conditions import Code
from schemas.records import Alert

SKILLS = {
    Code.PACER_NOT_CAPTURING.name: "pacing",
    Code.PACER_NOT_PACING.name: "pacing",
}
"""What a condition needs of who looks at it, in the words of docs/roster.md."""


def where_of(alert: Alert) -> Where:
    """Return what decides whose an alert is."""
    path = tuple(code for code in alert.facility.split(".") if code)
    return Where(path, SKILLS.get(alert.condition, ""), alert.green)


class Routing:
    """The route of alerts; without a roster one call each, to whoever the channel reaches."""

    def __init__(self) -> None:
        self.roster: Roster | None = None

    def __call__(self, alert: Alert, call: int, now_ns: int) -> Call:
        """Return whom a call goes to, and how long it may be left unanswered."""
        if alert.condition == Code.CONSULTATION.name and not alert.facility:
            return Call((alert.device,))
        if self.roster is None:
            return anybody(alert, call, now_ns)
        if is_test(alert):
            return Call(called_for_a_test(self.roster, alert.device, now_ns))
        if alert.condition == Code.CONSULTATION.name:
            return Call(consultation.called(self.roster, alert, now_ns))
        where = where_of(alert)
        where = replace(where, green=where.green or self.roster.is_green(alert.patient, now_ns))
        found = steps(self.roster, where, alert.priority, now_ns)
        step = found[min(call, len(found)) - 1]
        if call >= len(found):
            return Call(step.accounts, LONGEST_S[alert.priority])
        return Call(step.accounts, float(found[call].after_s - step.after_s))
