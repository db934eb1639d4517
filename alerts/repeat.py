"""A condition that flaps is told once.

A new onset behind an alert of the same condition and patient that people were called for and nobody has
acknowledged joins it, unless that one has been over for longer than ``JOINED_S``: people who are on their way
are not called again for what they are coming for. The newest that somebody must come for takes over where
the others stood in their calls (``call``), so that these go on, once. Whoever acknowledges one of them
acknowledges all (``hear``). How often it came is the number of alerts that have joined.

What has been acknowledged, what people were told to be over (``clear``), and what has been over for longer
joins nothing: its new onset calls people again. (Prometheus Alertmanager swallows flaps, alertmanager#2398:
therefore the bound.)
"""

from collections.abc import Sequence
from dataclasses import replace

from alerts.history import is_cleared, noted
from alerts.state import Event, State
from schemas.records import Alert, AlertState, Priority

JOINED_S = {Priority.HIGH: 60.0, Priority.MEDIUM: 300.0, Priority.LOW: 300.0}
"""High: as long as somebody may need to the bedside; the others: as long as the next look may take."""


def repeat(state: State, events: Sequence[Event], now_ns: int) -> list[Event]:
    """Let new alerts join the one that they repeat."""
    for event in events:
        earlier = None if event.alert is None or event.late else _earlier(state, event.alert)
        if event.alert is not None and earlier is not None:
            event.alert = _joined(event.alert, earlier, now_ns)
    return list(events)


def _earlier(state: State, alert: Alert) -> Alert | None:
    """Return the newest alert that a new one repeats."""
    if alert.id in state.alerts or alert.state in (AlertState.CHECK, AlertState.LATE):
        return None
    found = [
        other
        for other in state.of_device(alert.device)
        if other.condition == alert.condition
        and other.patient == alert.patient
        and other.onset_ns <= alert.onset_ns
        and other.acknowledged_ns is None
        and not is_cleared(other)
        and (other.calls > 0 or _will_call(other))
        and other.state is not AlertState.LATE
        and (other.end_ns is None or alert.onset_ns - other.end_ns < JOINED_S[other.priority] * 1e9)
    ]
    return found[-1] if found else None


def _will_call(alert: Alert) -> bool:
    """Return whether an alert has not called yet, since it waits whether it is one of many (``storm``)."""
    return alert.call_ns is not None and not alert.inhibited_by


def _joined(alert: Alert, earlier: Alert, now_ns: int) -> Alert:
    first = earlier.joined or earlier.id
    silenced = earlier.state is AlertState.SILENCED and alert.state is not AlertState.ENDED
    took_over = replace(
        alert,
        joined=first,
        state=AlertState.SILENCED if silenced else alert.state,
        silenced_until_ns=earlier.silenced_until_ns if silenced else None,
        calls=max(1, earlier.calls),
        call_ns=earlier.call_ns if earlier.calls else None,
    )
    return noted(took_over, now_ns, "JOINED", f"repeats {first}")
