"""The made network of Henan's shape."""

from __future__ import annotations

from collections import Counter

import pytest

from ecgstream.registry.facilities import Kind, Level, as_texts, parse, paths, validate
from ecgstream.registry.henan import CITIES, JIYUAN, PROVINCE, henan


def test_1300_facilities_on_seven_levels_of_18_divisions() -> None:
    tree = henan()
    assert len(tree) == 1300
    validate(tree)
    assert Counter(facility.level for facility in tree).keys() == set(Level)
    divisions = [f for f in tree if f.parent == PROVINCE and f.kind is Kind.AUTHORITY]
    assert len(divisions) == 18
    assert {f.code for f in divisions} == {code for code, _, _ in (*CITIES, JIYUAN)}
    assert {f.kind for f in tree} == {Kind.AUTHORITY, Kind.CENTRE, Kind.HOSPITAL, Kind.CLINIC}
    assert {f.time_zone for f in tree[1:]} == {"Asia/Shanghai"}
    assert max(map(len, paths(tree).values())) < 250


def test_each_is_as_a_file_would_have_it() -> None:
    for facility in henan():
        assert parse(as_texts(facility)) == facility
        assert facility.name_en
        assert facility.name_zh


def test_it_is_the_same_each_time_and_a_larger_one_begins_with_it() -> None:
    assert henan(2000)[:1300] == henan()


@pytest.mark.parametrize("n", [1, 2, 20, 365, 100_000])
def test_any_number_is_a_tree(n: int) -> None:
    tree = henan(n)
    assert len(tree) == n
    validate(tree)
