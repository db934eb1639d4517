"""Which alarms a wall shows: at once by the detectors, and from then on by the pager."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ecgstream.monitor.live.alarms import LATE_NS, Alarms, Over, of_alert, of_condition
from schemas.records import AlertState, Lane, Phase, Priority
from tests.alerts.timeline import SECOND, SESSION, Timeline, condition

NOW = SESSION + 5 * SECOND


@pytest.fixture
def alarms() -> Alarms:
    return {}


def states(alarms: Alarms) -> list[tuple[str, Priority, AlertState]]:
    return [(a.code, a.priority, a.state) for a in alarms.values()]


def test_an_onset_shows_before_the_pager_has_answered(alarms: Alarms) -> None:
    assert of_condition(alarms, Over(), condition(4, Phase.ONSET), NOW)
    assert states(alarms) == [("ASYSTOLE", Priority.HIGH, AlertState.ACTIVE)]
    assert not of_condition(alarms, Over(), condition(5, Phase.UPDATE), NOW)
    assert not of_condition(alarms, Over(), condition(5, Phase.ONSET), NOW)


@pytest.mark.parametrize(
    ("code", "left"),
    [("ASYSTOLE", [("ASYSTOLE", Priority.HIGH, AlertState.LATCHED)]), ("HEART_RATE_LOW", [])],
)
def test_while_the_pager_is_away_one_of_high_priority_stays(
    alarms: Alarms, code: str, left: list[object]
) -> None:
    over = Over()
    of_condition(alarms, over, condition(4, Phase.ONSET, code), NOW)
    assert of_condition(alarms, over, condition(9, Phase.END, code), NOW)
    assert states(alarms) == left
    assert not of_condition(alarms, over, condition(9, Phase.END, code), NOW)
    assert not of_condition(alarms, over, condition(4, Phase.ONSET, code), NOW)  # a worker reads again
    assert states(alarms) == left


def test_the_pager_has_the_last_word(alarms: Alarms) -> None:
    over, timeline = Over(), Timeline()
    of_condition(alarms, over, condition(4, Phase.ONSET), NOW)
    timeline.at(4, Phase.ONSET)
    assert not of_alert(alarms, over, timeline.alert())  # nothing that a screen would show has changed
    timeline.at(9, Phase.END)
    assert of_alert(alarms, over, timeline.alert())
    assert states(alarms) == [("ASYSTOLE", Priority.HIGH, AlertState.LATCHED)]
    assert not of_condition(alarms, over, condition(9, Phase.END), NOW)
    timeline.acknowledge(12, "li")
    assert of_alert(alarms, over, timeline.alert())
    assert alarms == {}
    assert not of_condition(alarms, over, condition(4, Phase.ONSET), NOW)


def test_what_comes_late_or_from_a_backlog_is_the_pagers_to_judge(alarms: Alarms) -> None:
    old = condition(4, Phase.ONSET)
    assert not of_condition(alarms, Over(), old, old.published_ns + LATE_NS + 1)
    assert not of_condition(alarms, Over(), replace(old, lane=Lane.BACKFILL), NOW)
    assert of_condition(alarms, Over(), old, old.published_ns + LATE_NS)


def test_of_what_is_over_the_newest_are_known() -> None:
    over = Over(most=2)
    for id_ in "abc":
        over.add(id_)
    assert [id_ in over for id_ in "abc"] == [False, True, True]
