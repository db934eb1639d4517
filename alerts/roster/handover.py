"""What is open in a team as one shift ends, for who comes next."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from alerts.notify import iso
from alerts.page import condition_text
from alerts.priority import MARKS
from alerts.roster.civil import local
from alerts.roster.duty import on_duty
from alerts.roster.model import Roster, Team
from alerts.roster.steps import Where, teams_for
from alerts.state import is_no_alarm
from schemas.records import Alert, AlertState, Priority

_PRIORITIES = tuple(Priority)
_SAID = {
    AlertState.ACTIVE: "lasts, nobody has taken it",
    AlertState.CHECK: "lasts, other evidence speaks against it",
    AlertState.SILENCED: "silenced for a time, nobody has taken it",
    AlertState.LATE: "over before it was known, nobody has taken it",
    AlertState.LATCHED: "over, nobody has taken it",
    AlertState.ACKNOWLEDGED: "lasts, taken by",
}
"""In the order of the list."""
_STATES = tuple(_SAID)


@dataclass(frozen=True, slots=True)
class Handover:
    """What a shift hands over at ``at_ns`` (UTC ns): from whom, to whom, and what is open, worst first."""

    team: Team
    at_ns: int
    before: tuple[str, ...]
    behind: tuple[str, ...]
    alerts: tuple[Alert, ...]


def handover(roster: Roster, team: Team, alerts: Iterable[tuple[Alert, Where]], at_ns: int) -> Handover:
    """Return what a team hands over at a moment: of all alerts those that are open, and the team's.

    An alert is the team's that is asked first for it, whoever was on duty as it was told: also what another
    team took over a hole, this one must know of.
    """
    wanted = [
        alert
        for alert, where in alerts
        if alert.state is not AlertState.ENDED
        and not is_no_alarm(alert)
        and teams_for(roster, where)[0].name == team.name
    ]
    before, behind = (
        tuple(dict.fromkeys(span.account for span in on_duty(roster, team, moment_ns)))
        for moment_ns in (at_ns - 1, at_ns)
    )
    return Handover(team, at_ns, before, behind, tuple(sorted(wanted, key=_order)))


def lines_of(found: Handover) -> list[str]:
    """Return a hand-over as lines for a person; no names, only accounts, devices and pseudonyms."""
    who = f"{_people(found.before)} to {_people(found.behind)}"
    n = len(found.alerts)
    head = (
        f"Hand-over of team {found.team.name} at {local(found.at_ns, found.team.clock):%Y-%m-%d %H:%M}: {who}"
    )
    open_ = "no alert is open" if not n else f"{n} alert{'s are' if n > 1 else ' is'} open"
    return [head, open_, *map(_line, found.alerts)]


def _people(accounts: Sequence[str]) -> str:
    return ", ".join(accounts) or "NOBODY"


def _order(alert: Alert) -> tuple[int, int, int]:
    return _PRIORITIES.index(alert.priority), _STATES.index(alert.state), alert.onset_ns


def _line(alert: Alert) -> str:
    taken = f" {alert.acknowledged_by}: {alert.reason}" if alert.state is AlertState.ACKNOWLEDGED else ""
    of = f"device {alert.device}, patient {alert.patient or 'unassigned'}, since {iso(alert.onset_ns)}"
    return f"{MARKS[alert.priority]} {condition_text(alert.condition)}: {of}; {_SAID[alert.state]}{taken}"
