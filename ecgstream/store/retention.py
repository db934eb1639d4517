"""What is no longer kept is deleted: by chunks on TimescaleDB, else by rows, a slice of a device at once.

Nothing goes unless a setting says for how many days its kind is kept. What an open alert points at stays, of
signals, beats and vitals a minute around its onset and its decision. Minutes stay until their hours are made.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import LiteralString

import psycopg
from psycopg import sql

from ecgstream.settings import Settings

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Table:
    """A table of which old rows go.

    Args:
        name: in schema ``ecg``.
        kept: the setting that says for how many days.
        time: the column that tells a row's age.
        slice: how much of a device's time one transaction deletes: about 100,000 rows.
        but: a further condition on a row ``t``; ``%(cut)s`` is before when it would go.
        chunked: whether it is a hypertable where there are any.
    """

    name: LiteralString
    kept: str
    time: LiteralString = "time"
    slice: timedelta = DAY
    but: LiteralString = "true"
    chunked: bool = False


_NO_EVIDENCE: LiteralString = """NOT EXISTS (
    SELECT FROM ecg.evidence AS e WHERE e.device = t.device
    AND t.time > e.since - interval '10 s' AND t.time < e.until)"""
# A rhythm holds until the device's next one.
_FOLLOWED: LiteralString = """EXISTS (
    SELECT FROM ecg.rhythm AS n WHERE n.device = t.device
    AND (n.session, n.sample) > (t.session, t.sample) AND n.time <= %(cut)s)"""
# So does a correction.
_SUCCEEDED: LiteralString = """EXISTS (
    SELECT FROM ecg.clock_correction AS n WHERE n.device = t.device
    AND n.since_ns > t.since_ns AND n.time <= %(cut)s)"""
_NO_OPEN_ALERT: LiteralString = """NOT EXISTS (
    SELECT FROM ecg.alert AS a WHERE a.id = t.id AND a.state <> 'ENDED')"""

TABLES = (
    Table("trace", "keep_traces_days", but=_NO_EVIDENCE, chunked=True),
    Table("beat", "keep_beats_days", but=_NO_EVIDENCE, chunked=True),
    Table("vital", "keep_vitals_days", but=_NO_EVIDENCE, chunked=True),
    Table("trend", "keep_trends_days", slice=7 * DAY, chunked=True),
    Table("trend_hour", "keep_hours_days", slice=365 * DAY, chunked=True),
    Table("rhythm", "keep_events_days", slice=30 * DAY, but=_FOLLOWED),
    Table("segment", "keep_events_days", slice=365 * DAY, but="ecg.at_ns(t.to_ns) < %(cut)s"),
    Table("control", "keep_events_days", slice=365 * DAY),
    Table("condition", "keep_events_days", "onset", 30 * DAY, _NO_OPEN_ALERT),
    Table("alert", "keep_events_days", "onset", 365 * DAY, "t.state = 'ENDED'"),
    Table("clock_correction", "keep_events_days", slice=365 * DAY, but=_SUCCEEDED),
    Table("judgement", "keep_events_days", "onset", 365 * DAY),
)


@dataclass(slots=True)
class Deleted:
    """What went, or would go, of a table."""

    rows: int = 0
    chunks: int = 0
    bytes: int = 0


def before(days: int, now: datetime) -> datetime | None:
    """Return the time before which goes what is kept for so many days: whole UTC days; ``None``: nothing."""
    return (now - days * DAY).replace(hour=0, minute=0, second=0, microsecond=0) if days else None


def cut(connection: psycopg.Connection, table: Table, settings: Settings, now: datetime) -> datetime | None:
    """Return the time before which a table's rows go; ``None``: nothing goes."""
    found = before(getattr(settings, table.kept), now)
    if found is not None and table.name == "trend":
        row = connection.execute("SELECT min(time) FROM ecg.hour_due").fetchone()
        found = min(found, (row and row[0]) or found)
    return found


def has_chunks(connection: psycopg.Connection) -> bool:
    """Say whether there are hypertables."""
    query = "SELECT FROM pg_extension WHERE extname = 'timescaledb'"
    return connection.execute(query).fetchone() is not None


def would_delete(connection: psycopg.Connection, table: Table, before: datetime) -> Deleted:
    """Count what ``delete`` would take; by rows, that reads all the old ones."""
    if table.chunked and has_chunks(connection):
        chunks = _old_chunks(connection, table, before)
        return Deleted(chunks=len(chunks), bytes=sum(n for *_, n in chunks))
    query = sql.SQL("SELECT count(*) FROM ecg.{} AS t WHERE t.{} < %(cut)s AND {}").format(*_names(table))
    row = connection.execute(query, {"cut": before}).fetchone()
    return Deleted(rows=0 if row is None else int(row[0]))


def delete(
    connection: psycopg.Connection,
    table: Table,
    before: datetime,
    progress: Callable[[Iterable[str]], Iterable[str]],
) -> Deleted:
    """Delete what is older; ``connection``: autocommit; ``progress`` is given the devices."""
    found = Deleted()
    if table.chunked and has_chunks(connection):
        for since, until, size in _old_chunks(connection, table, before):
            connection.execute("SELECT ecg.drop_chunk(%s, %s, %s)", (table.name, since, until))
            found.chunks += 1
            found.bytes += size
        return found
    for device in progress(list(_devices(connection, table))):
        for n in _slices(connection, table, device, before):
            found.rows += n
    return found


def _old_chunks(
    connection: psycopg.Connection, table: Table, before: datetime
) -> list[tuple[datetime, datetime, int]]:
    query = "SELECT since, until, bytes FROM ecg.old_chunks(%s, %s)"
    return connection.execute(query, (table.name, before)).fetchall()


def _devices(connection: psycopg.Connection, table: Table) -> Iterator[str]:
    """Yield the devices that a table has rows of: one look into its index each."""
    query = sql.SQL("SELECT min(device) FROM ecg.{} WHERE device > %s").format(sql.Identifier(table.name))
    device: str | None = ""
    while device is not None:
        row = connection.execute(query, (device,)).fetchone()
        device = None if row is None else row[0]
        if device is not None:
            yield device


def _slices(connection: psycopg.Connection, table: Table, device: str, before: datetime) -> Iterator[int]:
    """Delete a device's old rows slice by slice, the oldest first; yield how many each had."""
    of_device: LiteralString = "FROM ecg.{0} AS t WHERE t.device = %(device)s AND t.{1} >= %(since)s"
    oldest = sql.SQL("SELECT min(t.{1}) " + of_device + " AND t.{1} < %(cut)s").format(*_names(table))
    remove = sql.SQL("DELETE " + of_device + " AND t.{1} < %(until)s AND {2}").format(*_names(table))
    values = {"device": device, "since": "-infinity", "cut": before}
    while True:
        row = connection.execute(oldest, values).fetchone()
        first: datetime | None = None if row is None else row[0]
        if first is None:
            return
        until = min(first + table.slice, before)
        yield connection.execute(remove, {**values, "since": first, "until": until}).rowcount
        values = {**values, "since": until}


def _names(table: Table) -> tuple[sql.Composable, ...]:
    return sql.Identifier(table.name), sql.Identifier(table.time), sql.SQL(table.but)
