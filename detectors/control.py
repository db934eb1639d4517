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
def apply_due(d: Any, s: Any, at: int) -> None:
    """Let hold what is due at a sample of channel 0, in the order in which it came."""
    while True:
        best, first, patient = -1, NEVER, False
        for j in range(len(d.limit_kind)):
            due = d.limit_kind[j] and d.limit_order[j] < first
            if due and not _waiting(d, s, d.limit_session[j], d.limit_from[j], at):
                best, first, patient = j, d.limit_order[j], False
        for j in range(len(d.patient_kind)):
            due = d.patient_kind[j] and d.patient_order[j] < first
            if due and not _waiting(d, s, d.patient_session[j], d.patient_from[j], at):
                best, first, patient = j, d.patient_order[j], True
        if best < 0:
            break
        if patient:
            for i in range(len(d.patient)):
                d.patient[i] = d.patient_next[best, i]
            d.patient_kind[best] = 0
        else:
            k = d.limit_kind[best] - 1
            d.low[k] = d.limit_low[best]
            d.high[k] = d.limit_high[best]
            d.limit_kind[best] = 0
    d.due = NEVER
    for j in range(len(d.limit_kind)):
        if d.limit_kind[j] and d.limit_session[j] == d.session:
            d.due = min(d.due, d.limit_from[j])
    for j in range(len(d.patient_kind)):
        if d.patient_kind[j] and d.patient_session[j] == d.session:
            d.due = min(d.due, d.patient_from[j])


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


def enqueue(d: Any, s: Any, control: Control) -> None:
    """Put a change into the rows of a device (records of ``DEVICE`` and ``SIGNAL``).

    A device that was never heard takes a change for any session at once. Where more changes wait than
    there is room for, the one that came first holds at once.
    """
    session, start = control.session, control.from_sample
    if session == 0:
        session, start = int(d["session"]), 0
    now = not d["has_session"] or session < d["session"] or control.session == 0
    if isinstance(control.change, Association):
        raw = control.change.patient.encode().ljust(d["patient"].size, b"\0")
        patient = np.frombuffer(raw, np.uint8)
        if now and not _ahead(d, "patient"):
            d["patient"] = patient
            return
        j = _free(d, s, "patient")
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
        j = _free(d, s, "limit")
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


def _free(d: Any, s: Any, what: str) -> int:
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
