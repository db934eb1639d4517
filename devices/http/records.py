"""Bodies of Avro records: each packet or number as in Kafka, behind its length (4 bytes, big-endian).

>>> from schemas.codec import encode
>>> vital = encode(Vital("dev-1", 1, 1_700_000_000_000_000_000, 150456, 97.0))
>>> [found.value for found in records(len(vital).to_bytes(4, "big") + vital, Vital)]
[97.0]
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import TypeVar

from devices.errors import MessageError
from devices.http.decoding import refused
from devices.http.forms import MAX_ITEMS, checked_vital
from devices.http.terms import check_wave
from schemas.codec import decode_as
from schemas.errors import BadRecordError
from schemas.records import Packet, Vital

AVRO_TYPE = "application/vnd.apache.avro"

LENGTH_BYTES = 4

T = TypeVar("T", Packet, Vital)


def records(body: bytes, kind: type[T]) -> list[T | MessageError]:
    """Return the records of a request, each or why it cannot be meant; ``received_ns`` is the gateway's.

    Raises:
        MessageError: the body is not cut as it says, or has too many records.
    """
    return [_one(record, kind) for record in _cut(body)]


def _one(record: memoryview, kind: type[T]) -> T | MessageError:
    try:
        found = decode_as(kind, record)
        if isinstance(found, Vital):
            return checked_vital(found)
        for channel in found.channels:
            check_wave(channel)
        return replace(found, received_ns=0)
    except (MessageError, BadRecordError) as error:
        return refused(error)


def _cut(body: bytes) -> Iterator[memoryview]:
    view = memoryview(body)
    at = count = 0
    while at < len(view):
        begin = at + LENGTH_BYTES
        at = begin + int.from_bytes(view[at:begin], "big")
        count += 1
        if at > len(view):
            raise MessageError(f"record {count - 1} is longer than the body")
        if count > MAX_ITEMS:
            raise MessageError(f"more than {MAX_ITEMS} records")
        yield view[begin:at]
