"""What people are told of an alert, and in which words.

Conditions of high and medium priority page at once; those of low priority are on the list. A late finding
pages as one. The words name the condition, the device and the patient's pseudonym, when it was, how much
signal the decision took, and what it rests on; never a name.
"""

import math

from alerts.notify import Page, iso, key_of
from alerts.priority import MARKS
from schemas.conditions import CATALOGUE, Code
from schemas.records import Alert, AlertState, Priority

RAISED, LATE = "RAISED", "LATE"
"""What is told."""

_UNITS = {
    "per_min": "/min",
    "bpm": "bpm",
    "percent": "%",
    "mmhg": "mmHg",
    "celsius": "°C",
    "hz": "Hz",
    "mv": "mV",
    "s": "s",
}
_WRITTEN = {"hr": "HR", "spo2": "SpO2"}
_NOT_TOLD = "quality_lead_"
"""Up to twelve numbers that a page has no room for; they stand in the alert."""


def what_to_tell(alert: Alert, now_ns: int, late_s: float) -> str:
    """Return what people must be told of an alert by now, whether they were or not; empty: nothing.

    Asked whenever an alert changes, and of every alert when a pager starts, since the one before may have
    ended behind the alert and before the notification log.
    """
    if alert.acknowledged_ns is not None or alert.priority is Priority.LOW:
        return ""
    if alert.state is AlertState.LATE:
        return LATE
    is_over = alert.state is AlertState.ENDED and alert.end_ns is not None
    if is_over and now_ns - (alert.end_ns or 0) > late_s * 1e9:
        return ""
    return RAISED


def page_of(alert: Alert, what: str, channel: str) -> Page:
    """Return the page that tells of an alert, in its newest state, over a channel."""
    return Page(
        key=key_of(alert.id, what, channel),
        what=what,
        alert=alert.id,
        device=alert.device,
        patient=alert.patient,
        condition=alert.condition,
        priority=alert.priority,
        text="\n".join(_lines(alert, what)),
        onset_ns=alert.onset_ns,
        decided_ns=alert.decided_ns,
        evidence=alert.evidence,
    )


def condition_text(code: str) -> str:
    """Return what a condition means to a person; of one that this version does not know, its name.

    >>> condition_text("ASYSTOLE"), condition_text("NOT_YET_KNOWN")
    ('Asystole', 'NOT_YET_KNOWN')
    """
    known = Code.__members__.get(code)
    return code if known is None else CATALOGUE[known].text


def evidence_text(evidence: dict[str, float]) -> str:
    """Return evidence with its units; what was not measured is left out, and so is the quality of each lead.

    >>> evidence_text({"hr_bpm": 0.0, "pause_s": 4.25, "ventricular_beats": 3.0, "limit_bpm": float("nan")})
    'HR 0 bpm, pause 4.25 s, ventricular beats 3'
    """
    told = ((n, v) for n, v in evidence.items() if math.isfinite(v) and not n.startswith(_NOT_TOLD))
    return ", ".join(_measured(name, value) for name, value in told)


def _measured(name: str, value: float) -> str:
    unit = next((unit for unit in _UNITS if name.endswith(f"_{unit}")), "")
    words = name.removesuffix(f"_{unit}").split("_")
    said = " ".join(_WRITTEN.get(word, word) for word in words)
    return f"{said} {value:.3g} {_UNITS[unit]}" if unit else f"{said} {value:.3g}"


def _lines(alert: Alert, what: str) -> list[str]:
    title = condition_text(alert.condition)
    decided = f"decided after {alert.delay_s:.1f} s of signal"
    onset, over = iso(alert.onset_ns), "" if alert.end_ns is None else f", over at {iso(alert.end_ns)}"
    if what == LATE:
        title = f"LATE FINDING: {title}"
        when = f"occurred at {onset}{over}, known only now; {decided}"
    else:
        when = f"since {onset}{over}; {decided}"
    lines = [f"{MARKS[alert.priority]} {title}"]
    lines += [f"device {alert.device}, patient {alert.patient or 'unassigned'}", when]
    if alert.acknowledged_by:
        lines.append(f"acknowledged by {alert.acknowledged_by}")
    measured = evidence_text(alert.evidence)
    return [*lines, measured] if measured else lines
