"""What people are told of an alert, and in which words.

Who is called, and when, stands in the alert (``call``). The words name the condition, the device and the
patient's pseudonym, when it was, how much signal the decision took, and what it rests on; never a name.
"""

import math
from typing import NamedTuple

from alerts.history import CLEARED
from alerts.notify import Page, iso
from alerts.priority import MARKS
from alerts.state import is_no_alarm, is_test
from schemas.conditions import CATALOGUE, Code
from schemas.records import Alert, AlertState, Notification, Priority

RAISED, LATE, TEST, CONSULTATION = "RAISED", "LATE", "TEST", "CONSULTATION"
"""What the first call tells; a later one is called CALL 2, CALL 3, …; CLEARED says that it is over."""
FIRST = (RAISED, LATE, TEST, CONSULTATION)

_NO_ALARMS = {Code.TEST_PAGE.name: TEST, Code.CONSULTATION.name: CONSULTATION}
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


class Word(NamedTuple):
    """What is told of an alert, and to whom; ``account``: empty: whoever the channel reaches."""

    what: str
    account: str


class Measured(NamedTuple):
    """One piece of evidence: what it is, and its value with its unit, if it has one."""

    words: str
    value: str
    has_unit: bool


def words(alert: Alert) -> list[Word]:
    """Return the calls that people must be told of by now, whether they were or not.

    Asked whenever an alert changes, and of every alert when a pager starts, since the one before may have
    ended behind the alert and before the notification log.
    """
    if alert.acknowledged_ns is not None:
        return []
    first = _NO_ALARMS.get(alert.condition, LATE if alert.state is AlertState.LATE else RAISED)
    return [Word(first if one.call == 1 else f"CALL {one.call}", one.account) for one in alert.called]


def urgency(what: str, priority: Priority) -> Priority:
    """Return how urgent it is to tell this: what is over or no alarm waits for all else."""
    return Priority.LOW if what in (CLEARED, TEST, CONSULTATION) else priority


def page_of(alert: Alert, entry: Notification, link: str = "") -> Page:
    """Return the page of an entry of the notification log: it tells of the alert in its newest state.

    ``link``: where its account sees the alert; empty: there is no web.
    """
    return Page(
        key=entry.key,
        what=entry.what,
        alert=alert.id,
        device=alert.device,
        patient=alert.patient,
        condition=alert.condition,
        facility=alert.facility,
        priority=alert.priority,
        text="\n".join(_lines(alert, entry.what)),
        account=entry.account,
        channel=entry.channel,
        onset_ns=alert.onset_ns,
        decided_ns=alert.decided_ns,
        ended_ns=alert.end_ns,
        evidence=alert.evidence,
        link=link,
    )


def whose(alert: Alert) -> str:
    """Return device, place and pseudonym of an alert."""
    where = f" at {alert.facility}" if alert.facility else ""
    return f"device {alert.device}{where}, patient {alert.patient or 'unassigned'}"


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
    return ", ".join(f"{one.words} {one.value}" for one in measured(evidence))


def measured(evidence: dict[str, float]) -> list[Measured]:
    """Return evidence one by one; what was not measured is left out, and so is the quality of each lead."""
    told = ((n, v) for n, v in evidence.items() if math.isfinite(v) and not n.startswith(_NOT_TOLD))
    return [_measured(name, value) for name, value in told]


def _measured(name: str, value: float) -> Measured:
    unit = next((unit for unit in _UNITS if name.endswith(f"_{unit}")), "")
    words = name.removesuffix(f"_{unit}").split("_")
    said = " ".join(_WRITTEN.get(word, word) for word in words)
    return Measured(said, f"{value:.3g} {_UNITS[unit]}" if unit else f"{value:.3g}", bool(unit))


def _lines(alert: Alert, what: str) -> list[str]:
    if is_no_alarm(alert):
        return _of_test(alert) if is_test(alert) else _of_consultation(alert)
    return _of_patient(alert, what)


def _of_test(alert: Alert) -> list[str]:
    return [
        condition_text(alert.condition),
        f"to who is on duty in team {alert.device}, sent by {alert.history[0].by} at {iso(alert.onset_ns)}",
        "Acknowledge it: so it is known that calls reach you. Nothing else is to be done.",
        "测试呼叫，与患者无关：请确认收到。",
    ]


def _of_consultation(alert: Alert) -> list[str]:
    where = f" at {alert.facility}" if alert.facility else ""
    return [
        condition_text(alert.condition),
        f"patient {alert.patient}{where}: {alert.history[0].why}",
        "In the monitor, Consultations: take it or pass it on. To acknowledge this page takes nothing on.",
        "会诊请求，不是报警：请登录监护系统的“会诊”页面处理。",
    ]


def _of_patient(alert: Alert, what: str) -> list[str]:
    title = condition_text(alert.condition)
    decided = f"decided after {alert.delay_s:.1f} s of signal"
    onset, over = iso(alert.onset_ns), "" if alert.end_ns is None else f", over at {iso(alert.end_ns)}"
    if what == LATE:
        title = f"LATE FINDING: {title}"
        when = f"occurred at {onset}{over}, known only now; {decided}"
    else:
        when = f"since {onset}{over}; {decided}"
    lines = [f"CLEARED: {title}" if what == CLEARED else f"{MARKS[alert.priority]} {title}"]
    lines += [whose(alert), when]
    if what not in (*FIRST, CLEARED):
        lines.append(f"{what.lower()}: nobody has taken it on")
    if alert.others and what == CLEARED:
        lines.append(f"{alert.others:,} more were told of with it; the list says which of them last")
    elif alert.others:
        lines.append(f"and {alert.others:,} more there at the same time; the list has all of them")
    if alert.joined:
        lines.append("it comes and goes: this is not the first time")
    if alert.acknowledged_by:
        lines.append(f"acknowledged by {alert.acknowledged_by}")
    measured = evidence_text(alert.evidence)
    return [*lines, measured] if measured else lines
