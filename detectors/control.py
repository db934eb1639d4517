"""Changes that hold from a stated sample: who wears the device, what kind of patient it is, alarm limits.

What is not due yet waits in the state, in the order in which it came, so that a snapshot keeps it and a
replay meets it at the same sample. A change for a session that was before, or is not known and lies before
the running one, holds at once; one for a session still to come waits for it.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors.compiled import jit
from detectors.output import time_of
from detectors.state import PATIENT_BYTES, PENDING
from schemas.limits import DEFAULTS, LIMITED_CODES
from schemas.records import Association, Category, Change, Control, Limits, News2, Settings

NEVER = 2**62
CATEGORIES = tuple(Category)
"""Kinds of patient, in the order of their numbers in the state: it only ever grows."""
SCORES = tuple(News2)
"""Whether NEWS2 is kept, and by which scale, in the order of the numbers in the state."""
LOW, HIGH = (
    np.array([[getattr(limit, side) for limit in DEFAULTS[c]] for c in CATEGORIES], np.float64)
    for side in ("low", "high")
)
"""Default limits by category and number; NaN: none on that side."""
ASSOCIATION, SETTINGS, LIMIT = range(3)
"""Kinds of change; the limits of the n-th number are ``LIMIT + n``."""
_NONE = np.zeros(1, PENDING)


def apply(d: Any, change: Any, since_ns: int) -> None:
    """Let a change (a record of ``PENDING``) hold for a device (of ``DEVICE``), in the kernel and outside.

    ``since_ns``: from when on, by the device's clock, so that no number of one wearer counts for another; 0:
    it holds from its place in the log, so that all numbers before it are another's.
    """
    if change.kind == ASSOCIATION:
        if (d.patient != change.patient).any():
            d.worn_ns = since_ns
            if since_ns == 0:
                d.vital_last[:] = np.nan
        d.patient[:] = change.patient
    elif change.kind == SETTINGS:
        if change.category != d.category:
            d.low[:] = LOW[change.category]
            d.high[:] = HIGH[change.category]
        d.category = change.category
        d.paced = change.paced
        d.news2 = change.news2
    else:
        d.low[change.kind - LIMIT] = change.low
        d.high[change.kind - LIMIT] = change.high


_apply = jit(apply)


@jit
def _waits(d: Any, s: Any, change: Any, at: int) -> bool:
    """Return whether a change has still to wait at a sample of channel 0 of the running session."""
    if change.session > d.session or not s.started:
        return True
    return bool(change.session == d.session and change.start > at)


@jit
def _since_ns(d: Any, s: Any, change: Any) -> int:
    """Return the device time from which a change that is due holds, 0 where it is of an earlier session."""
    return time_of(s, change.start / s.ratio) if change.session == d.session else 0


@jit
def apply_due(d: Any, s: Any, at: int) -> None:
    """Let hold what is due at a sample of channel 0, in the order in which it came."""
    kept = 0
    d.due = NEVER
    for j in range(d.waiting):
        change = d.pending[j]
        if not _waits(d, s, change, at):
            _apply(d, change, _since_ns(d, s, change))
            continue
        if change.session == d.session:
            d.due = min(d.due, change.start)
        d.pending[kept] = change
        kept += 1
    for j in range(kept, d.waiting):
        d.pending[j] = _NONE[0]
    d.waiting = kept


@jit
def limit_at(d: Any, s: Any, number: int, session: int, at: int) -> tuple[float, float]:
    """Return the limits of a number at a sample that the ECG may not have reached yet."""
    low, high, category = d.low[number], d.high[number], d.category
    if session == d.session and s.started:
        for j in range(d.waiting):
            change = d.pending[j]
            if _waits(d, s, change, at):
                continue
            if change.kind == LIMIT + number:
                low, high = change.low, change.high
            elif change.kind == SETTINGS and change.category != category:
                category = change.category
                low, high = LOW[category, number], HIGH[category, number]
    return low, high


@jit
def patient_at(d: Any, s: Any, session: int, at: int) -> tuple[int, int, int]:
    """Return who is watched at a sample that the ECG may not have reached yet.

    Returns:
        The category, whether NEWS2 is kept (of ``SCORES``), and since when the wearer is the same: device
        time, ns.
    """
    category, news2, since_ns = d.category, d.news2, d.worn_ns
    worn = d.patient
    if session == d.session and s.started:
        for j in range(d.waiting):
            change = d.pending[j]
            if _waits(d, s, change, at):
                continue
            if change.kind == SETTINGS:
                category, news2 = change.category, change.news2
            elif change.kind == ASSOCIATION and (worn != change.patient).any():
                worn, since_ns = change.patient, _since_ns(d, s, change)
    return category, news2, since_ns


def take(d: Any, control: Control) -> None:
    """Take a change for a device (a record of ``DEVICE``).

    Where more changes wait than there is room for, the one that came first holds at once.
    """
    running = int(d.session)
    session, start = (control.session, control.from_sample) if control.session else (running, 0)
    now = control.session == 0 or session < running
    for change in _pending(control.change):
        change.session, change.start = session, start
        # Not past what came before it and is due, but has met no sample yet.
        if now and not (d.pending["session"][: d.waiting] <= running).any():
            apply(d, change, 0)
            continue
        if d.waiting == len(d.pending):
            apply(d, d.pending[0], 0)
            d.pending[:-1] = d.pending[1:]
            d.waiting -= 1
        d.pending[d.waiting] = change
        d.waiting += 1
        if session <= running:
            d.due = min(int(d.due), start)


def _pending(change: Change) -> NDArray[np.void]:
    """Return a change as records of ``PENDING``; how a device is enrolled changes no result: none."""
    if isinstance(change, Association):
        rows = np.zeros(1, PENDING)
        rows["kind"] = ASSOCIATION
        rows["patient"] = np.frombuffer(change.patient.encode().ljust(PATIENT_BYTES, b"\0"), np.uint8)
    elif isinstance(change, Settings):
        rows = np.zeros(1, PENDING)
        rows["kind"] = SETTINGS
        rows["category"] = CATEGORIES.index(change.category)
        rows["paced"] = change.paced
        rows["news2"] = SCORES.index(change.news2)
    else:
        limits = change.limits if isinstance(change, Limits) else ()
        known = [limit for limit in limits if limit.code in LIMITED_CODES]
        rows = np.zeros(len(known), PENDING)
        rows["kind"] = [LIMIT + LIMITED_CODES.index(limit.code) for limit in known]
        rows["low"] = np.array([limit.low for limit in known], np.float64)
        rows["high"] = np.array([limit.high for limit in known], np.float64)
    return rows.view(np.recarray)
