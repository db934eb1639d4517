"""Changes that hold from a stated sample: alarm limits and who wears the device.

What is not due yet waits in the state, so that a snapshot keeps it and a replay meets it at the same
sample. A change for a session that was before, or is not known and lies before the running one, holds at
once; one for a session still to come waits for it.
"""

from typing import Any

import numpy as np

from detectors.compiled import jit
from schemas import mdc
from schemas.records import Association, Control

NEVER = 2**62
_NUMBERS = {
    code: i
    for i, code in enumerate(
        (mdc.HEART_RATE, mdc.PULSE_RATE, mdc.SPO2, mdc.RESP_RATE, mdc.NIBP_SYS, mdc.TEMPERATURE)
    )
}


@jit
def _waiting(d: Any, s: Any, session: int, start: int, at: int) -> bool:
    """Return whether a change has still to wait at a sample of channel 0 of the running session."""
    if session > d.session or not s.started:
        return True
    return session == d.session and start > at


@jit
def _first(d: Any, s: Any, kinds: Any, sessions: Any, starts: Any, orders: Any, at: int) -> int:
    """Return the place of the change that came first of those due, -1 where none is."""
    best = -1
    for j in range(len(kinds)):
        earlier = best < 0 or orders[j] < orders[best]
        if kinds[j] and earlier and not _waiting(d, s, sessions[j], starts[j], at):
            best = j
    return best


@jit
def _next(d: Any, kinds: Any, sessions: Any, starts: Any) -> int:
    """Return the first sample at which a change of the running session is due."""
    due = NEVER
    for j in range(len(kinds)):
        if kinds[j] and sessions[j] == d.session:
            due = min(due, starts[j])
    return due


@jit
def apply_due(d: Any, s: Any, at: int) -> None:
    """Let hold what is due at a sample of channel 0, in the order in which it came."""
    j = _first(d, s, d.limit_kind, d.limit_session, d.limit_from, d.limit_order, at)
    while j >= 0:
        number = d.limit_kind[j] - 1
        d.low[number] = d.limit_low[j]
        d.high[number] = d.limit_high[j]
        d.limit_kind[j] = 0
        j = _first(d, s, d.limit_kind, d.limit_session, d.limit_from, d.limit_order, at)
    j = _first(d, s, d.patient_kind, d.patient_session, d.patient_from, d.patient_order, at)
    while j >= 0:
        d.patient[:] = d.patient_next[j]
        d.patient_kind[j] = 0
        j = _first(d, s, d.patient_kind, d.patient_session, d.patient_from, d.patient_order, at)
    due = _next(d, d.limit_kind, d.limit_session, d.limit_from)
    d.due = min(due, _next(d, d.patient_kind, d.patient_session, d.patient_from))


@jit
def limit_at(d: Any, s: Any, number: int, session: int, at: int) -> tuple[float, float]:
    """Return the limits of a number at a sample that the ECG may not have reached yet."""
    low, high = d.low[number], d.high[number]
    order = np.int64(-1)
    if session == d.session and s.started:
        for j in range(len(d.limit_kind)):
            fits = d.limit_kind[j] == number + 1 and d.limit_order[j] > order
            if fits and not _waiting(d, s, d.limit_session[j], d.limit_from[j], at):
                low, high, order = d.limit_low[j], d.limit_high[j], d.limit_order[j]
    return low, high


def enqueue(d: Any, control: Control) -> None:
    """Put a change into the row of a device (a record of ``DEVICE``).

    Where more changes wait than
    there is room for, the one that came first holds at once.
    """
    session, start = control.session, control.from_sample
    if session == 0:
        session, start = int(d["session"]), 0
    now = session < d["session"] or control.session == 0
    if isinstance(control.change, Association):
        raw = control.change.patient.encode().ljust(d["patient"].size, b"\0")
        patient = np.frombuffer(raw, np.uint8)
        if now and not _ahead(d, "patient"):
            d["patient"] = patient
            return
        j = _free(d, "patient")
        d["patient_next"][j] = patient
        _book(d, "patient", j, 1, session, start)
        return
    for limit in control.change.limits:
        number = _NUMBERS.get(limit.code)
        if number is None:
            continue
        low = np.nan if limit.low is None else limit.low
        high = np.nan if limit.high is None else limit.high
        if now and not _ahead(d, "limit"):
            d["low"][number], d["high"][number] = low, high
            continue
        j = _free(d, "limit")
        d["limit_low"][j], d["limit_high"][j] = low, high
        _book(d, "limit", j, number + 1, session, start)


def _ahead(d: Any, what: str) -> bool:
    return bool(d[f"{what}_kind"].any())


def _book(d: Any, what: str, j: int, kind: int, session: int, start: int) -> None:
    d[f"{what}_kind"][j] = kind
    d[f"{what}_session"][j] = session
    d[f"{what}_from"][j] = start
    d["orders"] += 1
    d[f"{what}_order"][j] = d["orders"]
    if session <= d["session"]:
        d["due"] = min(int(d["due"]), start)


def _free(d: Any, what: str) -> int:
    kinds = d[f"{what}_kind"]
    free = np.flatnonzero(kinds == 0)
    if free.size:
        return int(free[0])
    j = int(np.argmin(d[f"{what}_order"]))
    if what == "limit":
        number = int(kinds[j]) - 1
        d["low"][number], d["high"][number] = d["limit_low"][j], d["limit_high"][j]
    else:
        d["patient"] = d["patient_next"][j]
    return j
