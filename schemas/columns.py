"""Columnar records: fixed-width little-endian columns as Avro ``bytes``, read in place as NumPy views.

A columnar schema is plain Avro: any Avro library reads it. Its fields are strings, numbers and
``bytes``; a field with the attributes ``dtype`` and ``rows`` is a column. This module reads and writes
exactly that subset by itself, since a general decoder would copy every column.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from fastavro import schemaless_reader
from numpy.typing import NDArray

from schemas.errors import BadRecordError
from schemas.registry import HEADER_BYTES, Schema, newest

_INTEGERS = ("long", "int")
ALIGNMENT = 8


@dataclass(frozen=True, slots=True)
class Field:
    """One field: ``dtype`` and ``rows`` are set for a column, and only for a column."""

    name: str
    avro: str
    dtype: np.dtype[Any] | None
    rows: str


@cache
def layout(schema: Schema) -> tuple[Field, ...]:
    """Return the fields of a columnar schema in the order in which they travel."""
    return tuple(
        Field(f["name"], f["type"], np.dtype(f["dtype"]) if "dtype" in f else None, f.get("rows", ""))
        for f in schema.source["fields"]
    )


def _zigzag(value: int) -> bytes:
    coded = (value << 1) ^ (value >> 63)
    out = bytearray()
    while coded > 0x7F:
        out.append(coded & 0x7F | 0x80)
        coded >>= 7
    out.append(coded)
    return bytes(out)


def encode(name: str, values: Mapping[str, Any]) -> bytes:
    """Return the record ``name`` with these values; arrays are cast to their column's dtype.

    A field ``pad`` is filled so that the column behind it begins at a multiple of eight.
    """
    schema = newest(name)
    parts: list[bytes | memoryview] = [schema.header]
    size = HEADER_BYTES
    fields = layout(schema)
    for at, field in enumerate(fields):
        if field.name == "pad":
            behind = values[fields[at + 1].name]
            data = _pad(size, np.asarray(behind).size * 2)
        elif field.dtype is not None:
            body = np.ascontiguousarray(values[field.name], field.dtype).tobytes()
            data = _zigzag(len(body)) + body
        elif field.avro in _INTEGERS:
            data = _zigzag(values[field.name])
        else:
            text = values[field.name]
            raw = text.encode() if isinstance(text, str) else text
            data = _zigzag(len(raw)) + raw
        parts.append(data)
        size += len(data)
    return b"".join(parts)


def _pad(size: int, behind_bytes: int) -> bytes:
    # The pad's own length takes one byte, the length of the column behind it as many as its varint needs.
    n = -(size + 1 + len(_zigzag(behind_bytes))) % ALIGNMENT
    return _zigzag(n) + bytes(n)


def decode(schema: Schema, data: bytes | memoryview) -> dict[str, Any]:
    """Return the fields of a record; columns are read-only views into ``data`` wherever it is aligned.

    Raises:
        BadRecordError: truncated, bytes left over, a column that is no whole number of rows, or columns
            of the same rows with different lengths.
    """
    if schema is not newest(schema.name):
        return _resolve(schema, data)
    view = memoryview(data)
    values: dict[str, Any] = {}
    counts: dict[str, int] = {}
    position = HEADER_BYTES
    end = len(view)
    for name, avro, dtype, rows in _plan(schema):
        coded = shift = 0
        while True:
            if position >= end or shift > 63:
                raise BadRecordError(f"{schema.name}: ends within {name}")
            byte = view[position]
            position += 1
            coded |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
        number = (coded >> 1) ^ -(coded & 1)
        if avro in _INTEGERS:
            values[name] = number
            continue
        if number < 0 or position + number > end:
            raise BadRecordError(f"{schema.name}: {name} states {number} bytes, {end - position} are left")
        if dtype is None:
            values[name] = _text(schema.name, name, avro, view[position : position + number])
        else:
            values[name] = _column(schema.name, name, dtype, view, position, number)
            count = number // dtype.itemsize
            if counts.setdefault(rows, count) != count:
                raise BadRecordError(
                    f"{schema.name}: {name} has {count} rows, others of its kind {counts[rows]}"
                )
        position += number
    if position != end:
        raise BadRecordError(f"{schema.name}: {end - position} bytes left over")
    return values


@cache
def _plan(schema: Schema) -> tuple[tuple[str, str, np.dtype[Any] | None, str], ...]:
    return tuple((f.name, f.avro, f.dtype, f.rows) for f in layout(schema))


def _text(record: str, name: str, avro: str, raw: memoryview) -> str | bytes:
    if avro == "bytes":
        return bytes(raw)
    try:
        return str(raw, "utf-8")
    except UnicodeDecodeError as error:
        raise BadRecordError(f"{record}: {name} is not UTF-8") from error


def _column(
    record: str, name: str, dtype: np.dtype[Any], view: memoryview, position: int, nbytes: int
) -> NDArray[Any]:
    count, rest = divmod(nbytes, dtype.itemsize)
    if rest:
        raise BadRecordError(f"{record}: {name} is no whole number of {dtype.itemsize}-byte rows")
    column = np.frombuffer(view, dtype, count, position)
    return column if column.flags.aligned else column.copy()


def _resolve(writer: Schema, data: bytes | memoryview) -> dict[str, Any]:
    """Read an older version by Avro's schema resolution (copies), then as if it had been written today."""
    reader = newest(writer.name)
    try:
        values: Any = schemaless_reader(io.BytesIO(data[HEADER_BYTES:]), writer.parsed, reader.parsed)
    except Exception as error:
        raise BadRecordError(f"{writer.name}: {type(error).__name__}: {error}") from error
    dtypes = {f.name: f.dtype for f in layout(reader) if f.dtype is not None}
    for name, dtype in dtypes.items():
        raw = values[name]
        # A default that Avro's resolution filled in is still in JSON's form: one letter a byte.
        values[name] = np.frombuffer(raw.encode("latin-1") if isinstance(raw, str) else raw, dtype)
    return decode(reader, encode(reader.name, values))
