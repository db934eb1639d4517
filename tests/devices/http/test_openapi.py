"""The document says what the forms read, and what the application answers."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from devices.errors import MessageError
from devices.http import forms
from devices.http.app import make_app
from devices.http.fhir import reading
from tests.devices.http.intake import AVRO, JSON, Kept, app_of, ask
from tests.devices.http.made import FIXTURES, form_of, packet, vital_form

DOCUMENT = ask(app_of(Kept()), "/openapi.json", key="", method="GET").json()
CHAPTER = Path(__file__).resolve().parents[3] / "docs" / "devices-http.md"


def validator(path: str) -> Draft202012Validator:
    schema = DOCUMENT["paths"][path]["post"]["requestBody"]["content"][JSON]["schema"]
    return Draft202012Validator(schema | {"components": DOCUMENT["components"]})


def test_it_is_an_openapi_document() -> None:
    OpenAPIV31SpecValidator(DOCUMENT).validate()


def test_it_names_every_address_that_takes_something_and_both_types() -> None:
    posts = {r.path for r in make_app(Kept()).routes if "POST" in (r.methods or ())}  # type: ignore[attr-defined]
    assert set(DOCUMENT["paths"]) == posts
    for path in ("/v1/packets", "/v1/vitals"):
        assert set(DOCUMENT["paths"][path]["post"]["requestBody"]["content"]) == {JSON, AVRO}


@pytest.mark.parametrize("name", ["packets", "vitals"])
def test_the_fixtures_are_as_it_says(name: str) -> None:
    said = json.loads((FIXTURES / "http" / f"{name}.json").read_bytes())
    validator(f"/v1/{name}").validate(said)


@pytest.mark.parametrize(
    "change",
    [
        {"seq": -1},
        {"device": "a b"},
        {"device": ""},
        {"channels": []},
        {"start": None},
        {"unknown": 1},
        {"seq": "1"},
    ],
    ids=str,
)
def test_what_it_forbids_the_forms_refuse_too(change: dict[str, Any]) -> None:
    said = {"packets": [form_of(packet(0)) | change]}
    assert not validator("/v1/packets").is_valid(said)
    assert isinstance(forms.packets(json.dumps(said).encode())[0], MessageError)


def test_it_asks_for_the_codes_and_units_that_are_known() -> None:
    assert not validator("/v1/vitals").is_valid({"vitals": [vital_form(code=12345)]})
    said = form_of(packet(0))
    said["channels"][0]["unit"] = "furlong"
    assert not validator("/v1/packets").is_valid({"packets": [said]})


def test_answers_are_as_it_says() -> None:
    results = {"$ref": "#/components/schemas/Results", "components": DOCUMENT["components"]}
    body = json.dumps({"packets": [form_of(packet(0)), form_of(packet(0)), {}]}).encode()
    Draft202012Validator(results).validate(ask(app_of(Kept()), "/v1/packets", body).json())
    problem = {"$ref": "#/components/schemas/Problem", "components": DOCUMENT["components"]}
    Draft202012Validator(problem).validate(ask(app_of(Kept()), "/v1/packets", b"").json())


def examples(begin: str) -> list[bytes]:
    """The JSON in the chapter's shell examples that begins so."""
    found = re.findall(rf"<<'JSON'\n({re.escape(begin)}.*?)\nJSON\n", CHAPTER.read_text(), re.DOTALL)
    return [text.encode() for text in found]


def test_the_examples_that_vendors_paste_are_taken() -> None:
    (packets,), (vitals,) = examples('{"packets"'), examples('{"vitals"')
    (observation,) = examples('{"resourceType"')
    assert not any(isinstance(found, MessageError) for found in forms.packets(packets))
    assert not any(isinstance(found, MessageError) for found in forms.vitals(vitals))
    assert reading(observation).left_out == ()
