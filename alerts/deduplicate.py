"""What has been told already is not told again.

Conditions come at least once: the pager reads records again after a crash, and a worker that has crashed
writes phases again, with the same id and sample but new offsets.
"""

from collections.abc import Sequence

from alerts.state import Event, State
from schemas.records import Phase


def deduplicate(state: State, events: Sequence[Event], now_ns: int) -> list[Event]:  # noqa: ARG001
    """Drop the phases that change nothing."""
    return [event for event in events if _is_news(state, event)]


def _is_news(state: State, event: Event) -> bool:
    condition = event.condition
    alert = None if condition is None else state.alerts.get(condition.id)
    if condition is None or alert is None:
        return True
    if event.offset <= alert.offset or alert.end_ns is not None:
        return False
    if condition.phase is Phase.END:
        return True
    newest = state.newest_sample.get(condition.id, alert.decided_sample)
    return condition.phase is Phase.UPDATE and condition.sample > newest
