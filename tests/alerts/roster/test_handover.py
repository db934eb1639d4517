"""What is open in a team as one shift ends."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from alerts.roster.handover import handover, lines_of
from alerts.roster.steps import Where
from schemas.records import Alert, AlertState, Phase, Priority
from tests.alerts.roster.rosters import at, roster, team, weekly
from tests.alerts.timeline import Timeline

ROSTER = roster(
    team=[team(), team("h1", "h1")],
    weekly=[weekly("li"), weekly("wang", "20:00", "08:00"), weekly("chen", team="h1")],
)
H1, HENAN = Where(("henan", "h1")), Where(("henan", "h2"))
EVENING = at("2026-07-01T20:00")
SINCE = "since 2023-11-14T22:13:20.000Z"


def alert(id_: str, state: AlertState = AlertState.ACTIVE, code: str = "ASYSTOLE", **more: Any) -> Alert:
    t = Timeline()
    t.at(4, Phase.ONSET, code)
    return replace(t.said[0], id=id_, state=state, **more)


def test_what_is_open_in_the_team_goes_from_one_shift_to_the_next_the_worst_first() -> None:
    alerts = [
        (alert("low", code="LEAD_OFF", priority=Priority.LOW), HENAN),
        (alert("taken", AlertState.ACKNOWLEDGED, acknowledged_by="li", reason="at the bedside"), HENAN),
        (alert("ended", AlertState.ENDED), HENAN),
        (alert("latched", AlertState.LATCHED, patient=""), HENAN),
        (alert("another team's"), H1),
    ]
    found = handover(ROSTER, ROSTER.team_of["henan"], alerts, EVENING)
    assert [one.id for one in found.alerts] == ["latched", "taken", "low"]
    assert lines_of(found) == [
        "Hand-over of team henan at 2026-07-01 20:00: li to wang",
        "3 alerts are open",
        f"!!! Asystole: device dev-1, patient unassigned, {SINCE}; over, nobody has taken it",
        f"!!! Asystole: device dev-1, patient p-1, {SINCE}; lasts, taken by li: at the bedside",
        f"! An ECG lead is off: device dev-1, patient p-1, {SINCE}; lasts, nobody has taken it",
    ]


def test_what_another_team_took_over_a_hole_is_the_team_s_too() -> None:
    found = handover(ROSTER, ROSTER.team_of["h1"], [(alert("at night"), H1)], at("2026-07-02T08:00"))
    assert (found.before, found.behind, [one.id for one in found.alerts]) == ((), ("chen",), ["at night"])
    assert lines_of(found)[:2] == [
        "Hand-over of team h1 at 2026-07-02 08:00: NOBODY to chen",
        "1 alert is open",
    ]


def test_nothing_is_open() -> None:
    assert lines_of(handover(ROSTER, ROSTER.teams[0], [], EVENING))[1:] == ["no alert is open"]
