"""Moments to the nanosecond, and what is none."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.errors import MessageError
from devices.http.times import moment_ns


@given(
    st.integers(86_400_000_000, 2**52),
    st.integers(-14 * 60, 14 * 60),
    st.integers(0, 999),
)
def test_every_moment_comes_through_with_its_offset_and_its_nanoseconds(
    at_us: int, offset_min: int, ns: int
) -> None:
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)
    zone = timezone(timedelta(minutes=offset_min))
    text = moment.astimezone(zone).isoformat(timespec="microseconds")
    assert moment_ns(f"{text[:26]}{ns:03d}{text[26:]}") == at_us * 1000 + ns


def test_letters_may_be_small_fractions_long_and_a_leap_second_is_the_next() -> None:
    assert moment_ns("2026-11-28t10:00:00z") == moment_ns("2026-11-28T10:00:00Z")
    assert moment_ns("2026-11-28T10:00:00.1234567890Z") == moment_ns("2026-11-28T10:00:00.123456789Z")
    assert moment_ns("2016-12-31T23:59:60Z") == moment_ns("2017-01-01T00:00:00Z")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-11-28",
        "2026-11-28T10:00:00",  # without an offset it may be any of 26 hours
        "2026-11-28 10:00:00Z",
        "2026-11-28T10:00Z",
        "2026-02-30T10:00:00Z",
        "2026-11-28T24:00:00Z",
        "2026-11-28T10:00:61Z",
        "2026-11-28T10:00:00+24:00",
        "2026-11-28T10:00:00+08:60",
        "1969-12-31T23:59:59Z",
        "9999-12-31T23:59:59Z",
        "\N{FULLWIDTH DIGIT TWO}026-11-28T10:00:00Z",
        "2026-11-28T10:00:00Z\n",
    ],
)
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(MessageError):
        moment_ns(text)


@given(st.text(st.sampled_from("0123456789-+:.TZtz "), max_size=40))
def test_any_text_is_a_moment_or_the_one_error(text: str) -> None:
    with suppress(MessageError):
        assert moment_ns(text) >= 0
