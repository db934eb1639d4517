"""An intake that keeps what it is given, and a client of the application around it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import NamedTemporaryFile

import anyio
import httpx
from starlette.applications import Starlette
from starlette.types import ASGIApp

from devices.enrolment import Enrolments
from devices.errors import NotAdmittedError
from devices.files.publish import Recording
from devices.files.read import read
from devices.http.app import Limits, make_app
from devices.reading import Reading
from schemas.errors import BadRecordError
from schemas.records import Enrolment, Packet, Vital

KEY = "key-of-dev-1"
ENROLMENT = Enrolment(
    "dev-1",
    "wearable",
    "cn.h1",
    7,
    (),
    hashlib.sha256(KEY.encode()).digest(),
    "",
    disabled=False,
    changed_ns=1,
)
NOW_NS = 1_795_860_000_000_000_000  # 2026-11-28T10:00:00Z
JSON, AVRO, FHIR = "application/json", "application/vnd.apache.avro", "application/fhir+json"


class Kept:
    """What was taken, in its order; refuses packets of some ``seq``, or everything with one error."""

    def __init__(self, *, disabled: bool = False) -> None:
        self.items: list[Packet | Vital] = []
        self.readings: list[Reading] = []
        self.recordings: list[Recording] = []
        self.waits: anyio.Event | None = None
        self.calls = 0
        self.bad: set[int] = set()
        self.error: Exception | None = None
        self._enrolments = Enrolments().changed([("dev-1", replace(ENROLMENT, disabled=disabled))])

    def who(self, token: bytes) -> Enrolment | None:
        return self._enrolments.with_key(token)

    async def take(self, device: str, items: Sequence[Packet | Vital]) -> None:
        self.calls += 1
        if self.error is not None:
            raise self.error
        if device != "dev-1" or any(item.device != device for item in items):
            raise NotAdmittedError("somebody else's")
        for item in items:
            if isinstance(item, Packet) and item.seq in self.bad:
                raise BadRecordError(f"packet {item.seq} cannot be meant")
        self.items += items

    async def read(self, reading: Reading) -> None:
        if self.error is not None:
            raise self.error
        self.readings.append(reading)

    async def record(self, device: str, body: bytes, start_ns: int | None) -> Recording:
        self.calls += 1
        if self.error is not None:
            raise self.error
        if self.waits is not None:
            await self.waits.wait()
        with NamedTemporaryFile() as file:
            Path(file.name).write_bytes(body)
            source = read(Path(file.name), device=device, shard=7)
        self.recordings.append(Recording.of(source, start_ns, NOW_NS))
        return self.recordings[-1]


class Clock:
    """A clock that moves as it is told."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def app_of(intake: Kept, clock: Clock | None = None, **limits: float) -> Starlette:
    """The application with some limits of its own."""
    return make_app(intake, Limits(**limits), clock or Clock())  # type: ignore[arg-type]


def ask(
    app: ASGIApp,
    path: str,
    body: bytes = b"",
    kind: str = JSON,
    *,
    key: str = KEY,
    method: str = "POST",
    **headers: str,
) -> httpx.Response:
    """Send one request; headers' names have ``_`` for ``-``."""
    said = {"Authorization": f"Bearer {key}"} if key else {}
    said |= {"Content-Type": kind} | {name.replace("_", "-"): value for name, value in headers.items()}

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://gateway", trust_env=False
        ) as client:
            return await client.request(method, path, content=body, headers=said)

    return anyio.run(send)
