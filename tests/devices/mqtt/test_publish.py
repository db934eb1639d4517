"""A PUBLISH comes out as it was put together, whatever its properties are; what is not whole is an error."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.errors import MessageError
from devices.mqtt.publish import Arrived, publish_of
from tests.devices.mqtt.broker import number, publish, text

TOPIC = "ecgstream/v1/7/dev-1/packets"
SHORT = st.binary(max_size=20)
# Identifier and value of each property that a message may have (2.2.2.2), but for the content type.
PROPERTIES = st.one_of(
    st.integers(0, 255).map(lambda value: bytes([1, value])),
    st.binary(min_size=4, max_size=4).map(lambda value: b"\2" + value),
    st.binary(min_size=2, max_size=2).map(lambda value: b"\x23" + value),
    st.integers(1, 2**28 - 1).map(lambda value: b"\x0b" + number(value)),
    st.tuples(st.sampled_from([b"\x08", b"\x09"]), SHORT).map(lambda two: two[0] + behind_length(two[1])),
    st.tuples(SHORT, SHORT).map(lambda two: b"\x26" + behind_length(two[0]) + behind_length(two[1])),
)


def behind_length(value: bytes) -> bytes:
    return len(value).to_bytes(2, "big") + value


def read(frame: bytes) -> Arrived:
    """Read a frame of less than 128 bytes, or of some kilobytes."""
    return publish_of(frame[0], frame[2:] if frame[1] < 128 else frame[3:])


@given(st.integers(1, 65_535), st.text(max_size=20), SHORT, st.text(max_size=20), st.booleans())
def test_it_is_as_it_was_put_together(
    mid: int, topic: str, payload: bytes, content_type: str, retain: bool
) -> None:
    made = publish(mid, topic, payload, content_type=content_type, retain=retain)
    assert read(made) == Arrived(mid, topic, payload, content_type, retain)


def test_without_acknowledgement_it_has_no_number() -> None:
    assert read(publish(0, TOPIC, b"x", qos=0)) == Arrived(0, TOPIC, b"x", "", is_retained=False)
    with pytest.raises(MessageError, match="not asked for"):
        read(publish(1, TOPIC, b"x", qos=2))


@given(st.lists(PROPERTIES, max_size=6), st.lists(PROPERTIES, max_size=6))
def test_other_properties_are_passed_over_whatever_they_hold(
    before: list[bytes], behind: list[bytes]
) -> None:
    properties = b"".join(before) + b"\3" + text("application/json") + b"".join(behind)
    body = text(TOPIC) + b"\0\7" + number(len(properties)) + properties + b"payload"
    assert publish_of(0x32, body) == Arrived(7, TOPIC, b"payload", "application/json", is_retained=False)


GOOD = publish(7, TOPIC, b"", content_type="application/json")[2:]


@pytest.mark.parametrize("length", range(len(GOOD)))
def test_one_that_is_cut_off_is_an_error(length: int) -> None:
    with pytest.raises(MessageError):
        publish_of(0x32, GOOD[:length])


@given(st.integers(0, 255), st.binary(max_size=100))
def test_whatever_bytes_are_they_are_a_message_or_an_error(first: int, body: bytes) -> None:
    try:
        found = publish_of(first, body)
    except MessageError:
        return
    assert len(found.payload) <= len(body)
