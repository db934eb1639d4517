"""What is often done instead of blocks: a table of a row a sample, in TimescaleDB where it is at hand."""

import time
from collections.abc import Sequence

import numpy as np
import psycopg
from numpy.typing import NDArray

from ecgstream.bench.database import new_database
from ecgstream.store.connection import connect
from ecgstream.store.migrate import Edition, detect

_STEP_US = 4000  # 250 Hz
_BEGIN = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_END = b"\xff\xff"
_ROW = np.dtype(
    [
        ("columns", ">i2"),
        *(("lead_size", ">i4"), ("lead", ">i4")),
        *(("time_size", ">i4"), ("time", ">i8")),
        *(("value_size", ">i4"), ("value", ">i2")),
    ]
)
_VALUE = np.dtype([("columns", ">i2"), ("value_size", ">i4"), ("value", ">i2")])


def run(server: str, blocks: Sequence[NDArray[np.int16]]) -> tuple[str, dict[str, float]]:
    """Return the table's name, with the database that it is in, and its cost as a codec's.

    A lead is a number and there is no index but the primary key's: it cannot well be smaller.

    Args:
        server: URL of a database server; empty for the embedded PostgreSQL.
        blocks: samples of a lead each.

    Raises:
        CannotMeasureError: there is no such server.
    """
    n = sum(block.size for block in blocks)
    with new_database(server) as url, connect(url, autocommit=True) as connection:
        timescale = detect(connection) is not Edition.PLAIN
        connection.execute(
            "CREATE TABLE sample (lead integer, time timestamptz, value smallint, PRIMARY KEY (lead, time))"
        )
        if timescale:
            connection.execute("SELECT create_hypertable('sample', 'time', create_default_indexes => false)")
        began = time.perf_counter()
        _write(connection, blocks)
        half = time.perf_counter()
        read = [_read(connection, lead) for lead in range(len(blocks))]
        ended = time.perf_counter()
        if not all(map(np.array_equal, read, blocks)):
            raise RuntimeError("the table does not give the samples back that it was given")
        size = connection.execute(
            "SELECT hypertable_size('sample')" if timescale else "SELECT pg_total_relation_size('sample')"
        ).fetchone()
    assert size is not None  # noqa: S101 - a size
    cost = {
        "bytes_per_sample": round(size[0] / n, 2),
        "encode_ns": round((half - began) / n * 1e9, 1),
        "decode_ns": round((ended - half) / n * 1e9, 1),
    }
    return ("timescaledb" if timescale else "postgresql") + "-row-a-sample", cost


def _write(connection: psycopg.Connection, blocks: Sequence[NDArray[np.int16]]) -> None:
    statement = "COPY sample FROM STDIN (FORMAT BINARY)"
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(_BEGIN)
        for lead, block in enumerate(blocks):
            rows = np.empty(block.size, _ROW)
            rows["columns"] = 3
            rows["lead_size"], rows["lead"] = 4, lead
            rows["time_size"], rows["time"] = 8, np.arange(block.size) * _STEP_US
            rows["value_size"], rows["value"] = 2, block
            copy.write(rows.tobytes())
        copy.write(_END)


def _read(connection: psycopg.Connection, lead: int) -> NDArray[np.int16]:
    statement = "COPY (SELECT value FROM sample WHERE lead = {} ORDER BY time) TO STDOUT (FORMAT BINARY)"
    with connection.cursor() as cursor, cursor.copy(statement.format(lead)) as copy:
        data = b"".join(bytes(part) for part in copy)
    return np.frombuffer(data[len(_BEGIN) : -len(_END)], _VALUE)["value"].astype(np.int16)
