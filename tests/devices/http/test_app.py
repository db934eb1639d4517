"""What devices are answered, and what was taken then."""

from __future__ import annotations

import json
from typing import Any

import pytest

from devices.errors import FullError, NotAdmittedError
from devices.http.forms import MAX_ITEMS
from schemas.codec import encode
from schemas.errors import BadRecordError
from schemas.records import Packet, Vital
from tests.devices.http.intake import AVRO, FHIR, JSON, Kept, app_of, ask
from tests.devices.http.made import FIXTURES, form_of, framed, observation, packet, vital_form

PACKETS = (FIXTURES / "http" / "packets.json").read_bytes()
OBSERVATION = (FIXTURES / "fhir" / "ecg-r5.json").read_bytes()
ACCEPTED = {"status": "accepted"}


def sent(*items: Any, name: str = "packets") -> bytes:
    return json.dumps({name: items}).encode()


def encoded(items: list[Packet | Vital]) -> list[bytes]:
    return [encode(item) for item in items]


@pytest.mark.parametrize(("body", "kind"), [(PACKETS, JSON), (framed([packet(0), packet(1)]), AVRO)])
def test_packets_are_taken_and_each_is_answered(body: bytes, kind: str) -> None:
    intake = Kept()
    answer = ask(app_of(intake), "/v1/packets", body, kind)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == JSON
    assert answer.json() == {"results": [ACCEPTED, ACCEPTED]}
    assert encoded(intake.items) == encoded([packet(0), packet(1)])
    assert intake.calls == 1


def test_numbers_are_taken() -> None:
    intake = Kept()
    body = (FIXTURES / "http" / "vitals.json").read_bytes()
    assert ask(app_of(intake), "/v1/vitals", body).json() == {"results": [ACCEPTED] * 3}
    numbers = list(intake.items)
    assert len(numbers) == 3
    again = framed([item for item in numbers if isinstance(item, Vital)])
    assert ask(app_of(intake), "/v1/vitals", again, AVRO).json() == {"results": [ACCEPTED] * 3}


def test_each_item_answers_by_itself_and_what_stands_twice_is_taken_once() -> None:
    intake = Kept()
    items = [form_of(packet(0)), form_of(packet(1)) | {"seq": -1}, form_of(packet(0)), form_of(packet(2))]
    answer = ask(app_of(intake), "/v1/packets", sent(*items))
    first, refused, twice, last = answer.json()["results"]
    assert (first, last) == (ACCEPTED, ACCEPTED)
    assert refused == {"status": "refused", "code": 400, "reason": "Expected `int` >= 0 - at `$.seq`"}
    assert twice == {"status": "duplicate"}
    assert encoded(intake.items) == encoded([packet(0), packet(2)])


def test_one_device_cannot_write_as_another() -> None:
    intake = Kept()
    items = [form_of(packet(0, "dev-2")), form_of(packet(0))]
    answer = ask(app_of(intake), "/v1/packets", sent(*items))
    assert answer.json()["results"] == [
        {"status": "refused", "code": 403, "reason": "this key is of another device"},
        ACCEPTED,
    ]
    assert encoded(intake.items) == encoded([packet(0)])


def test_what_the_intake_refuses_of_a_request_costs_no_other_item() -> None:
    intake = Kept()
    intake.bad = {1}
    answer = ask(app_of(intake), "/v1/packets", sent(*(form_of(packet(seq)) for seq in range(3))))
    refused = {"status": "refused", "code": 400, "reason": "packet 1 cannot be meant"}
    assert answer.json()["results"] == [ACCEPTED, refused, ACCEPTED]
    assert encoded(intake.items) == encoded([packet(0), packet(2)])


def test_nothing_to_take_takes_nothing() -> None:
    intake = Kept()
    assert ask(app_of(intake), "/v1/packets", sent()).json() == {"results": []}
    assert ask(app_of(intake), "/v1/packets", sent({})).json()["results"][0]["code"] == 400
    assert intake.calls == 0


@pytest.mark.parametrize(
    ("error", "status", "retry"),
    [
        (FullError("the disk of gw-1 is full"), 503, "10"),
        (NotAdmittedError("dev-1 is disabled: `ecgstream device enable dev-1`"), 403, None),
        (RuntimeError("at /var/lib/spool"), 500, None),
    ],
)
@pytest.mark.parametrize("path", ["/v1/packets", "/fhir/Observation"])
def test_what_the_intake_raises_becomes_a_status_and_no_word_of_it(
    error: Exception, status: int, retry: str | None, path: str
) -> None:
    intake = Kept()
    intake.error = error
    body, kind = (OBSERVATION, FHIR) if path.startswith("/fhir") else (PACKETS, JSON)
    answer = ask(app_of(intake), path, body, kind)
    assert (answer.status_code, answer.headers.get("retry-after")) == (status, retry)
    assert str(error) not in answer.text
    assert intake.items == intake.readings == []


def test_an_observation_is_taken() -> None:
    intake = Kept()
    answer = ask(app_of(intake), "/fhir/Observation", OBSERVATION, f"{FHIR}; fhirVersion=5.0")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == FHIR
    assert [issue["code"] for issue in answer.json()["issue"]] == ["informational"]
    assert [reading.device for reading in intake.readings] == ["dev-1"]


def test_an_observation_says_what_was_left_out() -> None:
    said = json.loads(OBSERVATION)
    said["component"].append({"valueQuantity": {"value": 1}})
    answer = ask(app_of(Kept()), "/fhir/Observation", json.dumps(said).encode(), JSON)
    taken, left_out = answer.json()["issue"]
    assert (taken["severity"], left_out["severity"]) == ("information", "warning")
    assert left_out["diagnostics"].startswith("component[2]: no code")


@pytest.mark.parametrize(
    ("said", "status", "code"),
    [
        ({"resourceType": "Patient", "name": [{"text": "Jane Doe"}]}, 400, "invalid"),
        (observation(status="cancelled"), 400, "invalid"),
        (json.loads(OBSERVATION) | {"device": {"reference": "Device/dev-2"}}, 403, "forbidden"),
    ],
)
def test_an_observation_that_is_refused_says_why_as_fhir_does(said: Any, status: int, code: str) -> None:
    intake = Kept()
    answer = ask(app_of(intake), "/fhir/Observation", json.dumps(said).encode(), FHIR)
    (issue,) = answer.json()["issue"]
    assert (answer.status_code, issue["severity"], issue["code"]) == (status, "error", code)
    assert answer.json()["resourceType"] == "OperationOutcome"
    assert "Jane" not in answer.text
    assert intake.readings == []


@pytest.mark.parametrize(
    ("headers", "status", "says"),
    [
        ({"key": ""}, 401, "is wanted"),
        ({"key": "another"}, 401, "of no device"),
        ({"key": "", "Authorization": "Basic a2V5"}, 401, "is wanted"),
        ({"key": "", "Authorization": "Bearer"}, 401, "is wanted"),
        ({"kind": "text/plain"}, 415, "Content-Type"),
        ({"kind": ""}, 415, "Content-Type"),
        ({"kind": FHIR}, 415, "Content-Type"),
        ({"Content_Encoding": "br"}, 415, "Content-Encoding"),
    ],
)
def test_who_may_not_ask_is_told_why(headers: dict[str, str], status: int, says: str) -> None:
    intake = Kept()
    answer = ask(app_of(intake), "/v1/packets", PACKETS, **headers)  # type: ignore[arg-type]
    assert answer.status_code == answer.json()["status"] == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert says in answer.json()["detail"]
    assert ("www-authenticate" in answer.headers) == (status == 401)
    assert intake.items == []


def test_a_device_that_is_disabled_may_not_send() -> None:
    assert ask(app_of(Kept(disabled=True)), "/v1/packets", PACKETS).status_code == 403


@pytest.mark.parametrize("body", [b"", b"{", b'{"packets": 1}', sent(*[0] * (MAX_ITEMS + 1))], ids=range(4))
def test_a_body_that_is_no_request_is_refused_as_a_whole(body: bytes) -> None:
    answer = ask(app_of(Kept()), "/v1/packets", body)
    assert (answer.status_code, answer.json()["title"]) == (400, "Bad Request")


def test_a_body_of_another_address_is_refused() -> None:
    assert ask(app_of(Kept()), "/v1/vitals", PACKETS).status_code == 400
    assert ask(app_of(Kept()), "/v1/packets", sent(vital_form(), name="vitals")).status_code == 400


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/v1/packets", 405), ("POST", "/v2/packets", 404)]
)
def test_other_addresses_are_problems_too(method: str, path: str, status: int) -> None:
    answer = ask(app_of(Kept()), path, method=method)
    assert answer.status_code == answer.json()["status"] == status


def test_a_healthy_application_says_so_to_everybody() -> None:
    assert ask(app_of(Kept()), "/healthz", key="", method="GET").text == "ok\n"


def test_no_answer_is_kept_by_anybody_between() -> None:
    for path in ("/v1/packets", "/healthz", "/none"):
        assert ask(app_of(Kept()), path).headers["cache-control"] == "no-store"


def test_the_reason_of_a_bad_record_that_stands_alone_is_told() -> None:
    intake = Kept()
    intake.error = BadRecordError("a session that ended")
    answer = ask(app_of(intake), "/v1/packets", sent(form_of(packet(0))))
    assert answer.json()["results"] == [{"status": "refused", "code": 400, "reason": "a session that ended"}]
    answer = ask(app_of(intake), "/fhir/Observation", OBSERVATION, FHIR)
    assert answer.status_code == 400
