"""The tree of facilities: what one is, what a tree must be, and how one tree becomes another.

All of it is computed here, on plain values: a file, a command and a generator describe facilities; ``plan``
says what would change; ``facility_store`` does it. Every walk is a loop and linear: a tree may have 100,000
nodes, and a file any shape.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any

from ecgstream.registry import text
from ecgstream.registry.errors import RegistryError, RegistryErrors

_SHOWN_OF_CYCLE = 6


class Level(IntEnum):
    """Rungs of the tree; a facility's is below its parent's, and some may be left out."""

    INTERNATIONAL = 1
    NATIONAL = 2
    PROVINCE = 3
    CITY = 4
    COUNTY = 5
    TOWNSHIP = 6
    VILLAGE = 7


class Kind(StrEnum):
    """What a facility is."""

    AUTHORITY = "authority"
    CENTRE = "centre"
    HOSPITAL = "hospital"
    CLINIC = "clinic"
    AMBULANCE_STATION = "ambulance_station"


@dataclass(frozen=True, slots=True)
class Facility:
    """A node of the tree; ``parent`` is a code, ``None`` for the root.

    One of the two names may be empty: the other stands in for it. ``time_zone`` is IANA's name.
    """

    code: str
    parent: str | None
    level: Level
    kind: Kind
    name_en: str
    name_zh: str
    time_zone: str
    contact: str = ""

    @property
    def name(self) -> str:
        """Both names, or the one there is."""
        return " · ".join(filter(None, (self.name_en, self.name_zh)))


FIELDS = tuple(Facility.__dataclass_fields__)
"""The names of a facility's fields, which are also the columns of its files."""


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field of a facility that gets another value."""

    code: str
    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Plan:
    """How a tree becomes another.

    ``moved`` has the changes of a parent, ``changed`` those of any other field; ``tree`` is what it comes to.
    Whoever is responsible for all of ``places``, which are facilities that there are already, may do it.
    """

    added: tuple[Facility, ...]
    changed: tuple[FieldChange, ...]
    moved: tuple[FieldChange, ...]
    removed: tuple[Facility, ...]
    unchanged: int
    tree: tuple[Facility, ...]
    places: frozenset[str]

    @property
    def touched(self) -> frozenset[str]:
        """Codes of the facilities that are added or get another value in some field."""
        return frozenset([f.code for f in self.added] + [c.code for c in (*self.changed, *self.moved)])


def parse(fields: Mapping[str, str]) -> Facility:
    """Return the facility that texts describe: field to text, as a file or a command has them.

    Raises:
        RegistryErrors: everything that is wrong with it.
    """
    checks: dict[str, Callable[[str], Any]] = {
        "code": text.code,
        "parent": lambda value: text.code(value, "parent") if value.strip() else None,
        "level": _level,
        "kind": _kind,
        "name_en": lambda value: text.clean(value, "name_en", empty=True),
        "name_zh": lambda value: text.clean(value, "name_zh", empty=True),
        "time_zone": text.time_zone,
        "contact": lambda value: text.clean(value, "contact", empty=True),
    }
    found: dict[str, Any] = {}
    wrong: list[tuple[int | str, str]] = []
    for name, check in checks.items():
        try:
            found[name] = check(fields[name])
        except RegistryError as error:
            wrong.append((text.shown(fields["code"]), str(error)))
    if not any(fields[name].strip() for name in ("name_en", "name_zh")):
        wrong.append((text.shown(fields["code"]), "name_en and name_zh are empty: one of them is needed"))
    if wrong:
        raise RegistryErrors(wrong)
    return Facility(**found)


def _level(value: str) -> Level:
    try:
        return Level[value.strip().upper()]
    except KeyError:
        names = ", ".join(level.name.lower() for level in Level)
        raise RegistryError(f"level: {text.shown(value)} is none of {names}") from None


def _kind(value: str) -> Kind:
    try:
        return Kind(value.strip().lower())
    except ValueError:
        raise RegistryError(f"kind: {text.shown(value)} is none of {', '.join(Kind)}") from None


def as_texts(facility: Facility) -> dict[str, str]:
    """Return the texts from which ``parse`` makes this facility."""
    return {
        "code": facility.code,
        "parent": facility.parent or "",
        "level": facility.level.name.lower(),
        "kind": str(facility.kind),
        "name_en": facility.name_en,
        "name_zh": facility.name_zh,
        "time_zone": facility.time_zone,
        "contact": facility.contact,
    }


def validate(facilities: Sequence[Facility], where: Sequence[int | str] | None = None) -> None:
    """Raise unless the facilities, in any order, are one tree.

    Args:
        facilities: all of the tree.
        where: what each is called in errors: its line in a file; otherwise its code.

    Raises:
        RegistryErrors: every duplicate, orphan, cycle, second root, and level that is not below its parent's.
    """
    places = [facility.code for facility in facilities] if where is None else where
    by_code: dict[str, tuple[Facility, int | str]] = {}
    wrong: list[tuple[int | str, str]] = []
    for facility, place in zip(facilities, places, strict=True):
        if facility.code in by_code:
            _, first = by_code[facility.code]
            there = f" (first in line {first})" if isinstance(first, int) else ""
            wrong.append((place, f"code {facility.code} is there more than once{there}"))
            continue
        by_code[facility.code] = (facility, place)
    cycles = _cycles({code: facility.parent for code, (facility, _) in by_code.items()})
    for cycle in cycles:
        ways = cycle if len(cycle) <= _SHOWN_OF_CYCLE else [*cycle[:_SHOWN_OF_CYCLE], f"… ({len(cycle)})"]
        wrong.append((by_code[cycle[0]][1], f"a cycle of parents: {' → '.join([*ways, cycle[0]])}"))
    circling = {code for cycle in cycles for code in cycle}
    wrong += _roots(by_code)
    for code, (facility, place) in by_code.items():
        if facility.parent is None or code in circling:
            continue
        if facility.parent not in by_code:
            wrong.append((place, f"the parent of {code}, {facility.parent}, is not there"))
            continue
        above = by_code[facility.parent][0].level
        if facility.level <= above:
            wrong.append(
                (
                    place,
                    f"{code} is of level {facility.level.name.lower()}, which is not below its parent's,"
                    f" {above.name.lower()} ({facility.parent})",
                )
            )
    if wrong:
        raise RegistryErrors(sorted(wrong, key=lambda found: (isinstance(found[0], str), found[0])))


def _roots(by_code: Mapping[str, tuple[Facility, int | str]]) -> list[tuple[int | str, str]]:
    roots = [(code, place) for code, (facility, place) in by_code.items() if facility.parent is None]
    if by_code and not roots:
        return [("tree", "no root: one facility, the topmost, has no parent")]
    return [
        (place, f"{code} has no parent, as {roots[0][0]} has none: only one facility can be the root")
        for code, place in roots[1:]
    ]


def _cycles(parents: Mapping[str, str | None]) -> list[list[str]]:
    """Return each cycle once, from its smallest code upwards from child to parent."""
    seen: dict[str, int] = {}  # code to the walk that came by first
    cycles = []
    for walk, start in enumerate(parents):
        way: list[str] = []
        code: str | None = start
        while code is not None and code in parents and code not in seen:
            seen[code] = walk
            way.append(code)
            code = parents[code]
        if code is not None and seen.get(code) == walk:
            cycle = way[way.index(code) :]
            first = cycle.index(min(cycle))
            cycles.append(cycle[first:] + cycle[:first])
    return cycles


def paths(tree: Sequence[Facility]) -> dict[str, str]:
    """Return code to path, the codes from the root joined by dots, of a tree that is valid; parents first."""
    found: dict[str, str] = {}
    for facility in sorted(tree, key=lambda f: f.level):  # a parent's level is above its child's
        found[facility.code] = (
            facility.code if facility.parent is None else f"{found[facility.parent]}.{facility.code}"
        )
    return found


def plan(
    current: Sequence[Facility],
    wanted: Sequence[Facility],
    *,
    remove: bool = False,
    where: Sequence[int | str] | None = None,
) -> Plan:
    """Return what has to be done so that the tree has the facilities that are wanted.

    Args:
        current: the tree there is.
        wanted: facilities as they shall be, in any order.
        remove: whether those that are not wanted go; otherwise they stay as they are.
        where: as for ``validate``, of those wanted.

    Raises:
        RegistryErrors: what would come of it is no tree.
    """
    old = {facility.code: facility for facility in current}
    new = {facility.code for facility in wanted}
    stay = [] if remove else [facility for facility in current if facility.code not in new]
    tree = (*stay, *wanted)
    places = [facility.code for facility in wanted] if where is None else where
    validate(tree, [*(facility.code for facility in stay), *places])
    changes = [
        change
        for facility in wanted
        if facility.code in old
        for change in _changes(old[facility.code], facility)
    ]
    added = tuple(facility for facility in wanted if facility.code not in old)
    removed = tuple(facility for facility in current if remove and facility.code not in new)
    return Plan(
        added=added,
        changed=tuple(change for change in changes if change.field != "parent"),
        moved=tuple(change for change in changes if change.field == "parent"),
        removed=removed,
        unchanged=len(tree) - len(added) - len({change.code for change in changes}),
        tree=tree,
        places=_places(old, tree, [f.parent for f in added], [f.code for f in removed], changes),
    )


def _places(
    old: Mapping[str, Facility],
    tree: Sequence[Facility],
    parents: Sequence[str | None],
    removed: Sequence[str],
    changes: Sequence[FieldChange],
) -> frozenset[str]:
    """Return the topmost facilities that change, get or lose a child, or go."""
    moves = [change for change in changes if change.field == "parent"]
    asked: set[str | None] = {*parents, *removed, *(change.code for change in changes)}
    asked |= {code or None for move in moves for code in (move.before, move.after)}
    above = {facility.code: facility.parent for facility in tree}
    root = next((code for code, facility in old.items() if facility.parent is None), None)
    there = set()
    for code in asked:
        while code is not None and code not in old:  # comes in with its parent
            code = above[code]
        there.add(root if code is None else code)
    return frozenset(code for code in there if code is not None and not _is_below(old, code, there))


def _is_below(old: Mapping[str, Facility], code: str, others: Collection[str | None]) -> bool:
    parent = old[code].parent
    while parent is not None:
        if parent in others:
            return True
        parent = old[parent].parent
    return False


def _changes(before: Facility, after: Facility) -> list[FieldChange]:
    if before == after:
        return []
    old, new = as_texts(before), as_texts(after)
    return [FieldChange(after.code, name, old[name], new[name]) for name in FIELDS if old[name] != new[name]]


def without(current: Sequence[Facility], code: str) -> Plan:
    """Return the plan that removes one facility.

    Raises:
        RegistryError: it is not there, or others are below it.
    """
    below = [facility.code for facility in current if facility.parent == code]
    if below:
        raise RegistryError(
            f"{code} has {len(below):,} facilities directly below it: move or remove them first"
        )
    stay = [facility for facility in current if facility.code != code]
    if len(stay) == len(current):
        raise RegistryError(f"there is no facility {text.shown(code)}")
    return plan(current, stay, remove=True)
