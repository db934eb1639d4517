"""Timelines of alerts on a fake clock, named after what IEC 60601-1-8 asks for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from alerts.pipeline import Pipeline, Rules
from alerts.priority import JUDGEMENTS, priority_of
from alerts.state import State
from schemas.conditions import Code
from schemas.records import AlertState, Phase, Priority
from tests.alerts.timeline import LATE_S, SECOND, SESSION, Timeline

ONSET, UPDATE, END = Phase
ACTIVE, LATCHED, ENDED, ACKNOWLEDGED, LATE, CHECK, SILENCED = AlertState


def test_high_priority_latches() -> None:
    t = Timeline()
    assert t.at(4, ONSET) == [("ASYSTOLE", ACTIVE)]
    assert t.at(5, UPDATE) == [("ASYSTOLE", ACTIVE)]
    assert t.at(9, END) == [("ASYSTOLE", LATCHED)]
    first, _, last = t.said
    assert (first.priority, first.decided_sample, first.delay_s) == (Priority.HIGH, 1000, 4.0)
    assert last.raised_ns == first.raised_ns == SESSION + 4 * SECOND + 7
    assert (last.decided_sample, last.delay_s, last.decided_ns) == (1000, 4.0, first.decided_ns)
    assert (last.end_ns, last.updated_ns) == (SESSION + 9 * SECOND, SESSION + 9 * SECOND + 7)
    assert last.evidence == {"pause_s": 9}


@pytest.mark.parametrize("code", [c.name for c in Code if JUDGEMENTS[c].priority is not Priority.HIGH])
def test_medium_and_low_priority_end_with_their_condition(code: str) -> None:
    t = Timeline()
    assert t.at(4, ONSET, code) == [(code, ACTIVE)]
    assert t.at(9, END, code) == [(code, ENDED)]
    assert t.open() == {}


def test_a_lost_link_ends_nothing() -> None:
    t = Timeline()
    t.at(4, ONSET, "VENTRICULAR_FIBRILLATION")
    t.at(5, ONSET, "SPO2_LOW", 5)
    t.at(20, ONSET, "LINK_LOST", 10)
    t.at(40, END, "LINK_LOST", 10)
    assert t.open() == {"VENTRICULAR_FIBRILLATION": ACTIVE, "SPO2_LOW": ACTIVE}


def test_a_new_onset_is_a_new_alert() -> None:
    t = Timeline()
    t.at(4, ONSET)
    t.at(9, END)
    assert t.at(24, ONSET, onset_s=20) == [("ASYSTOLE", ACTIVE)]
    assert sorted(a.state for a in t.pipeline.state.alerts.values()) == [ACTIVE, LATCHED]
    assert len({a.id for a in t.said}) == 2


def test_what_comes_twice_says_nothing() -> None:
    t = Timeline()
    t.at(4, ONSET)
    assert t.at(4, ONSET) == []  # a worker that crashed wrote it again
    t.at(6, UPDATE)
    assert t.at(5, UPDATE) == []  # stale
    assert t.at(6, UPDATE) == []
    assert t.at(4, ONSET) == []
    t.at(9, END)
    for again in (ONSET, UPDATE, END):
        assert t.at(9, again) == []
    assert t.open() == {"ASYSTOLE": LATCHED}


def test_a_record_read_twice_says_nothing() -> None:
    t = Timeline()
    t.at(4, ONSET, offset=10)
    t.at(5, UPDATE, offset=11)
    assert t.at(4, ONSET, offset=10) == []
    assert t.at(5, UPDATE, offset=11) == []


@pytest.mark.parametrize("phase", [UPDATE, END])
def test_an_alert_whose_onset_was_lost_is_not_lost(phase: Phase) -> None:
    assert Timeline().at(6, phase) == [("ASYSTOLE", LATCHED if phase is END else ACTIVE)]


def test_after_a_restart_the_recorded_alerts_are_the_state() -> None:
    before = Timeline()
    for t_s, phase in ((4, ONSET), (5, UPDATE), (9, END)):
        before.at(t_s, phase)
    for recorded in (before.said, before.said[::-1]):  # a paused pager may have written the older one last
        after = Timeline(Pipeline(State.of(recorded), Rules(LATE_S)))
        assert after.pipeline.state.alerts == before.pipeline.state.alerts
        assert [after.at(t_s, phase) for t_s, phase in ((4, ONSET), (5, UPDATE), (9, END))] == [[], [], []]
    half = Timeline(Pipeline(State.of(before.said[:2]), Rules(LATE_S)))
    assert [half.at(t_s, phase) for t_s, phase in ((4, ONSET), (5, UPDATE), (9, END))] == [
        [],
        [],
        [("ASYSTOLE", LATCHED)],
    ]
    assert half.said[0].raised_ns == before.said[0].raised_ns


def test_the_first_raise_is_kept() -> None:
    t = Timeline()
    t.at(4, ONSET)
    twice = Timeline()
    twice.at(4.5, ONSET)
    (alert,) = State.of([*twice.said, *t.said]).alerts.values()
    assert alert.raised_ns == t.said[0].raised_ns


def test_every_condition_has_a_priority_with_a_reason() -> None:
    assert set(JUDGEMENTS) == set(Code)
    assert all(judgement.why for judgement in JUDGEMENTS.values())
    threatening = {
        Code.ASYSTOLE,
        Code.VENTRICULAR_FIBRILLATION,
        Code.VENTRICULAR_TACHYCARDIA,
        Code.EXTREME_BRADYCARDIA,
        Code.EXTREME_TACHYCARDIA,
        Code.SUSTAINED_VENTRICULAR_TACHYCARDIA,
        Code.DESATURATION,
        Code.APNOEA,
    }
    nobody_watches = {
        Code.PIPELINE_STALLED,
        Code.PIPELINE_BEHIND,
        Code.BROKER_AWAY,
        Code.DATABASE_AWAY,
        Code.PAGER_STALLED,
        Code.RECORDS_LOST,
    }
    assert {c for c, j in JUDGEMENTS.items() if j.priority is Priority.HIGH} == threatening | nobody_watches


def test_a_condition_of_a_newer_worker_is_high() -> None:
    assert priority_of("SOMETHING_NEW") is Priority.HIGH
    assert Timeline().at(4, ONSET, "SOMETHING_NEW") == [("SOMETHING_NEW", ACTIVE)]


def test_an_alert_that_is_acknowledged_stays_so_until_its_condition_ends() -> None:
    t = Timeline()
    t.at(4, ONSET)
    assert t.acknowledge(30, "li", "at the bedside") == [("ASYSTOLE", ACKNOWLEDGED)]
    alert = t.said[-1]
    assert (alert.acknowledged_by, alert.reason) == ("li", "at the bedside")
    assert alert.acknowledged_ns == alert.updated_ns == SESSION + 30 * SECOND
    assert t.at(40, UPDATE) == [("ASYSTOLE", ACKNOWLEDGED)]
    assert t.at(50, END) == [("ASYSTOLE", ENDED)]
    assert (t.said[-1].acknowledged_by, t.said[-1].end_ns) == ("li", SESSION + 50 * SECOND)


def test_an_alert_that_latched_ends_when_it_is_acknowledged() -> None:
    t = Timeline()
    t.at(4, ONSET)
    t.at(9, END)
    assert t.acknowledge(60, "li") == [("ASYSTOLE", ENDED)]
    assert t.said[-1].end_ns == SESSION + 9 * SECOND
    assert t.open() == {}


def test_the_first_acknowledgement_holds() -> None:
    t = Timeline()
    t.at(4, ONSET)
    t.acknowledge(10, "li")
    for by in ("li", "wang"):  # the same record again, and another person
        assert t.acknowledge(11, by) == []
    t.at(20, END)
    assert t.acknowledge(21, "wang") == []
    assert t.said[-1].acknowledged_by == "li"


def test_an_acknowledgement_of_nothing_changes_nothing() -> None:
    t = Timeline()
    assert t.acknowledge(1, "li") == []
    t.at(4, ONSET, "SPO2_LOW")
    t.at(9, END, "SPO2_LOW")
    assert t.acknowledge(10, "li", code="SPO2_LOW") == []


def test_a_new_onset_after_an_acknowledgement_is_a_new_alert() -> None:
    t = Timeline()
    t.at(4, ONSET)
    t.acknowledge(6, "li")
    t.at(9, END)
    assert t.at(24, ONSET, onset_s=20) == [("ASYSTOLE", ACTIVE)]
    assert t.said[-1].acknowledged_ns is None


def test_an_acknowledgement_outlives_a_pager_that_knew_nothing_of_it() -> None:
    t = Timeline()
    t.at(4, ONSET)
    raised = t.said[-1]
    t.acknowledge(6, "li")
    acknowledged = t.said[-1]
    later = SESSION + 10 * SECOND
    for state, becomes in ((ACTIVE, ACKNOWLEDGED), (LATCHED, ENDED), (LATE, ENDED)):
        stale = replace(raised, state=state, offset=raised.offset + 3, updated_ns=later)
        for recorded in ([raised, acknowledged, stale], [stale, acknowledged, raised]):
            (alert,) = State.of(recorded).alerts.values()
            assert (alert.state, alert.acknowledged_by, alert.offset) == (becomes, "li", stale.offset)
