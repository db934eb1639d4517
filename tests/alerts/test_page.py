"""What is told of an alert, and in which words."""

from __future__ import annotations

import pytest

from alerts.page import LATE, RAISED, page_of, what_to_tell
from schemas.records import Alert, Phase
from tests.alerts.timeline import LATE_S, SECOND, SESSION, Timeline

ONSET, UPDATE, END = Phase
HOUR = 3600.0


def alert(*, code: str = "ASYSTOLE", end_s: float | None = None, now_s: float | None = None) -> Alert:
    t = Timeline()
    t.at(4, ONSET, code, now_s=now_s)
    if end_s is not None:
        t.at(end_s, END, code, now_s=now_s)
    return t.said[-1]


def told(of: Alert, now_s: float) -> str:
    return what_to_tell(of, SESSION + round(now_s * SECOND), LATE_S)


@pytest.mark.parametrize(
    ("code", "what"), [("ASYSTOLE", RAISED), ("SPO2_LOW", RAISED), ("LINK_LOST", RAISED), ("LEAD_OFF", "")]
)
def test_high_and_medium_priority_page_at_once_and_low_does_not(code: str, what: str) -> None:
    assert told(alert(code=code), 4) == what


def test_an_open_alert_must_be_told_however_late_the_pager_finds_that_it_was_not() -> None:
    assert told(alert(), HOUR) == RAISED
    assert told(alert(end_s=9), HOUR) == RAISED  # latched


def test_one_that_ended_by_itself_calls_nobody_once_it_is_late() -> None:
    assert told(alert(code="SPO2_LOW", end_s=9), 9 + LATE_S) == RAISED
    assert told(alert(code="SPO2_LOW", end_s=9), 10 + LATE_S) == ""


def test_a_late_finding_is_told_as_one_and_a_late_technical_condition_not_at_all() -> None:
    assert told(alert(end_s=9, now_s=HOUR), HOUR) == LATE
    assert told(alert(code="SPO2_LOW", end_s=9, now_s=HOUR), HOUR) == LATE
    assert told(alert(code="LINK_LOST", end_s=9, now_s=HOUR), HOUR) == ""


def test_what_somebody_has_taken_on_calls_nobody() -> None:
    t = Timeline()
    t.at(4, ONSET)
    t.acknowledge(5, "li")
    assert told(t.said[-1], 6) == ""


def test_a_page_names_condition_device_pseudonym_onset_delay_and_evidence() -> None:
    page = page_of(alert(), RAISED, "webhook")
    assert page.text == (
        "!!! Asystole\n"
        "device dev-1, patient p-1\n"
        "since 2023-11-14T22:13:20.000Z; decided after 4.0 s of signal\n"
        "pause 4 s"
    )
    assert (page.what, page.condition, page.evidence) == (RAISED, "ASYSTOLE", {"pause_s": 4})


def test_a_late_finding_says_that_it_is_over_and_when_it_was() -> None:
    page = page_of(alert(code="SPO2_LOW", end_s=90, now_s=HOUR), LATE, "webhook")
    assert page.text == (
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
    lines = page_of(t.said[-1], RAISED, "webhook").text.splitlines()
    assert "over at 2023-11-14T22:13:29.000Z" in lines[2]
    assert lines[3] == "acknowledged by li"
