"""Timelines of what is known late: what waits, what is told at once, and what becomes a late finding."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest

from alerts.late import PATIENCE_S
from alerts.priority import JUDGEMENTS
from alerts.told import KEPT_S, Told
from schemas.conditions import CATALOGUE, Code
from schemas.records import AlertState, Lane, Phase, Priority
from tests.alerts.timeline import LATE_S, SECOND, SESSION, Timeline

ONSET, UPDATE, END = Phase
ACTIVE, LATCHED, ENDED, ACKNOWLEDGED, LATE, CHECK, SILENCED = AlertState
HOUR = 3600.0


def test_what_was_over_long_ago_is_a_late_finding_that_stays_until_it_is_acknowledged() -> None:
    t = Timeline()
    assert t.at(4, ONSET, now_s=HOUR) == []
    assert t.at(9, END, now_s=HOUR) == [("ASYSTOLE", LATE)]
    alert = t.said[-1]
    assert (alert.priority, alert.decided_sample, alert.delay_s) == (Priority.HIGH, 1000, 4.0)
    assert (alert.end_ns, alert.evidence) == (SESSION + 9 * SECOND, {"pause_s": 9})
    assert t.wait(HOUR + 1000) == []
    assert t.acknowledge(HOUR + 1001, "li") == [("ASYSTOLE", ENDED)]
    assert t.open() == {}


def test_an_end_whose_onset_was_lost_is_late_as_well() -> None:
    assert Timeline().at(9, END, now_s=HOUR) == [("ASYSTOLE", LATE)]


@pytest.mark.parametrize("code", list(Code), ids=lambda code: code.name)
def test_a_late_finding_is_of_high_priority_whatever_it_was_and_most_technical_ones_are_none(
    code: Code,
) -> None:
    t = Timeline()
    ((_, state),) = t.at(9, END, code.name, now_s=HOUR)
    priority = JUDGEMENTS[code].priority
    is_finding = priority is Priority.HIGH or (priority is Priority.MEDIUM and not CATALOGUE[code].technical)
    assert (state, t.said[-1].priority) == ((LATE, Priority.HIGH) if is_finding else (ENDED, priority))


def test_late_is_what_is_over_for_longer_than_the_setting() -> None:
    assert Timeline().at(10, END, now_s=10 + LATE_S - 0.001) == [("ASYSTOLE", LATCHED)]
    assert Timeline().at(10, END, now_s=10 + LATE_S + 0.001) == [("ASYSTOLE", LATE)]


def test_a_condition_that_still_lasts_is_told_at_once_however_long_ago_it_began() -> None:
    t = Timeline()
    for second in (4, 1000, 2000, 3000):
        assert t.at(second, ONSET if second == 4 else UPDATE, now_s=HOUR) == []
    assert t.at(HOUR - 1, UPDATE, now_s=HOUR) == [("ASYSTOLE", ACTIVE)]
    alert = t.said[-1]
    assert (alert.onset_ns, alert.decided_sample) == (SESSION, 1000)
    assert t.at(HOUR, END, now_s=HOUR) == [("ASYSTOLE", LATCHED)]


def test_one_that_waited_and_ended_just_now_is_told_at_once() -> None:
    t = Timeline()
    assert t.at(4, ONSET, now_s=HOUR) == []
    assert t.at(HOUR - 5, END, now_s=HOUR) == [("ASYSTOLE", LATCHED)]
    assert t.said[-1].decided_sample == 1000


@pytest.mark.parametrize(("lane", "patience_s"), [(Lane.LIVE, 5), (Lane.BACKFILL, 45)])
def test_what_nothing_more_comes_of_is_told_at_once(lane: Lane, patience_s: int) -> None:
    t = Timeline()
    assert t.at(4, ONSET, now_s=HOUR, lane=lane) == []
    for second in range(1, patience_s):
        assert t.wait(HOUR + second) == []
    assert t.wait(HOUR + patience_s) == [("ASYSTOLE", ACTIVE)]
    assert t.wait(HOUR + patience_s + 1) == []
    assert t.at(9, END, now_s=HOUR + 60) == [("ASYSTOLE", LATCHED)]  # it was told, and so it is not late


def test_a_worker_that_is_killed_while_it_catches_a_backlog_up_makes_nothing_present() -> None:
    t = Timeline()
    t.at(4, ONSET, now_s=HOUR, lane=Lane.BACKFILL)
    for second in range(1, 31):
        assert t.wait(HOUR + second) == []
    assert t.at(4, ONSET, now_s=HOUR + 31, lane=Lane.BACKFILL) == []  # the next one begins where it stood
    assert t.at(9, END, now_s=HOUR + 31, lane=Lane.BACKFILL) == [("ASYSTOLE", LATE)]


def test_a_log_that_is_being_caught_up_is_waited_for() -> None:
    t = Timeline()
    t.at(4, ONSET, now_s=HOUR)
    for second in range(1, 60):  # ten seconds of signal a second
        assert t.at(4 + 10 * second, UPDATE, now_s=HOUR + second) == []
        assert t.wait(HOUR + second + 0.5) == []
    assert t.at(700, END, now_s=HOUR + 61) == [("ASYSTOLE", LATE)]


@pytest.mark.parametrize("lane", list(Lane))
def test_a_device_whose_clock_is_an_hour_behind_is_told_of_while_its_condition_lasts(lane: Lane) -> None:
    t = Timeline()
    told_at = None
    for second in range(4, 60):
        phase = ONSET if second == 4 else UPDATE
        if t.at(second, phase, now_s=HOUR + second, sent_s=HOUR + second, lane=lane) and told_at is None:
            told_at = second
    # In the live lane the gateway's clock shows it; else it is that it comes no nearer.
    assert told_at == (4 if lane is Lane.LIVE else 4 + PATIENCE_S[lane])
    assert {alert.state for alert in t.said} == {ACTIVE}


def test_in_the_live_lane_a_gap_of_a_minute_makes_nothing_late() -> None:
    t = Timeline()
    assert t.at(9, END, now_s=HOUR + 100, sent_s=HOUR + 60) == [("ASYSTOLE", LATCHED)]
    assert t.at(9, END, onset_s=1, now_s=HOUR + 100, sent_s=HOUR + 60, lane=Lane.BACKFILL) == [
        ("ASYSTOLE", LATE)
    ]


def test_a_clock_that_jumps_and_a_pager_that_was_paused_lose_no_patience() -> None:
    t = Timeline()
    t.at(4, ONSET, now_s=HOUR)
    t.wait(HOUR)
    assert t.wait(3 * HOUR) == []
    assert t.wait(2 * HOUR) == []  # and back
    assert t.at(9, END, now_s=2 * HOUR) == [("ASYSTOLE", LATE)]


def test_the_offset_of_what_waits_is_held() -> None:
    t = Timeline()
    t.at(4, ONSET, offset=10, now_s=HOUR)
    t.at(4, ONSET, onset_s=2, offset=11, now_s=HOUR)
    t.at(5, UPDATE, offset=12, now_s=HOUR)
    assert t.pipeline.state.held() == 10
    t.at(9, END, offset=13, now_s=HOUR)
    assert t.pipeline.state.held() == 11
    t.at(9, END, onset_s=2, offset=14, now_s=HOUR)
    assert t.pipeline.state.held() is None


def test_while_it_waits_a_repeated_phase_changes_nothing() -> None:
    t = Timeline()
    for offset in (10, 11, 12):
        assert t.at(4, ONSET, offset=offset, now_s=HOUR) == []
    assert t.pipeline.state.held() == 10
    t.at(500, UPDATE, offset=13, now_s=HOUR)
    t.at(400, UPDATE, offset=14, now_s=HOUR)  # a worker that crashed wrote it again
    for second in range(1, 6):
        t.wait(HOUR + second)
    assert [(a.state, a.evidence, a.offset) for a in t.said] == [(ACTIVE, {"pause_s": 500}, 13)]


# -- what was answered long ago


def forgetful(t: Timeline, now_s: float) -> None:
    """Let time pass as the pager does, and forget what is over."""
    state = t.pipeline.state
    over_ns = state.told.turn(SESSION + round(now_s * SECOND))
    for alert in list(state.alerts.values()):
        if over_ns is not None and alert.state is ENDED and alert.updated_ns < over_ns:
            state.forget(alert.id)


def answered_and_forgotten() -> Timeline:
    t = Timeline()
    t.pipeline.state.told = Told.of(None, SESSION)
    t.at(4, ONSET, source=50)
    t.at(9, END, source=60)
    t.acknowledge(20, "li")
    t.at(30, ONSET, "LEAD_OFF", source=70)
    for hours in (1.01, 2.02):
        forgetful(t, hours * KEPT_S)
    assert t.open() == {"LEAD_OFF": ACTIVE}
    assert len(t.pipeline.state.alerts) == 1
    return t


def test_an_alert_that_is_over_is_forgotten_after_an_hour_and_not_before() -> None:
    t = Timeline()
    t.pipeline.state.told = Told.of(None, SESSION)
    t.at(KEPT_S / 2, END, "LEAD_OFF")
    forgetful(t, 1.01 * KEPT_S)
    assert len(t.pipeline.state.alerts) == 1
    forgetful(t, 1.4 * KEPT_S)
    assert len(t.pipeline.state.alerts) == 1
    forgetful(t, 2.02 * KEPT_S)
    assert t.pipeline.state.alerts == {}


def test_a_condition_that_was_answered_and_forgotten_is_not_told_again() -> None:
    t = answered_and_forgotten()
    now_s = 3 * KEPT_S
    for t_s, phase, source in ((4, ONSET, 50), (6, UPDATE, 55), (9, END, 60)):
        assert t.at(t_s, phase, now_s=now_s, source=source) == []
    assert t.wait(now_s + 60) == []
    assert t.pipeline.state.replayed == 3


def test_not_even_by_a_worker_of_another_version_that_finds_other_onsets() -> None:
    t = answered_and_forgotten()
    assert t.at(9, END, onset_s=0.5, now_s=3 * KEPT_S, source=60) == []


def test_not_even_where_the_device_s_clock_is_ahead() -> None:
    t = answered_and_forgotten()
    assert t.at(9 + HOUR * 5, END, onset_s=HOUR * 5, now_s=3 * KEPT_S, sent_s=9, source=60) == []


def test_what_a_gateway_sends_of_long_ago_for_the_first_time_is_late() -> None:
    t = answered_and_forgotten()
    assert t.at(9, END, now_s=3 * KEPT_S, source=71) == [("ASYSTOLE", LATE)]


def test_what_is_sent_now_is_told_whatever_its_offset() -> None:
    """The log may be another one than that which the offsets were of."""
    t = answered_and_forgotten()
    now_s = 3 * KEPT_S
    assert t.at(now_s, ONSET, onset_s=now_s - 4, now_s=now_s, source=3) == [("ASYSTOLE", ACTIVE)]


def test_a_replayed_condition_that_still_lasts_is_told_by_what_came_after() -> None:
    t = answered_and_forgotten()
    now_s = 3 * KEPT_S
    assert t.at(4, ONSET, now_s=now_s, source=50) == []
    assert t.at(now_s - 10, UPDATE, now_s=now_s, source=900) == [("ASYSTOLE", ACTIVE)]


def test_what_was_told_travels() -> None:
    told = answered_and_forgotten().pipeline.state.told
    assert Told.of(json.loads(json.dumps(asdict(told))), 0) == told
    assert told.until[Lane.LIVE] == 70
    for other in (None, {}, [], {"until": 1}, "nonsense", 3):
        assert Told.of(other, 5) == Told(since_ns=5)


def test_a_clock_that_was_ahead_once_stops_no_forgetting() -> None:
    ahead_ns = SESSION + round(1000 * HOUR * SECOND)
    told = Told(over_ns=ahead_ns, since_ns=ahead_ns)
    assert told.turn(SESSION) is None
    assert told.turn(SESSION + round(1.01 * KEPT_S * SECOND)) is not None
