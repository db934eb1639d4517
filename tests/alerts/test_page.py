"""What is told of an alert, and in which words."""

from __future__ import annotations

import pytest

from alerts.notify import Page
from alerts.page import LATE, RAISED, page_of, words
from schemas.records import Alert, Notification, NotificationState, Phase
from tests.alerts.timeline import Timeline

ONSET, UPDATE, END = Phase
HOUR = 3600.0


def alert(*, code: str = "ASYSTOLE", end_s: float | None = None, now_s: float | None = None) -> Alert:
    t = Timeline()
    t.at(4, ONSET, code, now_s=now_s)
    if end_s is not None:
        t.at(end_s, END, code, now_s=now_s)
    return t.said[-1]


def told(of: Alert) -> list[str]:
    return [word.what for word in words(of)]


@pytest.mark.parametrize(
    ("code", "what"),
    [("ASYSTOLE", [RAISED]), ("SPO2_LOW", [RAISED]), ("LINK_LOST", [RAISED]), ("LEAD_OFF", [])],
)
def test_high_and_medium_priority_page_at_once_and_low_does_not(code: str, what: list[str]) -> None:
    assert told(alert(code=code)) == what


def test_what_was_raised_must_be_told_when_it_is_over_too() -> None:
    assert told(alert(end_s=9)) == [RAISED]  # latched
    assert told(alert(code="SPO2_LOW", end_s=9)) == [RAISED]


def test_a_late_finding_is_told_as_one_and_a_late_technical_condition_not_at_all() -> None:
    assert told(alert(end_s=9, now_s=HOUR)) == [LATE]
    assert told(alert(code="SPO2_LOW", end_s=9, now_s=HOUR)) == [LATE]
    assert told(alert(code="LINK_LOST", end_s=9, now_s=HOUR)) == []


def test_what_somebody_has_taken_on_calls_nobody() -> None:
    t = Timeline()
    t.at(4, ONSET)
    t.acknowledge(5, "li")
    assert told(t.said[-1]) == []


def page(of: Alert, what: str) -> Page:
    return page_of(of, Notification("k", of.id, what, "webhook", NotificationState.DUE, 0, "", 0, None, 0))


def test_a_page_names_condition_device_pseudonym_onset_delay_and_evidence() -> None:
    found = page(alert(), RAISED)
    assert found.text == (
        "!!! Asystole\n"
        "device dev-1, patient p-1\n"
        "since 2023-11-14T22:13:20.000Z; decided after 4.0 s of signal\n"
        "pause 4 s"
    )
    assert (found.what, found.condition, found.evidence) == (RAISED, "ASYSTOLE", {"pause_s": 4})


def test_a_late_finding_says_that_it_is_over_and_when_it_was() -> None:
    found = page(alert(code="SPO2_LOW", end_s=90, now_s=HOUR), LATE)
    assert found.text == (
        "!!! LATE FINDING: SpO2 below its limit\n"
        "device dev-1, patient p-1\n"
        "occurred at 2023-11-14T22:13:20.000Z, over at 2023-11-14T22:14:50.000Z, known only now; "
        "decided after 4.0 s of signal\n"
        "pause 90 s"
    )


def test_a_page_that_could_not_be_sent_in_time_tells_what_became_of_it() -> None:
    t = Timeline()
    t.at(4, ONSET)
    t.at(9, END)
    t.acknowledge(30, "li")
    lines = page(t.said[-1], RAISED).text.splitlines()
    assert "over at 2023-11-14T22:13:29.000Z" in lines[2]
    assert lines[3] == "acknowledged by li"
