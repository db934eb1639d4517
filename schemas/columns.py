"""Columnar records: fixed-width little-endian columns as Avro ``bytes``, read in place as NumPy views.

A columnar schema is plain Avro: any Avro library reads it. Its fields are strings, numbers and
``bytes``; a field with the attributes ``dtype`` and ``rows`` is a column. This module reads and writes
exactly that subset by itself, since a general decoder would copy every column.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from fastavro import schemaless_reader
from numpy.typing import NDArray

from schemas.errors import BadRecordError
from schemas.registry import HEADER_BYTES, Schema, newest

_BITS = {"long": 64, "int": 32}
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
        elif field.avro in _BITS:
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


class Read(NamedTuple):
    """Records of one schema, read together.

    Attributes:
        values: of a column the rows of all records, one after the other; of another field a list with its
            value in each record.
        rows: how many rows of each kind every record has; int64, shape (records,).
    """

    values: dict[str, Any]
    rows: dict[str, NDArray[np.int64]]


def decode(schema: Schema, data: bytes | memoryview) -> dict[str, Any]:
    """Return the fields of a record; columns are read-only views into ``data`` wherever it is aligned.

    Raises:
        BadRecordError: as ``read``.
    """
    values = read(schema, [data]).values
    return {f.name: values[f.name] if f.dtype is not None else values[f.name][0] for f in layout(schema)}


def read(schema: Schema, records: Sequence[bytes | memoryview]) -> Read:
    """Return what several records hold, joined column by column; a lone one is not copied.

    Raises:
        BadRecordError: one is truncated, has bytes left over, a column that is no whole number of rows, or
            columns of the same rows with different lengths.
    """
    if schema is not newest(schema.name):
        records = [_resolve(schema, data) for data in records]
        schema = newest(schema.name)
    plan = _plan(schema)
    cuts = [_cut(plan, data) for data in records]
    rows = _count(plan, cuts)
    values: dict[str, Any] = {}
    for field, pieces in zip(plan.fields, zip(*cuts, strict=True), strict=True):
        if field.dtype is not None:
            values[field.name] = _column(field.dtype, pieces)
        elif field.avro == "string":
            values[field.name] = [_text(plan, field, piece) for piece in pieces]
        elif field.avro == "bytes":
            values[field.name] = [bytes(piece) for piece in pieces]
        else:
            values[field.name] = pieces
    return Read(values, rows)


class _Plan(NamedTuple):
    """How to read a schema: what of it is looked at for each record, once.

    ``bits``: of an integer, else 0. ``first``: for each column, which of the columns is the first one of the
    same rows.
    """

    name: str
    fields: tuple[Field, ...]
    bits: tuple[int, ...]
    columns: tuple[int, ...]
    itemsize: NDArray[np.int64]
    first: NDArray[np.int64]


@cache
def _plan(schema: Schema) -> _Plan:
    fields = layout(schema)
    columns = [(at, f.dtype.itemsize, f.rows) for at, f in enumerate(fields) if f.dtype is not None]
    kinds = [rows for _, _, rows in columns]
    return _Plan(
        schema.name,
        fields,
        tuple(_BITS.get(f.avro, 0) for f in fields),
        tuple(at for at, _, _ in columns),
        np.array([itemsize for _, itemsize, _ in columns], np.int64),
        np.array([kinds.index(rows) for rows in kinds], np.int64),
    )


def _cut(plan: _Plan, data: bytes | memoryview) -> list[Any]:
    """Return the fields of a record: an integer, or the bytes of anything else, in place."""
    view = memoryview(data)
    end = len(view)
    position = HEADER_BYTES
    found: list[Any] = []
    for bits in plan.bits:
        coded = shift = 0
        while True:
            if position >= end or shift > 63:
                raise BadRecordError(f"{plan.name}: ends within {plan.fields[len(found)].name}")
            byte = data[position]
            position += 1
            coded |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
        number = (coded >> 1) ^ -(coded & 1)
        if bits:
            if coded >> bits:
                raise BadRecordError(f"{plan.name}: {plan.fields[len(found)].name} has more than {bits} bits")
            found.append(number)
            continue
        behind = position + number
        if number < 0 or behind > end:
            name = plan.fields[len(found)].name
            raise BadRecordError(f"{plan.name}: {name} states {number} bytes, {end - position} are left")
        found.append(view[position:behind])
        position = behind
    if position != end:
        raise BadRecordError(f"{plan.name}: {end - position} bytes left over")
    return found


def _count(plan: _Plan, cuts: Sequence[list[Any]]) -> dict[str, NDArray[np.int64]]:
    """Return the rows of each kind in every record; columns that disagree are refused."""
    sizes = np.array([[len(cut[at]) for at in plan.columns] for cut in cuts], np.int64)
    counts, rest = np.divmod(sizes, plan.itemsize)
    if rest.any():
        field = plan.fields[plan.columns[int(rest.any(axis=0).argmax())]]
        raise BadRecordError(f"{plan.name}: {field.name} is no whole number of rows")
    apart = counts != counts[:, plan.first]
    if apart.any():
        field = plan.fields[plan.columns[int(apart.any(axis=0).argmax())]]
        raise BadRecordError(f"{plan.name}: {field.name} has not as many rows as others of its kind")
    return {plan.fields[at].rows: counts[:, i] for i, at in enumerate(plan.columns) if plan.first[i] == i}


def _text(plan: _Plan, field: Field, raw: memoryview) -> str:
    try:
        return str(raw, "utf-8")
    except UnicodeDecodeError as error:
        raise BadRecordError(f"{plan.name}: {field.name} is not UTF-8") from error


def _column(dtype: np.dtype[Any], pieces: Sequence[memoryview]) -> NDArray[Any]:
    column = np.frombuffer(pieces[0] if len(pieces) == 1 else b"".join(pieces), dtype)
    return column if column.flags.aligned else column.copy()


def _resolve(writer: Schema, data: bytes | memoryview) -> bytes:
    """Return a record of an older version as if it had been written today, by Avro's schema resolution."""
    reader = newest(writer.name)
    try:
        values: Any = schemaless_reader(io.BytesIO(data[HEADER_BYTES:]), writer.parsed, reader.parsed)
    except Exception as error:
        raise BadRecordError(f"{writer.name}: {type(error).__name__}: {error}") from error
    dtypes = {f.name: f.dtype for f in layout(reader) if f.dtype is not None}
    for name, dtype in dtypes.items():
        raw = values[name]
        # A default that Avro's resolution filled in is still in JSON's form: one letter a byte.
        raw = raw.encode("latin-1") if isinstance(raw, str) else raw
        if len(raw) % dtype.itemsize:
            raise BadRecordError(f"{writer.name}: {name} is no whole number of rows")
        values[name] = np.frombuffer(raw, dtype)
    return encode(reader.name, values)
