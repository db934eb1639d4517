"""What a message says under its topic: packets and numbers, in the forms of HTTP, or whether a line is up.

The property *content type* of MQTT 5 names the form, as the header of HTTP does; without one it is JSON.
"""

from collections.abc import Callable, Sequence

from devices.errors import MessageError
from devices.http import forms
from devices.http.forms import JSON_TYPE
from devices.http.records import AVRO_TYPE, records
from devices.mqtt.topics import Kind, Topic
from devices.sessions import Item
from schemas.records import Packet, Vital

MOST_BYTES = 131_072
"""Of a message's payload: a second of 12 leads of 1000 Hz in JSON is half of it."""

_CODECS: dict[tuple[Kind, str], Callable[[bytes], Sequence[Item | MessageError]]] = {
    (Kind.PACKETS, JSON_TYPE): forms.packets,
    (Kind.PACKETS, AVRO_TYPE): lambda body: records(body, Packet),
    (Kind.VITALS, JSON_TYPE): forms.vitals,
    (Kind.VITALS, AVRO_TYPE): lambda body: records(body, Vital),
}
_LINES = {b"online": True, b"offline": False}


def items_of(topic: Topic, payload: bytes, content_type: str) -> list[Item | MessageError]:
    """Return what a device has measured, each item or why it cannot be meant; ``received_ns`` is still 0.

    Args:
        topic: of packets or numbers. What a message holds of another device than the topic's is refused.
        payload: as published.
        content_type: the property; empty: there was none.

    Raises:
        MessageError: nothing of the message can be meant.
    """
    if len(payload) > MOST_BYTES:
        raise MessageError(f"a payload is at most {MOST_BYTES} bytes")
    codec = _CODECS.get((topic.kind, content_type or JSON_TYPE))
    if codec is None:
        raise MessageError(f"a content type is {JSON_TYPE} or {AVRO_TYPE}")
    return [_own(topic.device, item) for item in codec(payload)]


def is_online(payload: bytes) -> bool:
    """Return what a status says of its device's line.

    Raises:
        MessageError: it says something else.

    >>> is_online(b"offline")
    False
    """
    if payload not in _LINES:
        raise MessageError("a status is online or offline")
    return _LINES[payload]


def _own(device: str, item: Item | MessageError) -> Item | MessageError:
    if isinstance(item, MessageError) or item.device == device:
        return item
    return MessageError("it is of another device than its topic")
