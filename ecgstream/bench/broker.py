"""A broker of MQTT 5 that gives one gateway what it is told to, and counts what that acknowledges.

It speaks what a gateway needs of the OASIS standard (clauses 2 and 3) and nothing more: a broker of its own
process would take time that nobody asks for here.
"""

import socket
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress

from ecgstream.bench.measure import CannotMeasureError

WINDOW = 1000
"""Messages that are not acknowledged, at most; less than a gateway allows."""
PATIENCE_S = 120.0
_CONNECT, _CONNACK, _PUBLISH, _PUBACK, _SUBSCRIBE, _SUBACK = 1, 2, 3, 4, 8, 9
_PINGREQ, _PINGRESP = 12, 13
_CONTENT_TYPE = 3
_QOS_1 = 2


class Broker:
    """Listens on loopback as long as it is entered, for one connection after the other."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._line: socket.socket | None = None
        self._changed = threading.Condition()
        self._given = self._acknowledged = 0
        self._is_subscribed = False
        self._thread = threading.Thread(target=self._serve, name="broker", daemon=True)

    def __enter__(self) -> "Broker":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        if self._line is not None:
            with suppress(OSError):
                self._line.shutdown(socket.SHUT_RDWR)
        self._thread.join()

    def give(self, messages: Iterable[tuple[str, bytes]], content_type: str) -> None:
        """Give topics with their payloads; return once all are acknowledged.

        Raises:
            CannotMeasureError: nobody takes them.
        """
        self._wait(lambda: self._is_subscribed)
        for topic, payload in messages:
            self._wait(lambda: self._given - self._acknowledged < WINDOW)
            self._given += 1
            self._send(
                _PUBLISH << 4 | _QOS_1, _message(self._given % 65_535 + 1, topic, payload, content_type)
            )
        self._wait(lambda: self._given == self._acknowledged)

    def _wait(self, holds: Callable[[], bool]) -> None:
        with self._changed:
            if not self._changed.wait_for(holds, PATIENCE_S):
                raise CannotMeasureError("the gateway takes nothing from its broker")

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                self._line, _ = self._listener.accept()
                with self._line, suppress(EOFError):
                    while True:
                        self._hear(*_frame(self._line))

    def _hear(self, kind: int, body: bytes) -> None:
        if kind == _PUBACK:
            with self._changed:
                self._acknowledged += 1
                self._changed.notify()
        elif kind == _CONNECT:
            self._send(_CONNACK << 4, b"\0\0\0")
        elif kind == _SUBSCRIBE:
            self._send(_SUBACK << 4, body[:2] + b"\0\1")
            with self._changed:
                self._is_subscribed = True
                self._changed.notify()
        elif kind == _PINGREQ:
            self._send(_PINGRESP << 4, b"")

    def _send(self, first: int, body: bytes) -> None:
        if self._line is not None:
            self._line.sendall(bytes([first]) + _number(len(body)) + body)


def _message(number: int, topic: str, payload: bytes, content_type: str) -> bytes:
    properties = bytes([_CONTENT_TYPE]) + _text(content_type)
    return _text(topic) + number.to_bytes(2, "big") + _number(len(properties)) + properties + payload


def _text(value: str) -> bytes:
    return len(value).to_bytes(2, "big") + value.encode("ascii")


def _number(value: int) -> bytes:
    """Return a variable byte integer (1.5.5)."""
    made = bytearray()
    while True:
        value, low = divmod(value, 128)
        made.append(low | (128 if value else 0))
        if not value:
            return bytes(made)


def _frame(line: socket.socket) -> tuple[int, bytes]:
    kind, length, shift = _read(line, 1)[0] >> 4, 0, 0
    while True:
        byte = _read(line, 1)[0]
        length |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return kind, _read(line, length)


def _read(line: socket.socket, size: int) -> bytes:
    found = bytearray()
    while len(found) < size:
        data = line.recv(size - len(found))
        if not data:
            raise EOFError
        found += data
    return bytes(found)
