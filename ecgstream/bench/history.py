"""A made past of 30 days for all enrolled devices, written by the database itself.

No server writes 30 days of 20,000 devices at their true density within a minute: three numbers a minute alone
are 2,600,000,000 rows. So each table has many times more rows than a listing of devices may look at, and the
devices of one clinic have their trends at full density.
"""

import time
from collections.abc import Callable
from typing import LiteralString, NamedTuple

import psycopg
from psycopg import sql

TABLES = ("trend", "rhythm", "condition", "alert", "association", "beat", "trace")


class _Step(NamedTuple):
    what: str
    statement: LiteralString


# Device number i (from 1), where it stands, and the time: as tables of the connection.
_BEGIN: LiteralString = """
CREATE TEMPORARY TABLE made AS
    SELECT device, facility, row_number() OVER (ORDER BY device) AS i FROM ecg.enrolment;
CREATE TEMPORARY TABLE span AS SELECT now() - interval '30 days' AS start, now() AS stop;
CREATE FUNCTION pg_temp.ns(at timestamptz) RETURNS bigint LANGUAGE sql
    RETURN extract(epoch FROM at)::bigint * 1000000000;
ALTER TABLE ecg.patient DISABLE TRIGGER USER;
ALTER TABLE ecg.association DISABLE TRIGGER USER;
ANALYZE made;
"""

_STEPS = (
    _Step(
        "devices seen a moment ago",
        """
        INSERT INTO ecg.device
        SELECT device, 'gw-' || facility, 1, pg_temp.ns(start), pg_temp.ns(stop) - i * 1000, pg_temp.ns(stop),
            mod(i, 200) - 100, pg_temp.ns(stop), mod(i, 101),
            CASE WHEN mod(i, 9) = 0 THEN 'AFIB' ELSE 'N' END, pg_temp.ns(stop)
        FROM made, span
        """,
    ),
    _Step(
        "patients",
        """
        INSERT INTO ecg.patient (patient, facility, changed_by)
        SELECT 'P-' || (3 * i + n), facility, 'bench' FROM made, generate_series(0, 2) AS n
        """,
    ),
    _Step(
        "associations, one in ten days",
        """
        INSERT INTO ecg.association (device, patient, since, until, place_kind, place, said_by)
        SELECT device, 'P-' || (3 * i + n), start + n * interval '10 d',
            CASE WHEN n = 2 AND mod(i, 10) > 0 THEN 'infinity'
                ELSE start + n * interval '10 d' + interval '9 d' END,
            'bed', 'Ward ' || mod(i, 7), 'bench'
        FROM made, span, generate_series(0, 2) AS n
        """,
    ),
    _Step(
        "rhythms, one in 12 hours",
        """
        INSERT INTO ecg.rhythm
        SELECT device, 1, pg_temp.ns(at) / 4000000, pg_temp.ns(at), at,
            CASE WHEN mod(n, 7) = 0 THEN 'AFIB' ELSE 'N' END, 1, 1, '1'
        FROM made, span, generate_series(start, stop, interval '12 h') WITH ORDINALITY AS t (at, n)
        """,
    ),
    _Step(
        "conditions, one in two days",
        """
        INSERT INTO ecg.condition
        SELECT gen_random_uuid(), device, '', 1, 'AFIB', 1, pg_temp.ns(at), at, 2, pg_temp.ns(at), 4.0,
            pg_temp.ns(at), 'END', 3, pg_temp.ns(at), pg_temp.ns(at), '{"rate_bpm": 120}', 1, 1, '1'
        FROM made, span, generate_series(start, stop, interval '2 d') AS at
        """,
    ),
    _Step(
        "alerts, one in two days, a few open",
        """
        INSERT INTO ecg.alert
        SELECT gen_random_uuid(), device, '', 1, 'AFIB',
            CASE WHEN mod(i, 40) = 0 THEN 'HIGH' ELSE 'MEDIUM' END,
            CASE WHEN n = 0 AND mod(i, 20) = 0 THEN 'ACTIVE' ELSE 'ENDED' END, 1, pg_temp.ns(at), at, 2,
            pg_temp.ns(at), 4.0, NULL, '{}', pg_temp.ns(at), pg_temp.ns(at), pg_temp.ns(at), 1
        FROM made, span, generate_series(0, 14) AS n, LATERAL (SELECT stop - n * interval '2 d' AS at) AS t
        """,
    ),
    _Step(
        "trends of three numbers, one a day",
        """
        INSERT INTO ecg.trend
        SELECT device, 1, pg_temp.ns(at), at, code, 60, 70, 60, 80, 1, 1, '1'
        FROM span, generate_series(start, stop, interval '1 d') AS at, made,
            unnest('{147842,148066,196609}'::bigint[]) AS code
        """,
    ),
    _Step(
        "trends of one clinic, one a minute",
        """
        INSERT INTO ecg.trend
        SELECT device, 1, pg_temp.ns(at), at, code, 60, 70, 60, 80, 1, 1, '1'
        FROM span, made, generate_series(start + interval '1 min', stop, interval '1 min') AS at,
            unnest('{147842,148066,196609}'::bigint[]) AS code
        WHERE facility = %(clinic)s
        ON CONFLICT DO NOTHING
        """,
    ),
    _Step(
        "beats, an hour of 100 devices",
        """
        INSERT INTO ecg.beat
        SELECT device, 1, n * 200, pg_temp.ns(at), at, 'N', 0.8, 75, 1, 1, '1'
        FROM made, span, generate_series(1, 4500) AS n,
            LATERAL (SELECT stop - n * interval '0.8 s' AS at) AS t
        WHERE i <= 100
        """,
    ),
    _Step(
        "trace blocks, an hour of 100 devices",
        """
        INSERT INTO ecg.trace
        SELECT device, 1, lead, n * 2500, stop - n * interval '10 s', 131329 + lead, 0, 0, 250, 200, 0, NULL,
            NULL, NULL, 2500, 'made', decode(repeat(md5(n::text), 60), 'hex'), seq, seq, seq,
            array_fill(false, '{10}'), '{}'
        FROM made, span, generate_series(1, 360) AS n, generate_series(0, 1) AS lead,
            (SELECT array_agg(k::bigint) AS seq FROM generate_series(1, 10) AS k) AS s
        WHERE i <= 100
        """,
    ),
)


def build(connection: psycopg.Connection, clinic: str, say: Callable[[str], object]) -> None:
    """Write the past; ``connection`` is the owner's, autocommit; ``clinic`` has trends of every minute."""
    connection.execute(_BEGIN)
    for step in _STEPS:
        began = time.perf_counter()
        n = connection.execute(step.statement, {"clinic": clinic}).rowcount
        say(f"  {n:>9,} {step.what} ({time.perf_counter() - began:.1f} s)")
    for _ in range(5):  # a table of which every row is written all the time has its dead rows too
        connection.execute("UPDATE ecg.device SET last_seen_ns = last_seen_ns + 1")
    connection.execute("VACUUM (ANALYZE)")


def sizes(connection: psycopg.Connection) -> dict[str, int]:
    """Return how many rows the large tables have, and the size of the database in MB."""
    found = {}
    for table in TABLES:
        query = sql.SQL("SELECT count(*) FROM ecg.{}").format(sql.Identifier(table))
        found[f"rows_{table}"] = _number(connection, query)
    size = _number(connection, sql.SQL("SELECT pg_database_size(current_database())"))
    return {**found, "database_mb": size // 1_000_000}


def _number(connection: psycopg.Connection, query: sql.SQL | sql.Composed) -> int:
    row = connection.execute(query).fetchone()
    assert row is not None  # noqa: S101 - counted
    return int(row[0])
