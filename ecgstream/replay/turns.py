"""What becomes of alerts under another version, or other limits: which appear, vanish, or move. No I/O."""

from collections.abc import Mapping
from typing import NamedTuple

from ecgstream.replay.findings import Key, Values

APPEARS, VANISHES, MOVES = "appears", "vanishes", "moves"
NEAR_NS = 30_000_000_000
"""Alerts of one condition that begin within so much of each other are one that has moved."""


class Turn(NamedTuple):
    """An alert that is not as it was.

    Attributes:
        what: ``APPEARS``, ``VANISHES`` or ``MOVES``.
        then, now: its values; None: there is none.
        later_s: by how much later it is decided now; 0 of what appears or vanishes.
    """

    what: str
    then: Values | None
    now: Values | None
    later_s: float

    @property
    def alert(self) -> Values:
        """The alert as it is now or, where it vanishes, as it was."""
        return self.now or self.then or {}


def turns(then: Mapping[Key, Values], now: Mapping[Key, Values]) -> list[Turn]:
    """Return what becomes of alerts, by onset; what is decided at the same time, stays."""
    both = then.keys() & now.keys()
    pairs = [(then[key], now[key]) for key in both]
    left = {key: values for key, values in then.items() if key not in both}
    come = {key: values for key, values in now.items() if key not in both}
    near = sorted(
        (abs(one["onset_ns"] - other["onset_ns"]), str(a), str(b), a, b)
        for a, one in left.items()
        for b, other in come.items()
        if one["condition"] == other["condition"]
    )
    for apart_ns, _, _, a, b in near:
        if apart_ns <= NEAR_NS and a in left and b in come:
            pairs.append((left.pop(a), come.pop(b)))
    found = [Turn(VANISHES, values, None, 0.0) for values in left.values()]
    found += [Turn(APPEARS, None, values, 0.0) for values in come.values()]
    for was, is_ in pairs:
        later_s = (is_["decided_ns"] - was["decided_ns"]) / 1e9
        if later_s:
            found.append(Turn(MOVES, was, is_, later_s))
    return sorted(found, key=lambda turn: (turn.alert["onset_ns"], turn.alert["condition"], turn.what))
