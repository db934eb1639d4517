"""What is wrong with a roster, and in which words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from alerts.roster.check import problems
from alerts.roster.model import Roster
from alerts.roster.read import RosterError, parse, shape
from tests.alerts.roster.rosters import NEW_YEAR_NS, PEOPLE, at, period, rosters, tables, team, weekly

NOW = at("2026-06-01T12:00")


def wrong(**given_: Any) -> list[str]:
    return problems(shape(tables(**given_)), NOW)


def test_a_roster_with_nothing_wrong() -> None:
    assert wrong(weekly=[weekly("li"), weekly("wang", "20:00", "08:00")]) == []


REFERENCES = [
    ({"fallback": "nobody"}, "fallback: there is no team 'nobody'"),
    ({"person": [{"account": a} for a in [*PEOPLE, "li"]]}, "person: 2 have the account 'li'"),
    ({"team": [team(), team(region="h1")]}, "team: 2 have the name 'henan'"),
    (
        {"team": [team(), team("b", "henan")]},
        "team b: has the region and duty of team henan, henan: keep one",
    ),
    (
        {"team": [team(members=["li", "lu"])]},
        "team 1 (henan): members: 'lu' is unknown: no [[person]] has this account",
    ),
    (
        {"team": [team(backup=["lu"])]},
        "team 1 (henan): backup: 'lu' is unknown: no [[person]] has this account",
    ),
    ({"team": [team(holidays="mars")]}, "team 1 (henan): holidays: there is no list 'mars' in [holidays]"),
    (
        {"team": [team(part_time=True)]},
        "fallback: team henan must not be part_time, nor have a skill or the green_channel",
    ),
    (
        {"person": [{"account": a, "left": "2030-01-01"} for a in PEOPLE]},
        "fallback: all members of team henan leave: one must stay, to be paged",
    ),
    ({"weekly": [weekly("lu")]}, "weekly 1 (henan, lu): 'lu' is unknown: no [[person]] has this account"),
    (
        {"weekly": [weekly(backup="lu")]},
        "weekly 1 (henan, li): 'lu' is unknown: no [[person]] has this account",
    ),
    ({"weekly": [weekly(team="h9")]}, "weekly 1 (h9, li): there is no team 'h9'"),
    (
        {"team": [team(members=["wang"])], "weekly": [weekly("li")]},
        "weekly 1 (henan, li): li is no member of team henan",
    ),
    (
        {"team": [team(), team("p", "h1", skill="pacing")], "weekly": [weekly(team="p")]},
        "weekly 1 (p, li): li lacks the skill pacing of team p",
    ),
    (
        {"weekly": [weekly(since="2026-02-01", until="2026-01-01")]},
        "weekly 1 (henan, li): since 2026-02-01 is after until 2026-01-01",
    ),
    (
        {"dated": [period("li", "2026-10-02T08:00", "2026-10-01T20:00")]},
        "dated 1 (henan, li): to 2026-10-01 20:00 is not after from 2026-10-02 08:00",
    ),
    (
        {"dated": [period("li", "2026-10-01T08:00", "2026-12-01T20:00")]},
        "dated 1 (henan, li): 2026-10-01 to 2026-12-01 is longer than 31 days",
    ),
    (
        {"dated": [period("li", "2026-10-01T08:00:00+02:00", "2026-10-01T20:00")]},
        "dated 1 (henan, li): from: 2026-10-01T08:00:00+02:00 is not of the team's zone, where it is "
        "2026-10-01T14:00:00+08:00",
    ),
    (
        {"stand_in": [period("li", "2026-10-01T08:00", "2026-10-01T20:00", instead_of="li")]},
        "stand_in 1 (henan, li): nobody stands in for oneself",
    ),
    (
        {"stand_in": [period("li", "2026-10-01T08:00", "2026-10-01T20:00", instead_of="lu")]},
        "stand_in 1 (henan, li): 'lu' is unknown: no [[person]] has this account",
    ),
]


@pytest.mark.parametrize(
    ("given_", "said"), REFERENCES, ids=lambda value: value[:60] if isinstance(value, str) else ""
)
def test_what_does_not_fit_together_is_told_and_refused(given_: dict[str, Any], said: str) -> None:
    assert said in wrong(**given_)
    with pytest.raises(RosterError) as refused:
        parse(tables(**given_))
    assert said in refused.value.problems


def test_all_of_it_is_told_at_once() -> None:
    found = wrong(fallback="x", weekly=[weekly("lu"), weekly("li", team="h9")], team=[team(backup=["lo"])])
    assert [line.split(":")[0] for line in found] == [
        "team 1 (henan)",
        "fallback",
        "weekly 1 (henan, lu)",
        "weekly 2 (h9, li)",
    ]


def test_two_first_on_duty_are_told_once_a_pair_with_the_first_time() -> None:
    found = wrong(weekly=[weekly("li"), weekly("wang", "19:30", "08:00", days=["wed"])])
    assert found == [
        "team henan: li (weekly 1) and wang (weekly 2) are both on duty 2026-06-03 19:30 to 20:00, and 51 "
        "times more within a year: end one, or mark one joint = true"
    ]


def test_a_dated_shift_over_a_weekly_one_is_an_overlap_too() -> None:
    (found,) = wrong(weekly=[weekly("li")], dated=[period("wang", "2026-07-01T12:00", "2026-07-01T13:00")])
    assert "wang (dated 1) and li (weekly 1) are both on duty 2026-07-01 12:00 to 13:00: end one" in found


def test_no_overlap_is_one_that_is_marked_or_over_or_with_oneself_or_in_another_team() -> None:
    assert wrong(weekly=[weekly("li"), weekly("wang", joint=True), weekly("li", "10:00", "11:00")]) == []
    assert wrong(weekly=[weekly("li", until="2026-05-30"), weekly("wang")]) == []
    two = [team(), team("h1", "h1")]
    assert wrong(team=two, weekly=[weekly("li"), weekly("wang", team="h1")]) == []


def test_who_stands_in_for_one_of_two_makes_no_overlap() -> None:
    days = period("zhao", "2026-07-01T00:00", "2026-07-08T00:00", instead_of="li")
    assert wrong(weekly=[weekly("li"), weekly("wang", "20:00", "08:00")], stand_in=[days]) == []


def test_who_stands_in_where_there_is_no_duty_has_a_wrong_date() -> None:
    days = period("zhao", "2026-07-01T00:00", "2026-07-08T00:00", instead_of="chen")
    assert wrong(weekly=[weekly("li")], stand_in=[days]) == [
        "team henan: stand_in 1: chen has no duty 2026-07-01 00:00 to 2026-07-08 00:00: is the time right?"
    ]
    assert wrong(weekly=[weekly("li", backup="chen")], stand_in=[days]) == []


def test_who_leaves_must_hand_over_what_is_planned() -> None:
    people = [{"account": a} | ({"left": "2026-07-01"} if a == "wang" else {}) for a in PEOPLE]
    assert wrong(person=people, weekly=[weekly("li", backup="wang"), weekly("wang", "20:00", "08:00")]) == [
        "team henan: wang leaves on 2026-07-01, but weekly 1 has the account 2026-07-01 08:00 to 20:00",
        "team henan: wang leaves on 2026-07-01, but weekly 2 has the account 2026-07-01 00:00 to 08:00",
    ]
    assert wrong(person=people, weekly=[weekly("wang", until="2026-06-30")]) == []


def test_who_has_left_must_be_taken_out() -> None:
    people = [{"account": a} | ({"left": "2026-06-01"} if a == "wang" else {}) for a in PEOPLE]
    assert wrong(person=people) == [
        "team henan: wang left on 2026-06-01: take the account out of members and backup"
    ]


def test_regions_and_wards_are_compared_with_the_facilities_that_there_are() -> None:
    of = shape(tables(team=[team(), team("h1", "h1")], wards={"h7": "h7_ward"}))
    assert problems(of, NOW, {"henan"}) == [
        "team h1: there is no facility 'h1'",
        "wards: there is no facility 'h7'",
    ]
    assert problems(of, NOW, {"henan", "h1", "h7"}) == []


def test_over_a_change_of_summer_time_shifts_that_meet_do_not_overlap() -> None:
    for zone in ("Europe/Berlin", "America/New_York"):
        nights = [weekly("li", "02:30", "14:30"), weekly("wang", "14:30", "02:30")]
        assert wrong(team=[team(zone=zone)], weekly=nights) == []


@settings(max_examples=30)
@given(rosters())
def test_any_roster_is_checked_and_each_problem_is_one_line(of: Roster) -> None:
    assert all("\n" not in line and line for line in problems(of, NEW_YEAR_NS, {"henan"}))
