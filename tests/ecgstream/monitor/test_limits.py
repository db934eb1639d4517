"""What the form of limits is told, without a database."""

from __future__ import annotations

from typing import Any

import pytest

from ecgstream.monitor.pages import limits
from ecgstream.monitor.pages.limits import Refused, Row, rows
from ecgstream.monitor.read.limits import Standing
from ecgstream.monitor.wording import WORDINGS
from ecgstream.registry.limits import NUMBERS
from schemas import mdc
from schemas.limits import DEFAULTS
from schemas.records import Category, Limit

STANDING = {limit.code: Standing(limit) for limit in DEFAULTS[Category.ADULT]}


def form(number: int, **said: str) -> dict[str, str]:
    return {"number": str(number), "seen": "0", "act": "change", "reason": "x"} | said


def take(said: dict[str, str]) -> Any:
    """What becomes of a form that must not reach a database."""
    nothing: Any = None
    return limits.take(nothing, "p", said)


@pytest.mark.parametrize(
    ("said", "at", "why"),
    [
        (form(mdc.HEART_RATE, low="", high="120"), "low", "text"),
        (form(mdc.HEART_RATE, low="50", high="\N{FULLWIDTH DIGIT ONE}20"), "high", "text"),
        (form(mdc.HEART_RATE, low="inf", high="120"), "low", "text"),
        (form(mdc.HEART_RATE, low="50", high="1201"), "high", "beyond"),
        (form(mdc.HEART_RATE, low="120", high="120"), "low", "crossed"),
        (form(mdc.RR, high="0.5"), "high", "beyond"),
        (form(mdc.SPO2, low="88", high="off", reason="  "), "reason", "reason"),
        (form(mdc.SPO2, low="88", high="off", reason="x" * 201), "reason", "reason"),
        (form(mdc.SPO2, act="default", reason=""), "reason", "reason"),
    ],
)
def test_a_value_is_refused_at_its_field(said: dict[str, str], at: str, why: str) -> None:
    found = take(said)
    assert isinstance(found, Refused)
    assert (found.at, found.why) == (at, why)
    for words in WORDINGS.values():
        assert words(f"limit.fault.{why}", **found.values)


@pytest.mark.parametrize(
    "wrong", [{"number": ""}, {"number": "1"}, {"seen": ""}, {"seen": "-1"}, {"seen": "٣"}]
)
def test_what_is_no_form_of_ours_is_nothing(wrong: dict[str, str]) -> None:
    assert take(form(mdc.HEART_RATE, low="50", high="120") | wrong) is None


def test_what_was_typed_stands_where_it_was_refused_and_nowhere_else() -> None:
    refused = Refused(mdc.SPO2, {"low": "x", "high": "off", "reason": ""}, "low", "text")
    found = {row.number.code: row for row in rows(STANDING, refused)}
    assert list(found) == [number.code for number in NUMBERS.values()]
    assert (found[mdc.SPO2].low, found[mdc.TEMPERATURE].low, found[mdc.ST].low) == ("x", "35", "-0.1")
    assert rows({}, None) == []


def test_where_a_limit_is_off_the_page_says_what_alarms_all_the_same() -> None:
    off = {one.code: Row(one, Standing(Limit(one.code, None, None)), None).still for one in NUMBERS.values()}
    assert {code for code, still in off.items() if still} == {
        mdc.HEART_RATE,
        mdc.SPO2,
        mdc.RESP_RATE,
        mdc.VPC_RATE,
        mdc.RR,
    }
    assert [row.still for row in rows(STANDING, None) if row.still] == []
    for words in WORDINGS.values():
        assert all(words(f"limit.still.{still}") for still in off.values() if still)
