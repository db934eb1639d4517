"""A test page: it calls who is on duty, once; it is no patient's, delays nobody's and ends by itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.channels.wording import short
from alerts.notify import Page
from alerts.outbox import Outbox
from alerts.page import page_of, urgency, words
from alerts.pipeline import Pipeline, Rules
from alerts.roster.handover import handover
from alerts.roster.read import parse, tables_of
from alerts.roster.steps import Where
from alerts.route import Routing
from alerts.state import State
from alerts.trial import AGAIN_S, LASTS_S, refusal
from schemas.records import (
    Acknowledgement,
    Act,
    Alert,
    AlertState,
    Notification,
    NotificationState,
    Phase,
    Priority,
)
from tests.alerts.timeline import LATE_S, SECOND, SESSION, Timeline

ONSET, UPDATE, END = Phase
ACTIVE, LATCHED, ENDED, ACKNOWLEDGED, LATE, CHECK, SILENCED = AlertState
ROSTER = parse(tables_of(Path("fixtures/roster.toml").read_text("utf-8")))
TEAM = ROSTER.teams[0]


def timeline() -> Timeline:
    route = Routing()
    route.roster = ROSTER
    return Timeline(Pipeline(State(), Rules(LATE_S, route), 5))


def ask(
    t: Timeline, at_s: float, *, now_s: float | None = None, team: str = TEAM.name, id_: str = "t-1"
) -> list[Alert]:
    """Somebody wants a test page, and the pager hears of it, at once or later."""
    said = Acknowledgement("x", id_, "li", "sent", SESSION + round(at_s * SECOND), Act.TEST, team=team)
    found = t.pipeline.hear([said], SESSION + round((at_s if now_s is None else now_s) * SECOND))
    t.said += found
    return found


def answer(
    t: Timeline, now_s: float, by: str = "wang", act: Act = Act.ACKNOWLEDGE, **more: Any
) -> list[Alert]:
    said = Acknowledgement("y", "t-1", by, "received", SESSION + round(now_s * SECOND), act, **more)
    return t.pipeline.hear([said], SESSION + round(now_s * SECOND))


def found(t: Timeline, id_: str = "t-1") -> Alert:
    return t.pipeline.state.alerts[id_]


def turns(alert: Alert) -> list[str]:
    return [turn.what for turn in alert.history]


def page(alert: Alert) -> Page:
    (what, account), *_ = words(alert)
    entry = Notification("k", alert.id, what, "webhook", NotificationState.DUE, 0, "", 0, None, 5, account)
    return page_of(alert, entry)


def test_it_calls_who_is_on_duty_in_the_team_once_and_nobody_else() -> None:
    t = timeline()
    (raised,) = ask(t, 0)
    assert (raised.partition, raised.state, raised.condition) == (5, ACTIVE, "TEST_PAGE")
    on_duty = [one.account for one in raised.called]
    assert on_duty
    assert set(on_duty) <= set(TEAM.members)
    for s in range(1, int(LASTS_S) + 100, 7):
        t.wait(s)
    assert turns(found(t)) == ["ACTIVE", "CALLED", "ENDED"]
    assert found(t).state is ENDED
    assert found(t).acknowledged_ns is None


def test_without_a_roster_it_reaches_whoever_the_channel_reaches() -> None:
    t = Timeline()
    (raised,) = ask(t, 0)
    assert [one.account for one in raised.called] == [""]


def test_a_team_that_the_roster_lacks_is_the_fallback_s() -> None:
    t = timeline()
    (raised,) = ask(t, 0, team="nobody's")
    assert {one.account for one in raised.called} <= set(ROSTER.team_of[ROSTER.fallback].members)


def test_it_is_over_as_soon_as_it_is_answered_and_nobody_is_told_so() -> None:
    t = timeline()
    ask(t, 0)
    (answered,) = answer(t, 30)
    assert (answered.state, answered.acknowledged_by) == (ENDED, "wang")
    assert answer(t, 31, "li") == []  # the first holds
    for s in range(32, 3000, 61):
        t.wait(s)
    assert turns(found(t)) == ["ACTIVE", "CALLED", "ACKNOWLEDGED"]


def test_who_cannot_come_says_so_and_nobody_is_called_instead_and_silence_is_nothing() -> None:
    t = timeline()
    ask(t, 0)
    answer(t, 5, act=Act.REJECT)
    assert answer(t, 6, act=Act.SILENCE, silent_s=60.0) == []
    t.wait(200)
    assert turns(found(t)) == ["ACTIVE", "CALLED", "REJECTED"]
    assert found(t).state is ACTIVE


def test_its_page_says_in_both_languages_that_it_is_a_test() -> None:
    t = timeline()
    ask(t, 0)
    told = page(found(t))
    assert told.what == "TEST"
    assert told.text.startswith("TEST PAGE, no patient")
    assert "测试" in told.text
    assert not any(mark in told.text for mark in ("!", "patient unassigned"))
    assert short(told).startswith("TEST PAGE, no patient")
    assert (told.patient, told.evidence, told.facility) == ("", {}, "")


@pytest.mark.parametrize("priority", Priority)
def test_it_is_sent_behind_all_that_is_of_patients(priority: Priority) -> None:
    assert urgency("TEST", priority) is Priority.LOW


def test_there_is_one_at_a_time_and_one_a_minute() -> None:
    t = timeline()
    ask(t, 0)
    assert ask(t, 120, id_="t-2") == []
    assert ask(t, 121, id_="t-3", team=ROSTER.teams[1].name)  # another team's is its own
    answer(t, 130)
    assert ask(t, 130, id_="t-4")
    answer(t, 131)
    assert ask(t, 140, id_="t-5") == []


def test_whoever_wants_one_too_early_is_told_which_is_in_the_way() -> None:
    t = timeline()
    (raised,) = ask(t, 0)
    at = lambda s: SESSION + round(s * SECOND)  # noqa: E731
    assert refusal([raised], TEAM.name, at(AGAIN_S - 1)) == raised
    assert refusal([raised], TEAM.name, at(LASTS_S - 1)) == raised
    assert refusal([raised], TEAM.name, at(LASTS_S + 1)) is None  # no pager has ended it
    assert refusal([replace(raised, state=ENDED)], TEAM.name, at(AGAIN_S + 1)) is None
    assert refusal([raised], "another", at(1)) is None


def test_one_that_is_heard_of_too_late_or_twice_calls_nobody() -> None:
    t = timeline()
    assert ask(t, 0, now_s=LASTS_S + 1) == []
    assert ask(t, 700)
    assert ask(t, 700) == []
    assert ask(t, 700, now_s=710) == []


def test_after_a_restart_it_ends_all_the_same() -> None:
    t = timeline()
    ask(t, 0)
    again = Timeline(Pipeline(State.of(t.said), Rules(LATE_S), 5))
    assert again.wait(LASTS_S - 1) == []
    assert again.wait(LASTS_S + 1) == [("TEST_PAGE", ENDED)]


def test_a_clock_that_is_set_back_ends_it_and_keeps_the_next_from_nobody() -> None:
    t = timeline()
    ask(t, 7200)
    t.wait(0)
    assert found(t).state is ENDED
    assert ask(t, 1, id_="t-2")


def test_no_shift_hands_it_over() -> None:
    t = timeline()
    ask(t, 0)
    assert handover(ROSTER, TEAM, [(found(t), Where(("henan",)))], SESSION).alerts == ()


@given(st.integers(0, 400), st.integers(0, 400))
def test_what_is_of_patients_goes_on_as_if_there_were_none(asked_s: int, answered_s: int) -> None:
    def lived(*, tested: bool) -> list[tuple[str, tuple[Any, ...]]]:
        t = Timeline()
        told = Outbox(lambda _: ("webhook",), jitter=lambda: 0.0)
        for s in range(0, 400, 4):
            if s == 12:
                t.at(s, ONSET, "ASYSTOLE", 12.0)
            if s == 16:
                t.at(s, ONSET, "SPO2_LOW", 16.0)
            if s == 200:
                t.at(s, END, "SPO2_LOW", 16.0)
            if tested and s <= asked_s < s + 4:
                ask(t, s)
            if tested and s <= answered_s < s + 4:
                answer(t, s)
            t.wait(s)
        told.owe(t.said, SESSION)
        of_patients = (alert for alert in t.said if alert.condition != "TEST_PAGE")
        return [(a.condition, (a.state, a.updated_ns, a.called, a.history)) for a in of_patients]

    assert lived(tested=True) == lived(tested=False)
