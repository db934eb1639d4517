"""The budget of a channel: never more in any minute, and nobody waits for less urgent pages."""

from __future__ import annotations

from bisect import bisect_left
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.channels.budget import MINUTE_NS, Budget, Due
from schemas.records import Priority

SECOND = 1_000_000_000
HIGH, MEDIUM, LOW = Priority.HIGH, Priority.MEDIUM, Priority.LOW


def due(priority: Priority, n: int, since_s: float = 0.0) -> list[Due]:
    return [Due(f"{priority} {i}", priority, int(since_s * SECOND)) for i in range(n)]


def test_medium_leaves_a_reserve_that_high_may_use() -> None:
    budget = Budget(20)
    plan = budget.plan(due(MEDIUM, 25), 0)
    assert len(plan.now) == 15
    assert set(plan.later.values()) == {MINUTE_NS}
    plan = budget.plan(due(HIGH, 7) + due(MEDIUM, 1), SECOND)
    assert plan.now == [f"HIGH {i}" for i in range(5)]
    assert plan.later == {"HIGH 5": MINUTE_NS, "HIGH 6": MINUTE_NS, "MEDIUM 0": MINUTE_NS}


def test_the_most_urgent_goes_first_and_among_these_the_one_that_waits_for_longest() -> None:
    pages = [
        Due("low", LOW, 0),
        Due("new", HIGH, 2 * SECOND),
        Due("medium", MEDIUM, 0),
        Due("old", HIGH, SECOND),
    ]
    assert Budget(60).plan(pages, 3 * SECOND).now == ["old", "new", "medium", "low"]


def test_what_waits_goes_when_it_was_told() -> None:
    budget = Budget(4)
    budget.plan(due(HIGH, 4), 5 * SECOND)
    when = budget.plan(due(HIGH, 1), 6 * SECOND).later["HIGH 0"]
    assert when == 5 * SECOND + MINUTE_NS
    assert budget.plan(due(HIGH, 1), when - 1).now == []
    assert budget.plan(due(HIGH, 1), when).now == ["HIGH 0"]


def test_what_went_before_a_restart_counts() -> None:
    budget = Budget(4)
    for n in (1, 0, 1):  # it may be read twice
        budget.remember({f"page {n}": n * SECOND})
    plan = budget.plan(due(HIGH, 4), 2 * SECOND)
    assert plan.now == ["HIGH 0", "HIGH 1"]
    assert plan.later == {"HIGH 2": MINUTE_NS, "HIGH 3": MINUTE_NS}


def test_what_went_from_here_is_not_counted_twice() -> None:
    budget = Budget(4)
    budget.plan(due(HIGH, 2), 0)
    budget.remember({"HIGH 1": SECOND})
    assert len(budget.plan(due(LOW, 4), 2 * SECOND).now) == 1


def test_of_what_went_before_only_as_much_is_kept_as_counts() -> None:
    budget = Budget(2)
    budget.remember({f"page {n}": n * SECOND for n in (50, 10, 40, 20)})
    assert budget.plan(due(HIGH, 1), 51 * SECOND).later == {"HIGH 0": 40 * SECOND + MINUTE_NS}


def test_a_budget_of_one_has_no_reserve() -> None:
    assert Budget(1).plan(due(MEDIUM, 1), 0).now == ["MEDIUM 0"]


def test_a_budget_of_none_is_refused() -> None:
    with pytest.raises(ValueError, match="lets none go: give 1 or more"):
        Budget(0)


@given(
    per_minute=st.integers(1, 12),
    steps=st.lists(
        st.tuples(
            st.integers(0, 30 * SECOND), st.lists(st.sampled_from([HIGH, HIGH, MEDIUM, LOW]), max_size=15)
        ),
        max_size=25,
    ),
)
def test_never_more_than_the_budget_in_any_minute_and_high_never_waits_behind_medium(
    per_minute: int, steps: list[tuple[int, list[Priority]]]
) -> None:
    budget, now = Budget(per_minute), 0
    numbers = count()
    waiting: list[Due] = []
    went: list[tuple[int, Priority]] = []
    for pause, priorities in steps:
        now += pause
        waiting += [Due(f"page {next(numbers)}", priority, now) for priority in priorities]
        plan = budget.plan(waiting, now)
        assert sorted([*plan.now, *plan.later]) == sorted(page.key for page in waiting)
        assert all(when > now for when in plan.later.values())
        just_went = [(now, page.priority) for page in waiting if page.key in plan.now]
        waiting = [page for page in waiting if page.key in plan.later]
        went += just_went
        if any(page.priority is HIGH for page in waiting):
            assert all(priority is HIGH for _, priority in just_went)
            less_urgent = [at for at, priority in went if at > now - MINUTE_NS and priority is not HIGH]
            assert len(less_urgent) <= per_minute - (per_minute > 1)
    times = [at for at, _ in went]
    for at in times:
        assert bisect_left(times, at + MINUTE_NS) - bisect_left(times, at) <= per_minute
