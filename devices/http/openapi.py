"""The OpenAPI 3.1 document; its schemas are made from the forms that read requests."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from devices.http.answers import Recorded, Results
from devices.http.forms import MAX_ITEMS, PacketForm, VitalForm
from devices.http.problems import FHIR_TYPE, PROBLEM_TYPE, Problem

_REFERENCE = "#/components/schemas/{name}"
_FILE = "DICOM, HL7 aECG, SCP-ECG, GE MUSE, Philips Sierra, ISHNE, MFER, EDF+ or BDF+, as its bytes say"
_START = {
    "name": "start",
    "in": "query",
    "description": "when it began (RFC 3339), where the file does not say",
    "schema": {"type": "string", "format": "date-time"},
}
_REFUSALS = {
    HTTPStatus.BAD_REQUEST: "the body as a whole cannot be meant; nothing was taken",
    HTTPStatus.UNAUTHORIZED: "no key, or one of no device",
    HTTPStatus.FORBIDDEN: "the device may not send",
    HTTPStatus.REQUEST_TIMEOUT: "the body came too slowly",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "more than a body may have",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "another Content-Type or Content-Encoding",
    HTTPStatus.TOO_MANY_REQUESTS: "too many requests of the device: wait as long as Retry-After says",
    HTTPStatus.SERVICE_UNAVAILABLE: "no more can be taken now: send the same again after Retry-After",
}


def document(json_type: str, avro_type: str, recording_types: Sequence[str]) -> dict[str, Any]:
    """Return the document, ready to be JSON.

    Args:
        json_type: Content-Type of the forms.
        avro_type: Content-Type of records behind their lengths.
        recording_types: those of files.
    """
    _, schemas = msgspec.json.schema_components(
        [PacketForm, VitalForm, Results, Recorded, Problem], ref_template=_REFERENCE
    )

    def items(name: str, form: str) -> dict[str, Any]:
        listed = {"type": "array", "maxItems": MAX_ITEMS, "items": {"$ref": _REFERENCE.format(name=form)}}
        batch = {
            "type": "object",
            "required": [name],
            "additionalProperties": False,
            "properties": {name: listed},
        }
        said = "each a record in Avro's single-object encoding, behind its length in 4 bytes, big-endian"
        body = {json_type: {"schema": batch}, avro_type: {"schema": {"description": said}}}
        taken = {json_type: {"schema": {"$ref": _REFERENCE.format(name="Results")}}}
        return _post(f"Send {name}", body, ("one result an item", taken), PROBLEM_TYPE)

    anything = {"schema": {"type": "object"}}
    observation = {FHIR_TYPE: anything, json_type: anything}
    file: dict[str, Any] = {kind: {"schema": {"description": _FILE}} for kind in recording_types}
    taken = {json_type: {"schema": {"$ref": _REFERENCE.format(name="Recorded")}}}
    recording = _post("Send a file of an ECG", file, ("what was taken of it", taken), PROBLEM_TYPE)
    outcome = ("OperationOutcome: taken, and what was left out", {FHIR_TYPE: anything})
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "ecgstream gateway",
            "version": "1",
            "description": "What a device sends to a gateway. 200 means that it is on the gateway's disk.",
        },
        "security": [{"key": []}],
        "paths": {
            "/v1/packets": {"post": items("packets", "PacketForm")},
            "/v1/vitals": {"post": items("vitals", "VitalForm")},
            "/v1/recordings": {"post": recording | {"parameters": [_START]}},
            "/fhir/Observation": {
                "post": _post("Send a FHIR Observation, R5 or R4", observation, outcome, FHIR_TYPE)
            },
        },
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "the device's key"}
            },
        },
    }


def _post(
    summary: str, body: dict[str, Any], taken: tuple[str, dict[str, Any]], error_type: str
) -> dict[str, Any]:
    schema = {"$ref": _REFERENCE.format(name="Problem")} if error_type == PROBLEM_TYPE else {"type": "object"}
    refusals = {
        str(status.value): {"description": why, "content": {error_type: {"schema": schema}}}
        for status, why in _REFUSALS.items()
    }
    return {
        "summary": summary,
        "requestBody": {"required": True, "content": body},
        "responses": {"200": {"description": taken[0], "content": taken[1]}} | refusals,
    }
