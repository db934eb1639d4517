"""Who is called for a case, and when: on a clock of the test's, until somebody has it or nobody is left."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from ecgstream.consulting.calls import Due, following, said_of
from ecgstream.consulting.case import State

ASKED = datetime(2026, 11, 27, 22, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def due(what: str, state: State = State.ASKED, minutes: int = 120, turns: int = 0) -> Due:
    times = (ASKED + minutes * MINUTE, ASKED)
    return Due(uuid4(), uuid4(), what, 1, 1 + turns, state, "p-1", "urgent", *times, "li", "p.c.t")


@pytest.mark.parametrize("minutes", [10, 120, 1440])
def test_from_the_due_time_on_a_call_follows_in_half_of_the_time_three_times_and_no_more(
    minutes: int,
) -> None:
    one, at, told = due("due", minutes=minutes), ASKED + minutes * MINUTE, []
    while (then := following(one, at)) is not None:
        what, at = then
        one = one._replace(what=what)
        said = said_of(one, 0)
        told.append(((at - ASKED) / (minutes * MINUTE), said.facility, said.account, said.call))
    assert told == [(1.5, "p.c.t", "", 4), (2.0, "p.c.t", "", 5), (2.5, "", "li", 1)]


@pytest.mark.parametrize("what", ["asked", "half", "sent_back", "answered"])
def test_nothing_follows_what_is_not_of_the_time_that_is_over(what: str) -> None:
    assert following(due(what), ASKED) is None


def test_what_is_late_is_counted_from_when_it_is_told() -> None:
    late = ASKED + timedelta(days=2)
    assert following(due("due"), late) == ("again", late + 60 * MINUTE)


@pytest.mark.parametrize("what", ["again", "higher", "untaken"])
@pytest.mark.parametrize("state", State)
def test_nobody_is_called_on_for_a_case_that_somebody_has_or_that_is_with_others(
    what: str, state: State
) -> None:
    assert due(what, state).is_needed == (state is State.ASKED)
    assert not due(what, state, turns=1).is_needed
