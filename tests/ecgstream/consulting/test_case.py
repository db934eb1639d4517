"""A case of consultation: always with exactly one, somebody can always go on, what is over stays so."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ecgstream.consulting.case import BY_HOLDER, OVER, RULES, Act, Case, CaseError, State
from ecgstream.registry.people import Position
from ecgstream.registry.roles import Kind

WAY = ("nation", "county", "town")
PEOPLE = {
    "li": [Position(Kind.CLINIC, "village")],
    "hu": [Position(Kind.CLINIC, "village")],
    "wang": [Position(Kind.EXPERT, "town")],
    "zhao": [Position(Kind.CLINIC, "town")],
    "sun": [Position(Kind.EXPERT, "county")],
    "qian": [Position(Kind.CARDIOLOGIST, "nation")],
    "far": [Position(Kind.EXPERT, "elsewhere"), Position(Kind.OPERATOR, "town")],
}


class Life(RuleBasedStateMachine):
    """People do whatever they may, and whatever they may not."""

    def __init__(self) -> None:
        super().__init__()
        self.case = Case(State.ASKED, "village", "li", WAY)

    @rule(who=st.sampled_from(sorted(PEOPLE)), act=st.sampled_from(Act), levels=st.integers(0, 3))
    def somebody_acts(self, who: str, act: Act, levels: int) -> None:
        before, may = self.case, act in self.case.possible(who, PEOPLE[who])
        try:
            after = before.after(act, who, WAY[:levels] if act is Act.PASSED_UP else ())
        except CaseError:
            is_up = act is Act.PASSED_UP and not 0 < levels < len(before.at)
            assert not may or is_up or (act is Act.TAKEN and before.taken_by == who)
            return
        if may:
            self.case = after

    @precondition(lambda self: self.case.state not in OVER)
    @invariant()
    def it_is_with_one(self) -> None:
        assert self.case.holder
        assert (self.case.state is State.TAKEN) == (self.case.taken_by is not None)

    @precondition(lambda self: self.case.state not in OVER)
    @invariant()
    def somebody_can_go_on(self) -> None:
        assert any(self.case.possible(who, at) for who, at in PEOPLE.items())

    @invariant()
    def who_is_far_can_do_nothing_and_who_asks_answers_nothing(self) -> None:
        assert not self.case.possible("far", PEOPLE["far"])
        assert not self.case.possible("li", PEOPLE["li"]) & {*BY_HOLDER, Act.TAKEN}

    @precondition(lambda self: self.case.state in OVER)
    @invariant()
    def what_is_over_stays_so(self) -> None:
        assert self.case.holder == ""
        assert not any(self.case.possible(who, at) for who, at in PEOPLE.items())


TestLife = Life.TestCase


def test_from_every_state_there_is_a_way_to_the_end_and_none_out_of_it() -> None:
    reached = set(OVER)
    while more := {state for (state, _), becomes in RULES.items() if becomes in reached} - reached:
        reached |= more
    assert reached == set(State)
    assert not {state for state, _ in RULES} & OVER


def test_only_who_has_taken_it_answers_and_who_takes_it_over_is_named() -> None:
    case = Case(State.ASKED, "village", "li", WAY).after(Act.TAKEN, "wang")
    with pytest.raises(CaseError, match="wang has taken"):
        case.after(Act.ANSWERED, "zhao")
    taken = case.after(Act.TAKEN, "zhao")
    assert taken.holder == "zhao"
    with pytest.raises(CaseError, match="zhao has taken"):
        taken.after(Act.ANSWERED, "wang")
    assert taken.after(Act.ANSWERED, "zhao").holder == "village"
    with pytest.raises(CaseError, match="above"):
        taken.after(Act.PASSED_UP, "zhao", ("nation", "other"))
