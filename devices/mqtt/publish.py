"""A PUBLISH of MQTT 5 (OASIS standard, 3.3), read to what is needed of it; pure.

paho reads one too, and holds each property to rules that a broker may not know: Mosquitto 2.0 passes U+FEFF
in a text on, at which paho breaks the line. The broker sends the message again, and so one device would stop
all others. Here properties are passed over; only what is not whole is an error, which is the broker's.
"""

from typing import NamedTuple

from devices.errors import MessageError

_CONTENT_TYPE = 3
_WIDTHS = {1: 1, 2: 4, 35: 2}
"""Bytes of the properties that are numbers (2.2.2.2)."""
_TEXTS = {_CONTENT_TYPE: 1, 8: 1, 9: 1, 38: 2}
"""Texts, each behind its length in two bytes, of the others."""
_SUBSCRIPTION = 11  # a variable byte integer
_LENGTH_BYTES = 2


class Arrived(NamedTuple):
    """A message; ``number`` is what it is acknowledged by, 0 where it cannot be (QoS 0)."""

    number: int
    topic: str
    payload: bytes
    content_type: str
    is_retained: bool


def publish_of(first: int, body: bytes) -> Arrived:
    r"""Return what came.

    Args:
        first: byte of the packet, with its flags.
        body: what stands behind the packet's length.

    Raises:
        MessageError: it is not whole, or of QoS 2, for which nobody asks.

    >>> publish_of(0x32, b"\0\5topic\0\7\0payload")
    Arrived(number=7, topic='topic', payload=b'payload', content_type='', is_retained=False)
    """
    quality = first >> 1 & 0b11
    if quality > 1:
        raise MessageError("a message of a quality that was not asked for")
    topic, at = _text(body, 0)
    number = 0
    if quality:
        number, at = _number(body, at, _LENGTH_BYTES), at + _LENGTH_BYTES
    length, at = _variable(body, at)
    end = at + length
    if end > len(body):
        raise MessageError("properties longer than their message")
    content_type = _content_type(body[:end], at)
    return Arrived(number, _said(topic), body[end:], _said(content_type), bool(first & 1))


def _content_type(body: bytes, at: int) -> bytes:
    """Pass over the properties from ``at`` on; return the content type, empty where there is none."""
    found = b""
    while at < len(body):
        kind, at = body[at], at + 1
        if kind in _WIDTHS:
            at += _WIDTHS[kind]
        elif kind in _TEXTS:
            for _ in range(_TEXTS[kind]):
                text, at = _text(body, at)
            found = text if kind == _CONTENT_TYPE else found
        elif kind == _SUBSCRIPTION:
            _, at = _variable(body, at)
        else:
            raise MessageError("a property that no message has")
    if at > len(body):
        raise MessageError("a property longer than all of them")
    return found


def _number(body: bytes, at: int, width: int) -> int:
    if at + width > len(body):
        raise MessageError("a message that ends too early")
    return int.from_bytes(body[at : at + width], "big")


def _text(body: bytes, at: int) -> tuple[bytes, int]:
    begin = at + _LENGTH_BYTES
    end = begin + _number(body, at, _LENGTH_BYTES)
    if end > len(body):
        raise MessageError("a text longer than its message")
    return body[begin:end], end


def _variable(body: bytes, at: int) -> tuple[int, int]:
    """Return a variable byte integer (1.5.5), and where it ends."""
    value = 0
    for shift in (0, 7, 14, 21):
        byte, at = _number(body, at, 1), at + 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
    raise MessageError("a length of more than four bytes")


def _said(text: bytes) -> str:
    return text.decode("utf-8", "replace")
