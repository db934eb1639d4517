"""A roster's file, and how it travels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.roster.check import problems
from alerts.roster.model import Roster
from alerts.roster.read import RosterError, from_json, parse, shape, tables_of, to_json, version_of
from tests.alerts.roster.rosters import NEW_YEAR_NS, at, period, roster, rosters, tables, team, weekly

EXAMPLE = Path(__file__).resolve().parents[3] / "fixtures" / "roster.toml"


def said(given_: dict[str, Any]) -> tuple[str, ...]:
    with pytest.raises(RosterError) as refused:
        shape(given_)
    assert str(refused.value) == "\n".join(refused.value.problems)
    return refused.value.problems


def test_the_example_is_in_order() -> None:
    of = parse(tables_of(EXAMPLE.read_text()))
    assert problems(of, NEW_YEAR_NS) == []
    assert problems(of, at("2026-11-27T12:00")) == []


@given(rosters())
def test_a_roster_travels_and_is_the_same(of: Roster) -> None:
    travelled = from_json(to_json(of))
    assert travelled == of
    assert to_json(travelled) == to_json(of)
    assert version_of(travelled) == version_of(of)


def test_toml_s_own_dates_and_times_are_the_same_as_texts() -> None:
    texts = """
        version = 1
        fallback = "henan"
        person = [{account = "li", left = "2030-01-01"}, {account = "wang"}]
        team = [{name = "henan", region = "henan", zone = "Asia/Shanghai", members = ["li", "wang"]}]
        weekly = [{team = "henan", person = "li", days = ["mon"], from = "08:00", to = "20:00"}]
        dated = [{team = "henan", person = "wang", from = "2026-10-01T08:00", to = "2026-10-01T20:00:00"}]
    """
    own = texts
    for text in ("2030-01-01", "2026-10-01T20:00:00"):
        own = own.replace(f'"{text}"', text)
    own = own.replace('"08:00"', "08:00:00").replace('"2026-10-01T08:00"', "2026-10-01 08:00:00")
    assert parse(tables_of(own)) == parse(tables_of(texts))


def test_a_version_tells_rosters_apart_and_not_how_they_were_written() -> None:
    of = roster(weekly=[weekly("li")])
    assert version_of(of) == version_of(roster(weekly=[weekly("li", joint=False)]))
    assert version_of(of) != version_of(roster(weekly=[weekly("wang")]))
    assert len(version_of(of)) == 32


@pytest.mark.parametrize("data", [b"", b"\xff", b"[1]", b"nul", b'{"version": 1}', b"[" * 5000])
def test_what_is_no_roster_is_refused(data: bytes) -> None:
    with pytest.raises(RosterError):
        from_json(data)


@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_are_a_roster_or_refused(data: bytes) -> None:
    with pytest.raises(RosterError):
        from_json(data)


def test_what_is_no_toml_says_where() -> None:
    with pytest.raises(RosterError, match=r"this is no TOML: .*line 2"):
        tables_of("version = 1\nversion = 2\n")


SHAPES = [
    ({"version": 2}, "version: is not 1, the only form of a roster that this version reads"),
    ({"fallbak": "x"}, "fallbak: is not known here; known are version, fallback, holidays, wards, person, "),
    ({"person": [{"account": "Li Wei"}]}, "person 1 (Li Wei): account: 'Li Wei' is no account: a lower-case"),
    ({"person": [{}]}, "person 1: account: is missing"),
    ({"person": {}}, "person: is no list"),
    ({"person": ["li"]}, "person 1: is no table"),
    (
        {"person": [{"account": "li", "left": "soon"}]},
        "person 1 (li): left: 'soon' is no date, as 2026-10-01 is",
    ),
    ({"person": [{"account": "li", "left": 20261001}]}, "person 1 (li): left: '20261001' is no date"),
    ({"team": [team(zone="Asia/Peking")]}, "team 1 (henan): zone: 'Asia/Peking' is no time zone of the IANA"),
    ({"team": [team(zone="+08:00")]}, "team 1 (henan): zone: '+08:00' is no time zone"),
    ({"team": [team(members=[])]}, "team 1 (henan): members: is an empty list"),
    ({"team": [team(members="li")]}, "team 1 (henan): members: is no list"),
    ({"team": [team(members=[7])]}, "team 1 (henan): members 1: is no text"),
    ({"team": [team(region="a/b")]}, "team 1 (henan): region: 'a/b' is no code of a facility"),
    ({"team": [team(name="a\nb")]}, "name: 'a\\nb' is no name: 1 to 60 characters"),
    ({"team": [team(green_channel="yes")]}, "team 1 (henan): green_channel: is neither true nor false"),
    (
        {"team": [team(escalate_after_s={"high": [60, 600]})]},
        "team 1 (henan): escalate_after_s high: [60, 600] are not two rising times in s, the second at most",
    ),
    (
        {"team": [team(escalate_after_s={"high": [0, 60]})]},
        "team 1 (henan): escalate_after_s high: [0, 60] are not two rising times",
    ),
    (
        {"team": [team(escalate_after_s={"urgent": [1, 2]})]},
        "team 1 (henan): escalate_after_s urgent: is not known here; known are high, medium, low",
    ),
    (
        {"weekly": [weekly(days=["monday"])]},
        "weekly 1 (henan, li): days 1: 'monday' is none of mon, tue, wed, thu, fri",
    ),
    ({"weekly": [weekly(to="24:00")]}, "weekly 1 (henan, li): to: '24:00' is no time of the day"),
    ({"weekly": [weekly(from_="8:00")]}, "weekly 1 (henan, li): from: '8:00' is no time of the day"),
    ({"weekly": [weekly(until="2026-02-30")]}, "weekly 1 (henan, li): until: '2026-02-30' is no date"),
    (
        {"dated": [period("li", "2026-10-01", "2026-10-02T08:00")]},
        "dated 1 (henan, li): from: '2026-10-01' is no date with a time, as 2026-10-01T08:00:00 is",
    ),
    ({"dated": [period("li", "0001-01-01T08:00", "2026-10-02T08:00")]}, "is before 1971 or after 2115"),
    ({"holidays": {"china": ["x"]}}, "holidays china 1: 'x' is no date"),
    (
        {"green": [{"patient": "P-ABCDE23456", "until": "2026-10-01T08:00"}]},
        "green 1: until: '2026-10-01T08:00:00' is of no zone: add its offset",
    ),
    (
        {"green": [{"patient": "Li Lei", "until": "2026-10-01T08:00+08:00"}]},
        "green 1: patient: is no pseudonym of a patient, as P-ABCDE23456 is; never write a name here",
    ),
]


@pytest.mark.parametrize(("given_", "wanted"), SHAPES, ids=[wanted[:50] for _, wanted in SHAPES])
def test_a_wrong_value_says_where_and_what_to_do(given_: dict[str, Any], wanted: str) -> None:
    found = said(tables(**given_))
    assert any(wanted in line for line in found), found
    assert len(found) == 1
    assert "\n" not in found[0]


def test_all_wrong_values_are_told_at_once() -> None:
    assert len(said(tables(team=[team(zone="x", members=[])], weekly=[weekly(to="x"), weekly(days=[])]))) == 4
