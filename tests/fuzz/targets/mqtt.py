"""MQTT: what a broker sends on a connection, by paho's reader; and what ours makes of a message."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from devices.errors import MessageError
from devices.http.answers import admitted
from devices.http.forms import JSON_TYPE
from devices.http.records import AVRO_TYPE
from devices.mqtt.client import _Client
from devices.mqtt.content import is_online, items_of
from devices.mqtt.publish import Arrived, publish_of
from devices.mqtt.topics import Kind, topic_of
from tests.devices.http.made import framed
from tests.devices.mqtt.broker import CONNACK, PINGRESP, PUBLISH, SUBACK, frame, publish
from tests.fuzz.mutators import BINARY, JSON
from tests.fuzz.target import Target
from tests.fuzz.targets.avro import PACKETS, VITAL
from tests.fuzz.targets.http import _bodies, _taken

_ROOT = "ecgstream/v1/7/dev-1"
_HEAD = 2


class _Wire:
    """A socket from which a broker's bytes come, in pieces."""

    def __init__(self, data: bytes) -> None:
        self._data = data[1:]
        self._piece = 16 * (data[0] + 1) if data else 1
        self.is_over = False

    def recv(self, size: int) -> bytes:
        found, self._data = self._data[: min(size, self._piece)], self._data[min(size, self._piece) :]
        self.is_over = not found
        return found

    def send(self, data: Any) -> int:
        return len(data)

    def close(self) -> None:
        self.is_over = True

    def fileno(self) -> int:
        return -1


def line(data: bytes) -> None:
    """Read all that comes; what paho cannot bear ends the line, as in ``Line``. Nothing of ours may."""
    faults: list[Exception] = []

    def arrived(message: Arrived) -> None:
        try:
            _message(message)
        except Exception as error:
            faults.append(error)

    wire = _Wire(data)
    client = _Client("fuzz", arrived)
    client._sock = wire  # type: ignore[assignment]
    with suppress(Exception):
        while not wire.is_over and client.socket() is not None:
            client.loop_read()
    if faults:
        raise faults[0]


def message(data: bytes) -> None:
    """Read a PUBLISH without its length: first byte and body."""
    with suppress(MessageError):
        _message(publish_of(data[0] if data else 0, data[1:]))


def _message(arrived: Arrived) -> None:
    with suppress(MessageError):
        topic = topic_of(arrived.topic)
        if topic.kind is Kind.STATUS:
            is_online(arrived.payload)
        else:
            found = items_of(topic, arrived.payload, arrived.content_type)
            _taken([item for _, item in admitted(topic.device, found).items])


def _publishes() -> list[bytes]:
    json = [
        publish(7, f"{_ROOT}/packets", body, content_type=JSON_TYPE) for body in _bodies()["/v1/packets"][:2]
    ]
    vitals = [publish(8, f"{_ROOT}/vitals", body) for body in _bodies()["/v1/vitals"]]
    avro = [
        publish(9, f"{_ROOT}/packets", framed(PACKETS), content_type=AVRO_TYPE),
        publish(10, f"{_ROOT}/vitals", framed([VITAL]), content_type=AVRO_TYPE),
    ]
    return [*json, *vitals, *avro, publish(11, f"{_ROOT}/status", b"offline", retain=True)]


def _lines() -> Sequence[bytes]:
    head = frame(CONNACK, b"\0\0\0") + frame(SUBACK, b"\0\1\0\1") + frame(PINGRESP, b"")
    return [b"\xff" + head + b"".join(_publishes()), *(b"\x01" + head + one for one in _publishes())]


def _messages() -> Sequence[bytes]:
    """Those whose length takes one byte or two; it is left out."""
    return [bytes([one[0]]) + one[_HEAD + (one[1] > 127) :] for one in _publishes() if one[0] >> 4 == PUBLISH]


TARGETS = {
    "mqtt": Target(line, _lines, (*BINARY, *JSON)),
    "mqtt-message": Target(message, _messages, (*BINARY, *JSON)),
}
