"""The migrations, on plain PostgreSQL and on TimescaleDB."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import replace

import psycopg
import pytest

from ecgstream.store.connection import connect
from ecgstream.store.migrate import (
    Edition,
    Migration,
    MigrationError,
    detect,
    migrate,
    migrations,
    statements,
)
from tests.system.people import person

EXTRA = Migration(9001, "9001_extra.sql", Edition.PLAIN, "CREATE TABLE ecg.extra (n int);")


def is_timescale(url: str) -> bool:
    with connect(url, autocommit=True) as connection:
        return detect(connection) is Edition.APACHE


def rows(url: str, query: str, role: str = "") -> list[tuple[object, ...]]:
    with connect(url, role=role) as connection:
        return connection.execute(query).fetchall()  # type: ignore[arg-type]


def test_an_empty_database_and_the_same_again(database_url: str) -> None:
    ran = migrate(database_url)
    timescale = is_timescale(database_url)
    assert ran == [
        m.name for m in migrations() if m.needs is Edition.PLAIN or (timescale and m.needs is Edition.APACHE)
    ]
    assert migrate(database_url) == []
    if timescale:
        found = rows(
            database_url, "SELECT hypertable_name FROM timescaledb_information.hypertables ORDER BY 1"
        )
        assert found == [("beat",), ("trace",), ("trend",), ("trend_hour",), ("vital",)]


def test_every_view_can_be_read(database_url: str) -> None:
    migrate(database_url)
    views = rows(database_url, "SELECT table_name FROM information_schema.views WHERE table_schema = 'api'")
    assert {"trace_blocks", "beats", "trends", "alerts", "device_health"} <= {name for (name,) in views}
    for (name,) in views:
        assert rows(database_url, f"SELECT * FROM api.{name}") == []  # noqa: S608


def test_nanoseconds_become_times(database_url: str) -> None:
    migrate(database_url)
    (found,) = rows(
        database_url, "SELECT ecg.at_ns(1700000000123456789)::text, ecg.at_ns(0)::text, ecg.at_ns(NULL)"
    )
    assert found == ("2023-11-14 22:13:20.123456+00", "1970-01-01 00:00:00+00", None)


def test_a_changed_file_is_an_error(database_url: str) -> None:
    migrate(database_url)
    first, *others = migrations()
    with pytest.raises(MigrationError, match="0001_tables"):
        migrate(database_url, [replace(first, text=first.text + " "), *others])


def test_a_later_database_is_an_error(database_url: str) -> None:
    migrate(database_url, [*migrations(), EXTRA])
    with pytest.raises(MigrationError, match="9001_extra"):
        migrate(database_url)


def test_a_file_that_fails_leaves_nothing_and_can_be_mended(database_url: str) -> None:
    broken = replace(EXTRA, text=EXTRA.text + "SELECT 1/0;")
    with pytest.raises(psycopg.errors.DivisionByZero):
        migrate(database_url, [*migrations(), broken])
    assert migrate(database_url, [*migrations(), EXTRA]) == [EXTRA.name]


def test_a_file_without_transaction_runs_statement_by_statement(database_url: str) -> None:
    text = "-- ecgstream: no transaction\nCREATE TABLE ecg.a (n int);\n"
    text += "CREATE INDEX CONCURRENTLY a_n\nON ecg.a (n);\n"
    assert migrate(database_url, [*migrations(), replace(EXTRA, text=text)])[-1] == EXTRA.name


def test_of_two_at_once_one_migrates(database_url: str) -> None:
    ran: list[list[str]] = []
    threads = [threading.Thread(target=lambda: ran.append(migrate(database_url))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(map(len, ran))[0] == 0
    assert len(ran) == 2
    assert max(map(len, ran)) >= 2


def test_a_plain_database_that_becomes_timescale(new_database: object, timescale_url: str) -> None:
    """Its data stays; what the edition adds runs then."""
    url = new_database(timescale_url)  # type: ignore[operator]
    with connect(url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA ecg")
        connection.execute(
            "CREATE TABLE ecg.migration (name text PRIMARY KEY, checksum text NOT NULL,"
            " applied timestamptz NOT NULL DEFAULT now())"
        )
        for migration in (m for m in migrations() if m.needs is Edition.PLAIN):
            connection.execute(migration.text)  # type: ignore[arg-type]
            entry = (migration.name, migration.checksum)
            connection.execute("INSERT INTO ecg.migration VALUES (%s, %s)", entry)
        connection.execute("INSERT INTO ecg.device VALUES ('d', 'gw-1', 1, 3, 3)")
        connection.execute("INSERT INTO ecg.vital VALUES ('d', 1, 2, 3, ecg.at_ns(3), 4, 0, 0)")
    assert migrate(url) == [m.name for m in migrations() if m.needs is Edition.APACHE]
    assert rows(url, "SELECT value FROM api.vitals", person(url, "clinic")) == [(4.0,)]


def test_of_the_community_edition_only_the_licence_is_missing(
    new_database: Callable[[str], str], timescale_url: str
) -> None:
    """It cannot be run here: its statements are refused for the licence, and for nothing else."""
    url = new_database(timescale_url)
    migrate(url)
    tried = [
        statement
        for migration in migrations()
        if migration.needs is Edition.COMMUNITY
        for statement in statements(migration.text)
    ]
    assert len(tried) > 12
    with connect(url, autocommit=True) as connection:
        connection.execute("INSERT INTO ecg.beat VALUES ('d', 1, 1, 1, now(), 'N', 1, 1, 1, 1, '1')")
        connection.execute("INSERT INTO ecg.vital VALUES ('d', 1, 1, 1, now(), 1, 1, 1)")
        connection.execute("INSERT INTO ecg.trend VALUES ('d', 1, 1, now(), 1, 1, 1, 1, 1, 1, 1, '1')")
        for statement in tried:
            with pytest.raises(psycopg.errors.FeatureNotSupported, match="license"):
                connection.execute(statement)  # type: ignore[arg-type]


def test_the_community_edition_compresses_by_the_keys(database_url: str) -> None:
    """TimescaleDB finds conflicts in compressed chunks by the columns that segment and order them."""
    migrate(database_url)
    by_table: dict[str, set[str]] = {}
    for migration in migrations():
        if migration.needs is Edition.COMMUNITY:
            for table, segment, order in re.findall(
                r"ALTER TABLE ecg\.(\w+) SET \(timescaledb\.compress,"
                r" timescaledb\.compress_segmentby = '([^']*)',"
                r"\s+timescaledb\.compress_orderby = '([^']*)'\)",
                migration.text,
            ):
                by_table[table] = {column.strip() for column in f"{segment},{order}".split(",")}
    assert {*by_table} == {"beat", "vital", "trend"}
    for table, columns in by_table.items():
        key = rows(
            database_url,
            "SELECT a.attname FROM pg_index AS i JOIN pg_attribute AS a ON a.attrelid = i.indrelid"  # noqa: S608
            f" WHERE i.indrelid = 'ecg.{table}'::regclass AND i.indisprimary"
            " AND a.attnum = ANY((i.indkey::int2[])[0:i.indnkeyatts - 1])",
        )
        assert {name for (name,) in key} == columns, table
