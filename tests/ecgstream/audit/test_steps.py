"""What of the records of Kafka comes into the log: each step once, and nobody's words."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from alerts.history import noted
from ecgstream.audit.steps import Step, as_json, digest, step_of
from schemas.audit import AuditEntry
from schemas.records import Acknowledgement, Act, Alert, Notification, NotificationState, Phase, Roster
from tests.alerts.timeline import Timeline, id_of

TYPED = "王伟 of bed 3 is my neighbour 🏥"


def alert_of() -> Alert:
    timeline = Timeline()
    timeline.at(4, Phase.ONSET)
    return timeline.pipeline.state.alerts[id_of()]


class Log:
    """What the log knows of alerts."""

    def __init__(self) -> None:
        self.of: dict[str, dict[str, Any]] = {}

    def take(self, record: object) -> Step | None:
        step = step_of(record, self.of.get)
        if step is not None and step.action == "alert":
            self.of[step.object] = step.detail
        return step


def test_an_alert_is_an_entry_when_somebody_would_see_it_change() -> None:
    log, alert = Log(), alert_of()
    first = log.take(alert)
    assert first is not None
    assert (first.who, first.action, first.kind, first.object) == ("pager", "alert", "alert", alert.id)
    assert first.detail["state"] == str(alert.state)
    assert log.take(replace(alert, evidence={"hr": 3.0}, updated_ns=alert.updated_ns + 1)) is None
    later = noted(alert, alert.updated_ns + 5, "CALLED", TYPED, "li")
    step = log.take(later)
    assert step is not None
    assert [turn["what"] for turn in step.detail["turns"]] == ["CALLED"]
    assert step.detail["turns"][0]["why_sha256"] == digest(TYPED)
    assert TYPED not in as_json([first, step])


def test_what_people_say_and_pages_are_entries_without_their_words() -> None:
    said = Acknowledgement("id-1", "a-1", "li", TYPED, 7, Act.SILENCE, 90.0)
    page = Notification("k", "a-1", "RAISED", "sms", NotificationState.FAILED, 2, "timeout", 1, None, 3, "li")
    roster = Roster("v1", TYPED.encode(), 5, "planner")
    answer, told, change = (step_of(record, {}.get) for record in (said, page, roster))
    assert answer is not None
    assert told is not None
    assert change is not None
    assert (answer.who, answer.action, answer.detail["act"]) == ("li", "answer", "SILENCE")
    assert (told.who, told.action, told.detail["account"], told.detail["state"]) == (
        "pager",
        "page",
        "li",
        "FAILED",
    )
    assert (change.who, change.kind, change.object) == ("planner", "roster", "v1")
    assert TYPED not in as_json([answer, told, change])


@pytest.mark.parametrize("action", ["key", "change", "alert", "begin", ""])
def test_services_say_by_kafka_only_what_they_may(action: str) -> None:
    told = AuditEntry("web", 1, "li", action, "alert", "a-1", "R.A", "{}")
    assert step_of(told, {}.get) is None


@pytest.mark.parametrize("detail", ["", "[]", "{", "[" * 100_000, '"x"'])
def test_a_detail_that_is_no_object_is_left_out(detail: str) -> None:
    assert step_of(AuditEntry("web", 1, "li", "read", "alert", "a-1", "R.A", detail), {}.get) is None


def test_what_postgresql_cannot_hold_is_left_out_of_texts() -> None:
    detail = json.dumps({"a\u0000b": "\u0000x\ud800", "n": [float("nan"), float("inf"), 1.5], "ok": True})
    step = step_of(AuditEntry("web", 1, "l\u0000i", "read", "alert", "a", "no path!", detail), {}.get)
    assert step is not None
    (row,) = json.loads(as_json([step]))
    assert row["who"] == "li"
    assert row["path"] is None
    assert row["detail"]["ab"] == "x?"
    assert row["detail"]["n"] == [None, None, 1.5]
    assert row["detail"]["ok"] is True
