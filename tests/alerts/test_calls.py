"""Who is called and when: escalation, silence, repeats, inhibition and "check patient", as timelines."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.call import Call
from alerts.hear import LONGEST_S
from alerts.inhibit import INHIBITS
from alerts.pipeline import Pipeline, Rules
from alerts.priority import JUDGEMENTS
from alerts.state import State
from alerts.verify import HELD_S, SOON_S
from schemas.conditions import Code
from schemas.records import Act, Alert, AlertState, Phase, Priority
from tests.alerts.timeline import LATE_S, Timeline

ONSET, UPDATE, END = Phase
ACTIVE, LATCHED, ENDED, ACKNOWLEDGED, LATE, CHECK, SILENCED = AlertState
T1, T2, AGAIN = 60.0, 120.0, 300.0
RUNNING = {"pulse_age_s": 0.5, "pulse_unbroken_s": 600.0, "pulse_before_onset_s": 30.0, "pulse_bpm": 72.0}
STALE = RUNNING | {"pulse_age_s": 2.5}


def duty(alert: Alert, call: int, now_ns: int) -> Call:
    """li, then wang, then the team, then the team again and again."""
    return {1: Call(("li",), T1), 2: Call(("wang",), T2)}.get(call, Call(("li", "wang", "ward"), AGAIN))


def timeline() -> Timeline:
    return Timeline(Pipeline(State(), Rules(LATE_S, duty)))


# Escalation


def test_a_page_that_nobody_answers_goes_on_to_the_next() -> None:
    t = timeline()
    t.at(4, ONSET)
    for now_s in (30, 63.9, 64.1, 183.9, 184.1, 484.1, 784.1):
        t.wait(now_s)
    team = "li, wang, ward"
    assert t.calls() == [(4, "li"), (64.1, "wang"), (184.1, team), (484.1, team), (784.1, team)]


def test_a_patient_who_is_not_monitored_calls_on_and_the_arrest_before_it_stays() -> None:
    t = timeline()
    t.at(4, ONSET)
    t.at(20, END)  # the leads are off: nothing can be said any more
    t.at(22, ONSET, "ALL_LEADS_OFF", 20)
    assert t.open() == {"ASYSTOLE": LATCHED, "ALL_LEADS_OFF": ACTIVE}
    for now_s in (82.1, 202.2):
        t.wait(now_s)
    assert t.calls("ALL_LEADS_OFF", 20) == [(22, "li"), (82.1, "wang"), (202.2, "li, wang, ward")]
    assert t.calls()[-1][1] == "li, wang, ward"


@pytest.mark.parametrize("code", ["ASYSTOLE", "SPO2_LOW"])
def test_an_acknowledgement_ends_the_calls(code: str) -> None:
    t = timeline()
    t.at(4, ONSET, code)
    t.acknowledge(50, "li", code=code)
    t.wait(10_000)
    assert t.calls(code) == [(4, "li")]


def test_who_cannot_come_says_so_and_the_next_is_called_at_once() -> None:
    t = timeline()
    t.at(4, ONSET)
    assert t.acknowledge(10, "li", "in theatre", act=Act.REJECT) == [("ASYSTOLE", ACTIVE)]
    t.wait(10.5)
    assert t.calls() == [(4, "li"), (10.5, "wang")]
    rejected = [(turn.by, turn.why) for turn in t.alert().history if turn.what == "REJECTED"]
    assert rejected == [("li", "in theatre")]


def test_a_high_priority_alert_goes_on_calling_when_it_has_latched_and_a_medium_one_does_not() -> None:
    t = timeline()
    t.at(4, ONSET)
    t.at(5, ONSET, "SPO2_LOW", 5)
    t.at(9, END)
    t.at(9, END, "SPO2_LOW", 5)
    t.wait(100)
    assert t.calls() == [(4, "li"), (100, "wang")]
    assert t.calls("SPO2_LOW", 5) == [(5, "li")]


def test_low_priority_calls_nobody() -> None:
    t = timeline()
    t.at(4, ONSET, "LEAD_OFF")
    t.wait(10_000)
    assert t.calls("LEAD_OFF") == []


def test_after_a_restart_calls_go_on_where_they_were() -> None:
    t = timeline()
    t.at(4, ONSET)
    t.wait(65)
    after = Timeline(Pipeline(State.of(t.said), Rules(LATE_S, duty)))
    after.wait(184.9)
    assert after.calls() == [(4, "li"), (65, "wang")]
    after.wait(185.1)
    assert [call[1] for call in after.calls()] == ["li", "wang", "li, wang, ward"]


def test_a_clock_that_jumps_an_hour_calls_once_and_not_for_each_time_that_it_passed() -> None:
    t = timeline()
    t.at(4, ONSET)
    t.wait(3600)
    assert [who for _, who in t.calls()] == ["li", "wang"]


@pytest.mark.parametrize("code", ["ASYSTOLE", "SPO2_LOW"])
def test_a_clock_that_is_set_back_an_hour_puts_no_call_off_by_an_hour(code: str) -> None:
    t = timeline()
    t.at(4, ONSET, code)
    t.wait(4 - 3600)
    assert [who for _, who in t.calls(code)] == ["li", "wang"]
    t.wait(4 - 3600 + T2 - 1)
    assert len(t.calls(code)) == 2  # from here on by the clock as it is
    t.wait(4 - 3600 + T2 + 1)
    assert len(t.calls(code)) == 3


def test_what_is_held_back_is_let_go_by_a_clock_that_was_set_back_too() -> None:
    t = timeline()
    t.at(4, ONSET, evidence=RUNNING)
    assert t.open() == {"ASYSTOLE": CHECK}
    t.wait(4 - 3600)
    assert (t.open(), len(t.calls())) == ({"ASYSTOLE": ACTIVE}, 1)


def test_a_rejection_is_written_down_also_where_nobody_is_next() -> None:
    t = Timeline()
    t.at(4, ONSET)
    for _ in range(2):  # it may be read twice
        t.acknowledge(10, "li", "in theatre", act=Act.REJECT)
    t.wait(1000)
    assert [turn.by for turn in t.alert().history if turn.what == "REJECTED"] == ["li"]
    assert len(t.calls()) == 1


# Silence


@pytest.mark.parametrize(
    ("asked_s", "given_s"), [(60, 60), (1e6, LONGEST_S[Priority.HIGH]), (float("nan"), 0)]
)
def test_silence_is_for_a_time_and_then_people_are_called_again(asked_s: float, given_s: float) -> None:
    t = timeline()
    t.at(4, ONSET)
    t.acknowledge(10, "li", "on my way", act=Act.SILENCE, silent_s=asked_s)
    assert t.alert().state is SILENCED
    t.wait(9.9 + given_s)
    assert len(t.calls()) == 1
    t.wait(10.1 + given_s)
    assert (t.alert().state, [who for _, who in t.calls()]) == (ACTIVE, ["li", "wang"])


def test_what_ends_in_silence_has_latched_behind_it() -> None:
    t = timeline()
    t.at(4, ONSET)
    t.acknowledge(10, "li", act=Act.SILENCE, silent_s=60)
    t.at(20, END)
    assert t.alert().state is SILENCED
    t.wait(71)
    assert (t.alert().state, len(t.calls())) == (LATCHED, 2)


def test_who_takes_a_silenced_alert_on_ends_its_calls() -> None:
    t = timeline()
    t.at(4, ONSET)
    t.acknowledge(10, "li", act=Act.SILENCE, silent_s=60)
    t.acknowledge(20, "wang")
    t.wait(1000)
    assert (t.alert().state, len(t.calls())) == (ACKNOWLEDGED, 1)


def test_what_calls_nobody_calls_nobody_when_its_silence_is_over() -> None:
    t = timeline()
    t.at(4, ONSET, "LEAD_OFF")
    t.acknowledge(10, "li", code="LEAD_OFF", act=Act.SILENCE, silent_s=60)
    assert t.alert("LEAD_OFF").state is SILENCED
    t.wait(71)
    assert (t.alert("LEAD_OFF").state, t.calls("LEAD_OFF")) == (ACTIVE, [])


# Repeats


def test_a_flap_is_counted_and_calls_go_on_once() -> None:
    t = timeline()
    t.at(4, ONSET)
    t.at(9, END)
    for onset_s in (20, 40):
        t.at(onset_s + 4, ONSET, onset_s=onset_s)
        t.at(onset_s + 8, END, onset_s=onset_s)
    t.wait(65)
    assert len(list(t.pipeline.state.family(t.alert()))) == 3
    assert [t.calls(onset_s=s) for s in (0, 20, 40)] == [[(4, "li")], [], [(65, "wang")]]


def test_a_medium_one_that_comes_back_goes_on_calling_though_the_first_is_over() -> None:
    t = timeline()
    t.at(4, ONSET, "SPO2_LOW")
    t.at(9, END, "SPO2_LOW")
    t.at(20, ONSET, "SPO2_LOW", 20)
    t.wait(79)
    assert t.calls("SPO2_LOW", 20) == []
    t.wait(81)
    assert t.calls("SPO2_LOW", 20) == [(81, "wang")]


@pytest.mark.parametrize(
    ("acknowledged", "onset_s"), [(True, 20), (False, 80)], ids=["after an acknowledgement", "much later"]
)
def test_a_new_onset_calls_again(acknowledged: bool, onset_s: float) -> None:
    t = timeline()
    t.at(4, ONSET)
    t.at(9, END)
    if acknowledged:
        t.acknowledge(12, "li")
    t.at(onset_s + 4, ONSET, onset_s=onset_s)
    assert t.calls(onset_s=onset_s) == [(onset_s + 4, "li")]
    assert t.alert(onset_s=onset_s).joined == ""


def test_whoever_takes_one_of_them_on_takes_all() -> None:
    t = timeline()
    t.at(4, ONSET)
    t.at(9, END)
    t.at(24, ONSET, onset_s=20)
    changed = t.acknowledge(30, "li", onset_s=20)
    assert sorted(changed) == [("ASYSTOLE", ACKNOWLEDGED), ("ASYSTOLE", ENDED)]
    t.wait(1000)
    assert t.calls(onset_s=20) == []


# Inhibition


def test_while_a_fibrillation_is_open_a_run_calls_nobody_and_then_it_does() -> None:
    t = timeline()
    t.at(5, ONSET, "VENTRICULAR_FIBRILLATION")
    t.at(8, ONSET, "HEART_RATE_HIGH", 6)
    assert t.calls("HEART_RATE_HIGH", 6) == []
    t.wait(100)
    assert t.calls("HEART_RATE_HIGH", 6) == []
    t.at(120, END, "VENTRICULAR_FIBRILLATION")
    assert t.calls("HEART_RATE_HIGH", 6) == [(120, "li")]


def test_what_is_over_before_its_inhibitor_has_called_nobody() -> None:
    t = timeline()
    t.at(5, ONSET, "VENTRICULAR_FIBRILLATION")
    t.at(8, ONSET, "HEART_RATE_HIGH", 6)
    t.at(30, END, "HEART_RATE_HIGH", 6)
    t.at(120, END, "VENTRICULAR_FIBRILLATION")
    assert t.calls("HEART_RATE_HIGH", 6) == []


def test_what_has_called_already_is_not_taken_back() -> None:
    t = timeline()
    t.at(4, ONSET, "HEART_RATE_HIGH")
    t.at(8, ONSET, "VENTRICULAR_FIBRILLATION", 4)
    t.wait(70)
    assert [who for _, who in t.calls("HEART_RATE_HIGH")] == ["li", "wang"]


def test_nothing_of_high_priority_is_ever_inhibited() -> None:
    inhibited = set().union(*INHIBITS.values())
    assert not [code for code in inhibited if JUDGEMENTS[code].priority is Priority.HIGH]
    assert all(code not in codes for code, codes in INHIBITS.items())


# Check patient


def test_what_the_pulse_refutes_stands_on_the_wall_and_calls_when_it_is_not_refuted_any_more() -> None:
    t = timeline()
    assert t.at(4, ONSET, evidence=RUNNING) == [("ASYSTOLE", CHECK)]
    for s in range(5, 60):
        assert t.at(s, UPDATE, evidence=RUNNING) == [("ASYSTOLE", CHECK)]
    assert t.calls() == []
    t.at(60, UPDATE, evidence=STALE)
    assert (t.alert().state, t.calls()) == (ACTIVE, [(60, "li")])


def test_a_hold_ends_when_nothing_renews_it() -> None:
    t = timeline()
    t.at(4, ONSET, evidence=RUNNING)
    t.wait(3.9 + HELD_S)
    assert t.calls() == []
    t.wait(4.1 + HELD_S)
    assert (t.alert().state, t.calls()) == (ACTIVE, [(4.1 + HELD_S, "li")])


def test_what_ends_while_it_is_refuted_has_called_nobody_and_is_on_record() -> None:
    t = timeline()
    t.at(4, ONSET, evidence=RUNNING)
    assert t.at(6, END, evidence=RUNNING) == [("ASYSTOLE", ENDED)]
    t.wait(1000)
    assert (t.calls(), [turn.what for turn in t.alert().history]) == ([], [ACTIVE, CHECK, ENDED])


def test_who_was_called_is_not_called_off() -> None:
    t = timeline()
    t.at(4, ONSET)
    t.at(5, UPDATE, evidence=RUNNING)
    assert t.alert().state is ACTIVE
    t.wait(70)
    assert len(t.calls()) == 2


@pytest.mark.parametrize(("behind_s", "state"), [(10.0, ACTIVE), (SOON_S + 1, CHECK)])
def test_during_and_soon_behind_a_fibrillation_a_pulse_refutes_nothing(
    behind_s: float, state: AlertState
) -> None:
    """It may be that of chest compressions."""
    t = timeline()
    t.at(5, ONSET, "VENTRICULAR_FIBRILLATION")
    t.at(30, END, "VENTRICULAR_FIBRILLATION")
    t.at(34 + behind_s, ONSET, onset_s=30 + behind_s, evidence=RUNNING)
    assert t.alert(onset_s=30 + behind_s).state is state


def test_an_asystole_that_was_held_back_is_no_reason_to_believe_the_next() -> None:
    t = timeline()
    t.at(4, ONSET, evidence=RUNNING)
    t.at(6, END, evidence=RUNNING)
    t.at(24, ONSET, onset_s=20, evidence=RUNNING)
    assert t.alert(onset_s=20).state is CHECK


def test_fast_rhythms_and_fibrillation_are_never_held_back() -> None:
    for code in (Code.VENTRICULAR_FIBRILLATION, Code.VENTRICULAR_TACHYCARDIA, Code.EXTREME_TACHYCARDIA):
        t = timeline()
        t.at(5, ONSET, code.name, evidence=RUNNING | {"hr_bpm": 20.0, "limit_bpm": 40.0})
        assert t.calls(code.name) == [(5, "li")]


# Whatever comes

CODES = ["ASYSTOLE", "VENTRICULAR_FIBRILLATION", "HEART_RATE_HIGH", "SPO2_LOW", "LEAD_OFF"]
steps = st.lists(
    st.tuples(
        st.sampled_from(["begin", "end", "update", "take", "reject", "silence", "wait"]),
        st.sampled_from(CODES),
        st.integers(1, 90),
        st.booleans(),
    ),
    min_size=1,
    max_size=25,
)


@given(steps)
def test_nobody_who_must_be_called_is_forgotten(made: list[tuple[str, str, int, bool]]) -> None:
    """Each alert of high priority has called, is taken on, held back by fresh evidence, or joined."""
    t = timeline()
    now_s = 0.0
    open_: dict[str, float] = {}
    for act, code, passes_s, refuted in made:
        now_s += passes_s
        evidence = RUNNING if refuted else None
        if act == "begin" and code not in open_:
            open_[code] = now_s - 1
            t.at(now_s, ONSET, code, now_s - 1, evidence=evidence)
        elif act in ("end", "update") and code in open_:
            since_s = open_.pop(code) if act == "end" else open_[code]
            t.at(now_s, END if act == "end" else UPDATE, code, since_s, evidence=evidence)
        elif act in ("take", "reject", "silence") and code in open_:
            said = {"take": Act.ACKNOWLEDGE, "reject": Act.REJECT, "silence": Act.SILENCE}[act]
            t.acknowledge(now_s, "li", code=code, onset_s=open_[code], act=said, silent_s=30)
        t.wait(now_s)
        for alert in t.pipeline.state.alerts.values():
            check(alert, t)
    again = State.of(t.said)
    assert again.alerts == t.pipeline.state.alerts  # what is written is all that is known


def check(alert: Alert, t: Timeline) -> None:
    is_open = alert.state in (ACTIVE, LATCHED, SILENCED)
    now_ns = t.pipeline.state.passed_ns or 0
    if alert.priority is Priority.HIGH and is_open:
        assert alert.calls > 0
        newest = [a for a in t.pipeline.state.of_device(alert.device) if a.condition == alert.condition][-1]
        calls_ns = max(alert.call_ns or 0, newest.call_ns or 0)  # the newest calls for all
        assert calls_ns > now_ns or newest.acknowledged_ns is not None
    if alert.state is CHECK:
        assert alert.calls == 0
        assert (alert.held_until_ns or 0) > now_ns
    if alert.acknowledged_ns is not None:
        assert alert.call_ns is None
    turns = [turn.what for turn in alert.history]
    if "CLEARED" in turns:  # once, and nothing follows
        assert (alert.priority, alert.state, alert.call_ns) == (Priority.MEDIUM, ENDED, None)
        assert turns.index("CLEARED") == len(turns) - 1
