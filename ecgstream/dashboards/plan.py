"""What differs between the things that are wanted and those that stand there."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from ecgstream.dashboards.things import Thing


class Act(StrEnum):
    """What is to be done with a thing."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do; ``differs``: which parts of its state an update changes."""

    act: Act
    thing: Thing
    differs: tuple[str, ...] = ()


def plan(wanted: Iterable[Thing], there: Iterable[Thing], *, passwords: bool = False) -> list[Step]:
    """Return the steps from one to the other, in an order that works: none where nothing differs.

    Args:
        wanted: what is to stand there.
        there: what does, as far as it is ours; the rest is nobody's business here.
        passwords: whether those of data sources count as changed: nobody can compare them.
    """
    old = {(thing.kind, thing.key): thing for thing in there}
    steps = []
    for thing in sorted(wanted, key=lambda thing: (thing.kind, thing.key)):
        now = old.pop((thing.kind, thing.key), None)
        if now is None:
            steps.append(Step(Act.CREATE, thing))
            continue
        names = sorted(thing.state.keys() | now.state.keys())
        differs = tuple(
            name
            for name in names
            if thing.state.get(name) != now.state.get(name) or (passwords and name == "password")
        )
        if differs:
            steps.append(Step(Act.UPDATE, thing, differs))
    gone = sorted(old.values(), key=lambda thing: (-thing.kind, thing.key))
    return steps + [Step(Act.DELETE, thing) for thing in gone]
