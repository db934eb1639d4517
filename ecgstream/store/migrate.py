"""Migrations: numbered SQL files, forward only, each once, one runner at a time.

``NNNN_name.sql`` runs everywhere, ``NNNN_name.timescale.sql`` besides on TimescaleDB of any edition and
``NNNN_name.community.sql`` besides on its Community edition; a database that becomes TimescaleDB later gets
these files then. Each file runs in a transaction together with its entry in ``ecg.migration``; one whose
first line is ``-- ecgstream: no transaction`` runs statement by statement, and must bear being run again.
"""

import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files

import psycopg
import structlog
from psycopg import sql

from ecgstream.store.connection import connect

_LOCK = 0x65636700  # "ecg": whoever holds this advisory lock migrates
_NAME = re.compile(r"(\d{4})_(\w+)(?:\.(timescale|community))?\.sql")
_NO_TRANSACTION = "-- ecgstream: no transaction"

log = structlog.get_logger()


class Edition(StrEnum):
    """What the database can do; each can what those before it can."""

    PLAIN = "plain"
    APACHE = "apache"
    COMMUNITY = "community"


class MigrationError(RuntimeError):
    """The database cannot be brought to this version; a retry does not help."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file; ``text`` is its SQL."""

    number: int
    name: str
    needs: Edition
    text: str

    @property
    def checksum(self) -> str:
        """What tells that the file is still the one that ran."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def transactional(self) -> bool:
        """Whether the file runs in a transaction."""
        return not self.text.startswith(_NO_TRANSACTION)


_NEEDS = {None: Edition.PLAIN, "timescale": Edition.APACHE, "community": Edition.COMMUNITY}
_ORDER = list(Edition)


def migrations() -> list[Migration]:
    """Return this version's migrations in the order in which they run."""
    found = []
    for file in (files("ecgstream.store") / "migrations").iterdir():
        match = _NAME.fullmatch(file.name)
        if match:
            needs = _NEEDS[match[3]]
            found.append(Migration(int(match[1]), file.name, needs, file.read_text("utf-8")))
    return sorted(found, key=lambda m: (m.number, _ORDER.index(m.needs)))


def migrate(url: str, wanted: list[Migration] | None = None) -> list[str]:
    """Bring the database to this version; return the names of the files that ran.

    Raises:
        MigrationError: a file that ran has changed since, or the database is of a later version.
    """
    with connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        try:
            return _migrate(connection, migrations() if wanted is None else wanted)
        finally:
            connection.execute("SELECT pg_advisory_unlock(%s)", (_LOCK,))


def _migrate(connection: psycopg.Connection, wanted: list[Migration]) -> list[str]:
    connection.execute("SET client_min_messages = warning")
    connection.execute("CREATE SCHEMA IF NOT EXISTS ecg")
    connection.execute(
        "CREATE TABLE IF NOT EXISTS ecg.migration (name text PRIMARY KEY, checksum text NOT NULL,"
        " applied timestamptz NOT NULL DEFAULT now())"
    )
    done: dict[str, str] = dict(connection.execute("SELECT name, checksum FROM ecg.migration").fetchall())
    _check(done, {m.name: m for m in wanted})
    edition = detect(connection)
    can = _ORDER[: _ORDER.index(edition) + 1]
    ran = [m for m in wanted if m.name not in done and m.needs in can]
    for migration in ran:
        _run(connection, migration)
    log.info("database migrated", edition=str(edition), files=[m.name for m in ran])
    return [m.name for m in ran]


def _check(done: dict[str, str], wanted: dict[str, Migration]) -> None:
    for name, checksum in done.items():
        if name not in wanted:
            raise MigrationError(f"the database is of a later version: {name} is not known here")
        if wanted[name].checksum != checksum:
            raise MigrationError(f"{name} has changed since it ran: undo the change, add a new file instead")


def _run(connection: psycopg.Connection, migration: Migration) -> None:
    note = sql.SQL("INSERT INTO ecg.migration (name, checksum) VALUES ({}, {})")
    entry = note.format(sql.Literal(migration.name), sql.Literal(migration.checksum))
    if migration.transactional:
        with connection.transaction():
            connection.execute(migration.text)
            connection.execute(entry)
        return
    for statement in statements(migration.text):
        connection.execute(statement)
    connection.execute(entry)


def statements(text: str) -> list[str]:
    r"""Return the statements of such a file; each ends with a semicolon at the end of a line.

    >>> statements("-- ecgstream: no transaction\nSELECT 1;\nSELECT\n2;\n")
    ['SELECT 1;', 'SELECT\n2;']
    """
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("--")]
    parts = re.split(r"(?<=;)[ \t]*\n", "\n".join(lines) + "\n")
    return [part.strip() for part in parts if part.strip()]


def detect(connection: psycopg.Connection) -> Edition:
    """Return the database's edition; TimescaleDB that is installed but not yet created is, if we may."""
    if not _has_timescale(connection) and not _create_timescale(connection):
        return Edition.PLAIN
    row = connection.execute("SELECT current_setting('timescaledb.license', true)").fetchone()
    return Edition.COMMUNITY if row is not None and row[0] == "timescale" else Edition.APACHE


def _has_timescale(connection: psycopg.Connection) -> bool:
    found = connection.execute("SELECT 1 FROM pg_extension WHERE extname = 'timescaledb'").fetchone()
    return found is not None


def _create_timescale(connection: psycopg.Connection) -> bool:
    # Without its library preloaded, creating the extension would end the session; the loader's own setting
    # tells whether it is.
    there = connection.execute(
        "SELECT 1 FROM pg_available_extensions WHERE name = 'timescaledb'"
        " AND current_setting('timescaledb.disable_load', true) IS NOT NULL"
    ).fetchone()
    if there is None:
        return False
    try:
        connection.execute("CREATE EXTENSION IF NOT EXISTS timescaledb SCHEMA public")
    except psycopg.errors.InsufficientPrivilege:
        log.warning("TimescaleDB is there, but we may not create the extension: plain tables")
        return False
    return True
