"""The receiving gateway's bench: what it sends can all be taken, and its figures are of that."""

from __future__ import annotations

from datetime import UTC
from typing import Any

import pytest

from devices.errors import MessageError
from devices.hl7.pcd import reading_of
from devices.http import forms, write
from devices.http.records import records
from ecgstream.bench import receive, senders
from ecgstream.bench.document import of_receive
from schemas.records import Packet


def test_all_messages_can_be_read_as_they_were_meant() -> None:
    load = senders.messages(2 * senders.DEVICES)
    assert load.units == 2 * senders.DEVICES
    found = [reading_of(message, UTC) for sent in load.sent for message in sent]
    assert len({(reading.device, reading.message) for reading in found}) == load.units
    for reading in found:
        assert reading.left_out == ()
        (stretch,) = reading.stretches
        assert [channel.samples.size for channel in stretch.channels] == [senders.RATE_HZ] * 4
    wanted = senders.packets(0, 0, 1, 0)[0].channels
    got = found[0].stretches[0].channels
    assert [c.samples.tolist() for c in got] == [c.samples.tolist() for c in wanted]


@pytest.mark.parametrize("form", [write.packets, write.records])
def test_all_bodies_can_be_read_as_they_were_meant(form: Any) -> None:
    load = senders.bodies(senders.DEVICES * senders.A_BATCH * 2, form)
    assert load.units == senders.DEVICES * senders.A_BATCH * 2
    body = load.sent[3][1]
    found = forms.packets(body) if form is write.packets else records(body, Packet)
    assert not any(isinstance(one, MessageError) for one in found)
    assert {one.device for one in found if isinstance(one, Packet)} == {senders.name_of(3)}
    assert [one.seq for one in found if isinstance(one, Packet)] == [
        *range(senders.A_BATCH, 2 * senders.A_BATCH)
    ]


def test_the_parts_and_the_rest_are_what_it_takes() -> None:
    for way, parts in {"mllp": 5, "mqtt": 2, "http_json": 2, "http_avro": 2}.items():
        found = receive._parts(way, receive._WAYS[way][0](senders.DEVICES))
        assert len(found) == parts
        assert all(spent_s >= 0 for spent_s in found.values())


def test_what_is_wanted_is_told_beside_what_was_found() -> None:
    of_way = {
        "a_core": 600,
        "us": 1666.7,
        "acknowledging_us": 300.0,
        "ratio": 5.56,
        "parts_us": {"reading": 900.0},
    }
    found = {"run": {"python": "3.11"}} | dict.fromkeys(("mllp", "mqtt", "http_json", "http_avro"), of_way)
    assert [met for *_, met in receive.bars(found)] == [True, False, False, False]
    assert "| a message by MLLP | 1,666.7 | 300.0 (5.56 times) | reading 900.0 (54%) |" in of_receive(found)
