"""A broker of MQTT 5 that says what a test tells it to, in bytes of the OASIS standard (clauses 2, 3)."""

from __future__ import annotations

import asyncio
import ssl
from typing import NamedTuple

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK = 1, 2, 3, 4, 8, 9, 10, 11
PINGREQ, PINGRESP, DISCONNECT = 12, 13, 14
_CONTENT_TYPE = 3


class Frame(NamedTuple):
    kind: int
    body: bytes


def number(value: int) -> bytes:
    """A variable byte integer (1.5.5)."""
    made = bytearray()
    while True:
        value, low = divmod(value, 128)
        made.append(low | (128 if value else 0))
        if not value:
            return bytes(made)


def text(value: str) -> bytes:
    return len(value.encode()).to_bytes(2, "big") + value.encode()


def frame(kind: int, body: bytes, flags: int = 0) -> bytes:
    return bytes([kind << 4 | flags]) + number(len(body)) + body


def publish(
    mid: int, topic: str, payload: bytes, *, content_type: str = "", qos: int = 1, retain: bool = False
) -> bytes:
    properties = bytes([_CONTENT_TYPE]) + text(content_type) if content_type else b""
    head = text(topic) + (mid.to_bytes(2, "big") if qos else b"")
    return frame(PUBLISH, head + number(len(properties)) + properties + payload, qos << 1 | retain)


class Broker:
    """Listens on loopback as long as it is entered, and answers requests unless it is told not to.

    Attributes:
        frames: what it was sent.
        connack: flags and reason.
        suback: reason of each filter.
        answers: whether it does.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.port = 0
        self.frames: list[Frame] = []
        self.connack = b"\0\0"
        self.suback = b"\1"
        self.answers = True
        self._tls = tls
        self._writer: asyncio.StreamWriter | None = None
        self._heard = asyncio.Condition()
        self._serving: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Broker:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.hang_up()
        await asyncio.gather(*self._serving, return_exceptions=True)

    def say(self, *frames: bytes) -> None:
        assert self._writer is not None
        self._writer.write(b"".join(frames))

    def hang_up(self) -> None:
        if self._writer is not None:
            self._writer.transport.abort()

    async def heard(self, kind: int, count: int = 1) -> list[bytes]:
        """What it was sent of a kind, once there is so much of it."""
        async with asyncio.timeout(30), self._heard:
            await self._heard.wait_for(lambda: sum(one.kind == kind for one in self.frames) >= count)
        return [one.body for one in self.frames if one.kind == kind]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        self._writer = writer
        try:
            while True:
                await self._take(await _read(reader))
        except (OSError, asyncio.IncompleteReadError):
            writer.transport.abort()

    async def _take(self, one: Frame) -> None:
        async with self._heard:
            self.frames.append(one)
            self._heard.notify_all()
        if not self.answers:
            return
        if one.kind == CONNECT:
            self.say(frame(CONNACK, self.connack + b"\0"))
        elif one.kind == SUBSCRIBE:
            count = len(filters(one.body, has_options=True))
            self.say(frame(SUBACK, one.body[:2] + b"\0" + self.suback * count))
        elif one.kind == UNSUBSCRIBE:
            count = len(filters(one.body, has_options=False))
            self.say(frame(UNSUBACK, one.body[:2] + b"\0" + b"\0" * count))
        elif one.kind == PINGREQ:
            self.say(frame(PINGRESP, b""))


def filters(body: bytes, *, has_options: bool) -> list[str]:
    """The filters of a SUBSCRIBE, or of an UNSUBSCRIBE, without properties."""
    found, at = [], 3
    while at < len(body):
        begin = at + 2
        at = begin + int.from_bytes(body[at:begin], "big")
        found.append(body[begin:at].decode())
        at += has_options
    return found


async def _read(reader: asyncio.StreamReader) -> Frame:
    kind = (await reader.readexactly(1))[0] >> 4
    length = shift = 0
    while True:
        byte = (await reader.readexactly(1))[0]
        length |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return Frame(kind, await reader.readexactly(length))
