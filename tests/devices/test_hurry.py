"""What was planned while Kafka was away is planned anew as it comes back."""

from __future__ import annotations

from devices.backlog import Gap
from tests.devices.test_backlog import RATE, second, waiting


def test_what_was_planned_ahead_goes_live_from_its_newest_part() -> None:
    lanes = waiting(*(second("a", n) for n in range(100)))
    [first] = lanes.plan(1).begun
    for n in range(100, 130):
        lanes.add(n, [second("a", n)])
    assert not lanes.is_late
    lanes.hurry()
    plan = lanes.plan(2)
    assert (plan.dropped, plan.begun) == ([first], [Gap("a", 0, 129, 7, 129 * RATE, 2)])
    assert lanes.next_live() == 129


def test_what_waits_for_less_than_a_minute_is_not_hurried() -> None:
    lanes = waiting(*(second("a", n) for n in range(60)))
    lanes.hurry()
    assert (lanes.is_late, lanes.next_live()) == (False, 0)
