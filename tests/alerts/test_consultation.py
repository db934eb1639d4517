"""A call for a consultation: by the roster of the facility that is asked, once, behind what is an alarm."""

from __future__ import annotations

from alerts.consultation import KEPT_S
from alerts.page import page_of, urgency, words
from alerts.pipeline import Pipeline, Rules
from alerts.roster.handover import handover
from alerts.roster.read import parse, tables_of
from alerts.roster.steps import Where
from alerts.route import Routing
from alerts.state import State
from alerts.trial import LASTS_S
from schemas.records import (
    Acknowledgement,
    Act,
    Alert,
    AlertState,
    Notification,
    NotificationState,
    Priority,
)
from tests.alerts.timeline import LATE_S, SECOND, SESSION, Timeline

ROSTER = parse(
    tables_of("""
version = 1
fallback = "province"
[[person]]
account = "sun"
[[person]]
account = "wang"
[[person]]
account = "zhao"
[[person]]
account = "zhou"
[[person]]
account = "qian"
[[team]]
name = "province"
region = "p"
zone = "Asia/Shanghai"
members = ["qian"]
[[team]]
name = "county"
region = "c"
zone = "Asia/Shanghai"
members = ["sun"]
[[team]]
name = "town"
region = "t"
zone = "Asia/Shanghai"
members = ["wang", "zhao", "zhou"]
backup = ["zhao"]
[[weekly]]
team = "province"
person = "qian"
days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
from = "00:00"
to = "00:00"
[[weekly]]
team = "county"
person = "sun"
days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
from = "00:00"
to = "00:00"
[[weekly]]
team = "town"
person = "wang"
days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
from = "00:00"
to = "00:00"
""")
)


def timeline() -> Timeline:
    route = Routing()
    route.roster = ROSTER
    return Timeline(Pipeline(State(), Rules(LATE_S, route), 5))


def ask(t: Timeline, at_s: float = 0, *, now_s: float | None = None, **more: object) -> list[Alert]:
    given = {"facility": "p.c.t", "patient": "p-1", "call": 1} | more
    said = Acknowledgement(
        "x", "c-1", "consultation", "urgent; case 9", SESSION + round(at_s * SECOND), Act.CONSULT, **given
    )
    return t.pipeline.hear([said], SESSION + round((at_s if now_s is None else now_s) * SECOND))


def called(alert: Alert) -> list[str]:
    return [one.account for one in alert.called]


def test_first_who_is_on_duty_then_the_back_up_then_the_whole_team_and_level_by_level_above() -> None:
    assert called(ask(timeline())[0]) == ["wang"]
    assert called(ask(timeline(), call=2)[0]) == ["zhao"]
    assert called(ask(timeline(), call=3)[0]) == ["wang", "zhao", "zhou", "sun"]
    for call in (4, 5, 99):
        assert called(ask(timeline(), call=call)[0]) == ["wang", "zhao", "zhou", "sun", "qian"]
    assert called(ask(timeline(), call=3, facility="p.c")[0]) == ["sun", "qian"]
    assert called(ask(timeline(), call=5, facility="p")[0]) == ["qian"]


def test_who_has_asked_is_called_by_name() -> None:
    no_roster = Timeline(Pipeline(State(), Rules(LATE_S, Routing()), 5))
    for t in (timeline(), no_roster):
        assert called(ask(t, facility="", account="li")[0]) == ["li"]


def test_without_a_roster_it_reaches_whoever_the_channel_reaches() -> None:
    assert called(ask(Timeline())[0]) == [""]


def test_told_again_it_is_one_and_what_is_too_old_is_none() -> None:
    t = timeline()
    assert len(ask(t)) == 1
    assert ask(t) == []
    assert ask(timeline(), now_s=KEPT_S) == []
    assert len(ask(timeline(), now_s=KEPT_S - 1)) == 1


def test_it_is_no_alarm_it_calls_once_ends_by_itself_and_is_handed_over_to_nobody() -> None:
    t = timeline()
    (alert,) = ask(t)
    assert handover(ROSTER, ROSTER.teams[0], [(alert, Where(("c", "t")))], SESSION).alerts == ()
    assert not [
        a for a in t.pipeline.hear([_says(Act.SILENCE)], SESSION + SECOND) if a.state is AlertState.SILENCED
    ]
    for s in range(2, int(LASTS_S) + 100, 7):
        t.wait(s)
    ended = t.pipeline.state.alerts["c-1"]
    assert [turn.what for turn in ended.history] == ["ACTIVE", "CALLED", "ENDED"]


def test_to_acknowledge_it_ends_the_call_and_calls_nobody_else() -> None:
    t = timeline()
    ask(t)
    (heard,) = t.pipeline.hear([_says(Act.ACKNOWLEDGE)], SESSION + SECOND)
    assert (heard.state, heard.acknowledged_by) == (AlertState.ENDED, "wang")


def test_its_page_says_that_it_is_no_alarm_and_waits_behind_what_is_one() -> None:
    (alert,) = ask(timeline())
    ((what, account),) = words(alert)
    entry = Notification("k", alert.id, what, "webhook", NotificationState.DUE, 0, "", 0, None, 5, account)
    page = page_of(alert, entry)
    assert (page.what, page.condition, page.patient) == ("CONSULTATION", "CONSULTATION", "p-1")
    assert page.text.splitlines()[0] == "CONSULTATION, no alarm"
    assert "patient p-1 at p.c.t: urgent; case 9" in page.text
    assert "不是报警" in page.text
    assert "/min" not in page.text
    assert urgency(what, Priority.MEDIUM) is Priority.LOW


def _says(act: Act) -> Acknowledgement:
    return Acknowledgement("y", "c-1", "wang", "seen", SESSION + SECOND, act, 60.0)
