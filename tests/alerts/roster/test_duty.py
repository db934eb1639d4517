"""Who is on duty when, over days, nights, changes of summer time and a year."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.roster.civil import local, moment_ns
from alerts.roster.duty import holes, on_duty, watches
from alerts.roster.model import Roster, Weekday
from tests.alerts.roster.rosters import (
    ALWAYS,
    DAILY,
    NEW_YEAR_NS,
    PEOPLE,
    YEAR_NS,
    ZONES,
    at,
    clocks,
    in_a_year,
    period,
    roster,
    rosters,
    team,
    weekly,
)

HOUR_NS = 3600 * 1_000_000_000


def who(of: Roster, at_ns: int, name: str = "henan") -> list[str]:
    return list(dict.fromkeys(span.account for span in on_duty(of, of.team_of[name], at_ns)))


DAY_AND_NIGHT = roster(weekly=[weekly("li"), weekly("wang", "20:00", "08:00")])


def test_day_and_night_follow_each_other_to_the_nanosecond() -> None:
    assert who(DAY_AND_NIGHT, at("2026-07-01T08:00") - 1) == ["wang"]
    assert who(DAY_AND_NIGHT, at("2026-07-01T08:00")) == ["li"]
    assert who(DAY_AND_NIGHT, at("2026-07-01T20:00") - 1) == ["li"]
    assert who(DAY_AND_NIGHT, at("2026-07-01T20:00")) == ["wang"]
    assert who(DAY_AND_NIGHT, at("2026-07-02T00:00")) == ["wang"]
    assert holes(DAY_AND_NIGHT, NEW_YEAR_NS, NEW_YEAR_NS + YEAR_NS) == []


@pytest.mark.parametrize(
    ("zone", "night", "hours"),
    [
        ("Europe/Berlin", "2026-03-28", 11),
        ("Europe/Berlin", "2026-10-24", 13),
        ("America/New_York", "2026-03-07", 11),
        ("America/New_York", "2026-10-31", 13),
        ("Asia/Shanghai", "2026-03-28", 12),
    ],
)
def test_a_night_in_which_clocks_are_changed_is_an_hour_shorter_or_longer(
    zone: str, night: str, hours: int
) -> None:
    of = roster(team=[team(zone=zone)], weekly=[weekly("li"), weekly("wang", "20:00", "08:00")])
    begins = at(f"{night}T20:00", zone)
    found = watches(of, of.teams[0], begins - HOUR_NS, begins + (hours + 1) * HOUR_NS)
    assert [w.accounts for w in found] == [("li",), ("wang",), ("li",)]
    assert (found[1].from_ns, found[1].until_ns - found[1].from_ns) == (begins, hours * HOUR_NS)


def test_shifts_that_meet_within_the_hour_that_is_skipped_leave_nothing_between_them() -> None:
    of = roster(
        team=[team(zone="Europe/Berlin")],
        weekly=[
            weekly("li", "08:00", "02:30"),
            weekly("wang", "02:30", "03:00"),
            weekly("zhao", "03:00", "08:00"),
        ],
    )
    begins = at("2026-03-29T00:00", "Europe/Berlin")
    found = watches(of, of.teams[0], begins, begins + 3 * HOUR_NS)
    assert [w.accounts for w in found] == [("li",), ("zhao",)]  # wang's half hour was not there
    begins = at("2026-10-25T02:00", "Europe/Berlin")
    found = watches(of, of.teams[0], begins, begins + 3 * HOUR_NS)
    minutes = [((w.until_ns - w.from_ns) * 60 // HOUR_NS, *w.accounts) for w in found]
    assert minutes == [(30, "li"), (90, "wang"), (60, "zhao")]


def test_on_holidays_other_shifts_hold() -> None:
    of = roster(
        holidays={"china": ["2026-10-01"]},
        team=[team(holidays="china")],
        weekly=[
            weekly("li", "08:00", "20:00"),
            weekly("wang", "20:00", "08:00"),
            weekly("zhao", "08:00", "08:00", days=["holiday"]),
        ],
    )
    assert who(of, at("2026-10-01T07:00")) == ["wang"]  # the night that began the day before
    assert who(of, at("2026-10-01T08:00")) == ["zhao"]
    assert who(of, at("2026-10-02T07:59")) == ["zhao"]
    assert who(of, at("2026-10-02T08:00")) == ["li"]


def test_a_holiday_without_shifts_of_its_own_is_a_hole() -> None:
    of = roster(
        holidays={"china": ["2026-10-01"]},
        team=[team(holidays="china")],
        weekly=[weekly("li", "08:00", "08:00")],
    )
    (hole,) = holes(of, at("2026-09-28T00:00"), at("2026-10-05T00:00"))
    assert (hole.from_ns, hole.until_ns) == (at("2026-10-01T08:00"), at("2026-10-02T08:00"))


def test_a_weekly_shift_begins_on_its_days_between_its_dates() -> None:
    of = roster(weekly=[weekly("li", "20:00", "08:00", days=["thu"], since="2026-10-02", until="2026-10-15")])
    found = [
        w for w in watches(of, of.teams[0], at("2026-09-28T00:00"), at("2026-11-01T00:00")) if w.accounts
    ]
    assert [(w.from_ns, w.until_ns) for w in found] == [
        (at("2026-10-08T20:00"), at("2026-10-09T08:00")),
        (at("2026-10-15T20:00"), at("2026-10-16T08:00")),
    ]


def test_who_stands_in_does_what_the_other_would_have_done_and_no_more() -> None:
    of = roster(
        weekly=[weekly("li"), weekly("wang", "20:00", "08:00")],
        stand_in=[period("zhao", "2026-07-01T12:00", "2026-07-03T00:00", instead_of="li")],
    )
    day = ["2026-07-01T11:59", "2026-07-01T12:00", "2026-07-01T20:00", "2026-07-02T08:00", "2026-07-03T08:00"]
    assert [who(of, at(moment)) for moment in day] == [["li"], ["zhao"], ["wang"], ["zhao"], ["li"]]


def test_a_shift_may_be_given_away_in_its_middle() -> None:
    hours = period("zhao", "2026-07-01T12:00", "2026-07-01T14:00", instead_of="li")
    of = roster(weekly=[weekly("li")], stand_in=[hours])
    found = watches(of, of.teams[0], at("2026-07-01T08:00"), at("2026-07-01T20:00"))
    assert [(w.accounts, (w.until_ns - w.from_ns) // HOUR_NS) for w in found] == [
        (("li",), 4),
        (("zhao",), 2),
        (("li",), 6),
    ]


def test_who_stands_in_may_have_somebody_stand_in() -> None:
    of = roster(
        weekly=[weekly("li", "08:00", "08:00")],
        stand_in=[
            period("zhao", "2026-07-01T08:00", "2026-07-05T08:00", instead_of="li"),
            period("chen", "2026-07-02T08:00", "2026-07-03T08:00", instead_of="zhao"),
        ],
    )
    days = [f"2026-07-0{n}T12:00" for n in range(1, 6)]
    assert [who(of, at(moment)) for moment in days] == [["zhao"], ["chen"], ["zhao"], ["zhao"], ["li"]]


def test_who_has_left_is_on_duty_no_more_from_the_midnight_of_the_team() -> None:
    people = [{"account": "li", "left": "2026-07-02"}, *({"account": a} for a in PEOPLE[1:])]
    of = roster(person=people, weekly=[weekly("li", "08:00", "08:00")])
    (hole,) = holes(of, at("2026-07-01T00:00"), at("2026-07-09T00:00"))
    assert (hole.from_ns, hole.until_ns) == (at("2026-07-02T00:00"), at("2026-07-09T00:00"))
    assert who(of, at("2026-07-02T00:00") - 1) == ["li"]


def test_two_may_be_on_duty_together() -> None:
    of = roster(weekly=[weekly("li"), weekly("wang", joint=True)])
    assert who(of, at("2026-07-01T12:00")) == ["li", "wang"]


def test_a_part_time_team_has_no_holes() -> None:
    of = roster(
        team=[team(), team("h1", "h1", part_time=True)],
        weekly=[weekly("li", "08:00", "08:00"), weekly("chen", "08:00", "17:00", team="h1")],
    )
    assert holes(of, NEW_YEAR_NS, NEW_YEAR_NS + YEAR_NS) == []


def test_holes_are_whole_and_the_earliest_comes_first() -> None:
    of = roster(
        team=[team(), team("h1", "h1", zone="Europe/Berlin")],
        weekly=[weekly("li", days=[day for day in DAILY if day != "wed"]), weekly("wang", "20:00", "08:00")],
    )
    found = holes(of, at("2026-06-30T12:00"), at("2026-07-02T12:00"))
    assert [(hole.team, hole.from_ns, hole.until_ns) for hole in found] == [
        ("h1", at("2026-06-30T12:00"), at("2026-07-02T12:00")),
        ("henan", at("2026-07-01T08:00"), at("2026-07-01T20:00")),
    ]


@given(st.sampled_from(ZONES), st.lists(clocks, min_size=1, max_size=5, unique=True), in_a_year)
def test_shifts_that_fill_a_day_fill_the_year_with_exactly_one_person(
    zone: str, cuts: list[str], at_ns: int
) -> None:
    cuts.sort()
    turns = list(zip(PEOPLE, pairwise([*cuts, cuts[0]]), strict=False))
    of = roster(
        team=[team(zone=zone)], weekly=[weekly(a, begins, ends, days=ALWAYS) for a, (begins, ends) in turns]
    )
    assert len(on_duty(of, of.teams[0], at_ns)) == 1
    day = local(at_ns, ZoneInfo(zone)).replace(tzinfo=None)
    bounds = [
        moment_ns(day.replace(hour=int(c[:2]), minute=int(c[3:]), second=0), ZoneInfo(zone)) for c in cuts
    ]
    passed = [a for (a, _), bound in zip(turns, bounds, strict=True) if bound <= at_ns]
    assert who(of, at_ns) == [passed[-1] if passed else turns[-1][0]]


@settings(max_examples=30)
@given(st.sampled_from(ZONES), st.lists(clocks, min_size=1, max_size=5, unique=True))
def test_such_a_year_has_no_hole_and_no_overlap(zone: str, cuts: list[str]) -> None:
    cuts.sort()
    shifts = [
        weekly(a, b, e, days=ALWAYS) for a, (b, e) in zip(PEOPLE, pairwise([*cuts, cuts[0]]), strict=False)
    ]
    of = roster(team=[team(zone=zone)], weekly=shifts)
    found = watches(of, of.teams[0], NEW_YEAR_NS, NEW_YEAR_NS + YEAR_NS)
    assert {len(w.spans) for w in found} == {1}


@settings(max_examples=50)
@given(rosters(), in_a_year)
def test_at_every_moment_somebody_is_on_duty_or_it_is_a_hole(of: Roster, at_ns: int) -> None:
    empty = {
        hole.team
        for hole in holes(of, NEW_YEAR_NS, NEW_YEAR_NS + YEAR_NS)
        if hole.from_ns <= at_ns < hole.until_ns
    }
    for one in of.teams:
        assert (one.name in empty) == (not on_duty(of, one, at_ns) and not one.part_time)


@given(rosters(), in_a_year)
def test_who_is_on_duty_is_who_the_clock_on_the_wall_says(of: Roster, at_ns: int) -> None:
    for one in of.teams:
        there = local(at_ns, one.clock)
        if any((there + timedelta(hours=h)).utcoffset() != there.utcoffset() for h in (-48, 48)):
            continue  # clocks are changed: told by the tests above
        wall, stated = there.replace(tzinfo=None), set[str]()
        for shift in of.weekly:
            for day in (wall.date(), wall.date() - timedelta(days=1)):
                holiday = day in of.holidays.get(one.holidays, ())
                kind = Weekday.HOLIDAY if holiday else list(Weekday)[day.weekday()]
                bounded = (shift.since or day) <= day <= (shift.until or day)
                overnight = shift.to <= shift.from_
                today = day == wall.date()
                begun = wall.time() >= shift.from_ if today else overnight
                over = (not overnight and wall.time() >= shift.to) if today else wall.time() >= shift.to
                if shift.team == one.name and kind in shift.days and bounded and begun and not over:
                    stated.add(shift.person)
        stated |= {s.person for s in of.dated if s.team == one.name and s.from_ <= wall < s.to}
        for stand_in in of.stand_ins:
            if (
                stand_in.team == one.name
                and stand_in.from_ <= wall < stand_in.to
                and stand_in.instead_of in stated
            ):
                stated = (stated - {stand_in.instead_of}) | {stand_in.person}
        staying = {p.account for p in of.people if p.left is None or wall.date() < p.left}
        assert set(who(of, at_ns, one.name)) == stated & staying
