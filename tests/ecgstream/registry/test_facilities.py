"""The tree of facilities, on plain values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgstream.registry.errors import RegistryError, RegistryErrors
from ecgstream.registry.facilities import (
    FIELDS,
    Facility,
    FieldChange,
    Kind,
    Level,
    Plan,
    as_texts,
    parse,
    paths,
    plan,
    validate,
    without,
)


def made(code: str, parent: str | None, level: int, **more: str) -> Facility:
    known = {"name_en": f"Name of {code}", "name_zh": "", "time_zone": "Asia/Shanghai"}
    return Facility(code, parent, Level(level), Kind.HOSPITAL, **{**known, **more})


ROOT = made("R", None, 1)
SMALL = [
    ROOT,
    made("A", "R", 3),
    made("B", "R", 3),
    made("A1", "A", 5),
    made("A2", "A", 4),
    made("A11", "A1", 7),
]


@st.composite
def trees(draw: st.DrawFn) -> list[Facility]:
    """Valid trees, parents first."""
    found = [ROOT]
    for n in range(draw(st.integers(0, 25))):
        above = draw(st.sampled_from([f for f in found if f.level < Level.VILLAGE]))
        level = draw(st.integers(above.level + 1, 7))
        found.append(made(f"F{n}", above.code, level, name_zh=draw(st.sampled_from(["", "县", "医院"]))))
    return found


def errors(call: Callable[[], object]) -> list[str]:
    with pytest.raises(RegistryErrors) as refused:
        call()
    return [f"{where}: {message}" for where, message in refused.value.found]


@given(trees(), st.randoms())
def test_any_order_is_the_same_tree(tree: list[Facility], random: object) -> None:
    shuffled = list(tree)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    validate(shuffled)
    assert paths(shuffled) == paths(tree)
    found = plan([], shuffled)
    assert set(found.added) == set(tree)
    assert plan(tree, shuffled, remove=True) == replace(plan(tree, tree, remove=True), tree=tuple(shuffled))


@given(trees())
def test_paths_lead_from_the_root(tree: list[Facility]) -> None:
    by_code = {facility.code: facility for facility in tree}
    for code, path in paths(tree).items():
        way = path.split(".")
        assert way[0] == "R"
        assert way[-1] == code
        assert [by_code[c].parent for c in way[1:]] == way[:-1]


def damaged(draw: st.DrawFn, tree: list[Facility]) -> list[Facility]:
    codes = [facility.code for facility in tree]
    for _ in range(draw(st.integers(1, 4))):
        n = draw(st.integers(0, len(tree) - 1))
        kind = draw(st.sampled_from(["parent", "level", "double", "drop", "root", "code"]))
        if kind == "parent":
            tree[n] = replace(tree[n], parent=draw(st.sampled_from([*codes, "NONE"])))
        elif kind == "level":
            tree[n] = replace(tree[n], level=draw(st.sampled_from(Level)))
        elif kind == "double":
            tree.append(tree[n])
        elif kind == "root":
            tree[n] = replace(tree[n], parent=None)
        elif kind == "code":
            tree[n] = replace(tree[n], code=draw(st.sampled_from(codes)))
        elif len(tree) > 1:
            del tree[n]
    return tree


def is_tree(facilities: Sequence[Facility]) -> bool:
    """The definition, plainly."""
    by_code = {facility.code: facility for facility in facilities}
    return (
        len(by_code) == len(facilities)
        and sum(facility.parent is None for facility in facilities) == (1 if facilities else 0)
        and all(
            f.parent is None or (f.parent in by_code and by_code[f.parent].level < f.level)
            for f in facilities
        )
    )


@given(st.data())
def test_random_damage_is_refused_in_words_and_nothing_else_is(data: st.DataObject) -> None:
    tree = damaged(data.draw, data.draw(trees()))
    try:
        validate(tree)
    except RegistryErrors as refused:
        found = refused.found
    else:
        found = ()
    assert (not found) == is_tree(tree)
    assert all(message.isprintable() for _, message in found)


@given(trees(), trees(), st.booleans())
def test_a_plan_leads_to_what_was_wanted(
    current: list[Facility], wanted: list[Facility], remove: bool
) -> None:
    try:
        found = plan(current, wanted, remove=remove)
    except RegistryErrors:
        assert not remove
        return
    after = {facility.code: facility for facility in found.tree}
    expected = {} if remove else {facility.code: facility for facility in current}
    assert after == {**expected, **{facility.code: facility for facility in wanted}}
    assert done(current, found) == after
    assert found.unchanged + len(found.touched) == len(after)
    again = plan(list(found.tree), wanted, remove=remove)
    assert (again.added, again.changed, again.moved, again.removed, again.places) == (
        (),
        (),
        (),
        (),
        frozenset(),
    )


def done(current: list[Facility], found: Plan) -> dict[str, Facility]:
    """Follow a plan by what it lists."""
    texts = {facility.code: as_texts(facility) for facility in (*current, *found.added)}
    for gone in found.removed:
        del texts[gone.code]
    for change in (*found.changed, *found.moved):
        assert texts[change.code][change.field] == change.before
        texts[change.code][change.field] = change.after
    return {code: parse(fields) for code, fields in texts.items()}


def test_every_fault_of_a_tree_is_listed() -> None:
    bad = [
        *SMALL,
        made("C", "D", 3),
        made("D", "E", 3),
        made("E", "C", 3),
        made("S", "S", 4),
        made("O", "NONE", 5),
        made("A", "R", 3),
        made("L", "A1", 5),
        made("R2", None, 1),
    ]
    assert errors(lambda: validate(bad, range(2, 16))) == [
        "8: a cycle of parents: C → D → E → C",
        "11: a cycle of parents: S → S",
        "12: the parent of O, NONE, is not there",
        "13: code A is there more than once (first in line 3)",
        "14: L is of level county, which is not below its parent's, county (A1)",
        "15: R2 has no parent, as R has none: only one facility can be the root",
    ]
    assert errors(lambda: validate([made("C", "D", 3), made("D", "C", 4)])) == [
        "C: a cycle of parents: C → D → C",
        "tree: no root: one facility, the topmost, has no parent",
    ]
    validate([])


def test_a_long_cycle_and_a_deep_chain_are_walked_without_recursion() -> None:
    n = 100_000
    chain = [made(f"C{i}", f"C{(i + 1) % n}", 3) for i in range(n)]
    cycle, rootless = errors(lambda: validate(chain))
    assert cycle == "C0: a cycle of parents: C0 → C1 → C2 → C3 → C4 → C5 → … (100000) → C0"
    assert rootless.startswith("tree: no root")
    chain[-1] = replace(chain[-1], parent=None)
    assert len(errors(lambda: validate(chain))) == n - 1  # a level for each: seven are not enough


class Counted(str):
    """A code that counts how often any is compared or looked up."""

    __slots__ = ()
    uses = 0

    def __eq__(self, other: object) -> bool:
        Counted.uses += 1
        return super().__eq__(other)

    def __hash__(self) -> int:
        Counted.uses += 1
        return super().__hash__()


def uses(n: int) -> int:
    """Return how often codes are compared or looked up while a tree of ``n`` is checked and changed."""
    wide = [ROOT, *(made(Counted(f"P{i}"), "R", 2) for i in range(n - 1))]
    Counted.uses = 0
    validate(wide)
    paths(wide)
    found = plan(wide, [replace(wide[-1], parent=wide[1].code, level=Level.CITY)])
    assert found.unchanged == n - 1
    return Counted.uses


def test_ten_times_the_facilities_are_ten_times_the_work() -> None:
    """And not a hundred times, as where each is compared with each: a large province has 100,000."""
    assert uses(500) > 500
    assert uses(5_000) < 12 * uses(500)


def test_what_changes_is_listed_field_by_field() -> None:
    wanted = [
        replace(SMALL[1], name_en="A new", contact="+86 1"),
        replace(SMALL[3], parent="B"),
        made("N", "A11", 7),
    ]
    assert errors(lambda: plan(SMALL, wanted, where=[2, 3, 4])) == [
        "4: N is of level village, which is not below its parent's, village (A11)"
    ]
    found = plan(SMALL, [*wanted[:2], made("N", "A2", 7)])
    assert [f.code for f in found.added] == ["N"]
    assert found.changed == (
        FieldChange("A", "name_en", "Name of A", "A new"),
        FieldChange("A", "contact", "", "+86 1"),
    )
    assert found.moved == (FieldChange("A1", "parent", "A", "B"),)
    assert (found.removed, found.unchanged) == ((), 4)
    assert paths(found.tree)["A11"] == "R.B.A1.A11"


def test_removal_takes_what_is_not_wanted_and_leaves_no_orphan() -> None:
    found = plan(SMALL, SMALL[:3], remove=True)
    assert [f.code for f in found.removed] == ["A1", "A2", "A11"]
    assert errors(lambda: plan(SMALL, [*SMALL[:3], SMALL[-1]], remove=True)) == [
        "A11: the parent of A11, A1, is not there"
    ]
    assert [f.code for f in without(SMALL, "A11").removed] == ["A11"]
    with pytest.raises(RegistryError, match="A has 2 facilities directly below it"):
        without(SMALL, "A")
    with pytest.raises(RegistryError, match="no facility 'X'"):
        without(SMALL, "X")
    assert without([ROOT], "R").tree == ()


def places(*wanted: Facility, remove: bool = False) -> set[str]:
    return set(plan(SMALL, wanted, remove=remove).places)


def test_who_is_responsible_for_a_change() -> None:
    assert places(made("N", "A1", 6), made("NN", "N", 7)) == {"A1"}
    assert places(replace(SMALL[5], name_en="x"), made("N", "B", 6)) == {"A11", "B"}
    assert places(replace(SMALL[5], name_en="x"), replace(SMALL[1], name_en="y")) == {"A"}
    assert places(replace(SMALL[3], parent="B")) == {"A", "B"}
    assert places(made("N", "B", 4), replace(SMALL[3], parent="N")) == {"A", "B"}
    assert places(*SMALL[:5], remove=True) == {"A11"}
    assert places(made("W", None, 1), replace(ROOT, parent="W", level=Level.NATIONAL)) == {"R"}
    assert plan([], SMALL).places == frozenset()


def texts(**more: str) -> dict[str, str]:
    return {**as_texts(SMALL[1]), **more}


def test_a_facility_and_its_texts() -> None:
    assert tuple(as_texts(ROOT)) == FIELDS
    for facility in SMALL:
        assert parse(as_texts(facility)) == facility
    assert parse(texts(level=" City ", kind="CLINIC", parent=" R ")).level is Level.CITY
    assert made("X", None, 1, name_zh="县").name == "Name of X · 县"
    assert made("X", None, 1, name_en="", name_zh="县").name == "县"


def test_everything_that_is_wrong_with_a_facility_is_listed() -> None:
    wrong = {
        "code": "a b", "parent": "中", "level": "8", "kind": "pub", "name_en": "=1", "name_zh": "a\x00",
        "time_zone": "Mars", "contact": "x" * 10_240,
    }  # fmt: skip
    found = errors(lambda: parse(wrong))
    assert [message.split(": ")[1] for message in found] == list(FIELDS)
    assert all(len(message) < 300 for message in found)
    (nameless,) = errors(lambda: parse(texts(name_en=" ", name_zh="")))
    assert "one of them is needed" in nameless


@given(st.fixed_dictionaries({name: st.text(max_size=250) for name in FIELDS}))
def test_any_texts_are_a_facility_or_refused(fields: dict[str, str]) -> None:
    try:
        facility = parse(fields)
    except RegistryErrors as refused:
        found = refused.found
        assert all(str(where).isprintable() and message.isprintable() for where, message in found)
        return
    assert parse(as_texts(facility)) == facility
