"""The application that devices send to: who it is, how much and how often, and what becomes of it.

It knows neither spool nor Kafka: an ``Intake`` takes what devices send. TLS is the business of what stands in
front, and so is a device's certificate: uvicorn hands none over (0.54 has no TLS extension of ASGI), and a
header that names a subject is anybody's to write, so that none is read. ``Receiver._device`` is where one
would be asked for, by ``Enrolments.with_certificate``.
"""

import math
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Protocol

import msgspec
from starlette.applications import Starlette
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from devices.errors import FullError, MessageError, NotAdmittedError
from devices.files.publish import Recording
from devices.http import forms
from devices.http.answers import Item, Result, Results, admitted, recorded, refused
from devices.http.bodies import body_of
from devices.http.fhir import Issue, outcome, reading
from devices.http.forms import JSON_TYPE
from devices.http.openapi import document
from devices.http.pace import Pace
from devices.http.problems import FHIR_TYPE, PROBLEM_TYPE, RefusedError, fhir_problem, problem
from devices.http.records import AVRO_TYPE, records
from devices.http.times import moment_ns
from devices.reading import Reading
from devices.refusals import Refused, unheard
from schemas.errors import BadRecordError
from schemas.records import Enrolment, Packet, Vital

RECORDING_TYPES = ("application/octet-stream", "application/dicom", "application/xml", "text/xml")
"""Of files; which format one has, its bytes say."""

_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_BUSY_S, _FULL_S = 1, 10
_FOR_GOOD = (HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN)
"""What says that the same will never be taken."""

Codec = Callable[[bytes], Sequence[Item | MessageError]]
Words = Callable[[HTTPStatus, str], bytes]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that may be answered: which device's, of which Content-Type, and what it asks."""

    device: str
    kind: str
    body: bytes
    query: QueryParams


Act = Callable[[Asked], Awaitable[Response]]


class Intake(Protocol):
    """What takes what devices send."""

    def who(self, token: bytes) -> Enrolment | None:
        """Return the device that has this key, disabled or not."""

    async def take(self, device: str, items: Sequence[Packet | Vital]) -> None:
        """Return when all items of a device are durable.

        Raises:
            NotAdmittedError: the device may not send.
            BadRecordError: one of them cannot be meant; none was taken.
            FullError: no more can be taken now; none was.
        """

    async def read(self, reading: Reading) -> None:
        """Return when a message without a session is durable; raises as ``take``."""

    async def record(self, device: str, body: bytes, start_ns: int | None) -> Recording:
        """Return what a file of a device holds when all of it is durable; else raises as ``take``.

        Args:
            device: whose it is.
            body: the file.
            start_ns: when it began, UTC ns; ``None``: as it says itself.

        Raises:
            MessageError: it cannot be read, or when it began is not known.
        """


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds requests; how many items one has is ``devices.http.forms.MAX_ITEMS``.

    Attributes:
        body_bytes: of a body, packed and unpacked.
        body_s: how long one may take to arrive.
        recording_bytes, recording_s: the same of a recording.
        recordings_at_once: recordings that are worked on; each is held in memory.
        per_s, burst: requests of a device, a second and at once.
        at_once: requests that are worked on.
    """

    body_bytes: int = 4 * 1024 * 1024
    body_s: float = 10.0
    recording_bytes: int = 32 * 1024 * 1024
    recording_s: float = 60.0
    recordings_at_once: int = 2
    per_s: float = 20.0
    burst: int = 100
    at_once: int = 64


def make_app(
    intake: Intake,
    limits: Limits | None = None,
    now_s: Callable[[], float] = time.monotonic,
    *,
    refused: Refused = unheard,
) -> Starlette:
    """Return the application.

    Args:
        intake: takes what devices send.
        limits: what bounds them.
        now_s: a clock that never goes back, s.
        refused: hears of what can never be taken.
    """
    receiver = Receiver(intake, limits or Limits(), now_s, refused)
    app = Starlette(
        routes=receiver.routes,
        exception_handlers={HTTPException: _unrouted, Exception: _failed},
    )
    app.router.redirect_slashes = False  # a redirected POST loses its key, or its body
    return app


@dataclass(slots=True)
class Room:
    """What a request may bring, bytes and s, and how many there may be at once; ``working``: how many are."""

    body_bytes: int
    body_s: float
    at_once: int
    working: int = 0

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Hold a place; raise ``RefusedError`` where there is none."""
        if self.working >= self.at_once:
            raise _later(HTTPStatus.SERVICE_UNAVAILABLE, "too much at once", _BUSY_S)
        self.working += 1
        try:
            yield
        finally:
            self.working -= 1


class Receiver:
    """The routes, and what they have in common."""

    def __init__(
        self, intake: Intake, limits: Limits, now_s: Callable[[], float], refused: Refused = unheard
    ) -> None:
        self._intake = intake
        self._now_s = now_s
        self._refused = refused
        self._pace = Pace(limits.per_s, limits.burst)
        self._messages = Room(limits.body_bytes, limits.body_s, limits.at_once)
        self._recordings = Room(limits.recording_bytes, limits.recording_s, limits.recordings_at_once)
        self._document = msgspec.json.encode(document(JSON_TYPE, AVRO_TYPE, RECORDING_TYPES))

    @property
    def routes(self) -> list[Route]:
        """What is served."""
        packets = self._items({JSON_TYPE: forms.packets, AVRO_TYPE: lambda body: records(body, Packet)})
        vitals = self._items({JSON_TYPE: forms.vitals, AVRO_TYPE: lambda body: records(body, Vital)})
        recordings = self._answering(RECORDING_TYPES, self._recording, self._recordings)
        words = (fhir_problem, FHIR_TYPE)
        fhir = self._answering((FHIR_TYPE, JSON_TYPE), self._observation, self._messages, *words)
        return [
            Route("/v1/packets", packets, methods=["POST"]),
            Route("/v1/vitals", vitals, methods=["POST"]),
            Route("/v1/recordings", recordings, methods=["POST"]),
            Route("/fhir/Observation", fhir, methods=["POST"]),
            Route("/openapi.json", self._openapi, methods=["GET"]),
            Route("/healthz", _healthy, methods=["GET"]),
        ]

    def _answering(
        self,
        types: Sequence[str],
        act: Act,
        room: Room,
        words: Words = problem,
        error_type: str = PROBLEM_TYPE,
    ) -> Callable[[Request], Awaitable[Response]]:
        """Return an endpoint that lets ``act`` answer who may ask, and says to others why they may not."""

        async def answer(request: Request) -> Response:
            try:
                with room.taken():
                    return await self._acted(act, await self._asked(request, types, room))
            except RefusedError as refusal:
                body = words(refusal.status, str(refusal))
                return _response(body, error_type, refusal.status, refusal.headers)

        return answer

    async def _acted(self, act: Act, asked: Asked) -> Response:
        try:
            return await _told(act(asked))
        except RefusedError as refusal:
            if refusal.status in _FOR_GOOD:
                self._refused("http", asked.device, str(refusal), asked.body)
            raise

    async def _asked(self, request: Request, types: Sequence[str], room: Room) -> Asked:
        device = self._device(request)
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in types:
            wanted = ", ".join(types)
            raise RefusedError(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"Content-Type is one of {wanted}", {"Accept": wanted}
            )
        body = await body_of(request, room.body_bytes, room.body_s)
        return Asked(device, kind, body, request.query_params)

    def _device(self, request: Request) -> str:
        """Return which device asks, by its key (RFC 6750), where it may now."""
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key:
            raise _unknown(
                "the device's key is wanted: Authorization: Bearer KEY", 'Bearer realm="ecgstream"'
            )
        found = self._intake.who(key.strip().encode("latin-1"))
        if found is None:
            raise _unknown("this key is of no device", 'Bearer realm="ecgstream", error="invalid_token"')
        if found.disabled:
            self._refused("http", found.device, "this device is disabled", b"")
            raise RefusedError(HTTPStatus.FORBIDDEN, "this device is disabled")
        wait_s = self._pace.wait_s(found.device, self._now_s())
        if wait_s > 0:
            raise _later(HTTPStatus.TOO_MANY_REQUESTS, "too many requests of this device", wait_s)
        return found.device

    def _items(self, codecs: dict[str, Codec]) -> Callable[[Request], Awaitable[Response]]:
        async def act(asked: Asked) -> Response:
            found = admitted(asked.device, codecs[asked.kind](asked.body))
            try:
                if found.items:
                    await self._intake.take(asked.device, [item for _, item in found.items])
            except BadRecordError:
                for place, item in found.items:  # none was taken: each answers by itself
                    try:
                        await self._intake.take(asked.device, [item])
                    except BadRecordError as error:
                        found.results[place] = refused(400, str(error))
            self._tell_refused(asked, found.results)
            return _response(msgspec.json.encode(Results(found.results)), JSON_TYPE)

        return self._answering(tuple(codecs), act, self._messages)

    async def _recording(self, asked: Asked) -> Response:
        start = asked.query.get("start")
        start_ns = None if start is None else moment_ns(start)
        found = await self._intake.record(asked.device, asked.body, start_ns)
        return _response(msgspec.json.encode(recorded(found)), JSON_TYPE)

    def _tell_refused(self, asked: Asked, results: Sequence[Result]) -> None:
        reasons = [result.reason for result in results if result.status == "refused"]
        if reasons:
            self._refused("http", asked.device, f"{len(reasons)} of {len(results)}: {reasons[0]}", asked.body)

    async def _observation(self, asked: Asked) -> Response:
        found = reading(asked.body)
        if found.device != asked.device:
            raise RefusedError(HTTPStatus.FORBIDDEN, "this key is of another device")
        await self._intake.read(found)
        taken = Issue("information", "informational", "taken")
        left_out = [Issue("warning", "not-supported", why) for why in found.left_out]
        return _response(outcome([taken, *left_out]), FHIR_TYPE)

    async def _openapi(self, _request: Request) -> Response:
        return _response(self._document, JSON_TYPE)


async def _told(answer: Awaitable[Response]) -> Response:
    """Return an answer; what devices and intake raise becomes the status that says it."""
    try:
        return await answer
    except (MessageError, BadRecordError) as error:
        raise RefusedError(HTTPStatus.BAD_REQUEST, str(error)) from None
    except NotAdmittedError:
        raise RefusedError(HTTPStatus.FORBIDDEN, "this device may not send") from None
    except FullError:
        raise _later(HTTPStatus.SERVICE_UNAVAILABLE, "no more can be taken now", _FULL_S) from None


def _unknown(why: str, challenge: str) -> RefusedError:
    return RefusedError(HTTPStatus.UNAUTHORIZED, why, {"WWW-Authenticate": challenge})


def _later(status: HTTPStatus, why: str, wait_s: float) -> RefusedError:
    return RefusedError(status, why, {"Retry-After": str(math.ceil(wait_s))})


def _response(
    body: bytes, kind: str, status: HTTPStatus = HTTPStatus.OK, headers: dict[str, str] | None = None
) -> Response:
    return Response(body, status, _HEADERS | (headers or {}), kind)


async def _healthy(_request: Request) -> Response:
    return _response(b"ok\n", "text/plain")


async def _unrouted(_request: Request, error: Any) -> Response:
    status = HTTPStatus(error.status_code)
    return _response(problem(status, error.detail), PROBLEM_TYPE, status, dict(error.headers or {}))


async def _failed(_request: Request, _error: Exception) -> Response:
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    return _response(problem(status, "a fault of the gateway"), PROBLEM_TYPE, status)
