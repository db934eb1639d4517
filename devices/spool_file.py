"""The spool's file: its tables, how it is opened, refused, and set aside.

* ``synchronous=FULL``: a commit is on the disk when it returns, so that a failing power supply takes nothing
  of it. NORMAL would sync at checkpoints only, and lose the last seconds of what devices were told is safe.
  It would save one sync a flush: two a second, a few ms each.
* ``locking_mode=EXCLUSIVE``: the file is one process's, a second one is refused. The lock ends with the
  process.
* ``secure_delete=FAST``: what is deleted is overwritten where that costs no writing besides.
* ``auto_vacuum=INCREMENTAL``: after an outage the file shrinks again, a little with each commit.
"""

import sqlite3
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from devices import ledger, stretches, tally
from devices.errors import SpoolDamagedError, SpoolError

PATIENCE_S = 5.0
"""How long a process that is being ended may still have the file."""
_APPLICATION = int.from_bytes(b"ecgs", "big")
_VERSION = 4
_CHECKED_PAGES = 16 * 1024  # 64 MB, a fraction of a second; of larger ones, damage is found where it is read
_SPARE_PAGES = 16 * 1024  # 64 MB: a busy gateway's file goes up and down by less
_VACUUM_PAGES = 1024
_WAL_BYTES = 16 * 1_048_576
_PRAGMAS = (
    "auto_vacuum=INCREMENTAL",
    "locking_mode=EXCLUSIVE",
    "journal_mode=WAL",
    "synchronous=FULL",
    "secure_delete=FAST",
    f"journal_size_limit={_WAL_BYTES}",
)
_FIRST = f"""
CREATE TABLE record (
    number INTEGER PRIMARY KEY, -- in the order in which devices gave it
    shard INTEGER NOT NULL,
    live INTEGER NOT NULL, -- 0: Kafka has all of it but parts of the backlog
    spooled_ns INTEGER NOT NULL,
    size INTEGER NOT NULL,
    parts TEXT NOT NULL -- JSON: what it holds of which device (devices/parts.py)
) STRICT;
CREATE INDEX record_by_shard ON record (shard, number);
CREATE TABLE body (number INTEGER PRIMARY KEY, value BLOB NOT NULL) STRICT; -- apart: record stays small
CREATE TABLE gap (
    shard INTEGER NOT NULL,
    device TEXT NOT NULL,
    from_record INTEGER NOT NULL,
    to_record INTEGER NOT NULL, -- without this one
    session INTEGER NOT NULL,
    from_sample INTEGER NOT NULL,
    planned_ns INTEGER NOT NULL,
    PRIMARY KEY (device, to_record)
) STRICT, WITHOUT ROWID;
{ledger.TABLES}
PRAGMA application_id = {_APPLICATION};
"""
_SECOND = """
CREATE TABLE course ( -- how far a device has come whose sessions are made here (devices/sessions.py)
    device TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;
"""
_THIRD = f"""
ALTER TABLE record ADD COLUMN level INTEGER NOT NULL DEFAULT 0; -- what of it is lost (devices/thinning.py)
ALTER TABLE record ADD COLUMN ran_s INTEGER NOT NULL DEFAULT 0; -- when it was taken (devices/tally.py)
ALTER TABLE record ADD COLUMN crc INTEGER; -- of this row; NULL: of before (devices/rows.py)
ALTER TABLE body ADD COLUMN crc INTEGER;
CREATE INDEX record_by_level ON record (level, number);
{ledger.PAST}
{tally.TABLES}
"""
_FOURTH = f"""
DROP INDEX record_by_shard;
CREATE INDEX record_by_shard ON record (shard, number, size); -- what is counted (devices/counts.py)
{stretches.TABLES}
ALTER TABLE gap ADD COLUMN crc INTEGER; -- of this row, as all of these; NULL: of before
ALTER TABLE course ADD COLUMN crc INTEGER;
ALTER TABLE tally ADD COLUMN crc INTEGER;
ALTER TABLE play ADD COLUMN crc INTEGER;
"""
_STEPS = (_FIRST, _SECOND, _THIRD, _FOURTH)
"""What each version has brought: a new file is made as an old one is brought up."""


def connect(path: Path) -> sqlite3.Connection:
    """Return a connection that has the file for itself; make the file where there is none.

    Raises:
        SpoolDamagedError: it is not whole; it is set aside.
        SpoolError: another process has it, it is no spool, or it cannot be opened.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.touch(0o600)
        connection = sqlite3.connect(path, timeout=PATIENCE_S, isolation_level=None, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise refusal(path, error) from error
    try:
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}").fetchall()
        _prepare(connection, path)
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        connection.close()
        raise (set_aside(path, str(error)) if is_damage(error) else refusal(path, error)) from error
    except SpoolError:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Make the tables in a new file; see that another one is ours."""

    def number(query: str) -> int:
        return int(connection.execute(query).fetchone()[0])

    application, version = number("PRAGMA application_id"), number("PRAGMA user_version")
    if application == 0 and number("SELECT count(*) FROM sqlite_schema") == 0:
        _bring_up(connection, 0)
    elif application != _APPLICATION:
        raise SpoolError(f"{path} is a database of something else: name another folder for the spool")
    elif not 1 <= version <= _VERSION:
        raise SpoolError(f"the spool {path} is of version {version}, not {_VERSION}: use the newer ecgstream")
    else:
        if number("PRAGMA page_count") <= _CHECKED_PAGES:
            (said,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if said != "ok":
                connection.close()
                raise set_aside(path, said.splitlines()[-1])
        _bring_up(connection, version)


def _bring_up(connection: sqlite3.Connection, version: int) -> None:
    """Add what later versions have, all or nothing."""
    if steps := "".join(_STEPS[version:]):
        connection.executescript(f"BEGIN IMMEDIATE; {steps} PRAGMA user_version = {_VERSION}; COMMIT;")


def free_bytes(connection: sqlite3.Connection) -> int:
    """Return how much can be written before the file grows."""
    (pages,) = connection.execute("PRAGMA freelist_count").fetchone()
    (size,) = connection.execute("PRAGMA page_size").fetchone()
    return int(pages * size)


def shrink(connection: sqlite3.Connection) -> None:
    """Give pages back that an outage has left, a few at a time."""
    (pages,) = connection.execute("PRAGMA freelist_count").fetchone()
    if pages > _SPARE_PAGES:
        # By a script: Python's execute would step once, and give back one page.
        connection.executescript(f"PRAGMA incremental_vacuum({_VACUUM_PAGES})")


def is_damage(error: sqlite3.Error | UnicodeDecodeError) -> bool:
    """Return whether SQLite says that a file is not whole, or gives text that is none.

    Of such a text in a row, and of one in what SQLite itself says, Python's module tells in two ways.
    """
    if isinstance(error, UnicodeDecodeError) or "Could not decode to UTF-8" in str(error):
        return True
    return _code(error) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def refusal(path: Path, error: Exception) -> SpoolError:
    """Return what to say where the file is whole, as far as is known, and cannot be used."""
    if isinstance(error, sqlite3.Error) and _code(error) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return SpoolError(
            f"the spool {path} is in use by another process: end that one, or give this gateway another name"
        )
    return SpoolError(
        f"the spool {path} cannot be used ({error}): see that its folder can be written, and that its disk "
        "works and is not full"
    )


def set_aside(path: Path, why: str) -> SpoolDamagedError:
    """Rename a damaged file, with what belongs to it; return what to say."""
    aside = path.with_name(f"{path.name}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%S-%f}")
    for suffix in ("", "-wal"):
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
    return SpoolDamagedError(
        f"the spool {path} is damaged ({why}). It was set aside as {aside}: what Kafka had not taken is "
        f"there and nowhere else, and `sqlite3 {aside} .recover` shows what can still be read. Start again: "
        "the gateway goes on with a new spool. Have the disk looked at"
    )


def _code(error: sqlite3.Error) -> int:
    """Return SQLite's primary result code; 0 where Python's module itself complains."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
