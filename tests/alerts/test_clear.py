"""That an alert is over is told to those who were called, once, where nobody must look any more."""

from __future__ import annotations

import pytest

from alerts.clear import NEWS_S, SETTLED_S
from alerts.outbox import Outbox
from alerts.page import page_of, urgency
from alerts.pipeline import Pipeline, Rules
from alerts.state import State
from schemas.records import Act, AlertState, Notification, Phase, Priority
from tests.alerts.test_calls import AGAIN, T2, duty, timeline
from tests.alerts.test_storm import Site, lost
from tests.alerts.timeline import LATE_S, SECOND, SESSION, Timeline

ONSET, UPDATE, END = Phase
CODE = "SPO2_LOW"


def cleared(t: Timeline, code: str = CODE, onset_s: float = 0.0) -> list[float]:
    """When it was said of an alert that it is over, s."""
    turns = [turn for turn in t.alert(code, onset_s).history if turn.what == "CLEARED"]
    return [round((turn.at_ns - SESSION) / SECOND, 1) for turn in turns]


def entries(t: Timeline) -> list[Notification]:
    """What is told of all that was written, by two channels to each, but by one to wang."""
    box = Outbox(lambda account: ("ding",) if account == "wang" else ("ding", "mail"))
    return [entry for alert in t.said for entry in box.owe([alert], alert.updated_ns)]


def told(t: Timeline) -> list[tuple[str, str]]:
    return [(one.account, one.channel) for one in entries(t) if one.what == "CLEARED"]


def wait(t: Timeline, until_s: float) -> None:
    """Nothing comes for long: the pager looks around all the same."""
    for now_s in range(0, int(until_s), 5):
        if SESSION + now_s * SECOND > (t.pipeline.state.passed_ns or 0):
            t.wait(now_s)
    t.wait(until_s)


def test_those_who_were_called_are_told_once_by_the_same_channels() -> None:
    t = timeline()
    t.at(4, ONSET, CODE)
    wait(t, 100)  # li, and wang behind T1
    t.at(101, END, CODE)
    wait(t, 100.9 + SETTLED_S)
    assert cleared(t) == []
    t.wait(101.1 + SETTLED_S)
    wait(t, 10_000)
    assert cleared(t) == [101.1 + SETTLED_S]
    assert told(t) == [("li", "ding"), ("li", "mail"), ("wang", "ding")]
    assert [who for _, who in t.calls(CODE)] == ["li", "wang"]


def test_whoever_was_called_long_ago_is_told_as_well() -> None:
    """An alert names only those of its last calls."""
    t = timeline()
    t.at(4, ONSET, CODE)
    ends_s = 10 + T2 + 2 * AGAIN
    wait(t, ends_s)
    assert "wang" not in {who.account for who in t.alert(CODE).called if who.call < 3}
    t.at(ends_s, END, CODE)
    wait(t, ends_s + 1 + SETTLED_S)
    assert {account for account, _ in told(t)} == {"li", "wang", "ward"}
    assert len(told(t)) == len(set(told(t)))


def test_who_took_it_on_is_told_at_once_and_nobody_else() -> None:
    t = timeline()
    t.at(4, ONSET, CODE)
    t.acknowledge(10, "zhao", code=CODE)
    wait(t, 5_000)
    t.at(5_000, END, CODE)
    wait(t, 9_000)
    assert cleared(t) == [5_000]
    assert told(t) == [("zhao", "ding"), ("zhao", "mail")]


@pytest.mark.parametrize("code", ["ASYSTOLE", "DATABASE_AWAY", "LEAD_OFF"])
@pytest.mark.parametrize("taken", [False, True])
def test_of_high_and_low_priority_nothing_is_said(code: str, taken: bool) -> None:
    t = timeline()
    t.at(4, ONSET, code)
    if taken:
        t.acknowledge(6, "li", code=code)
    t.at(9, END, code)
    t.acknowledge(20, "li", code=code)
    wait(t, 1_000)
    assert (cleared(t, code), told(t)) == ([], [])
    assert t.alert(code).state is AlertState.ENDED


def test_nor_of_a_late_finding_and_of_what_was_over_before_it_called() -> None:
    t = timeline()
    t.at(9, END, CODE, now_s=3600)
    t.acknowledge(3700, "li", code=CODE)
    t.at(3710, END, "TEMPERATURE_HIGH", 3700)
    t.at(3720, END, "HEART_RATE_HIGH", 3700)
    wait(t, 5_000)
    assert [what for what in ("LATE", "RAISED") if what in {e.what for e in entries(t)}] == ["LATE", "RAISED"]
    assert told(t) == []


def test_a_lost_link_that_was_over_before_it_called_has_said_so_itself() -> None:
    site = Site()
    site.at(1, *lost(1))
    site.at(2, ("d-0000", END, "LINK_LOST", 0.0))
    for n in range(1, 100):
        site.wait(2 + 10 * n)
    (alert,) = site.pipeline.state.alerts.values()
    assert [turn.what for turn in alert.history] == ["ACTIVE", "ENDED", "CALLED"]


def test_what_comes_back_was_not_over_and_all_is_told_when_it_is() -> None:
    t = timeline()
    t.at(4, ONSET, CODE)
    t.at(9, END, CODE)
    for onset_s in (100, 250):
        wait(t, onset_s)
        t.at(onset_s + 4, ONSET, CODE, onset_s)
        t.at(onset_s + 40, END, CODE, onset_s)
    wait(t, 289 + SETTLED_S)
    assert told(t) == []
    wait(t, 1_000)
    assert [cleared(t, CODE, onset_s) for onset_s in (0, 100, 250)] == [[290 + SETTLED_S], [], []]
    assert [who for _, who in t.calls(CODE)] == ["li"]
    assert told(t) == [("li", "ding"), ("li", "mail")]


def test_who_was_told_that_it_is_over_is_called_again() -> None:
    """By the device's clock it joins, by ours they have been told."""
    t = timeline()
    t.at(4, ONSET, CODE)
    t.at(9, END, CODE)
    wait(t, 12 + SETTLED_S)
    assert len(cleared(t)) == 1
    onset_s = 8 + SETTLED_S
    t.at(onset_s + 4, ONSET, CODE, onset_s)
    assert t.calls(CODE, onset_s) == [(onset_s + 4, "li")]
    assert t.alert(CODE, onset_s).joined == ""


def test_a_rejection_or_a_silence_is_no_answer() -> None:
    t = timeline()
    t.at(4, ONSET, CODE)
    t.acknowledge(8, "li", code=CODE, act=Act.REJECT)
    t.wait(9)
    t.acknowledge(10, "wang", code=CODE, act=Act.SILENCE, silent_s=600)
    t.at(20, END, CODE)
    wait(t, 25 + SETTLED_S)
    assert told(t) == [("li", "ding"), ("li", "mail"), ("wang", "ding")]
    wait(t, 2_000)
    assert [who for _, who in t.calls(CODE)] == ["li", "wang"]


@pytest.mark.parametrize(("away_s", "said"), [(60.0, True), (NEWS_S + 60, False)])
def test_after_a_restart_it_is_told_once_and_only_while_it_is_news(away_s: float, said: bool) -> None:
    t = timeline()
    t.at(4, ONSET, CODE)
    t.at(9, END, CODE)
    wait(t, 100)
    after = Timeline(Pipeline(State.of(t.said), Rules(LATE_S, duty)))
    after.wait(9 + SETTLED_S + away_s)
    assert bool(cleared(after)) is said
    again = Timeline(Pipeline(State.of([*t.said, *after.said]), Rules(LATE_S, duty)))
    again.wait(20 + SETTLED_S + away_s)
    assert len(cleared(again)) == said


def test_what_ends_while_others_of_its_storm_last_says_that_they_do() -> None:
    site = Site()
    site.at(1, *lost(6))
    site.wait(4)
    site.at(100, ("d-0000", END, "LINK_LOST", 0.0))
    for n in range(11, 60):
        site.wait(10 * n)
    (first, *_) = sorted(site.pipeline.state.alerts.values(), key=lambda alert: alert.device)
    assert first.history[-1].what == "CLEARED"
    (entry,) = Outbox(lambda _: ("ding",)).owe([first], 0)[-1:]
    assert "5 more were told of with it; the list says which of them last" in page_of(first, entry).text


def test_its_page_says_that_it_is_over_is_no_alarm_signal_and_waits_for_all_others() -> None:
    t = timeline()
    t.at(4, ONSET, CODE)
    t.acknowledge(10, "li", code=CODE)
    t.at(90, END, CODE)
    entry = next(entry for entry in entries(t) if entry.what == "CLEARED")
    page = page_of(t.alert(CODE), entry)
    assert page.text.splitlines()[:4] == [
        "CLEARED: SpO2 below its limit",
        "device dev-1, patient p-1",
        "since 2023-11-14T22:13:20.000Z, over at 2023-11-14T22:14:50.000Z; decided after 4.0 s of signal",
        "acknowledged by li",
    ]
    assert (page.what, page.priority, page.account) == ("CLEARED", Priority.MEDIUM, "li")
    assert urgency(page.what, page.priority) is Priority.LOW
    assert urgency("RAISED", page.priority) is Priority.MEDIUM


def test_the_call_reaches_each_before_the_word_that_it_is_over() -> None:
    t = timeline()
    t.at(4, ONSET, CODE)
    t.at(9, END, CODE)
    wait(t, 20 + SETTLED_S)
    raised, _, over, _ = entries(t)
    assert (raised.what, over.what) == ("RAISED", "CLEARED")
    box = Outbox(lambda _: ("ding", "mail"))
    for entry in (over, raised):  # the log's order is that of the last attempts
        box.learn(entry)
    assert [one.what for one in box.to_try(over.due_ns)] == ["RAISED"]
    box.tried(raised.key, None, over.due_ns)
    assert [one.what for one in box.to_try(over.due_ns)] == ["CLEARED"]
