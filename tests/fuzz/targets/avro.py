"""Avro: bodies of HTTP, every record and version of the schemas, and a gateway's file of enrolments."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import suppress

import numpy as np
from fastavro import schemaless_writer
from fastavro.utils import generate_one

from devices.enrolment import Enrolments, change_of, pack, unpack
from devices.errors import CacheError, MessageError
from devices.http.answers import admitted
from devices.http.records import records
from devices.parts import from_text, parts_of, to_text
from schemas import mdc, registry
from schemas.bundle import Bundle, gather
from schemas.codec import decode, encode
from schemas.errors import BadRecordError
from schemas.records import Channel, Control, Enrolment, Limit, Limits, Packet, Vital
from tests.devices.http.made import framed
from tests.fuzz.mutators import BINARY, JSON
from tests.fuzz.target import Target

AT_NS = 1_790_000_000_000_000_000
_LEAD = Channel(mdc.LEADS["II"], 0, 0, 12.0, 200.0, (np.arange(12) * 37 % 100 - 50).astype(np.int16))
PACKETS = [Packet("dev-1", AT_NS, n, n * 12, AT_NS, AT_NS, [_LEAD, _LEAD], [7]) for n in range(2)]
VITAL = Vital("dev-1", AT_NS, AT_NS, mdc.SPO2, 97.0)
ENROLMENT = Enrolment(
    "dev-1", "wearable", "cn.h1", 7, (1,), b"k" * 32, "CN=dev-1", disabled=False, changed_ns=1
)
CONTROL = Control("id", "dev-1", AT_NS, 0, AT_NS, "registry", Limits((Limit(mdc.SPO2, 90.0, None),)))


def body(data: bytes) -> None:
    """Read a body of packets, and the same as one of numbers."""
    for kind in (Packet, Vital):
        with suppress(MessageError):
            for _, item in admitted("dev-1", records(data, kind)).items:
                encode(item)


def record(data: bytes) -> None:
    """Read a record as all of ours do; what can be read can be written, and a bundle be taken apart."""
    with suppress(BadRecordError):
        found = decode(data)
        if not isinstance(found, Bundle):
            encode(found)
            return
        for item in (*found.packets(), *found.vitals()):
            encode(item)
        parts = parts_of(found)
        assert repr(from_text(to_text(parts))) == repr(parts)  # NaN is NaN here
        gather([data, data])


def enrolments(data: bytes) -> None:
    """Read a record of the topic of enrolments, and a gateway's file of them."""
    with suppress(BadRecordError):
        change_of(b"dev-1", data)
    with suppress(CacheError):
        unpack(data)


def _records() -> Sequence[bytes]:
    ours = [*PACKETS, VITAL, ENROLMENT, CONTROL, Bundle.of("gw", 3, AT_NS, PACKETS, [VITAL])]
    return [*map(encode, ours), *map(_by_chance, registry._versions())]


def _by_chance(schema: registry.Schema) -> bytes:
    """Return a record of any version of any schema; its fields may say anything."""
    out = io.BytesIO()
    schemaless_writer(out, schema.parsed, generate_one(schema.parsed))
    return schema.header + out.getvalue()


def _enrolments() -> Sequence[bytes]:
    return [encode(ENROLMENT), pack(Enrolments().changed([("dev-1", ENROLMENT)]), AT_NS)]


TARGETS = {
    "avro-body": Target(body, lambda: [framed(PACKETS), framed([VITAL, VITAL])], BINARY),
    "avro-records": Target(record, _records, BINARY),
    "enrolments": Target(enrolments, _enrolments, (*BINARY, *JSON)),
}
