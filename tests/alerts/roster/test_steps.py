"""Whom a page goes to at each step, and that there is always somebody."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from alerts.roster.civil import midnight_ns
from alerts.roster.model import Roster
from alerts.roster.steps import Where, steps, teams_for
from schemas.records import Priority
from tests.alerts.roster.rosters import PEOPLE, at, in_a_year, period, roster, rosters, team, weekly

NOON, NIGHT = at("2026-07-01T12:00"), at("2026-07-01T03:00")
H1 = Where(("china", "henan", "zhengzhou", "h1"))
HIGH, MEDIUM, LOW = Priority


def paged(
    of: Roster, at_ns: int = NOON, where: Where = H1, priority: Priority = HIGH
) -> list[tuple[Any, ...]]:
    return [(step.after_s, *step.accounts) for step in steps(of, where, priority, at_ns)]


def nested(**more: Any) -> Roster:
    """The province (li by day, wang by night), the city (zhang by day), the hospital (chen by day)."""
    given_: dict[str, Any] = {
        "team": [
            team(members=["li", "wang"]),
            team("city", "zhengzhou", members=["zhang", "zhao"]),
            team("h1", "h1", members=["chen"]),
        ],
        "weekly": [
            weekly("li"),
            weekly("wang", "20:00", "08:00"),
            weekly("zhang", team="city"),
            weekly("chen", team="h1", backup="zhao"),
        ],
        "wards": {"h1": "h1_ward", "henan": "henan_desk"},
    }
    return roster(**given_ | more)


def test_first_who_is_on_duty_then_the_back_up_then_the_whole_team_and_the_ward() -> None:
    of = roster(
        team=[team(members=["li", "wang", "zhang"], backup=["li", "zhang"])],
        weekly=[weekly("li")],
        wards={"h1": "h1_ward"},
    )
    assert paged(of) == [(0, "li"), (60, "zhang"), (120, "li", "wang", "zhang", "h1_ward")]


def test_times_are_the_team_s_by_priority() -> None:
    of = roster(team=[team(escalate_after_s={"high": [30, 90]})], weekly=[weekly("li")])
    times = {p: [step.after_s for step in steps(of, H1, p, NOON)] for p in Priority}
    assert times == {HIGH: [0, 30, 90], MEDIUM: [0, 180, 600], LOW: [0, 1800, 3600]}


def test_the_most_specific_team_is_asked() -> None:
    assert paged(nested()) == [(0, "chen"), (60, "zhao"), (120, "chen", "h1_ward")]
    elsewhere = Where(("china", "henan", "zhengzhou", "h2"))
    assert paged(nested(), where=elsewhere)[0] == (0, "zhang")
    assert paged(nested(), where=Where(("china", "henan", "luoyang")))[0] == (0, "li")


def test_where_nobody_is_on_duty_the_enclosing_region_is_asked() -> None:
    found = steps(nested(), H1, HIGH, NIGHT)
    assert [(step.team, *step.accounts) for step in found] == [
        ("henan", "wang"),
        ("henan", "li"),
        ("henan", "li", "wang", "h1_ward"),
    ]
    assert found[0].why == "on duty; nobody was found in h1"


def test_where_nobody_is_on_duty_at_all_whole_teams_are_paged() -> None:
    assert paged(nested(weekly=[])) == [
        (0, "li", "wang"),
        (60, "chen"),
        (120, "li", "wang", "chen", "h1_ward"),
    ]


def test_an_unknown_place_is_the_fallback_s() -> None:
    for path in ((), ("mars",)):
        assert paged(nested(), where=Where(path)) == [(0, "li"), (60, "wang"), (120, "li", "wang")]


def test_a_ward_whose_account_is_of_somebody_who_has_left_is_passed_over() -> None:
    people = [{"account": a} | ({"left": "2026-07-01"} if a == "zhang" else {}) for a in PEOPLE]
    of = roster(person=people, weekly=[weekly("li")], wards={"h1": "zhang", "henan": "henan_desk"})
    assert paged(of)[2][-1] == "henan_desk"


def test_the_ward_is_the_nearest_that_has_an_account() -> None:
    assert paged(nested(), where=Where(("china", "henan", "zhengzhou", "h2")))[2][-1] == "henan_desk"


def test_without_a_back_up_the_next_team_s_person_on_duty_is_paged() -> None:
    of = nested(weekly=[weekly("li"), weekly("zhang", team="city")])
    assert paged(of)[:2] == [(0, "zhang"), (60, "li")]


def test_a_team_of_one_pages_the_fallback_and_at_last_the_same_person_again() -> None:
    of = roster(team=[team(members=["li"])], weekly=[weekly("li")])
    assert paged(of) == [(0, "li"), (60, "li"), (120, "li")]


def test_who_has_left_is_passed_over_and_whoever_stands_in_is_paged() -> None:
    people = [{"account": a} | ({"left": "2026-07-01"} if a == "zhang" else {}) for a in PEOPLE]
    of = roster(
        person=people,
        team=[team(members=["li", "zhang", "wang"], backup=["zhang", "wang"])],
        weekly=[weekly("li", backup="zhang")],
        stand_in=[
            period("zhao", "2026-07-01T00:00", "2026-07-02T00:00", instead_of="li"),
            period("chen", "2026-07-01T00:00", "2026-07-02T00:00", instead_of="wang"),
        ],
    )
    assert paged(of) == [(0, "zhao"), (60, "chen"), (120, "li", "wang", "zhao")]


def test_who_has_the_skill_is_asked_first_wherever_on_the_path() -> None:
    skilled = [{"account": a, "skills": ["pacing"] if a in ("zhao", "wang") else []} for a in PEOPLE]
    teams = [
        team(members=["li", "wang"]),
        team("city", "zhengzhou", members=["zhang"]),
        team("pacing", "zhengzhou", members=["zhao"], skill="pacing"),
    ]
    shifts = [weekly("li"), weekly("wang", joint=True), weekly("zhang", team="city")]
    pacing = Where(H1.path, "pacing")
    of = nested(person=skilled, team=teams, weekly=shifts)
    assert paged(of)[0] == (0, "zhang")
    assert paged(of, where=pacing)[0] == (0, "wang")  # the team for pacing has nobody on duty
    assert paged(of, where=Where(H1.path, "unheard_of"))[0] == (0, "zhang")
    of = nested(person=skilled, team=teams, weekly=[*shifts, weekly("zhao", team="pacing")])
    assert paged(of)[0] == (0, "zhang")
    assert paged(of, where=pacing)[:2] == [(0, "zhao"), (60, "wang")]


def test_the_green_channel_has_its_team_at_once_and_ordinary_patients_do_not() -> None:
    of = roster(
        team=[
            team(members=["li"]),
            team("h1", "h1", members=["wang"]),
            team("green", "henan", members=["zhao", "chen"], backup=["chen"], green_channel=True),
        ],
        weekly=[weekly("li"), weekly("wang", team="h1"), weekly("zhao", team="green")],
    )
    green = Where(H1.path, green=True)
    assert paged(of, where=green) == [(0, "zhao"), (60, "chen"), (120, "zhao", "chen")]
    assert paged(of)[0] == (0, "wang")
    assert [one.name for one in teams_for(of, green)] == ["green", "h1", "henan"]
    assert paged(of, at_ns=NIGHT, where=green)[0] == (0, "li")  # nobody is on duty: the whole fallback team


def test_a_green_channel_without_anybody_on_duty_goes_the_ordinary_way() -> None:
    of = roster(
        team=[team(), team("green", "henan", members=["zhao"], green_channel=True)], weekly=[weekly("li")]
    )
    assert paged(of, where=Where(H1.path, green=True))[0] == (0, "li")


paths = st.sampled_from([(), ("mars",), ("henan",), ("henan", "h1"), ("henan", "h1", "ward")])
wheres = st.builds(Where, paths, st.sampled_from(["", "pacing", "unheard_of"]), st.booleans())


@given(rosters(), wheres, st.sampled_from(Priority), in_a_year)
def test_somebody_is_paged_at_every_step_and_never_who_has_left(
    of: Roster, where: Where, priority: Priority, at_ns: int
) -> None:
    found = steps(of, where, priority, at_ns)
    assert [step.after_s for step in found] == sorted({step.after_s for step in found})
    assert all(step.accounts and step.why for step in found)
    for step in found:
        one = of.team_of[step.team]
        persons = [of.person_of[account] for account in step.accounts if account in of.person_of]
        zones = {team_.zone: team_.clock for team_ in of.teams}.values()
        # Whose team's midnight counts may be another team's, so by the latest of both.
        assert all(
            p.left is None or at_ns < max(midnight_ns(p.left, zone) for zone in zones) for p in persons
        )
        assert len(set(step.accounts)) == len(step.accounts)
        assert one in teams_for(of, where)
