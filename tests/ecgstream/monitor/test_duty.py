"""When a shift hands over: at the next change of people, or now."""

from __future__ import annotations

from alerts.roster.duty import watches
from alerts.roster.read import parse, tables_of
from ecgstream.monitor.pages.duty import OnDuty, change_ns
from ecgstream.monitor.read.alerts import Facility, Place

HOUR_NS = 3600 * 10**9
DAY_NS = 24 * HOUR_NS
MIDNIGHT_NS = 20_000 * DAY_NS
ROSTER = """
version = 1
fallback = "west"
person = [{ account = "li" }, { account = "wang" }]
team = [{ name = "west", region = "R", zone = "UTC", members = ["li", "wang"] }]

[[weekly]]
team = "west"
person = "li"
days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
from = "08:00"
to = "20:00"

[[weekly]]
team = "west"
person = "%s"
days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
from = "20:00"
to = "08:00"
"""


def on_duty(night: str, now_ns: int) -> OnDuty:
    roster = parse(tables_of(ROSTER % night))
    (team,) = roster.teams
    now, *later = watches(roster, team, now_ns, now_ns + 7 * DAY_NS)
    return OnDuty(team, Facility("R", Place("Root", "")), now, later)


def test_at_the_next_change_of_people() -> None:
    noon_ns = MIDNIGHT_NS + 12 * HOUR_NS
    assert change_ns(on_duty("wang", noon_ns), noon_ns) == MIDNIGHT_NS + 20 * HOUR_NS


def test_now_where_the_same_people_stay() -> None:
    noon_ns = MIDNIGHT_NS + 12 * HOUR_NS
    assert change_ns(on_duty("li", noon_ns), noon_ns) == noon_ns
