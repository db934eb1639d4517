"""What a rule finds, and the small clocks that rules count with.

Rules count *observed* time only: between two observations at most ``MAX_STEP_S`` passes. So time in which
nothing could be seen (the broker was away, the probe was slow) hardly counts, and nobody is accused of having
stood still while nobody looked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ecgstream.watch.sight import Sight
from schemas.conditions import Code

MAX_STEP_S = 3.0


@dataclass(frozen=True, slots=True)
class Finding:
    """Something is wrong now.

    Args:
        kind, name: of what it is wrong with: ``partition`` ``3``.
        since_s: for how long.
        text: what it is and what to do, for somebody who was woken up.
    """

    code: Code
    kind: str
    name: str
    since_s: float
    text: str
    evidence: Mapping[str, float] = field(default_factory=dict)


Topic = tuple[Code, str]
"""A code and a kind: what a rule can speak of."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is wrong now, and of what nothing can be said: what was wrong there may still be."""

    findings: Sequence[Finding] = ()
    unknown: frozenset[Topic] = frozenset()


class Rule(Protocol):
    """A rule. It keeps what it needs of what it has seen; it reads no clock."""

    @property
    def speaks_of(self) -> tuple[Topic, ...]:
        """All that it may find."""

    def judge(self, sight: Sight, now_s: float) -> list[Finding] | None:
        """Return what is wrong, or ``None``: it cannot be told."""


class Steps:
    """The observed time between observations."""

    def __init__(self) -> None:
        self._last_s: float | None = None
        self.gap_s = 0.0
        """The whole time between the last two."""

    def to(self, asked_s: float) -> float:
        """Return the observed time since the last observation; of the same one none."""
        self.gap_s = 0.0 if self._last_s is None else asked_s - self._last_s
        self._last_s = asked_s
        return min(self.gap_s, MAX_STEP_S)


class Standing:
    """For how long something has not moved, though it had something to do."""

    def __init__(self) -> None:
        self.stood_s = 0.0
        self._before: tuple[object, bool] | None = None

    def see(self, mark: object, step_s: float, *, waits: bool = True) -> None:
        """Take in where it is now, and whether it has something to do."""
        stands = waits and (mark, True) == self._before
        self.stood_s = self.stood_s + step_s if stands else 0.0
        self._before = mark, waits


class NotFalling:
    """For how long a number above what is allowed has reached no new low."""

    def __init__(self, allowed: float) -> None:
        self._allowed = allowed
        self._lowest = float("inf")
        self.stood_s = 0.0

    def see(self, value: float, step_s: float) -> None:
        """Take in the number as it is now."""
        if value <= self._allowed:
            self._lowest = float("inf")
            self.stood_s = 0.0
        elif value < self._lowest:
            self._lowest = value
            self.stood_s = 0.0
        else:
            self.stood_s += step_s
