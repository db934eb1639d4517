"""A file that a device sends is answered with what was taken of it, and shows nothing of the patient."""

from __future__ import annotations

import gzip

import anyio
import httpx
import pytest
from jsonschema import Draft202012Validator

from devices.errors import FullError, MessageError, NotAdmittedError
from devices.http.app import RECORDING_TYPES
from tests.devices.files.ecg import IDENTITY, START_NS
from tests.devices.http.intake import JSON, KEY, Kept, app_of, ask
from tests.devices.http.made import FIXTURES

PATH, OCTETS = "/v1/recordings", "application/octet-stream"
FILES = FIXTURES / "files"
TWELVE_LEADS = (FILES / "twelve-lead.dcm").read_bytes()
NO_ZONE = (FILES / "muse-like.xml").read_bytes()


@pytest.mark.parametrize("kind", RECORDING_TYPES)
def test_a_file_is_taken_and_said_what_of_it(kind: str) -> None:
    intake = Kept()
    answer = ask(app_of(intake), PATH, TWELVE_LEADS, kind)
    assert answer.status_code == 200
    assert answer.json() == {
        "format": "DICOM",
        "start": "2026-03-29T07:30:15.000000Z",
        "seconds": 2.0,
        "channels": 12,
        "left_out": ["12 derived leads: median beats, or computed by the device"],
    }
    (found,) = intake.recordings
    assert (found.source.device, found.start_ns) == ("dev-1", START_NS)


def test_it_may_be_packed() -> None:
    answer = ask(app_of(Kept()), PATH, gzip.compress(TWELVE_LEADS), OCTETS, content_encoding="gzip")
    assert answer.status_code == 200


@pytest.mark.parametrize("name", ["aecg.xml", "plain.scp", "huffman.scp", "twelve-lead.dcm"])
def test_nothing_of_the_patient_comes_back(name: str) -> None:
    body = (FILES / name).read_bytes()
    said = ask(app_of(Kept()), PATH, body, OCTETS).text
    refused = ask(app_of(Kept()), PATH, body[: len(body) // 2], OCTETS).text
    assert not [word for word in IDENTITY if word in said or word in refused]


def test_when_it_began_may_be_said_and_must_be_where_the_file_does_not() -> None:
    intake = Kept()
    refused = ask(app_of(intake), PATH, NO_ZONE, OCTETS)
    assert (refused.status_code, refused.headers["content-type"]) == (400, "application/problem+json")
    assert "its start must be given" in refused.json()["detail"]
    taken = ask(app_of(intake), f"{PATH}?start=2026-03-29T09:30:15%2B02:00", NO_ZONE, OCTETS)
    assert taken.json()["start"] == "2026-03-29T07:30:15.000000Z"
    assert ask(app_of(intake), f"{PATH}?start=yesterday", NO_ZONE, OCTETS).status_code == 400


def test_another_kind_of_body_is_not_taken() -> None:
    answer = ask(app_of(Kept()), PATH, TWELVE_LEADS, JSON)
    assert (answer.status_code, answer.headers["accept"]) == (415, ", ".join(RECORDING_TYPES))


def test_a_recording_has_a_limit_of_its_own() -> None:
    app = app_of(Kept(), body_bytes=10, recording_bytes=len(TWELVE_LEADS))
    assert ask(app, PATH, TWELVE_LEADS, OCTETS).status_code == 200
    assert ask(app, PATH, TWELVE_LEADS + b"!", OCTETS).status_code == 413


def test_no_more_than_two_are_held_in_memory_and_messages_do_not_wait_for_them() -> None:
    intake = Kept()
    app = app_of(intake, recordings_at_once=2)

    async def play() -> list[int]:
        intake.waits = anyio.Event()
        transport = httpx.ASGITransport(app=app)
        headers = {"Authorization": f"Bearer {KEY}", "Content-Type": OCTETS}
        statuses: list[int] = []
        async with httpx.AsyncClient(transport=transport, base_url="http://gw", trust_env=False) as client:

            async def send() -> None:
                statuses.append((await client.post(PATH, content=TWELVE_LEADS, headers=headers)).status_code)

            async with anyio.create_task_group() as group:
                for _ in range(2):
                    group.start_soon(send)
                while intake.calls < 2:
                    await anyio.sleep(0)
                await send()
                message = await client.post(
                    "/v1/packets", content=b'{"packets": []}', headers=headers | {"Content-Type": JSON}
                )
                statuses.append(message.status_code)
                intake.waits.set()
        return statuses

    assert anyio.run(play) == [503, 200, 200, 200]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (MessageError("reading it took more than 30 s"), 400),
        (FullError("at /var/lib/spool"), 503),
        (NotAdmittedError("dev-1 is not enrolled"), 403),
        (RuntimeError("at /var/lib/spool"), 500),
    ],
)
def test_what_taking_it_raises_becomes_a_status(error: Exception, status: int) -> None:
    intake = Kept()
    intake.error = error
    answer = ask(app_of(intake), PATH, TWELVE_LEADS, OCTETS)
    assert answer.status_code == status
    assert "/var/lib" not in answer.text


def test_the_document_says_so() -> None:
    document = ask(app_of(Kept()), "/openapi.json", key="", method="GET").json()
    post = document["paths"][PATH]["post"]
    assert set(post["requestBody"]["content"]) == set(RECORDING_TYPES)
    said = ask(app_of(Kept()), PATH, TWELVE_LEADS, OCTETS).json()
    schema = {"$ref": "#/components/schemas/Recorded", "components": document["components"]}
    Draft202012Validator(schema).validate(said)
