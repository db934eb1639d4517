"""How long a strip and a day of trends take to be read, with days of traces and weeks of trends behind them.

Each is asked as a person asks, through the views: by a clinic that sees its own devices, by a cardiologist
who sees a province's; and of the base tables, where nothing is held back. Each turn is about another device
and another time.
"""

import os
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any, LiteralString

import numpy as np
import psycopg
from psycopg import sql
from rich.console import Console

from devices.recordings import toy_ecg
from ecgstream.bench.database import new_database
from ecgstream.registry import device_store, facility_store, people
from ecgstream.registry.devices import Device
from ecgstream.registry.devices import Kind as DeviceKind
from ecgstream.registry.facilities import plan
from ecgstream.registry.henan import PROVINCE, henan
from ecgstream.registry.people import Person, Position
from ecgstream.registry.roles import Kind
from ecgstream.store import read
from ecgstream.store.connection import connect
from ecgstream.store.migrate import detect, migrate
from ecgstream.store.trace_codec import CODEC, encode_block
from schemas import mdc

TRACED, TRACE_DAYS = 50, 3
DEVICES, TREND_DAYS = 200, 30
TURNS = 100
STRIP_S, RATE_HZ, BLOCK_S = 10, 250, 10
BARS_MS = {"strip": 20, "trend": 50}
CLINIC = "410100-H1"
BY = "bench"

_NOW = datetime(2026, 1, 31, tzinfo=UTC)
_SECOND_NS = 1_000_000_000
_CODES = (mdc.HEART_RATE, mdc.SPO2)
_DIFFERENT = 64  # blocks; they are taken in turns

TRACES: LiteralString = """
INSERT INTO ecg.trace
SELECT device, 1, lead, n * 2500, %(begin)s::timestamptz + n * interval '10 s', 131329 + lead, 0, 0, 250, 200,
    1024, NULL, NULL, NULL, 2500, %(codec)s, p.data, seq, first, at_ns, array_fill(false, '{10}'), '{}'
FROM generate_series(0, %(days)s * 8640 - 1) AS n
CROSS JOIN LATERAL (SELECT array_agg(n * 10 + s), array_agg((n * 10 + s) * 250::bigint),
        array_agg((%(begin_s)s + n * 10 + s) * 1000000000::bigint)
    FROM generate_series(0, 9) AS s) AS packets (seq, first, at_ns)
CROSS JOIN made CROSS JOIN generate_series(0, %(leads)s - 1) AS lead
JOIN pool AS p ON p.i = (n * 7 + made.i) %% (SELECT count(*) FROM pool)
WHERE made.i < %(devices)s
"""
TRENDS: LiteralString = """
INSERT INTO ecg.trend (device, session, minute_ns, time, code, n, mean, low, high, generation, source_offset,
    version)
SELECT device, 1, (%(begin_s)s + m * 60) * 1000000000::bigint, %(begin)s::timestamptz + m * interval '1 min',
    code, 60, 60 + m %% 40, 55, 105, 1, 1, '1'
FROM generate_series(0, %(days)s * 1440 - 1) AS m CROSS JOIN made
CROSS JOIN unnest(%(codes)s::bigint[]) AS code
"""
_STRIP_OF_TABLES: LiteralString = """
SELECT data FROM ecg.trace WHERE device = %s AND code = 131330 AND time > %s - interval '10 s' AND time < %s
"""
_TREND_OF_TABLES: LiteralString = """
SELECT time, code, n, mean, low, high FROM ecg.trend WHERE device = %s AND time >= %s AND time < %s
"""


def run(server: str) -> dict[str, Any]:
    """Return ms of each question, median, best and worst of a hundred, and its bar.

    Args:
        server: URL of a database server; empty for the embedded PostgreSQL.

    Raises:
        CannotMeasureError: there is no such server.
    """
    say = Console(highlight=False).print
    with new_database(server) as url:
        migrate(url)
        devices = _enrol(url)
        with connect(url, autocommit=True) as owner:
            figures: dict[str, Any] = {"edition": str(detect(owner)), **_fill(owner, devices, say)}
        with readers(url) as roles:
            for name, bar in BARS_MS.items():
                for who, role in roles.items():
                    of_turns = _taken(url, role, name, devices)
                    of_all = {"": median(of_turns), "_best": min(of_turns), "_worst": max(of_turns)}
                    for which, taken in of_all.items():
                        figures[f"{name}_{who}{which}_ms"] = round(taken * 1000, 1)
                figures[f"{name}_bar_ms"] = bar
    return figures


def _enrol(url: str) -> list[str]:
    """Enrol all devices; those whose traces there are stand in one clinic, and come first."""
    tree = henan()
    others = [f.code for f in tree if f.code != CLINIC and f.code.startswith("4101") and "-" in f.code]
    devices = [
        Device(
            f"dev-{i:04}",
            CLINIC if i < TRACED else others[i % len(others)],
            DeviceKind.BEDSIDE_MONITOR,
            (mdc.LEADS["I"], mdc.LEADS["II"]),
        )
        for i in range(DEVICES)
    ]
    with connect(url, role="ecg_registry") as connection:
        facility_store.apply(connection, plan([], tree), BY)
        device_store.apply(connection, device_store.planned(connection, devices, BY), BY)
    return [device.device for device in devices]


def _fill(owner: psycopg.Connection, devices: list[str], say: Callable[[str], object]) -> dict[str, int]:
    """Write all traces and trends, in the order of time; return how many."""
    owner.execute("SET synchronous_commit = off")
    owner.execute("CREATE TEMPORARY TABLE made (i integer, device text)")
    owner.execute("CREATE TEMPORARY TABLE pool (i integer, data bytea)")
    copy(owner, "made", enumerate(devices))
    copy(owner, "pool", enumerate(blocks()))
    owner.execute("ANALYZE made, pool")
    found = {}
    for name, statement, days in (("trace", TRACES, TRACE_DAYS), ("trend", TRENDS, TREND_DAYS)):
        began = time.perf_counter()
        begin = _NOW - timedelta(days=days)
        values = {"begin": begin, "begin_s": int(begin.timestamp()), "days": days, "codec": CODEC}
        values |= {"devices": TRACED, "leads": 2, "codes": list(_CODES)}
        found[f"rows_{name}"] = owner.execute(statement, values).rowcount
        say(f"  {found[f'rows_{name}']:,} rows of ecg.{name} ({time.perf_counter() - began:.0f} s)")
    owner.execute("VACUUM (ANALYZE)")
    row = owner.execute("SELECT pg_database_size(current_database())").fetchone()
    return {**found, "database_mb": 0 if row is None else int(row[0]) // 1_000_000}


def copy(owner: psycopg.Connection, table: str, rows: Iterator[Any] | enumerate[Any]) -> None:
    """Write rows into a table."""
    statement = sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(table))
    with owner.cursor() as cursor, cursor.copy(statement) as copying:
        for row in rows:
            copying.write_row(row)


def blocks() -> list[bytes]:
    """Return encoded blocks: cuts of MIT-BIH 208, as if it had 250 Hz."""
    samples = toy_ecg().sessions[0].waves[0].samples
    n = BLOCK_S * RATE_HZ
    starts = np.linspace(0, samples.size - n, _DIFFERENT).astype(int)
    return [encode_block(samples[start : start + n]) for start in starts]


@contextmanager
def readers(url: str) -> Iterator[dict[str, str]]:
    """Give who reads, and the role of it; the empty role owns the tables. Roles outlive a database."""
    who = {Kind.CLINIC: CLINIC, Kind.CARDIOLOGIST: PROVINCE}
    accounts = {kind: f"bench_{os.getpid()}_{kind}" for kind in who}
    with connect(url, role="ecg_registry") as connection:
        people.add(connection, [Person(accounts[k], k, (Position(k, at),)) for k, at in who.items()], BY)
    roles = {str(kind): f"person_{account}" for kind, account in accounts.items()}
    try:
        yield {**roles, "tables": ""}
    finally:
        with connect(url, autocommit=True) as owner:
            for role in roles.values():
                owner.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))


def _taken(url: str, role: str, name: str, devices: list[str]) -> list[float]:
    """Return the s that a question took, a turn; the first, which fills the session's caches, is left out."""
    chance = random.Random(1)  # noqa: S311 - no secret
    taken = []
    with connect(url, role=role, autocommit=True) as connection:
        for _ in range(TURNS + 1):
            device = devices[chance.randrange(TRACED)]
            days = TRACE_DAYS if name == "strip" else TREND_DAYS
            long = timedelta(seconds=STRIP_S) if name == "strip" else timedelta(days=1)
            since = _NOW - timedelta(days=days) + chance.random() * (timedelta(days=days) - long)
            since = since.replace(second=0, microsecond=0)
            began = time.perf_counter()
            n = _ask(connection, name, device, since, since + long, of_tables=not role)
            taken.append(time.perf_counter() - began)
            if n == 0:
                raise RuntimeError(f"{name} of {device} from {since}: nothing was found")
    return taken[1:]


def _ask(
    connection: psycopg.Connection,
    name: str,
    device: str,
    since: datetime,
    until: datetime,
    *,
    of_tables: bool,
) -> int:
    """Ask once; return how many samples or minutes came."""
    if of_tables:
        query = _STRIP_OF_TABLES if name == "strip" else _TREND_OF_TABLES
        return len(connection.execute(query, (device, since, until), binary=True).fetchall())
    if name == "strip":
        from_ns, to_ns = (int(at.timestamp()) * _SECOND_NS for at in (since, until))
        (strip,) = read.signal(connection, device, "II", from_ns, to_ns)
        if strip.samples.size != STRIP_S * RATE_HZ:
            raise RuntimeError(f"{device} from {since}: {strip.samples.size} samples")
        return strip.samples.size
    return len(read.trend(connection, device, since, until, timedelta(minutes=1)))
