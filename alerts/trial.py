"""A test page: does a call reach who is on duty in a team, and is it answered?

It goes the way of every call: through Kafka, the duty roster, the notification log and a channel to people,
and their answer back. It says that it is of no patient, and calls who is on duty in the team, once: nobody
else is called if they do not answer. What is told of patients is sent before it. It is over as soon as it is
answered, or ``LASTS_S`` after it was sent. The database keeps none, so that no statistic counts one. Which
channel has taken it stands in its history, so that whoever has sent it sees how far it came.
"""

from collections.abc import Sequence
from dataclasses import replace

from alerts.history import noted
from alerts.priority import priority_of
from alerts.state import Event, State, is_test
from schemas.conditions import Code
from schemas.records import Acknowledgement, Alert, AlertState

LASTS_S = 600.0
AGAIN_S = 60.0
"""From a team's test page to its next one at the least; while one lasts there is no other."""


def refusal(tests: Sequence[Alert], team: str, now_ns: int) -> Alert | None:
    """Return the team's test page for which there is no other now; None: there may be one."""
    of_team = [one for one in tests if one.device == team]
    newest = max(of_team, key=lambda one: one.raised_ns, default=None)
    if newest is None:
        return None
    is_recent = abs(now_ns - newest.raised_ns) < AGAIN_S * 1e9  # not for ever, by a clock that was ahead once
    is_open = newest.state is not AlertState.ENDED and not _is_old(newest, now_ns)
    return newest if is_recent or is_open else None


def made(state: State, said: Acknowledgement, partition: int, now_ns: int) -> Event | None:
    """Return the test page that somebody wants; None: it is known already, is too late, or one too many."""
    if said.alert in state.alerts or abs(now_ns - said.at_ns) >= LASTS_S * 1e9:
        return None
    if refusal([one for one in state.no_alarms() if is_test(one)], said.team, now_ns) is not None:
        return None
    alert = Alert(
        id=said.alert,
        device=said.team,
        patient="",
        session=0,
        condition=Code.TEST_PAGE.name,
        priority=priority_of(Code.TEST_PAGE.name),
        state=AlertState.ACTIVE,
        onset_sample=0,
        onset_ns=said.at_ns,
        decided_sample=0,
        decided_ns=said.at_ns,
        delay_s=0.0,
        end_ns=None,
        evidence={},
        published_ns=said.at_ns,
        raised_ns=now_ns,
        updated_ns=now_ns,
        partition=partition,
        offset=0,
    )
    return Event.of(noted(alert, now_ns, AlertState.ACTIVE, said.reason, said.by))


def end(state: State, events: Sequence[Event], now_ns: int) -> list[Event]:
    """The stage. Called without events, it ends what only calls people and nobody has answered for long."""
    if events:
        return list(events)
    lasting = (alert for alert in state.no_alarms() if alert.state is not AlertState.ENDED)
    return [Event.of(_ended(alert, now_ns)) for alert in lasting if _is_old(alert, now_ns)]


def _is_old(alert: Alert, now_ns: int) -> bool:
    return abs(now_ns - alert.raised_ns) >= LASTS_S * 1e9


def _ended(alert: Alert, now_ns: int) -> Alert:
    over = replace(alert, state=AlertState.ENDED, end_ns=now_ns, call_ns=None, updated_ns=now_ns)
    return noted(over, now_ns, AlertState.ENDED, "nobody has answered")
