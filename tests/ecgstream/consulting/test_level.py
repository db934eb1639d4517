"""The level above: the nearest on the way to the root that has a duty roster."""

from __future__ import annotations

from alerts.roster.model import Roster
from alerts.roster.read import parse, tables_of
from ecgstream.consulting.level import above

TEAM = """
[[team]]
name = "{name}"
region = "{region}"
zone = "Asia/Shanghai"
members = ["li"]
{more}
"""
WAY = ("nation", "province", "county", "town", "village")


def roster(*regions: str, **special: str) -> Roster:
    text = 'version = 1\nfallback = "nation"\n[[person]]\naccount = "li"\nskills = ["pacing"]\n'
    teams = {"nation": ("nation", ""), **{r: (r, "") for r in regions}}
    teams |= {f"{region} too": (region, more) for region, more in special.items()}
    text += "".join(TEAM.format(name=n, region=r, more=more) for n, (r, more) in teams.items())
    return parse(tables_of(text))


def test_the_nearest_above_is_asked_and_never_one_s_own() -> None:
    found = roster("county", "village", "elsewhere")
    assert above(found, WAY) == ("nation", "province", "county")
    assert above(found, WAY[:3]) == ("nation",)
    assert above(found, WAY[:1]) == ()


def test_a_team_for_some_alarms_only_is_not_asked() -> None:
    found = roster(town='skill = "pacing"', county="green_channel = true")
    assert above(found, WAY) == ("nation",)


def test_without_a_roster_there_is_nobody() -> None:
    assert above(None, WAY) == ()
    assert above(roster(), ("other", "place")) == ()
