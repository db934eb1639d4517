"""Bodies of Avro records."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.errors import MessageError
from devices.http.forms import MAX_ITEMS
from devices.http.records import records
from schemas import mdc
from schemas.codec import encode
from schemas.records import Packet, Vital
from tests.devices.http.made import FIXTURES, START_NS, framed, packet

BODY = (FIXTURES / "http" / "packets.avro").read_bytes()
VITAL = Vital("dev-1", START_NS, START_NS, mdc.SPO2, 97.0)


def reason(body: bytes, kind: type[Packet] | type[Vital] = Packet) -> str:
    (found,) = records(body, kind)
    assert isinstance(found, MessageError)
    return str(found)


def test_the_fixture_holds_the_packets_that_it_was_made_from() -> None:
    found = records(BODY, Packet)
    assert [encode(p) for p in found if isinstance(p, Packet)] == [encode(packet(0)), encode(packet(1))]


@given(st.lists(st.integers(0, 100), max_size=5))
def test_packets_come_through_without_the_device_saying_when_they_arrived(seqs: list[int]) -> None:
    made = [packet(seq) for seq in seqs]
    found = records(framed([replace(p, received_ns=99) for p in made]), Packet)
    assert [encode(p) for p in found if isinstance(p, Packet)] == [encode(p) for p in made]


def test_numbers_come_through() -> None:
    assert records(framed([VITAL, VITAL]), Vital) == [VITAL, VITAL]


def test_one_record_that_is_wrong_refuses_no_other() -> None:
    broken = len(b"broken").to_bytes(4, "big") + b"broken"
    found = records(framed([packet(0)]) + broken + framed([VITAL]) + framed([packet(1)]), Packet)
    assert [type(f) for f in found] == [Packet, MessageError, MessageError, Packet]


@pytest.mark.parametrize(
    ("vital", "says"),
    [
        (replace(VITAL, code=mdc.NEWS2), "no number that is taken here"),
        (replace(VITAL, value=float("inf")), "not finite"),
        (replace(VITAL, time_ns=-1), "out of range"),
        (replace(VITAL, device="Jane Doe"), "a device id that is none"),
    ],
)
def test_numbers_that_cannot_be_meant_are_refused(vital: Vital, says: str) -> None:
    assert says in reason(framed([vital]), Vital)


@pytest.mark.parametrize(
    ("field", "value"), [("kind", 3), ("kind", -1), ("unit", 99), ("unit", 2), ("code", 1)]
)
def test_channels_whose_fields_do_not_go_together_are_refused(field: str, value: int) -> None:
    made = packet(0)
    setattr(made.channels[0], field, value)
    assert "not known together" in reason(framed([made]))


def test_a_name_in_the_place_of_the_device_is_not_shown() -> None:
    said = framed([packet(0)]).replace(b"dev-1", b"J Doe")
    assert b"J Doe" in said
    assert reason(said) == "a device id that is none"


@pytest.mark.parametrize(
    "body",
    [
        b"\0",
        b"\0\0\0",
        b"\x40\0\0\0",  # a gigabyte, it says
        b"\xff\xff\xff\xff" + BODY,
        BODY[:-1],
        b"\0\0\0\0" * (MAX_ITEMS + 1),
    ],
    ids=range(6),
)
def test_a_body_that_is_cut_wrongly_is_refused_as_a_whole(body: bytes) -> None:
    with pytest.raises(MessageError):
        records(body, Packet)


def test_an_empty_body_holds_no_records() -> None:
    assert records(b"", Packet) == []


@given(
    st.binary(max_size=200), st.integers(0, len(BODY)), st.integers(0, 50), st.sampled_from([Packet, Vital])
)
def test_damaged_bodies_are_read_or_the_one_error(
    put: bytes, at: int, cut: int, kind: type[Packet] | type[Vital]
) -> None:
    for body in (put, BODY[:at] + put + BODY[at + cut :]):
        with suppress(MessageError):
            assert all(isinstance(f, kind | MessageError) for f in records(body, kind))
