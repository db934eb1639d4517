"""That it is over is told to those who were called, once; nothing follows from it.

Only of medium priority. An alert of high priority latches: somebody must look, whatever became of it. One of
low priority has called nobody. And not of what was over before it called: its page has said so.

Who has taken an alert on is told as it ends, and nobody else. Where nobody has, those who were called are
told (``outbox``: by the same channels) when the condition has not come back for ``SETTLED_S``. Until then a
new onset joins the alert and calls nobody anew (``repeat``), and whoever had been told that it is over would
not come. What was told to be over joins nothing: its next onset calls people again.
"""

from collections.abc import Sequence
from dataclasses import replace

from alerts.history import CLEARED, ended_ns, noted
from alerts.repeat import JOINED_S
from alerts.state import Event, State
from schemas.records import Alert, Priority

SETTLED_S = JOINED_S[Priority.MEDIUM]
NEWS_S = 900.0
"""For how long this is news; a pager that was away for longer keeps it to itself."""


def clear(state: State, events: Sequence[Event], now_ns: int) -> list[Event]:
    """Called without events, say of alerts that they are over."""
    if events:
        return list(events)
    over = [alert for alert in state.uncleared() if _is_time(state, alert, now_ns)]
    return [Event.of(noted(replace(alert, updated_ns=now_ns), now_ns, CLEARED)) for alert in over]


def _is_time(state: State, alert: Alert, now_ns: int) -> bool:
    if alert.acknowledged_ns is not None:
        return _since_s(alert, now_ns) <= NEWS_S
    if _since_s(alert, now_ns) < SETTLED_S:
        return False
    of_repeats = (_since_s(a, now_ns) for a in state.family(alert) if a.onset_ns >= alert.onset_ns)
    return SETTLED_S <= min(of_repeats) <= SETTLED_S + NEWS_S


def _since_s(alert: Alert, now_ns: int) -> float:
    """Return for how long an alert is over, s; of one that lasts, less than nothing."""
    ended = ended_ns(alert)
    return -1.0 if ended is None else (now_ns - ended) / 1e9
