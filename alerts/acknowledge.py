"""What an acknowledgement does to an alert (IEC 60601-1-8, 6.8).

Somebody has taken it on: an alert whose condition lasts is acknowledged until it ends, one that is over ends.
The first acknowledgement holds; a second one, one of an alert that has ended, and one of an alert that nobody
knows change nothing.
"""

from dataclasses import replace

from alerts.state import ACKNOWLEDGED, State
from schemas.records import Acknowledgement, Alert


def acknowledge(state: State, said: Acknowledgement, now_ns: int) -> Alert | None:
    """Return the alert as it is now, where that has changed it."""
    known = state.alerts.get(said.alert)
    if known is None or known.acknowledged_ns is not None or known.state not in ACKNOWLEDGED:
        return None
    alert = replace(
        known,
        state=ACKNOWLEDGED[known.state],
        updated_ns=now_ns,
        acknowledged_ns=now_ns,
        acknowledged_by=said.by,
        reason=said.reason,
    )
    state.alerts[alert.id] = alert
    return alert
