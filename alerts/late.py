"""Whether a condition is told as it happens, or as a late finding.

A condition that is over, and was so for longer than ``late_s`` when it was known here, calls nobody to the
bedside: it is *late*. One that still lasts is told at once, however long ago it began. So an old phase that
is no end says little while the log is being caught up, for the end may stand a few records further on. It
waits

* until the end comes: late, if it is old as well;
* until a phase comes that is not old: the condition is told at once;
* as long as what comes of it brings it nearer to the present; after ``PATIENCE_S`` without, it is told at
  once. A log that is being caught up brings it nearer, for signal comes faster than it was measured. A device
  whose clock is wrong does not, and neither does a worker that hangs. In the live lane that may be a patient
  who is dying now. What a backlog tells of was long ago or is told by the live lane too: there a worker that
  is killed has the time to come back.

What waits is nowhere but here. After a crash, or by the next owner, it is read again from where it began
(``State.held``): the log is what tells of it, and there is no second truth that could differ.
"""

from collections.abc import Sequence
from dataclasses import replace

from alerts.state import Event, State, Waiting
from schemas.records import Condition, Lane, Phase

PATIENCE_S = {Lane.LIVE: 5.0, Lane.BACKFILL: 45.0}
"""Several times what a worker needs between two batches; what a killed one may take until it goes on."""
_NEARER_NS = 1_000_000_000
_MOST_A_TURN_NS = 1_000_000_000
_LIVE_DELAY_NS = 65_000_000_000
"""The live lane takes a gap of up to 60 s; what lies further back goes to the other."""


def age_ns(condition: Condition, now_ns: int) -> int:
    """Return how long ago a phase was, by the device's clock as far as it can be believed.

    In the live lane it was sent at most a minute after it was measured: the gateway's clock shows where that
    of a device is set back, whose conditions would all be old.
    """
    age = now_ns - condition.time_ns
    if condition.lane is Lane.LIVE:
        return min(age, now_ns - condition.published_ns + _LIVE_DELAY_NS)
    return age


class Lateness:
    """The stage. Called without events, it lets time pass for what waits."""

    def __init__(self, late_s: float) -> None:
        self._late_ns = int(late_s * 1e9)

    def __call__(self, state: State, events: Sequence[Event], now_ns: int) -> list[Event]:
        """Let through what can be told; keep what waits in ``state``."""
        if not events:
            return _overdue(state, now_ns)
        judged = (self._judged(state, event, now_ns) for event in events)
        return [event for event in judged if event is not None]

    def _judged(self, state: State, event: Event, now_ns: int) -> Event | None:
        condition = event.phase
        if condition.id in state.alerts:
            return event
        waiting = state.waiting.get(condition.id)
        if waiting is None and self._was_told(state, condition, now_ns):
            state.replayed += 1
            return None
        age = age_ns(condition, now_ns)
        is_old = age > self._late_ns
        if is_old and condition.phase is not Phase.END:
            _wait(state, event, age)
            return None
        if waiting is not None:
            event.first = waiting.first.phase
            del state.waiting[condition.id]
        event.late = is_old
        return event

    def _was_told(self, state: State, condition: Condition, now_ns: int) -> bool:
        """Return whether this was answered, and forgotten.

        Only what was sent long ago, by the gateway's clock: were the log another one than that which the
        offsets are of, nothing of the present may be lost.
        """
        return now_ns - condition.published_ns > self._late_ns and state.told.has(condition)


def _wait(state: State, event: Event, age: int) -> None:
    condition = event.phase
    patience_ns = int(PATIENCE_S[condition.lane] * 1e9)
    waiting = state.waiting.setdefault(condition.id, Waiting(event, event, age, patience_ns))
    if condition.sample > waiting.newest.phase.sample:
        waiting.newest = event
    if age < waiting.nearest_ns - _NEARER_NS:
        waiting.nearest_ns, waiting.patience_ns = age, patience_ns


def _overdue(state: State, now_ns: int) -> list[Event]:
    """Return what was waited for long enough, as its newest phase."""
    since_ns = now_ns if state.passed_ns is None else state.passed_ns
    state.passed_ns = now_ns
    # Not more than a second a turn: a pager that was paused has not looked, and a clock may jump.
    passed_ns = min(max(now_ns - since_ns, 0), _MOST_A_TURN_NS)
    for waiting in state.waiting.values():
        waiting.patience_ns -= passed_ns
    overdue = [w for w in state.waiting.values() if w.patience_ns <= 0]
    for waiting in overdue:
        del state.waiting[waiting.first.phase.id]
    return [replace(w.newest, first=w.first.phase) for w in overdue]
