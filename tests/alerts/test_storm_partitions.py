"""A power cut in a site whose devices lie in several partitions: one page, wherever they lie."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.pipeline import Pipeline, Rules
from alerts.place import Place
from alerts.state import Event, State
from alerts.storm import AGAIN_S, LEAST
from schemas.records import Acknowledgement, Alert, Phase
from tests.alerts.test_calls import duty
from tests.alerts.timeline import LATE_S, SECOND, SESSION, condition

ONSET, UPDATE, END = Phase
RULES = Rules(LATE_S, duty, lambda device: Place("henan.zhengzhou.h1"))


class Site:
    """Partitions of one pager; device n lies in partition n modulo their number."""

    def __init__(self, states: list[State]) -> None:
        self.pipelines = [Pipeline(state, RULES) for state in states]
        self.said: list[Alert] = []
        for state in states:
            state.siblings = tuple(other for other in states if other is not state)

    def at(self, t_s: float, *phases: tuple[int, Phase, str, float]) -> None:
        for number, pipeline in enumerate(self.pipelines):
            records = [
                condition(t_s, phase, code, onset_s, device=f"d-{n:04}", source=n)
                for n, phase, code, onset_s in phases
                if n % len(self.pipelines) == number
            ]
            events = [Event(record, number, i) for i, record in enumerate(records)]
            self.said += pipeline.run(events, SESSION + round(t_s * SECOND))

    def alerts(self) -> list[Alert]:
        return [alert for pipeline in self.pipelines for alert in pipeline.state.alerts.values()]

    def calls(self, code: str = "LINK_LOST") -> list[tuple[str, int]]:
        """Who calls for a condition, and for how many others; as often as people were called."""
        turns = [(turn.at_ns, a) for a in self.alerts() for turn in a.history if turn.what == "CALLED"]
        turns.sort(key=lambda one: (one[0], one[1].id))
        return [(alert.device, alert.others) for _, alert in turns if alert.condition == code]


def states(n: int) -> list[State]:
    return [State() for _ in range(n)]


def lost(n: int, at_s: float = 0.0, first: int = 0) -> list[tuple[int, Phase, str, float]]:
    return [(first + i, ONSET, "LINK_LOST", at_s + i / 1000) for i in range(n)]


@pytest.mark.parametrize("partitions", [1, 2, 8])
def test_a_thousand_lost_links_are_one_page_and_three_arrests_page_alone(partitions: int) -> None:
    site = Site(states(partitions))
    for second in range(10):
        site.at(second + 1.0, *lost(100, float(second), 100 * second))
        if second in (0, 4, 9):
            site.at(second + 1.2, (100 * second + 3, ONSET, "VENTRICULAR_FIBRILLATION", float(second)))
    for quarter in range(60):
        site.at(11 + quarter / 4)
    ((device, others),) = site.calls()
    assert device == "d-0000"
    assert 300 <= others <= 399  # as many as are known by then
    assert len(site.calls("VENTRICULAR_FIBRILLATION")) == 3
    assert len([alert for alert in site.alerts() if alert.condition == "LINK_LOST"]) == 1000


def test_a_few_in_each_partition_are_a_storm_together() -> None:
    site = Site(states(LEAST))
    site.at(1, *lost(LEAST))
    site.at(4)
    assert site.calls() == [("d-0000", LEAST - 1)]


@pytest.mark.parametrize("first", range(3))
def test_whichever_partition_has_the_first_and_whoever_takes_it_on_has_taken_on_all(first: int) -> None:
    site = Site(states(3))
    site.at(1, *lost(3 * LEAST, first=first))
    site.at(4)
    assert [others for _, others in site.calls()] == [3 * LEAST - 1]
    (leader,) = (alert for alert in site.alerts() if alert.others)
    said = Acknowledgement("a", leader.id, "li", "power cut", 0)
    for pipeline in site.pipelines:
        pipeline.hear([said], SESSION + 5 * SECOND)
    for second in range(6, 1000, 7):
        site.at(second)
    assert len(site.calls()) == 1


def test_where_another_pager_takes_the_one_that_called_people_are_called_again() -> None:
    site = Site(states(2))
    site.at(1, *lost(2 * LEAST))
    site.at(4)
    assert [device for device, _ in site.calls()] == ["d-0000"]
    left = Site([site.pipelines[1].state])
    left.at(5)
    left.at(5 + AGAIN_S + 1)
    left.at(5 + AGAIN_S + 4)
    assert [device for device, _ in left.calls()] == ["d-0001"]


@given(st.data())
def test_after_a_crash_anywhere_everybody_is_called_for_by_somebody(data: st.DataObject) -> None:
    """Each partition is written by itself: a crash leaves any beginning of each."""
    n = data.draw(st.integers(1, 3))
    site = Site(states(n))
    site.at(1, *lost(data.draw(st.integers(1, 3 * LEAST))))
    for second in (2, 3, 4):
        site.at(second)
    after: list[State] = []
    for number in range(n):
        of_one = [alert for alert in site.said if int(alert.device[2:]) % n == number]
        after.append(State.of(of_one[: data.draw(st.integers(0, len(of_one)))]))
    again = Site(after)
    for second in range(5, 200, 3):
        again.at(second)
    known = {alert.id: alert for alert in again.alerts()}
    for caller in known.values():
        joined = [caller.id]
        while caller.grouped:
            caller = known[caller.grouped]
            assert caller.id not in joined
            joined.append(caller.id)
        assert caller.calls > 0
