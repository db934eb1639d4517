"""The life of an alert.

A high-priority alert latches (IEC 60601-1-8, 3.26 and 6.10): when its condition ends it stays until somebody
acknowledges it, since an asystole that was is news as well. One of medium or low priority ends with its
condition. Only its own condition ends an alert: a lost link, a restarted device or a lead that is off ends
nothing. Each onset has an id of its own, so a condition that comes back raises a new alert.

A condition that is late (``late``) and would have called somebody to the patient is a finding of high
priority, whatever its priority was while it lasted, for nobody has looked since. It must be acknowledged. A
technical one that is over asks for nothing any more unless it was of high priority, and neither does one of
low priority: nobody can put a lead back on an hour ago, and a thousand such findings after an outage would
bury the others. These end with their condition; the list and the database have them.
"""

from collections.abc import Sequence
from dataclasses import replace

from alerts.history import noted
from alerts.priority import is_technical, priority_of
from alerts.state import Event, State
from schemas.records import Alert, AlertState, Condition, Phase, Priority


def advance(state: State, events: Sequence[Event], now_ns: int) -> list[Event]:
    """Give each event the alert in its new state."""
    for event in events:
        if event.condition is not None:
            event.alert = _advanced(state.alerts.get(event.condition.id), event, event.condition, now_ns)
    return list(events)


def _advanced(known: Alert | None, event: Event, condition: Condition, now_ns: int) -> Alert:
    alert = _raised(event.first or condition, event, now_ns) if known is None else known
    alert = replace(alert, evidence=condition.evidence, updated_ns=now_ns, offset=event.offset)
    if condition.phase is not Phase.END:
        return alert
    alert = replace(alert, end_ns=condition.time_ns)
    if event.late and _is_finding(alert):
        alert = replace(alert, priority=Priority.HIGH, state=AlertState.LATE)
    elif event.late or not _latches(alert):
        # What has called nobody yet, since it waits whether it is one of many (``storm``), still does once.
        waits_ns = alert.call_ns if alert.calls == 0 and not event.late else None
        alert = replace(alert, state=AlertState.ENDED, held_until_ns=None, call_ns=waits_ns)
    elif alert.state is AlertState.ACTIVE:
        alert = replace(alert, state=AlertState.LATCHED)
    return noted(alert, now_ns, alert.state, "the condition is over")


def _latches(alert: Alert) -> bool:
    """Return whether an alert outlives its condition: somebody was to come, and nobody has said so yet."""
    return alert.priority is Priority.HIGH and alert.state in (AlertState.ACTIVE, AlertState.SILENCED)


def _is_finding(alert: Alert) -> bool:
    if alert.priority is Priority.MEDIUM:
        return not is_technical(alert.condition)
    return alert.priority is Priority.HIGH


def _raised(c: Condition, event: Event, now_ns: int) -> Alert:
    """Raise an alert; by whichever phase came first, so that one whose onset was lost is not lost."""
    alert = Alert(
        id=c.id,
        device=c.device,
        patient=c.patient,
        session=c.session,
        condition=c.code,
        priority=event.priority or priority_of(c.code),
        state=AlertState.ACTIVE,
        onset_sample=c.onset_sample,
        onset_ns=c.onset_ns,
        decided_sample=c.sample,
        decided_ns=c.time_ns,
        delay_s=c.delay_s,
        end_ns=None,
        evidence=c.evidence,
        published_ns=c.published_ns,
        raised_ns=now_ns,
        updated_ns=now_ns,
        partition=event.partition,
        offset=event.offset,
    )
    return noted(alert, now_ns, AlertState.ACTIVE)
