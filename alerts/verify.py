"""What other evidence says against a condition: until then it is held back as "check patient".

An alert of an arrest or a slow heart that the pulse wave refutes (``pulse``) calls nobody while that is so.
It is raised, stands on the wall with its evidence as CHECK, and is asked again with every record of its
condition, once a second. Each record that is refuted holds it for ``HELD_S`` more: so it calls people as soon
as a record is not refuted, and also where no record comes any more, for then nobody knows what the pulse
does. A hold is never renewed by the absence of news.

Once people were called, nothing takes that back: a pulse that is seen later may be that of compressions. For
the same reason nothing is held back during, and for ``SOON_S`` behind, another life-threatening condition of
the heart that people were called for.

F. Plesinger et al., "Taming of the monitors: reducing false alarms in intensive care units", Physiol. Meas.
37 (2016) 1313-1325, and G. D. Clifford et al., Computers in Cardiology 42 (2015) 273-276: most false arrests
are refuted by pulsatile waves. Deviation: they suppress an alarm, here it is held back in sight.
"""

from collections.abc import Sequence
from dataclasses import replace

from alerts.history import noted
from alerts.pulse import refutes
from alerts.state import Event, State
from alerts.timer import is_due
from schemas.conditions import Code
from schemas.records import Alert, AlertState, Condition, Phase

HELD_S = 3.0
SOON_S = 120.0
_HELD_NS = int(HELD_S * 1e9)
_SOON_NS = int(SOON_S * 1e9)
_THREATENING = frozenset(
    code.name
    for code in (
        Code.ASYSTOLE,
        Code.VENTRICULAR_FIBRILLATION,
        Code.VENTRICULAR_TACHYCARDIA,
        Code.SUSTAINED_VENTRICULAR_TACHYCARDIA,
        Code.EXTREME_BRADYCARDIA,
        Code.EXTREME_TACHYCARDIA,
    )
)
WHY = "the pulse wave runs on"


def verify(state: State, events: Sequence[Event], now_ns: int) -> list[Event]:
    """Hold back what is refuted; called without events, let go what was not refuted anew."""
    if not events:
        held = [alert for alert in state.timed() if alert.held_until_ns is not None]
        overdue = [alert for alert in held if is_due(alert.held_until_ns or 0, now_ns, HELD_S)]
        return [Event.of(_let_go(alert, now_ns, "no news of the pulse wave")) for alert in overdue]
    for event in events:
        if event.condition is not None and event.alert is not None and not event.late:
            event.alert = _verified(state, event.condition, event.alert, now_ns)
    return list(events)


def _verified(state: State, condition: Condition, alert: Alert, now_ns: int) -> Alert:
    is_new = alert.id not in state.alerts
    if condition.phase is Phase.END or not (is_new or alert.state is AlertState.CHECK):
        return alert
    if refutes(condition) and not _is_threatened(state, alert):
        held = replace(alert, state=AlertState.CHECK, held_until_ns=now_ns + _HELD_NS)
        return noted(held, now_ns, AlertState.CHECK, WHY) if is_new else held
    return alert if is_new else _let_go(alert, now_ns, "the pulse wave does not refute it any more")


def _let_go(alert: Alert, now_ns: int, why: str) -> Alert:
    free = replace(alert, state=AlertState.ACTIVE, held_until_ns=None, updated_ns=now_ns)
    return noted(free, now_ns, AlertState.ACTIVE, why)


def _is_threatened(state: State, alert: Alert) -> bool:
    return any(
        other.condition in _THREATENING
        and other.calls > 0
        and other.id != alert.id
        and (other.end_ns is None or alert.onset_ns - other.end_ns < _SOON_NS)
        for other in state.of_device(alert.device)
    )
