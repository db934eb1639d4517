"""Whom a call goes to, by the roster of the fixtures."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from alerts.call import LONGEST_S, Call
from alerts.roster.read import parse, tables_of
from alerts.route import Routing
from schemas.records import Alert, Phase, Priority
from tests.alerts.timeline import Timeline

ROSTER = parse(tables_of(Path("fixtures/roster.toml").read_text("utf-8")))
NIGHT = round(datetime(2026, 10, 14, 18, tzinfo=UTC).timestamp()) * 1_000_000_000
"""Two in the morning in Zhengzhou, on a Thursday."""


def routing() -> Routing:
    found = Routing()
    found.roster = ROSTER
    return found


def alert(code: str = "ASYSTOLE", facility: str = "henan.zhengzhou.h1", *, green: bool = False) -> Alert:
    t = Timeline()
    t.at(4, Phase.ONSET, code)
    return replace(t.said[0], facility=facility, green=green)


def test_without_a_roster_there_is_one_call_to_whoever_the_channel_reaches() -> None:
    assert Routing()(alert(), 1, NIGHT) == Call(("",), None)


def test_calls_go_from_who_is_on_duty_to_the_team_and_the_ward() -> None:
    route = routing()
    first, second, third = (route(alert(), n, NIGHT) for n in (1, 2, 3))
    assert first == Call(("wang",), 60.0)
    assert second.accounts == ("zhao",)
    assert second.next_s == 60.0
    assert set(third.accounts) == {"li", "wang", "zhang", "zhao", "h1_ward"}
    assert third.next_s == LONGEST_S[Priority.HIGH]
    assert route(alert(), 9, NIGHT) == third


def test_a_device_that_nobody_has_enrolled_is_the_fallback_team_s() -> None:
    assert routing()(alert(facility=""), 1, NIGHT).accounts == ("wang",)


def test_an_ambulance_goes_to_the_green_channel_at_once() -> None:
    assert routing()(alert(green=True), 1, NIGHT).accounts == ("sun",)


def test_a_patient_who_is_marked_goes_to_the_green_channel_until_the_mark_ends() -> None:
    until = datetime(2026, 10, 14, 19, tzinfo=UTC)
    tables = tables_of(Path("fixtures/roster.toml").read_text("utf-8"))
    route = Routing()
    route.roster = parse(tables | {"green": [{"patient": "P-ABCDE23456", "until": until}]})
    marked, other = (replace(alert(), patient=patient) for patient in ("P-ABCDE23456", "P-ZYXWV76543"))
    assert route(marked, 1, NIGHT).accounts == ("sun",)
    assert route(other, 1, NIGHT).accounts == ("wang",)
    end_ns = round(until.timestamp()) * 1_000_000_000
    assert route(marked, 1, end_ns - 1).accounts != route(other, 1, end_ns - 1).accounts
    assert route(marked, 1, end_ns) == route(other, 1, end_ns)


@pytest.mark.parametrize("code", ["PACER_NOT_CAPTURING", "PACER_NOT_PACING"])
def test_a_pacemaker_needs_somebody_who_knows_them_if_one_is_on_duty(code: str) -> None:
    day = NIGHT + 8 * 3600 * 1_000_000_000
    assert routing()(alert(code), 1, day).accounts == ("li",)
    assert routing()(alert("SPO2_LOW"), 1, day).accounts == ("chen",)
