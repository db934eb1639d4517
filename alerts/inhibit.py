"""While an alert is open that says more of the same, others of its device call nobody.

Whoever is called to a ventricular fibrillation need not be told of the runs in it. Such an alert is on the
list, with what inhibits it; when that is over and it still lasts, it calls people by itself. Only an alert
that lasts and is told inhibits: none that is held back as "check patient", none that has merely latched. An
alert of high priority is never inhibited. (Prometheus Alertmanager, ``inhibit``: by rules on labels. Here one
device is one source, and the rules are a table.)
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from alerts.history import noted
from alerts.state import Event, State
from schemas.conditions import Code
from schemas.records import Alert, AlertState, Priority

_ECTOPY = frozenset(
    {
        Code.VENTRICULAR_COUPLET,
        Code.VENTRICULAR_BIGEMINY,
        Code.VENTRICULAR_TRIGEMINY,
        Code.R_ON_T,
        Code.VPC_RATE_HIGH,
    }
)
_FAST = frozenset(
    {Code.HEART_RATE_HIGH, Code.PULSE_RATE_HIGH, Code.SUPRAVENTRICULAR_TACHYCARDIA, Code.VENTRICULAR_RUN}
)
_SLOW = frozenset({Code.HEART_RATE_LOW, Code.PULSE_RATE_LOW, Code.PAUSE, Code.MISSED_BEAT, Code.AV_BLOCK})
_PACER = frozenset({Code.PACER_NOT_CAPTURING, Code.PACER_NOT_PACING})
_OF_BEATS = frozenset({Code.ATRIAL_FIBRILLATION, Code.ST_ELEVATION, Code.ST_DEPRESSION})

INHIBITS: dict[Code, frozenset[Code]] = {
    Code.VENTRICULAR_FIBRILLATION: _ECTOPY | _FAST | _SLOW | _OF_BEATS,
    Code.ASYSTOLE: _SLOW | _PACER,
    Code.VENTRICULAR_TACHYCARDIA: _ECTOPY | _FAST | _OF_BEATS,
    Code.SUSTAINED_VENTRICULAR_TACHYCARDIA: _ECTOPY | _FAST | _OF_BEATS,
    Code.EXTREME_TACHYCARDIA: frozenset({Code.HEART_RATE_HIGH, Code.PULSE_RATE_HIGH}),
    Code.EXTREME_BRADYCARDIA: _SLOW - {Code.AV_BLOCK},
    Code.VENTRICULAR_RUN: _ECTOPY,
    Code.VPC_RATE_HIGH: _ECTOPY - {Code.VPC_RATE_HIGH, Code.R_ON_T},
    Code.DESATURATION: frozenset({Code.SPO2_LOW}),
    Code.APNOEA: frozenset({Code.RESPIRATION_RATE_LOW}),
    Code.NEWS2_EMERGENCY: frozenset({Code.NEWS2_URGENT}),
    Code.ALL_LEADS_OFF: frozenset({Code.LEAD_OFF, Code.ECG_NOISY}),
    Code.LINK_LOST: frozenset({Code.SIGNAL_GAP}),
}
"""What is not told beside what: the second says nothing that whoever comes for the first would not see."""
_OPEN = (AlertState.ACTIVE, AlertState.ACKNOWLEDGED, AlertState.SILENCED)
_BY_NAME = {code.name: {other.name for other in codes} for code, codes in INHIBITS.items()}


def inhibit(state: State, events: Sequence[Event], now_ns: int) -> list[Event]:
    """Mark new alerts that another one inhibits, and free those whose inhibitor ends with an event.

    Without events, free those whose inhibitor has ended, and a crash came before they were freed.
    """
    if not events:
        return list(_freed(state, now_ns))
    found: list[Event] = []
    for event in events:
        found.append(event)
        if event.alert is None:
            continue
        if event.alert.id not in state.alerts:
            by = _inhibitor(state, event.alert)
            event.alert = event.alert if by is None else _marked(event.alert, by, now_ns)
        if not _is_open(event.alert):
            found += _freed(state, now_ns, ending=event.alert.id)
    return found


def _freed(state: State, now_ns: int, ending: str = "") -> Iterator[Event]:
    for alert in state.inhibited():
        if ending in ("", alert.inhibited_by):
            by = _inhibitor(state, alert, but=ending)
            if alert.inhibited_by != (by.id if by else ""):
                yield Event.of(_marked(alert, by, now_ns))


def _inhibitor(state: State, alert: Alert, but: str = "") -> Alert | None:
    others = (other for other in state.of_device(alert.device) if other.id not in (alert.id, but))
    return next((other for other in others if _inhibits(other, alert)), None)


def _is_open(alert: Alert) -> bool:
    return alert.state in _OPEN and alert.end_ns is None


def _marked(alert: Alert, by: Alert | None, now_ns: int) -> Alert:
    if by is None:
        freed = replace(alert, inhibited_by="", updated_ns=now_ns)
        return noted(freed, now_ns, "FREED", "what inhibited it is over")
    marked = replace(alert, inhibited_by=by.id, updated_ns=now_ns)
    return noted(marked, now_ns, "INHIBITED", f"while {by.condition} is open")


def _inhibits(other: Alert, alert: Alert) -> bool:
    return (
        alert.priority is not Priority.HIGH
        and alert.condition in _BY_NAME.get(other.condition, ())
        and _is_open(other)
        and not other.inhibited_by
    )
