"""Packets and numbers as JSON: what comes through, what is refused, and what no error shows."""

from __future__ import annotations

import json
import math
import re
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.errors import MessageError
from devices.http import forms
from schemas import mdc
from schemas.codec import encode
from schemas.records import ECG_KIND, MISSING, Channel, Packet, Vital
from schemas.units import MILLIVOLT
from tests.devices.http.made import FIXTURES, form_of, packet, vital_form

NAME = "Jane Doe (made up)"


def packets(*items: Any) -> list[Packet | MessageError]:
    return forms.packets(json.dumps({"packets": items}).encode())


def vitals(*items: Any) -> list[Vital | MessageError]:
    return forms.vitals(json.dumps({"vitals": items}).encode())


def reason(*items: Any) -> str:
    (found,) = packets(*items)
    assert isinstance(found, MessageError)
    return str(found)


def changed(path: str, value: Any) -> dict[str, Any]:
    """The made packet with one field changed; ``channel.x`` is one of its first channel."""
    form = form_of(packet(0))
    where = form["channels"][0] if path.startswith("channel.") else form
    where[path.removeprefix("channel.")] = value
    return form


def test_the_fixtures_are_the_packets_that_they_were_made_from() -> None:
    found = forms.packets((FIXTURES / "http" / "packets.json").read_bytes())
    assert [encode(p) for p in found if isinstance(p, Packet)] == [encode(packet(0)), encode(packet(1))]


def test_the_fixtures_numbers() -> None:
    spo2, rate, breaths = forms.vitals((FIXTURES / "http" / "vitals.json").read_bytes())
    assert spo2 == Vital("dev-1", 1_795_860_000_000_000_000, 1_795_860_001_500_000_000, mdc.SPO2, 97.0)
    assert isinstance(rate, Vital)
    assert rate.value == 60
    assert isinstance(breaths, Vital)
    assert math.isnan(breaths.value)


@st.composite
def made_packets(draw: st.DrawFn) -> Packet:
    count, rate = draw(st.integers(1, 50)), draw(st.floats(10, 1000))
    channels = [
        Channel(
            draw(st.sampled_from(list(mdc.LEADS.values()))),
            ECG_KIND,
            MILLIVOLT,
            rate,
            draw(st.floats(0.01, 1e6)),
            np.array(draw(st.lists(st.integers(MISSING, 32767), min_size=count, max_size=count)), np.int16),
            draw(st.floats(-1e6, 1e6)),
            lead_off=draw(st.booleans()),
        )
        for _ in range(draw(st.integers(1, 4)))
    ]
    counts = st.integers(0, 2**53 - 1)
    moments = st.integers(0, 2**62 - 1)
    marks = draw(st.lists(st.integers(0, count - 1), max_size=3))
    return Packet("dev-1", draw(moments), draw(counts), draw(counts), draw(moments), 0, channels, marks)


@given(made_packets(), st.booleans())
def test_every_packet_comes_through_as_it_is(made: Packet, as_base64: bool) -> None:
    (found,) = packets(form_of(made, as_base64=as_base64))
    assert isinstance(found, Packet)
    assert encode(found) == encode(made)


def test_a_lead_may_be_named_and_microvolts_become_steps_a_millivolt() -> None:
    form = changed("channel.code", None)
    form["channels"][0] |= {"lead": "II", "unit": "uV", "gain": 0.4}
    (found,) = packets(form)
    assert isinstance(found, Packet)
    assert (found.channels[0].code, found.channels[0].gain) == (mdc.LEADS["II"], 400.0)


def test_moments_may_be_text() -> None:
    (found,) = packets(changed("start", "2026-11-28T18:00:00+08:00") | {"session": "2026-11-28T10:00:00Z"})
    assert isinstance(found, Packet)
    assert found.session == found.start_ns == packet(0).start_ns


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("device", "", "length|regex"),
        ("device", "dev 1", "regex"),
        ("device", "dev-1\n", "a device id that is none"),
        ("session", -1, "out of range"),
        ("session", 10**30, "out of range"),
        ("session", "yesterday", "a moment has the form"),
        ("seq", -1, ">= 0"),
        ("seq", 1.5, "Expected `int`"),
        ("first_sample", 2**53, "<= 9007199254740991"),
        ("start", True, "Expected `int | str`"),
        ("channels", [], "length >= 1"),
        ("pace_marks", [250], "a pace mark outside its packet"),
        ("channel.rate", 0, "sampling rate"),
        ("channel.rate", 125, "cover different times"),
        ("channel.gain", 0, "> 0"),
        ("channel.gain", 1e13, "gain"),
        ("channel.unit", "mm[Hg]", r"channels\[0\]: such a wave is in mV, uV, V"),
        ("channel.code", None, r"channels\[0\]: either lead or code"),
        ("channel.lead", "II", r"channels\[0\]: either lead or code"),
        ("channel.code", 150084, r"channels\[0\]: no wave that is known here"),
        ("channel.samples", [40000], r"channels\[0\]: a sample beyond 16 bits"),
        ("channel.samples", [10**30], "16 bits|out of range"),
        ("channel.samples", [0.5], "Expected `int`"),
        ("channel.samples", "AA==", "half a sample"),
        ("channel.samples", "?", "base64"),
        ("channel.filters", {"notch": -50}, ">= 0"),
        ("channel.filters", {"notch": 1e300}, "<= 50000"),
        ("lead_of", True, "a field that is not known here"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_a_reason(path: str, value: Any, says: str) -> None:
    found = reason(changed(path, value))
    assert re.search(says, found), found


def test_one_item_that_is_wrong_refuses_no_other() -> None:
    found = packets(form_of(packet(0)), {}, 7, form_of(packet(1)))
    assert [type(f) for f in found] == [Packet, MessageError, MessageError, Packet]


@pytest.mark.parametrize(
    "form",
    [
        changed(NAME, 1),
        changed(f"channel.{NAME}", 1),
        changed("device", NAME),
        changed("device", f"{NAME.replace(' ', '')}\n"),
        changed("start", NAME),
        changed("seq", NAME),
        changed("channel.lead", NAME),
        changed("channel.unit", NAME),
        changed("channel.samples", NAME),
        changed("channel.filters", {NAME: NAME}),
        {NAME: {NAME: NAME}},
        NAME,
    ],
    ids=range(12),
)
def test_no_reason_shows_what_was_sent(form: Any) -> None:
    told = reason(form)
    assert "Jane" not in told
    assert "Doe" not in told


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"code": mdc.NEWS2, "unit": "{score}"}, "no number that is taken here"),
        ({"unit": "1"}, "such a number is in %"),
        ({"value": "97"}, "Expected `float | null`"),
        ({"time": 2**62}, "out of range"),
        ({"session": -1}, "out of range"),
        ({"code": mdc.NIBP_SYS, "unit": "kPa", "value": 1e308}, "not finite"),
        ({"patient": NAME}, "a field that is not known here"),
    ],
)
def test_numbers_that_cannot_be_meant_are_refused(change: dict[str, Any], says: str) -> None:
    (found,) = vitals(vital_form() | change)
    assert isinstance(found, MessageError)
    assert says in str(found)
    assert "Jane" not in str(found)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"packets": {}}',
        b'{"packets": [1, 2',
        b'{"packets": [], "Jane Doe": 1}',
        b'\xff\xfe{"packets": []}',
        b'{"packets": ' + b"[" * 100_000,
        b'{"x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        json.dumps({"packets": [0] * (forms.MAX_ITEMS + 1)}).encode(),
    ],
    ids=range(10),
)
def test_a_body_that_is_no_request_is_refused_as_a_whole(body: bytes) -> None:
    with pytest.raises(MessageError) as error:
        forms.packets(body)
    assert "Jane" not in str(error.value)


def test_an_item_that_is_nested_deeply_is_refused_by_itself() -> None:
    depth = 500
    body = b'{"packets": [{"device": ' + b"[" * depth + b"]" * depth + b"}]}"
    (found,) = forms.packets(body)
    assert isinstance(found, MessageError)


BODIES = [(FIXTURES / "http" / name).read_bytes() for name in ("packets.json", "vitals.json")]


@given(st.sampled_from(BODIES), st.integers(0, 6000), st.integers(0, 200), st.binary(max_size=20))
def test_damaged_bodies_are_read_or_the_one_error(body: bytes, at: int, cut: int, put: bytes) -> None:
    damaged = body[:at] + put + body[at + cut :]
    for read in (forms.packets, forms.vitals):
        with suppress(MessageError):
            assert all(isinstance(f, Packet | Vital | MessageError) for f in read(damaged))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=10,
    ),
    st.sampled_from(["device", "session", "seq", "start", "channels", "pace_marks", "channel.samples"]),
)
def test_any_value_anywhere_is_taken_or_refused(value: Any, path: str) -> None:
    body = json.dumps({"packets": [changed(path, value)]}).encode()
    try:
        (found,) = forms.packets(body)
    except MessageError:  # NaN and infinity are no JSON
        return
    assert isinstance(found, Packet | MessageError)
