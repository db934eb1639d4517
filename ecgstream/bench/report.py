"""How long a report of 24 hours takes, read from a real database by a clinic that sees the device.

Two leads at 250 Hz with an ST level each minute, and a beat every 0.75 s or so. One process with one thread
makes it, the database server works beside it. The PDF is made first, so that its seconds have all imports in
them.
"""

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString

import psycopg

from ecgstream.bench.database import new_database
from ecgstream.bench.store import BY, CLINIC, TRACES, TRENDS, blocks, copy, readers
from ecgstream.registry import device_store, facility_store
from ecgstream.registry.devices import Device, Kind
from ecgstream.registry.facilities import plan
from ecgstream.registry.henan import henan
from ecgstream.store.connection import connect
from ecgstream.store.migrate import detect, migrate
from ecgstream.store.trace_codec import CODEC
from schemas import mdc

BAR_S = 10.0
DEVICE = "dev-0"
DAY = timedelta(days=1)
BEGIN = datetime(2026, 1, 30, tzinfo=UTC)

_BEATS: LiteralString = """
INSERT INTO ecg.beat (device, session, sample, time, time_ns, code, rr_s, hr_bpm, generation, source_offset,
    version)
SELECT device, 1, (at_s * 250)::bigint, to_timestamp(%(begin_s)s + at_s),
    (%(begin_s)s * 1000000000::bigint + (at_s * 1e9)::bigint),
    CASE WHEN mod(n, 97) = 0 THEN 'V' ELSE 'N' END, at_s - lag(at_s) OVER (ORDER BY n), 80, 1, 1, '1'
FROM made, LATERAL (SELECT n, 0.75 * n + 0.03 * sin(n / 1.3) + 0.2 AS at_s
    FROM generate_series(0, 115198) AS n) AS b
"""
_RHYTHMS: LiteralString = """
INSERT INTO ecg.rhythm (device, session, sample, time, time_ns, rhythm, generation, source_offset, version)
SELECT device, 1, n * 900000, to_timestamp(%(begin_s)s + n * 3600),
    (%(begin_s)s + n * 3600) * 1000000000::bigint,
    CASE WHEN mod(n, 8) = 5 THEN 'AFIB' ELSE 'N' END, 1, 1, '1'
FROM made, generate_series(0, 23) AS n
"""
_SEGMENT: LiteralString = """
INSERT INTO ecg.segment (device, session, lane, from_sample, from_ns, time, start, settings, generation,
    source_offset, version)
SELECT device, 1, 'LIVE', 0, %(begin_s)s * 1000000000::bigint, %(begin)s, 'COLD', '{}', 1, 1, '1' FROM made
"""


def run(server: str) -> dict[str, Any]:
    """Return the seconds of each format, beside the bar.

    Args:
        server: URL of a database server; empty for the embedded PostgreSQL.

    Raises:
        CannotMeasureError: there is no such server.
    """
    with new_database(server) as url:
        migrate(url)
        enrol(url)
        with connect(url, autocommit=True) as owner:
            figures: dict[str, Any] = {"edition": str(detect(owner)), "beats": fill(owner)}
        with readers(url) as roles, connect(url, role=roles["clinic"], autocommit=True) as connection:
            figures |= _taken(connection)
    return figures


def bars(found: Mapping[str, Any]) -> list[tuple[str, str, str, bool]]:
    """Return what is wanted, what was found, and whether that will do."""
    return [("s for the PDF", f"< {BAR_S:g}", f"{found['pdf_s']}", found["pdf_s"] < BAR_S)]


def enrol(url: str) -> None:
    """Let the device stand in its clinic."""
    with connect(url, role="ecg_registry") as registry:
        facility_store.apply(registry, plan([], henan()), BY)
        leads = (mdc.LEADS["I"], mdc.LEADS["II"])
        enrolled = [Device(DEVICE, CLINIC, Kind.BEDSIDE_MONITOR, leads)]
        device_store.apply(registry, device_store.planned(registry, enrolled, BY), BY)


def fill(owner: psycopg.Connection, leads: int = 2) -> int:
    """Write the day of a device with so many leads; return how many beats it has."""
    owner.execute("CREATE TEMPORARY TABLE made (i integer, device text)")
    owner.execute("CREATE TEMPORARY TABLE pool (i integer, data bytea)")
    copy(owner, "made", enumerate([DEVICE]))
    copy(owner, "pool", enumerate(blocks()))
    values = {"begin": BEGIN, "begin_s": int(BEGIN.timestamp()), "days": 1, "codec": CODEC, "devices": 1}
    values |= {"leads": leads, "codes": [mdc.ECG_ANALYSED, mdc.ST_LEADS["I"], mdc.ST_LEADS["II"]]}
    for statement in (TRACES, TRENDS, _RHYTHMS, _SEGMENT):
        owner.execute(statement, values)
    n = owner.execute(_BEATS, values).rowcount
    owner.execute("VACUUM (ANALYZE)")
    return n


def _taken(connection: psycopg.Connection) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for kind in (".pdf", ".json", ".fhir.json"):
        began = time.perf_counter()
        from ecgstream.reports import make  # its imports are a part of what is waited for

        made = make.made(connection, make.Wanted(DEVICE, "", (BEGIN, BEGIN + DAY)))
        written = make.drawn(made, kind, "en")
        name = kind.strip(".").replace(".", "_")
        found[f"{name}_s"] = round(time.perf_counter() - began, 2)
        found[f"{name}_kb"] = len(written) // 1000
    return found
