"""What the database says of itself, and of whose gateways one may know."""

import time
from typing import NamedTuple

import psycopg


class Database(NamedTuple):
    """The database: its version, TimescaleDB's (empty: without), its size in bytes, s that it took to say."""

    version: str
    timescale: str
    size: int | None
    answer_s: float


def database(connection: psycopg.Connection) -> Database:
    """Return how the database is."""
    began_s = time.monotonic()
    row = connection.execute(
        "SELECT current_setting('server_version'),"
        " coalesce((SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'), ''),"
        " CASE WHEN has_database_privilege(current_database(), 'CONNECT')"
        "  THEN pg_database_size(current_database()) END"
    ).fetchone()
    if row is None:
        raise ValueError("a SELECT without FROM has a row")
    version, timescale, size = row
    return Database(version, timescale, size, time.monotonic() - began_s)


def gateways(connection: psycopg.Connection, account: str) -> set[str] | None:
    """Return the gateways whose devices one sees; None: all, for those who stand at the root."""
    at_root = connection.execute(
        "SELECT EXISTS (SELECT FROM api.positions AS p JOIN api.facilities AS f ON f.code = p.facility"
        " WHERE p.account = %s AND f.parent IS NULL)",
        (account,),
    ).fetchone()
    if at_root == (True,):
        return None
    rows = connection.execute("SELECT DISTINCT gateway FROM api.devices WHERE gateway IS NOT NULL")
    return {gateway for (gateway,) in rows}
