"""A call for a consultation: somebody waits for an opinion on a stretch of ECG. It is no alarm.

It goes the way of every call, behind all that is of patients whose alarms are open. Whom it calls, the duty
roster of the facility that is asked says, or one account is named. It calls once: that nobody has taken the
case, who asks for it tells anew, as another call (``call``). Like a test page it is over as soon as somebody
acknowledges it, or after ten minutes (``trial.end``), and the database keeps none. Neither the question nor a
name is ever part of it.
"""

from alerts.history import noted
from alerts.priority import priority_of
from alerts.roster.model import Roster
from alerts.roster.steps import Where, steps
from alerts.state import Event, State
from schemas.conditions import Code
from schemas.records import Acknowledgement, Alert, AlertState, Priority

KEPT_S = 1800.0
"""So old a wish still calls: the pager may have been away. An alert is remembered for longer (``told``)."""


def made(state: State, said: Acknowledgement, partition: int, now_ns: int) -> Event | None:
    """Return the call that somebody wants; None: it is known already, or is too late."""
    if said.alert in state.alerts or abs(now_ns - said.at_ns) >= KEPT_S * 1e9:
        return None
    alert = Alert(
        id=said.alert,
        device=said.facility.rpartition(".")[2] or said.account,
        patient=said.patient,
        session=0,
        condition=Code.CONSULTATION.name,
        priority=priority_of(Code.CONSULTATION.name),
        state=AlertState.ACTIVE,
        onset_sample=0,
        onset_ns=said.at_ns,
        decided_sample=0,
        decided_ns=said.at_ns,
        delay_s=0.0,
        end_ns=None,
        evidence={"call": float(said.call)},
        published_ns=said.at_ns,
        raised_ns=now_ns,
        updated_ns=now_ns,
        partition=partition,
        offset=0,
        facility=said.facility,
    )
    return Event.of(noted(alert, now_ns, AlertState.ACTIVE, said.reason, said.by))


def called(roster: Roster, alert: Alert, now_ns: int) -> tuple[str, ...]:
    """Return whom a call goes to: who is on duty for the facility; their back-up; the whole team and above.

    The third call goes to who is on duty a level above, too, and each that follows to a level more.

    ``alert``: of a facility. One that names an account calls that alone (``route``).
    """
    path = tuple(alert.facility.split("."))
    call = max(int(alert.evidence.get("call", 1.0)), 1)
    found = list(steps(roster, Where(path), Priority.LOW, now_ns)[min(call, 3) - 1].accounts)
    for levels in range(1, min(call - 1, len(path))):
        found += steps(roster, Where(path[:-levels]), Priority.LOW, now_ns)[0].accounts
    return tuple(dict.fromkeys(found))
