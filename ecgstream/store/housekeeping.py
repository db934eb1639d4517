"""Housekeeping: what the database does not do by itself, the same in all its editions.

1. hourly trends are made of the minutes that have come since (``hours``);
2. what is kept no longer is deleted (``retention``), and reports that nobody has signed (``unsigned``).

In this order, so that hours outlive their minutes. It may end anywhere and be run again, and from a timer;
one at a time works, by an advisory lock, and another one leaves.
"""

import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import psycopg
from psycopg.types.json import Jsonb

from ecgstream.settings import PREFIX, Settings
from ecgstream.store import hours, retention, unsigned

ROLE = "ecg_housekeeping"
_LOCK = 0x65636703  # whoever holds this advisory lock does it

Progress = Callable[[Iterable[str], str], Iterable[str]]
"""Shows how far a long run over items has come, under a title."""


def keep_house(
    connection: psycopg.Connection,
    settings: Settings,
    say: Callable[[str], object],
    *,
    now: datetime | None = None,
    dry_run: bool = False,
    progress: Progress = lambda items, _: items,
) -> bool:
    """Do all of it, telling a line a step; return whether it was ours to do.

    Args:
        connection: autocommit, as ``ROLE``.
        settings: how long what is kept.
        say: takes the lines.
        now: instead of the clock's time.
        dry_run: only tell what would be done.
        progress: for a person who waits.
    """
    row = connection.execute("SELECT pg_try_advisory_lock(%s)", (_LOCK,)).fetchone()
    if row != (True,):
        say("Another housekeeping is at work: nothing to do here.")
        return False
    try:
        now = datetime.now(UTC) if now is None else now
        _make_hours(connection, now, say, dry_run=dry_run)
        for table in retention.TABLES:
            _clear(connection, table, settings, now, say, dry_run=dry_run, progress=progress)
        _forget_reports(connection, settings, now, say, dry_run=dry_run)
    finally:
        connection.execute("SELECT pg_advisory_unlock(%s)", (_LOCK,))
    return True


def _make_hours(
    connection: psycopg.Connection, now: datetime, say: Callable[[str], object], *, dry_run: bool
) -> None:
    began = time.monotonic()
    before = hours.over(now)
    n = hours.due(connection, before) if dry_run else sum(hours.make(connection, before))
    _say(say, "hours", f"{n:,} of devices {'to make' if dry_run else 'made'} of their minutes", began)


def _clear(
    connection: psycopg.Connection,
    table: retention.Table,
    settings: Settings,
    now: datetime,
    say: Callable[[str], object],
    *,
    dry_run: bool,
    progress: Progress,
) -> None:
    began = time.monotonic()
    before = retention.cut(connection, table, settings, now)
    if before is None:
        _say_kept(say, table.name, table.kept)
        return
    if dry_run:
        gone = retention.would_delete(connection, table, before)
    else:
        gone = retention.delete(connection, table, before, lambda items: progress(items, table.name))
        if gone.rows or gone.chunks:
            deleted = Jsonb({"before": before.isoformat(), "rows": gone.rows, "chunks": gone.chunks})
            note = "SELECT ecg.note('housekeeping', 'delete', 'table', %s, %s)"
            connection.execute(note, (table.name, deleted))
    what = f"{gone.rows:,} rows"
    if gone.chunks:
        what = f"{gone.chunks:,} chunks, {gone.bytes / 1e6:,.1f} MB"
    verb = "to delete" if dry_run else "deleted"
    _say(say, table.name, f"{what} {verb}, older than {before:%Y-%m-%d}", began)


def _forget_reports(
    connection: psycopg.Connection,
    settings: Settings,
    now: datetime,
    say: Callable[[str], object],
    *,
    dry_run: bool,
) -> None:
    began = time.monotonic()
    before = retention.before(settings.keep_unsigned_days, now)
    if before is None:
        _say_kept(say, "report", "keep_unsigned_days")
        return
    n = unsigned.due(connection, before) if dry_run else unsigned.forget(connection, before)
    verb = "to delete" if dry_run else "deleted"
    _say(say, "report", f"{n:,} that nobody has signed {verb}, older than {before:%Y-%m-%d}", began)


def _say_kept(say: Callable[[str], object], name: str, setting: str) -> None:
    say(f"{name:<12} kept for ever ({PREFIX}{setting.upper()} is 0)")


def _say(say: Callable[[str], object], name: str, what: str, began: float) -> None:
    say(f"{name:<12} {what} ({time.monotonic() - began:.1f} s)")
