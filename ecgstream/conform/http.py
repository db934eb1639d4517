"""What recorders rely on: HTTP and FHIR, as docs/devices-http.md says it.

Problem details are RFC 9457's, the key is a bearer token (RFC 6750), an Observation is of FHIR R5.
"""

import gzip
import json
from collections.abc import Sequence
from typing import Any

import httpx

from devices.http import write
from devices.http.app import Limits
from devices.http.forms import JSON_TYPE
from devices.http.problems import FHIR_TYPE, PROBLEM_TYPE
from devices.http.records import AVRO_TYPE
from ecgstream.conform.checks import Check, met
from ecgstream.conform.signal import NAME, STRANGER, Signal
from ecgstream.speaking.link import LinkDownError
from schemas.records import Packet

MOST_BYTES = Limits().body_bytes
PATHS = {"/v1/packets", "/v1/vitals", "/fhir/Observation"}


class HttpChecks:
    """The checks.

    Args:
        client: shows the device's key.
        device: whose key it is.
    """

    def __init__(self, client: httpx.Client, device: str) -> None:
        self._client = client
        self._signal = Signal(device)

    def checks(self) -> list[Check]:
        """Return them in the order in which they are asked."""
        return [
            ("the gateway says what it takes (OpenAPI 3.1)", self._document),
            ("without a key nothing is taken (401, and by which scheme)", self._no_key),
            ("a key that is of no device is refused (401)", self._wrong_key),
            ("a second of four leads is taken, as JSON", self._packet),
            ("a packet that comes again is accepted again", self._again),
            ("one that stands twice in a request is taken once", self._twice),
            ("a number is taken", self._number),
            ("a body that is packed (gzip) is taken", self._packed),
            ("Avro is taken", self._avro),
            ("a FHIR Observation is taken", self._observation),
            ("an item that cannot be meant is refused alone", self._one_bad),
            ("another device's packet is refused (403)", self._other_device),
            ("a body that is no JSON is told so (400, RFC 9457)", self._no_json),
            ("another Content-Type is told so (415)", self._other_type),
            (f"a body of more than {MOST_BYTES:,} bytes is told so (413)", self._too_long),
            ("one that unpacks to more is told so (413)", self._bomb),
            ("no answer repeats what may be a patient's name", self._no_name),
            ("a path that there is none of is told so (404)", self._no_path),
        ]

    def _document(self) -> None:
        found = _said(self._asked("GET", "/openapi.json"))
        version, paths = str(found.get("openapi", "")), found.get("paths", {})
        met(version.startswith("3.1"), f"openapi is {version!r}")
        met(set(paths) >= PATHS, f"its paths are {', '.join(paths)}")

    def _no_key(self) -> None:
        answer = self._packets([self._signal.packet()], headers={"Authorization": ""})
        self._is_refused(answer, 401)
        met(answer.headers.get("www-authenticate", "").startswith("Bearer"), "no WWW-Authenticate: Bearer")

    def _wrong_key(self) -> None:
        headers = {"Authorization": "Bearer conform-no-such-key"}
        self._is_refused(self._packets([self._signal.packet()], headers=headers), 401)

    def _packet(self) -> None:
        self._are(self._packets([self._signal.packet()]), "accepted")

    def _again(self) -> None:
        said = [self._signal.packet()]
        for _ in range(2):
            self._are(self._packets(said), "accepted")

    def _twice(self) -> None:
        self._are(self._packets([self._signal.packet()] * 2), "accepted", "duplicate")

    def _number(self) -> None:
        self._are(self._post("/v1/vitals", write.vitals([self._signal.vital()]), JSON_TYPE), "accepted")

    def _packed(self) -> None:
        body = gzip.compress(write.packets([self._signal.packet()]))
        headers = {"Content-Encoding": "gzip"}
        self._are(self._post("/v1/packets", body, JSON_TYPE, headers), "accepted")

    def _avro(self) -> None:
        body = write.records([self._signal.packet()])
        self._are(self._post("/v1/packets", body, AVRO_TYPE), "accepted")

    def _observation(self) -> None:
        answer = self._post("/fhir/Observation", json.dumps(self._heart_rate()).encode(), FHIR_TYPE)
        met(answer.status_code == 200, f"status {answer.status_code}")
        kind = _said(answer).get("resourceType")
        met(kind == "OperationOutcome", f"the answer is {kind}")

    def _one_bad(self) -> None:
        body = json.loads(write.packets([self._signal.packet(), self._signal.packet()]))
        body["packets"][0]["channels"][0]["gain"] = 0
        self._are(self._json("/v1/packets", body), "refused", "accepted")

    def _other_device(self) -> None:
        body = json.loads(write.packets([self._signal.packet()]))
        body["packets"][0]["device"] = STRANGER
        answer = self._json("/v1/packets", body)
        self._are(answer, "refused")
        met(_said(answer)["results"][0].get("code") == 403, "its code is not 403")

    def _no_json(self) -> None:
        self._is_refused(self._post("/v1/packets", b"{", JSON_TYPE), 400)

    def _other_type(self) -> None:
        self._is_refused(self._post("/v1/packets", b"{}", "text/plain"), 415)

    def _too_long(self) -> None:
        self._is_refused(self._post("/v1/packets", b" " * (MOST_BYTES + 1), JSON_TYPE), 413)

    def _bomb(self) -> None:
        body, headers = gzip.compress(b" " * (16 * MOST_BYTES)), {"Content-Encoding": "gzip"}
        self._is_refused(self._post("/v1/packets", body, JSON_TYPE, headers), 413)

    def _no_name(self) -> None:
        body = json.loads(write.packets([self._signal.packet()]))
        body["packets"][0] |= {"patient": NAME, NAME: 1}
        for path in ("/v1/packets", "/v1/vitals", "/fhir/Observation"):
            met(NAME not in self._json(path, body).text, f"it stands in the answer of {path}")

    def _no_path(self) -> None:
        self._is_refused(self._asked("GET", "/v1/conform"), 404)

    # -- what they are made of

    def _asked(self, method: str, path: str, **more: Any) -> httpx.Response:
        try:
            return self._client.request(method, path, **more)
        except httpx.HTTPError as error:
            raise LinkDownError(str(error) or type(error).__name__) from None

    def _post(
        self, path: str, body: bytes, kind: str, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        return self._asked("POST", path, content=body, headers={"Content-Type": kind} | (headers or {}))

    def _json(self, path: str, body: Any) -> httpx.Response:
        return self._post(path, json.dumps(body).encode(), JSON_TYPE)

    def _packets(self, packets: Sequence[Packet], headers: dict[str, str] | None = None) -> httpx.Response:
        return self._post("/v1/packets", write.packets(packets), JSON_TYPE, headers)

    def _are(self, answer: httpx.Response, *statuses: str) -> None:
        met(answer.status_code == 200, f"status {answer.status_code}")
        found = [str(one.get("status")) for one in _said(answer).get("results", [])]
        met(found == [*statuses], f"the results are {', '.join(found)}")

    def _is_refused(self, answer: httpx.Response, status: int) -> None:
        met(answer.status_code == status, f"status {answer.status_code}")
        kind = answer.headers.get("content-type", "").partition(";")[0]
        met(kind == PROBLEM_TYPE, f"Content-Type is {kind or 'missing'}")

    def _heart_rate(self) -> dict[str, Any]:
        unit = {"value": 70, "system": "http://unitsofmeasure.org", "code": "/min"}
        return {
            "resourceType": "Observation",
            "status": "final",
            "device": {"reference": f"Device/{self._signal.device}"},
            "effectiveDateTime": "2026-11-28T10:00:00Z",
            "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
            "valueQuantity": unit,
        }


def _said(answer: httpx.Response) -> dict[str, Any]:
    """Return the JSON object that was answered."""
    try:
        found = answer.json()
    except ValueError:
        found = None
    met(isinstance(found, dict), f"status {answer.status_code}, and no JSON object")
    said: dict[str, Any] = found
    return said
