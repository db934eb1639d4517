"""Rosters as tests need them: tables with a few entries, moments from local times, and any roster at all."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from alerts.roster.civil import DAY_NS, moment_ns
from alerts.roster.model import Roster
from alerts.roster.read import parse

DAILY = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
ALWAYS = [*DAILY, "holiday"]
ZONES = ["Asia/Shanghai", "Europe/Berlin", "America/New_York"]
PEOPLE = ["li", "wang", "zhang", "zhao", "chen"]
TABLES = ("person", "team", "weekly", "dated", "stand_in")


def team(name: str = "henan", region: str = "henan", **more: Any) -> dict[str, Any]:
    return {"name": name, "region": region, "zone": "Asia/Shanghai", "members": PEOPLE, **more}


def weekly(person: str = "li", from_: str = "08:00", to: str = "20:00", **more: Any) -> dict[str, Any]:
    return {"team": "henan", "person": person, "days": DAILY, "from": from_, "to": to, **more}


def period(person: str, from_: str, to: str, **more: Any) -> dict[str, Any]:
    """A dated shift or, with ``instead_of``, who stands in."""
    return {"team": "henan", "person": person, "from": from_, "to": to, **more}


def tables(**given: Any) -> dict[str, Any]:
    """A roster of a team by the name of henan, the fallback too, and whatever else is given."""
    people = [{"account": account} for account in PEOPLE]
    return {"version": 1, "fallback": "henan", "person": people, "team": [team()], **given}


def roster(**given: Any) -> Roster:
    return parse(tables(**given))


def at(local: str, zone: str = "Asia/Shanghai") -> int:
    return moment_ns(datetime.fromisoformat(local), ZoneInfo(zone))


NEW_YEAR_NS = at("2026-01-01T00:00")
YEAR_NS = 365 * DAY_NS
in_a_year = st.integers(NEW_YEAR_NS, NEW_YEAR_NS + YEAR_NS - 1)
clocks = st.integers(0, 95).map(lambda quarter: f"{quarter // 4:02}:{quarter % 4 * 15:02}")
days_of_2026 = st.integers(0, 364).map(lambda n: date(2026, 1, 1) + timedelta(days=n))
people = st.sampled_from(PEOPLE)
teams = st.sampled_from(["henan", "h1"])


@st.composite
def _weekly(draw: st.DrawFn) -> dict[str, Any]:
    some_days = st.lists(st.sampled_from(ALWAYS), min_size=1, max_size=8, unique=True)
    since, until = sorted(draw(st.tuples(days_of_2026, days_of_2026)))
    bounds = draw(st.sampled_from([{}, {"since": since}, {"until": until}, {"since": since, "until": until}]))
    found = weekly(draw(people), draw(clocks), draw(clocks), days=draw(some_days), **bounds)
    return {**found, "team": draw(teams), "joint": draw(st.booleans()), "backup": draw(people | st.just(""))}


@st.composite
def _period(draw: st.DrawFn) -> dict[str, Any]:
    day, hours = draw(days_of_2026), draw(st.integers(2, 24 * 30))
    begins = datetime.fromisoformat(f"{day}T{draw(clocks)}")
    found = period(draw(people), begins.isoformat(), (begins + timedelta(hours=hours)).isoformat())
    return {**found, "team": draw(teams)}


@st.composite
def rosters(draw: st.DrawFn) -> Roster:
    """Any roster of two teams, right or wrong, as long as what it names is there."""
    left = draw(st.lists(st.none() | days_of_2026, min_size=len(PEOPLE), max_size=len(PEOPLE)))
    left[0] = None  # of the fallback team, one stays
    zone, other = draw(st.tuples(st.sampled_from(ZONES), st.sampled_from(ZONES)))
    skills = draw(st.lists(st.sampled_from([[], ["pacing"]]), min_size=len(PEOPLE), max_size=len(PEOPLE)))
    persons = zip(PEOPLE, left, skills, strict=True)
    stand_ins = draw(st.lists(st.tuples(_period(), people), max_size=2))
    return parse(
        tables(
            person=[{"account": a, "skills": s} | ({"left": d} if d else {}) for a, d, s in persons],
            holidays={"china": draw(st.lists(days_of_2026, max_size=5))},
            wards=draw(st.sampled_from([{}, {"h1": "h1_ward"}, {"henan": "wang"}])),
            team=[
                team(zone=zone, holidays="china", backup=draw(st.lists(people, max_size=2))),
                team(
                    "h1", "h1", zone=other, part_time=draw(st.booleans()), green_channel=draw(st.booleans())
                ),
            ],
            weekly=draw(st.lists(_weekly(), max_size=4)),
            dated=draw(st.lists(_period(), max_size=3)),
            stand_in=[{**found, "instead_of": a} for found, a in stand_ins if found["person"] != a],
        )
    )
