"""A case of consultation as a machine of states; no I/O.

``api.consult`` holds cases to the same rules (``ecg.consultation_rule``; a test compares). A case is always
with somebody: the facility that is asked, whoever there has taken it, or who has asked; until it is over.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from ecgstream.registry.people import Position
from ecgstream.registry.roles import Kind


class State(StrEnum):
    """How a case stands. ASKED: nobody has taken it. RETURNED: something is missing; who asked has it."""

    ASKED = "asked"
    TAKEN = "taken"
    RETURNED = "returned"
    ANSWERED = "answered"
    CLOSED = "closed"
    WITHDRAWN = "withdrawn"


class Act(StrEnum):
    """What somebody does with a case, as its step is written down."""

    ASKED = "asked"
    TAKEN = "taken"
    ANSWERED = "answered"
    PASSED_UP = "passed_up"
    SENT_BACK = "sent_back"
    WITHDRAWN = "withdrawn"
    CLOSED = "closed"


OVER = frozenset({State.CLOSED, State.WITHDRAWN})
WAITING = frozenset({State.ASKED, State.TAKEN, State.RETURNED})
"""In these a case has no answer, and is overdue once its time has come."""
RULES: dict[tuple[State, Act], State] = {
    (State.ASKED, Act.TAKEN): State.TAKEN,
    (State.ASKED, Act.WITHDRAWN): State.WITHDRAWN,
    (State.TAKEN, Act.TAKEN): State.TAKEN,  # taken over by somebody else
    (State.TAKEN, Act.PASSED_UP): State.ASKED,
    (State.TAKEN, Act.SENT_BACK): State.RETURNED,
    (State.TAKEN, Act.ANSWERED): State.ANSWERED,
    (State.TAKEN, Act.WITHDRAWN): State.WITHDRAWN,
    (State.RETURNED, Act.ASKED): State.ASKED,
    (State.RETURNED, Act.WITHDRAWN): State.WITHDRAWN,
    (State.ANSWERED, Act.CLOSED): State.CLOSED,
}
"""By people; time closes whatever is not over."""
BY_ASKING = frozenset({Act.ASKED, Act.WITHDRAWN, Act.CLOSED})
BY_HOLDER = frozenset({Act.PASSED_UP, Act.SENT_BACK, Act.ANSWERED})
CARE = (Kind.CLINIC, Kind.CARDIOLOGIST)
WORDY = frozenset({Act.ASKED, Act.SENT_BACK})
"""Acts that say nothing without words."""


class CaseError(ValueError):
    """This cannot be done with the case as it stands; the message says why."""


@dataclass(frozen=True, slots=True)
class Case:
    """What decides what may be done.

    Attributes:
        asking: code of the facility that asks; ``asked_by``: the account.
        at: codes from the root to the facility that is asked now.
        taken_by: the account that has it; None: nobody.
    """

    state: State
    asking: str
    asked_by: str
    at: tuple[str, ...]
    taken_by: str | None = None

    @property
    def holder(self) -> str:
        """Return with whom it is: an account or a facility; empty: it is over.

        >>> Case(State.ASKED, "village", "li", ("county", "town")).holder
        'town'
        """
        if self.state in OVER:
            return ""
        if self.state is State.TAKEN:
            return self.taken_by or ""
        return self.at[-1] if self.state is State.ASKED else self.asking

    def is_overdue(self, due_at: datetime, now: datetime) -> bool:
        """Return whether its time is over and it has no answer."""
        return self.state in WAITING and due_at <= now

    def after(self, act: Act, who: str, above: tuple[str, ...] = ()) -> "Case":
        """Return the case behind an act; whether ``who`` may, ``possible`` tells.

        Args:
            act: what is done.
            who: account.
            above: PASSED_UP: codes from the root to the facility that is asked next.

        Raises:
            CaseError: not as the case stands.
        """
        becomes = RULES.get((self.state, act))
        if becomes is None:
            raise CaseError(f"the case is {self.state}")
        if act in BY_HOLDER and who != self.taken_by:
            raise CaseError(f"{self.taken_by} has taken the case")
        if act is Act.TAKEN and who == self.taken_by:
            raise CaseError("the case is taken by you already")
        at = self.at
        if act is Act.PASSED_UP:
            if not 0 < len(above) < len(at) or at[: len(above)] != above:
                raise CaseError("a case is passed up to a facility above the one that has it")
            at = above
        return replace(self, state=becomes, at=at, taken_by=who if becomes is State.TAKEN else None)

    def possible(self, who: str, positions: Collection[Position]) -> frozenset[Act]:
        """Return what somebody may do with the case as it stands, by where they stand.

        >>> case = Case(State.ASKED, "village", "li", ("county", "town"))
        >>> sorted(case.possible("wang", [Position(Kind.EXPERT, "town")]))
        [<Act.TAKEN: 'taken'>]
        >>> sorted(case.possible("li", [Position(Kind.CLINIC, "village")]))
        [<Act.WITHDRAWN: 'withdrawn'>]
        """
        found = {act for state, act in RULES if state is self.state}
        is_asking = any(p.kind in CARE and p.facility == self.asking for p in positions)
        is_asked = who != self.asked_by and any(
            (p.kind in (*CARE, Kind.EXPERT) and p.facility == self.at[-1])
            or (p.kind in CARE and p.facility in self.at)
            for p in positions
        )
        allowed = set(BY_ASKING) if is_asking else set()
        if is_asked:
            allowed |= BY_HOLDER if self.taken_by == who else {Act.TAKEN}
        return frozenset(found & allowed)
