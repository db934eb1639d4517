"""What PostgreSQL would read of a COPY BINARY, by the description of the format in its manual."""

from __future__ import annotations

import struct
from typing import Any

from ecgstream.store.tables import BLOCK_KEY, TRACE, Row, Table
from ecgstream.store.trace_rows import packed, packed_keys
from ecgstream.store.traces import Block

_FORMATS = {
    "bigint": ">q",
    "smallint": ">h",
    "integer": ">i",
    "double precision": ">d",
    "real": ">f",
    "boolean": ">?",
    "timestamptz": ">q",
}
_ELEMENTS = {"bigint": 20, "boolean": 16}
_SIGNATURE = b"PGCOPY\n\xff\r\n\0"


def rows(data: bytes, table: Table) -> list[Row]:
    """The rows of a whole copy; a time is what travels, µs since 2000."""
    assert data[:19] == _SIGNATURE + bytes(8)
    at, found = 19, []
    while (count := struct.unpack_from(">h", data, at)[0]) != -1:
        assert count == len(table.columns)
        at += 2
        row = []
        for kind in table.columns.values():
            size = struct.unpack_from(">i", data, at)[0]
            at += 4
            row.append(None if size == -1 else _value(kind, data[at : at + size]))
            at += max(size, 0)
        found.append(tuple(row))
    assert at + 2 == len(data)
    return found


def row(block: Block, time_ns: int = 0) -> Row:
    """A block as a row of the trace table."""
    (found,) = rows(b"".join(packed([(block, time_ns)])), TRACE)
    (key,) = rows(packed_keys([(block, time_ns)]), BLOCK_KEY)
    assert found[: len(key)] == key
    return found


def _value(kind: str, data: bytes) -> Any:
    if kind == "text":
        return data.decode()
    if kind == "bytea":
        return data
    if kind.endswith("[]"):
        return _array(kind.removesuffix("[]"), data)
    (value,) = struct.unpack(_FORMATS[kind], data)
    return value


def _array(kind: str, data: bytes) -> list[Any]:
    dimensions, nulls, element = struct.unpack_from(">iii", data)
    assert (nulls, element) == (0, _ELEMENTS[kind])
    if dimensions == 0:
        assert len(data) == 12
        return []
    n, lower = struct.unpack_from(">ii", data, 12)
    assert (dimensions, lower) == (1, 1)
    size = struct.calcsize(_FORMATS[kind])
    assert len(data) == 20 + n * (4 + size)
    parts = [data[20 + i * (4 + size) :][: 4 + size] for i in range(n)]
    assert all(part[:4] == size.to_bytes(4) for part in parts)
    return [_value(kind, part[4:]) for part in parts]
