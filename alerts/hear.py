"""What people's words do to an alert.

Acknowledging (IEC 60601-1-8, 6.8): somebody has taken it on. An alert whose condition lasts is acknowledged
until it ends, one that is over ends, and so do those that it has joined or that have joined it (``repeat``).
The first acknowledgement holds.

Rejecting: somebody cannot come, so that the next are called at once.

Silence: nobody is called for a time, at most ``LONGEST_S``; then calls go on, which is the reminder. Nothing
is switched off for good.

Words on an alert that nobody knows, that has ended, or that somebody has taken on change nothing.
"""

import math
from collections.abc import Callable
from dataclasses import replace

from alerts.history import CALLED, noted
from alerts.state import State, answered, is_no_alarm
from schemas.records import Acknowledgement, Act, Alert, AlertState, Priority

LONGEST_S = {Priority.HIGH: 120.0, Priority.MEDIUM: 900.0, Priority.LOW: 3600.0}
"""Of a silence. High: for so long bedside monitors pause the sound of an alarm, by common default."""


def hear(state: State, said: Acknowledgement, now_ns: int) -> list[Alert]:
    """Return the alerts that somebody's words have changed, as they are now.

    Words that are heard again, after a crash, change what they had not changed before it.
    """
    known = state.alerts.get(said.alert)
    changed = [] if known is None else _ACTS[said.act](state, known, said, now_ns)
    return [state.put(alert) for alert in changed]


def _acknowledge(state: State, known: Alert, said: Acknowledgement, now_ns: int) -> list[Alert]:
    return [_taken(one, said, now_ns) for one in state.family(known) if answered(one) is not None]


def _taken(alert: Alert, said: Acknowledgement, now_ns: int) -> Alert:
    taken = replace(
        alert,
        state=answered(alert) or alert.state,
        updated_ns=now_ns,
        acknowledged_ns=now_ns,
        acknowledged_by=said.by,
        reason=said.reason,
        held_until_ns=None,
        silenced_until_ns=None,
        call_ns=None,
    )
    return noted(taken, now_ns, AlertState.ACKNOWLEDGED, said.reason, said.by)


def _reject(state: State, known: Alert, said: Acknowledgement, now_ns: int) -> list[Alert]:
    """Let the next be called for what of the family calls now; somebody can reject a call once.

    Where nobody is next, that somebody has rejected it is written down all the same.
    """
    asking = [one for one in state.family(known) if answered(one) is not None]
    if not asking:
        return []
    asked = next((one for one in reversed(asking) if one.call_ns is not None), asking[-1])
    if _has_rejected(asked, said.by):
        return []
    next_ns = None if asked.call_ns is None else now_ns
    rejected = replace(asked, call_ns=next_ns, updated_ns=now_ns)
    return [noted(rejected, now_ns, "REJECTED", said.reason, said.by)]


def _has_rejected(alert: Alert, by: str) -> bool:
    """Return whether somebody has rejected the newest call that was for them."""
    newest = next(
        (
            turn.what
            for turn in reversed(alert.history)
            if (turn.what == "REJECTED" and turn.by == by)
            or (turn.what == CALLED and by in turn.why.split(", "))
        ),
        "",
    )
    return newest == "REJECTED"


def _silence(state: State, known: Alert, said: Acknowledgement, now_ns: int) -> list[Alert]:
    asked_s = said.silent_s if math.isfinite(said.silent_s) else 0.0
    silent_ns = int(min(max(asked_s, 0.0), LONGEST_S[known.priority]) * 1e9)
    return [
        noted(_silent(one, now_ns + silent_ns, now_ns), now_ns, AlertState.SILENCED, said.reason, said.by)
        for one in state.family(known)
        if answered(one) is not None
        and one.state in (AlertState.ACTIVE, AlertState.LATCHED)
        and not is_no_alarm(one)
    ]


def _silent(alert: Alert, until_ns: int, now_ns: int) -> Alert:
    return replace(
        alert, state=AlertState.SILENCED, silenced_until_ns=until_ns, call_ns=until_ns, updated_ns=now_ns
    )


_ACTS: dict[Act, Callable[[State, Alert, Acknowledgement, int], list[Alert]]] = {
    Act.ACKNOWLEDGE: _acknowledge,
    Act.REJECT: _reject,
    Act.SILENCE: _silence,
}
