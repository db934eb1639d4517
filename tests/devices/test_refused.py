"""Servers tell of each message that can never be taken, and of none that later may be."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC
from typing import Any

import pytest

from devices.errors import FullError, NotAdmittedError
from devices.hl7.mllp import framed
from devices.hl7.server import MllpServer
from devices.hl7.write import report
from devices.http.app import Limits, make_app
from devices.reading import Measured, Reading
from schemas import mdc
from schemas.errors import BadRecordError
from tests.devices.http.intake import FHIR, JSON, Kept, ask
from tests.devices.http.made import form_of, packet
from tests.devices.http.test_app import OBSERVATION, sent

AT = 1_700_000_000 * 10**9
NAMED = "Nobody^Atall"
PID = f"PID|1||42||{NAMED}^^^^^L\r".encode()


class Heard:
    def __init__(self) -> None:
        self.told: list[tuple[str, str, str, str]] = []
        self.contents: list[bytes] = []

    def __call__(self, protocol: str, device: str, reason: str, content: bytes, message: str = "") -> None:
        self.told.append((protocol, device, reason, message))
        self.contents.append(content)


# -- HL7


class Intake:
    def __init__(self, error: Exception | None) -> None:
        self.error = error

    async def read(self, device: str, reading: Reading, *, is_urgent: bool = True) -> None:
        if self.error is not None:
            raise self.error


def speaks(device: str, _: Any) -> None:
    if device == "stranger":
        raise NotAdmittedError("stranger is not enrolled")


def message(device: str = "mon-1") -> bytes:
    """A report, in which a patient is named."""
    made = report(Reading(device, "m-1", AT, (), (Measured(AT, mdc.SPO2, 97.0),)))
    named = re.sub(rb"PID\|[^\r]*\r", PID, made)
    assert NAMED.encode() in named
    return named


def heard_of(frame: bytes, error: Exception | None = None) -> tuple[list[tuple[str, str, str, str]], bytes]:
    """What is told of a frame, and its answer."""
    heard = Heard()

    async def story() -> bytes:
        mllp = MllpServer(Intake(error), speaks, UTC, lambda: AT, refused=heard)
        server = await asyncio.start_server(mllp.serve, "127.0.0.1", 0)
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname()[:2])
        writer.write(framed(frame))
        answer = await reader.readuntil(b"\x1c\r")
        writer.close()
        await writer.wait_closed()
        server.close()
        while mllp.connections:
            await asyncio.sleep(0.01)
        return answer

    answer = asyncio.run(asyncio.wait_for(story(), 30))
    assert all(content == frame for content in heard.contents)
    return heard.told, answer


def test_what_is_taken_is_not_told_and_neither_is_what_there_is_no_room_for_now() -> None:
    assert heard_of(message())[0] == []
    assert heard_of(message(), FullError("no room"))[0] == []


def test_a_message_of_hl7_that_cannot_be_meant_is_told() -> None:
    assert heard_of(message(), BadRecordError("a rate of 0"))[0] == [("hl7", "mon-1", "a rate of 0", "m-1")]


def test_a_device_that_may_not_send_is_told() -> None:
    assert heard_of(message("stranger"))[0] == [("hl7", "stranger", "stranger is not enrolled", "m-1")]


def test_a_message_of_hl7_that_cannot_be_read_is_told_without_its_patient() -> None:
    told, answer = heard_of(message().replace(b"ORU^R01", b"ADT^A01", 1))
    ((protocol, device, reason, _),) = told
    assert (protocol, device) == ("hl7", "")
    assert reason
    assert NAMED not in reason
    assert NAMED.encode() not in answer


# -- HTTP


def asked(intake: Kept, path: str, body: bytes, kind: str = JSON) -> list[tuple[str, str, str, str]]:
    heard = Heard()
    ask(make_app(intake, Limits(), refused=heard), path, body, kind)
    return heard.told


def test_requests_that_are_taken_or_may_be_later_are_not_told() -> None:
    assert asked(Kept(), "/v1/packets", sent(form_of(packet(0)))) == []
    full = Kept()
    full.error = FullError("no room")
    assert asked(full, "/v1/packets", sent(form_of(packet(0)))) == []


@pytest.mark.parametrize("body", [b"{", b'{"packets": 1}'])
def test_a_body_that_is_no_request_is_told(body: bytes) -> None:
    ((protocol, device, reason, _),) = asked(Kept(), "/v1/packets", body)
    assert (protocol, device) == ("http", "dev-1")
    assert reason


def test_items_that_are_refused_are_told_once_a_request() -> None:
    items = [form_of(packet(0)), form_of(packet(1)) | {"seq": -1}, form_of(packet(2)) | {"device": "dev-2"}]
    ((_, device, reason, _),) = asked(Kept(), "/v1/packets", sent(*items))
    assert (device, reason[:8]) == ("dev-1", "2 of 3: ")


def test_a_device_that_is_disabled_and_one_that_sends_for_another_are_told() -> None:
    assert asked(Kept(disabled=True), "/v1/packets", b"") == [
        ("http", "dev-1", "this device is disabled", "")
    ]
    observation = OBSERVATION.replace(b"dev-1", b"dev-2")
    assert observation != OBSERVATION
    assert asked(Kept(), "/fhir/Observation", observation, FHIR) == [
        ("http", "dev-1", "this key is of another device", "")
    ]
