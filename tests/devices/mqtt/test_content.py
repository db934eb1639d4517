"""What a message says, in each form; and whatever bytes say, it is items or an error of ours."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.errors import MessageError
from devices.http.forms import JSON_TYPE
from devices.http.records import AVRO_TYPE
from devices.mqtt.content import MOST_BYTES, is_online, items_of
from devices.mqtt.topics import Kind, Topic
from schemas import mdc
from schemas.records import Packet, Vital
from tests.devices.http.made import form_of, framed, packet, vital_form

PACKETS, VITALS, STATUS = (Topic(7, "dev-1", kind) for kind in Kind)
VITAL = Vital("dev-1", 1, 1_700_000_000_000_000_000, mdc.SPO2, 97.0)


def as_json(**said: Any) -> bytes:
    return json.dumps(said).encode()


MEANT = [
    (PACKETS, as_json(packets=[form_of(packet(0))]), JSON_TYPE),
    (PACKETS, framed([packet(0), packet(1)]), AVRO_TYPE),
    (VITALS, as_json(vitals=[vital_form()]), JSON_TYPE),
    (VITALS, framed([VITAL]), AVRO_TYPE),
]


@pytest.mark.parametrize("content_type", ["", JSON_TYPE])
def test_packets_in_json_are_as_they_were(content_type: str) -> None:
    said = [form_of(packet(0)), form_of(packet(1), as_base64=True)]
    first, second = items_of(PACKETS, as_json(packets=said), content_type)
    assert isinstance(first, Packet)
    assert isinstance(second, Packet)
    assert (first.device, first.seq, second.seq) == ("dev-1", 0, 1)
    assert np.array_equal(second.channels[1].samples, packet(1).channels[1].samples)


def test_packets_and_numbers_in_avro_are_as_they_were() -> None:
    found = items_of(PACKETS, framed([packet(0), packet(1)]), AVRO_TYPE)
    assert [one.seq for one in found if isinstance(one, Packet)] == [0, 1]
    assert items_of(VITALS, framed([VITAL]), AVRO_TYPE) == [VITAL]


def test_numbers_in_json_are_as_they_were() -> None:
    (found,) = items_of(VITALS, as_json(vitals=[vital_form()]), "")
    assert isinstance(found, Vital)
    assert (found.device, found.code, found.value) == ("dev-1", mdc.SPO2, 97.0)


def test_an_item_of_another_device_or_of_no_meaning_costs_no_other() -> None:
    said = [form_of(packet(0)), form_of(packet(1, "dev-2")), {"device": "dev-1", "name": "Jane Doe"}]
    taken, others, senseless = items_of(PACKETS, as_json(packets=said), "")
    assert isinstance(taken, Packet)
    assert str(others) == "it is of another device than its topic"
    assert isinstance(senseless, MessageError)
    assert "Jane" not in str(senseless)


@pytest.mark.parametrize(
    ("topic", "payload", "content_type", "said"),
    [
        (PACKETS, b"", "", "truncated"),
        (PACKETS, b'{"vitals": []}', "", "not known here"),
        (PACKETS, b"[" * 100_000, "", "Expected `object`"),
        (PACKETS, b"\xff\xff\xff\xff", AVRO_TYPE, "longer than the body"),
        (PACKETS, b"{}", "text/Jane Doe", "a content type is"),
        (STATUS, b"online", "", "a content type is"),
        (VITALS, b" " * (MOST_BYTES + 1), "", "at most"),
    ],
)
def test_what_cannot_be_meant_is_an_error_that_shows_nothing(
    topic: Topic, payload: bytes, content_type: str, said: str
) -> None:
    with pytest.raises(MessageError, match=said) as refused:
        items_of(topic, payload, content_type)
    assert "Jane" not in str(refused.value)


def test_a_status_is_one_of_two_words() -> None:
    assert (is_online(b"online"), is_online(b"offline")) == (True, False)
    for other in (b"", b"Online", b"offline\n", b'"online"', b"\xff"):
        with pytest.raises(MessageError, match="online or offline"):
            is_online(other)


def taken_or_refused(topic: Topic, payload: bytes, content_type: str) -> None:
    try:
        found = items_of(topic, payload, content_type)
    except MessageError:
        return
    assert all(isinstance(item, MessageError) or item.device == topic.device for item in found)


@given(
    st.sampled_from([PACKETS, VITALS, STATUS]),
    st.binary(max_size=300) | st.text(max_size=200).map(str.encode),
    st.sampled_from(["", JSON_TYPE, AVRO_TYPE]) | st.text(max_size=30),
)
def test_whatever_a_message_is_it_is_taken_or_refused(
    topic: Topic, payload: bytes, content_type: str
) -> None:
    taken_or_refused(topic, payload, content_type)


@given(st.data(), st.sampled_from(MEANT))
def test_whatever_is_changed_in_a_message_it_is_taken_or_refused(
    data: st.DataObject, meant: tuple[Topic, bytes, str]
) -> None:
    topic, payload, content_type = meant
    changed = bytearray(payload)
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(changed) - 1))
        changed[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
        if not changed:
            break
    taken_or_refused(topic, bytes(changed), content_type)
