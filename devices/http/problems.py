"""What a request is refused with: a status of RFC 9110, and why, as RFC 9457 or as FHIR writes it."""

from collections.abc import Mapping
from http import HTTPStatus

import msgspec

from devices.http.fhir import Issue, outcome

PROBLEM_TYPE = "application/problem+json"
FHIR_TYPE = "application/fhir+json"

_ISSUES = {  # value set issue-type
    HTTPStatus.BAD_REQUEST: "invalid",
    HTTPStatus.UNAUTHORIZED: "login",
    HTTPStatus.FORBIDDEN: "forbidden",
    HTTPStatus.REQUEST_TIMEOUT: "timeout",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "too-long",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "not-supported",
    HTTPStatus.TOO_MANY_REQUESTS: "throttled",
    HTTPStatus.SERVICE_UNAVAILABLE: "transient",
}


class RefusedError(Exception):
    """A request that is not taken: its status, why in words that show nothing of it, headers."""

    def __init__(self, status: HTTPStatus, why: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(why)
        self.status = status
        self.headers = dict(headers or {})


class Problem(msgspec.Struct, frozen=True):
    """Why a request was refused (RFC 9457); its type is ``about:blank``: the title is the status's own."""

    title: str
    status: int
    detail: str


def problem(status: HTTPStatus, why: str) -> bytes:
    """Return problem details as JSON.

    >>> problem(HTTPStatus.FORBIDDEN, "this device is disabled")
    b'{"title":"Forbidden","status":403,"detail":"this device is disabled"}'
    """
    return msgspec.json.encode(Problem(status.phrase, status.value, why))


def fhir_problem(status: HTTPStatus, why: str) -> bytes:
    """Return the same as an OperationOutcome."""
    return outcome([Issue("error", _ISSUES.get(status, "exception"), why)])
