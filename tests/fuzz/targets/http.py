"""HTTP: a connection to the whole application, and the codecs of its bodies."""

from __future__ import annotations

import asyncio
import atexit
import gzip
import json
import logging
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from uvicorn.server import ServerState

from devices.bundler import Bundler, Instant
from devices.errors import MessageError
from devices.http import forms
from devices.http.answers import Item, admitted
from devices.http.app import Limits, make_app
from devices.http.fhir import Issue, outcome, reading
from devices.reading import Reading
from devices.sessions import Sessions
from ecgstream.serving import make_server
from schemas.codec import decode
from schemas.errors import BadRecordError
from schemas.records import Enrolment
from tests.devices.http.made import (
    START_NS,
    form_of,
    framed,
    lead_component,
    number_component,
    observation,
    packet,
    vital_form,
)
from tests.fuzz.mutators import JSON, REQUESTS
from tests.fuzz.target import Target

_NOW = Instant(1.0, START_NS)
_DEVICE = Enrolment("dev-1", "wearable", "cn.h1", 7, (), b"", "", disabled=False, changed_ns=1)
_UNBOUND = Limits(per_s=1e9, burst=10**9)


class Intake:
    """Takes as ``devices.intake`` does, up to the spool; each key is that of dev-1."""

    def who(self, token: bytes) -> Enrolment | None:
        return _DEVICE if token else None

    async def take(self, device: str, items: Sequence[Item]) -> None:
        bundler = Bundler("fuzz")
        for item in items:
            bundler.check(0, item)
        bundles = [bundle for item in items for bundle in bundler.add(0, item, _NOW)]
        for bundle in bundles + bundler.flush(_NOW):
            decode(bundle.encode())  # what was taken must be what others can read

    async def read(self, reading: Reading) -> None:
        check = partial(Bundler("fuzz").check, 0)
        await self.take(reading.device, Sessions().take(reading, START_NS, check))


class Line(asyncio.Transport):
    """The other end of a connection, which reads what it is answered."""

    def __init__(self) -> None:
        super().__init__()
        self.said = bytearray()
        self._is_closing = False

    def write(self, data: Any) -> None:
        self.said += data

    def is_closing(self) -> bool:
        return self._is_closing

    def close(self) -> None:
        self._is_closing = True

    abort = close

    def pause_reading(self) -> None:
        """What comes next is not there yet."""

    def resume_reading(self) -> None:
        """Nor is it now."""


class Server:
    """The server of ``ecgstream receive`` without its socket, in a loop that is kept."""

    def __init__(self) -> None:
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        self._loop = asyncio.new_event_loop()
        atexit.register(self._loop.close)
        self._config = make_server(make_app(Intake(), _UNBOUND)).config
        self._config.load()

    def serve(self, data: bytes) -> None:
        """Let a connection bring what it brings, in pieces as long as the first byte says."""
        self._loop.run_until_complete(self._serve(data))

    async def _serve(self, data: bytes) -> None:
        state, line = ServerState(), Line()
        made: Any = self._config.http_protocol_class  # of either of uvicorn's parsers
        protocol = made(config=self._config, server_state=state, app_state={}, _loop=self._loop)
        protocol.connection_made(line)
        piece = 16 * (data[0] + 1) if data else 1
        for at in range(1, len(data), piece):
            protocol.data_received(data[at : at + piece])
            await asyncio.sleep(0)
            if line.is_closing():
                break
        while protocol.cycle is not None and not protocol.cycle.more_body and state.tasks:
            await asyncio.wait(state.tasks)  # what has come whole is answered
        protocol.connection_lost(None)
        while state.tasks:
            await asyncio.wait(state.tasks)
        assert b"HTTP/1.1 500" not in line.said, "a fault of the gateway"


_SERVER: list[Server] = []


def connection(data: bytes) -> None:
    """Serve a connection; a server is made with the first."""
    if not _SERVER:
        _SERVER.append(Server())
    _SERVER[0].serve(data)


def packets(data: bytes) -> None:
    """Read the JSON of packets, and take what can be meant."""
    with suppress(MessageError):
        _taken(forms.packets(data))


def vitals(data: bytes) -> None:
    """Read the JSON of numbers, and take what can be meant."""
    with suppress(MessageError):
        _taken(forms.vitals(data))


def _taken(found: Sequence[Item | MessageError]) -> None:
    for _, item in admitted("dev-1", found).items:
        bundler = Bundler("fuzz")
        with suppress(BadRecordError):
            for bundle in (*bundler.add(0, item, _NOW), *bundler.flush(_NOW)):
                decode(bundle.encode())


def fhir(data: bytes) -> None:
    """Read an Observation, and take it."""
    with suppress(MessageError, BadRecordError):
        found = reading(data)
        items = Sessions().take(found, START_NS, partial(Bundler("fuzz").check, 0))
        _taken(items)
        outcome([Issue("warning", "not-supported", why) for why in found.left_out])


def _bodies() -> dict[str, list[bytes]]:
    """Bodies by path, in few samples."""
    one = packet(0)
    for channel in one.channels:
        channel.samples = channel.samples[: int(channel.rate / 12.5)]
    one.pace_marks[:] = [7]
    said = [{"packets": [form_of(one), form_of(one, as_base64=True)]}, {"packets": [form_of(one)]}]
    numbers = {"vitals": [vital_form(), vital_form(147842, None, "{beats}/min")]}
    ecg = observation(lead_component("I", "1 2 3 -4 E U"), lead_component("II", "1 2 3 4 5 6", factor=1))
    pressure = observation(number_component("http://loinc.org", "8480-6", 121, "mm[Hg]"))
    return {
        "/v1/packets": [json.dumps(form).encode() for form in said] + [framed([one])],
        "/v1/vitals": [json.dumps(numbers).encode()],
        "/fhir/Observation": [json.dumps(form).encode() for form in (ecg, pressure)],
    }


def _request(path: str, body: bytes, coding: str = "") -> bytes:
    kind = "application/json" if body[:1] == b"{" else "application/vnd.apache.avro"
    kind = "application/json" if coding else kind
    head = f"POST {path} HTTP/1.1\r\nHost: gw\r\nAuthorization: Bearer k\r\nContent-Type: {kind}\r\n"
    return f"{head}{coding}Content-Length: {len(body)}\r\n\r\n".encode() + body


def _requests() -> Sequence[bytes]:
    plain = [_request(path, body) for path, bodies in _bodies().items() for body in bodies]
    zipped = _request("/v1/vitals", gzip.compress(_bodies()["/v1/vitals"][0]), "Content-Encoding: gzip\r\n")
    chunked = (
        plain[-1].partition(b"Content-Length")[0] + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    )
    asked = [b"GET /openapi.json HTTP/1.1\r\nHost: gw\r\n\r\n", b"GET /healthz HTTP/1.0\r\n\r\n"]
    return [b"\x00" + b"".join(plain), *(b"\xff" + one for one in (*plain, zipped, chunked, *asked))]


TARGETS = {
    "http": Target(connection, _requests, REQUESTS),
    "json-packets": Target(packets, lambda: _bodies()["/v1/packets"][:2], JSON),
    "json-vitals": Target(vitals, lambda: _bodies()["/v1/vitals"], JSON),
    "fhir": Target(fhir, lambda: _bodies()["/fhir/Observation"], JSON),
}
