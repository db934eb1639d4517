"""Every schema version, found by its fingerprint.

Records travel in Avro's single-object encoding: the marker ``C3 01``, the little-endian CRC-64-AVRO
fingerprint of the writer's schema, the data (Avro specification 1.11, *Single-object encoding*). A
reader in any language needs the ``.avsc`` files and no registry server.
"""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from fastavro.schema import fingerprint, parse_schema, to_parsing_canonical_form

from schemas.errors import BadRecordError

MARKER = b"\xc3\x01"
HEADER_BYTES = 10


@dataclass(frozen=True, slots=True, eq=False)
class Schema:
    """One version of one schema; ``header`` are the ten bytes its records begin with."""

    name: str
    version: int
    source: dict[str, Any]
    parsed: Any
    header: bytes


def _load(file_name: str, text: str) -> Schema:
    name, version = file_name.removesuffix(".avsc").rsplit("-", 1)
    source = json.loads(text)
    crc = fingerprint(to_parsing_canonical_form(source), "CRC-64-AVRO")
    return Schema(name, int(version), source, parse_schema(source), MARKER + bytes.fromhex(crc))


@cache
def _versions() -> tuple[Schema, ...]:
    folder = files("schemas") / "avro"
    found = [_load(f.name, f.read_text("utf-8")) for f in folder.iterdir() if f.name.endswith(".avsc")]
    return tuple(sorted(found, key=lambda s: (s.name, s.version)))


@cache
def _by_header() -> dict[bytes, Schema]:
    return {s.header: s for s in _versions()}


@cache
def newest(name: str) -> Schema:
    """Return the version of ``name`` that is written today.

    >>> newest("Packet").version
    1
    """
    return [s for s in _versions() if s.name == name][-1]


def writer_of(data: bytes | memoryview) -> Schema:
    """Return the schema that ``data`` was written with.

    Raises:
        BadRecordError: too short, no marker, or a fingerprint that no schema here has.
    """
    header = bytes(data[:HEADER_BYTES])
    if len(header) < HEADER_BYTES:
        raise BadRecordError(f"{len(header)} bytes are too few for a record")
    if header[:2] != MARKER:
        raise BadRecordError("no single-object marker C3 01 at the beginning")
    try:
        return _by_header()[header]
    except KeyError:
        raise BadRecordError(
            f"unknown schema fingerprint {header[2:].hex()}: if a newer ecgstream wrote it, update this one"
        ) from None
