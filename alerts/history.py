"""What became of an alert: who did what, when and why, kept with the alert itself.

IEC 60601-1-8, 6.12 (alarm condition log). The limit that was in force stands in the alert's evidence. The
alert's topic keeps only the newest record of a key, so that what came before must stand in it.
"""

from dataclasses import replace

from schemas.records import Alert, AlertState, Turn

MOST = 40
"""Turns that are kept: the first, and the newest others. A night of calls that nobody answers is longer."""


CALLED, CLEARED = "CALLED", "CLEARED"
"""Somebody was called; those who were have been told that it is over."""
TAKEN, FAILED = "TAKEN", "FAILED"
"""A channel has taken a test page; it has refused a page for good."""


def noted(alert: Alert, at_ns: int, what: str, why: str = "", by: str = "") -> Alert:
    """Return the alert with one more turn.

    Args:
        alert: as it is.
        at_ns: pager's clock.
        what: a state, or what was done.
        why: in words.
        by: account; empty: the pager.
    """
    kept = alert.history if len(alert.history) < MOST else (alert.history[0], *alert.history[2:])
    return replace(alert, history=(*kept, Turn(at_ns, by, what, why)))


def ended_ns(alert: Alert) -> int | None:
    """Return when an alert has ended, by the pager's clock; None: it has not."""
    return next((turn.at_ns for turn in alert.history if turn.what == AlertState.ENDED), None)


def is_cleared(alert: Alert) -> bool:
    """Return whether people were told that it is over."""
    return any(turn.what == CLEARED for turn in alert.history)


def called_in_time(alert: Alert) -> bool:
    """Return whether people were called while the condition lasted."""
    turns = [turn.what for turn in alert.history]
    return AlertState.ENDED in turns and CALLED in turns[: turns.index(AlertState.ENDED)]
