"""Local times as moments, also where clocks are changed."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.roster.civil import local, moment_ns
from tests.alerts.roster.rosters import ZONES, at

HOUR_NS = 3600 * 1_000_000_000
zones = st.sampled_from([*ZONES, "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca"]).map(ZoneInfo)
locals_ = st.datetimes(datetime.fromisoformat("2011-01-01"), datetime.fromisoformat("2040-01-01")).map(
    lambda moment: moment.replace(microsecond=0)
)


@pytest.mark.parametrize(
    ("zone", "day", "changed"),
    [
        ("Europe/Berlin", "2026-03-29", "2026-03-29T01:00+00:00"),
        ("America/New_York", "2026-03-08", "2026-03-08T07:00+00:00"),
    ],
)
def test_a_time_that_clocks_skip_is_the_moment_at_which_they_do(zone: str, day: str, changed: str) -> None:
    assert at(f"{day}T02:00", zone) == at(changed)
    assert at(f"{day}T02:30", zone) == at(changed)
    assert at(f"{day}T02:59:59", zone) == at(changed)
    assert at(f"{day}T03:00", zone) == at(changed)
    assert at(f"{day}T01:59", zone) == at(changed) - HOUR_NS // 60


@pytest.mark.parametrize(
    ("zone", "day"), [("Europe/Berlin", "2026-10-25"), ("America/New_York", "2026-11-01")]
)
def test_a_time_that_comes_twice_is_meant_the_first_time_unless_it_says_otherwise(
    zone: str, day: str
) -> None:
    twice = {"Europe/Berlin": "02:30", "America/New_York": "01:30"}[zone]
    first = at(f"{day}T{twice}", zone)
    assert local(first, ZoneInfo(zone)).fold == 0
    second = local(first + HOUR_NS, ZoneInfo(zone))
    assert (second.fold, f"{second:%H:%M}") == (1, twice)
    assert moment_ns(datetime.fromisoformat(second.isoformat()), ZoneInfo(zone)) == first + HOUR_NS


def test_shanghai_has_changed_no_clock_for_a_generation() -> None:
    assert at("2026-07-01T08:00") - at("2026-01-01T08:00") == 181 * 24 * HOUR_NS
    assert at("1990-07-01T08:00") - at("1990-01-01T08:00") == (181 * 24 - 1) * HOUR_NS


@given(zones, locals_, st.integers(0, 200_000).map(lambda s: timedelta(seconds=s)))
def test_a_later_local_time_is_never_an_earlier_moment(
    zone: ZoneInfo, first: datetime, more: timedelta
) -> None:
    assert moment_ns(first, zone) <= moment_ns(first + more, zone)


@given(zones, locals_)
def test_a_local_time_that_is_there_is_told_as_itself(zone: ZoneInfo, said: datetime) -> None:
    found = local(moment_ns(said, zone), zone)
    assert found.replace(tzinfo=None, fold=0) == said or _is_skipped(said, zone)


def _is_skipped(said: datetime, zone: ZoneInfo) -> bool:
    before, behind = (said.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1))
    assert before is not None
    assert behind is not None
    return before < behind
