"""The writer: rows and trace blocks into the database, all in one transaction."""

from collections.abc import Iterable, Mapping, Sequence

import psycopg

from ecgstream.store import events, tables
from ecgstream.store.block_writer import BlockWriter
from ecgstream.store.rows import Rows
from ecgstream.store.tables import Row, Table
from ecgstream.store.traces import Block, Source

UPSERTED = (*tables.MEASURED, *events.EVENTS)
_NOTE = """
    INSERT INTO ecg.read_position (topic, partition, next)
    SELECT * FROM unnest(%s::text[], %s::integer[], %s::bigint[]) AS p (topic, partition, next) ORDER BY 1, 2
    ON CONFLICT (topic, partition) DO UPDATE SET next = excluded.next
"""


class Writer:
    """Writes over one connection, which it owns."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        self._blocks = BlockWriter(connection)
        self._devices: set[str] = set()  # that are in ecg.device for sure
        with connection.transaction():
            # Of staging tables the planner knows nothing: by its guess it would compile short queries.
            connection.execute("SET jit = off")
            for table in UPSERTED:
                connection.execute(table.stage)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def positions(self) -> dict[Source, int]:
        """Return how far what is stored has come: the first offset that may be missing."""
        rows = self._connection.execute("SELECT topic, partition, next FROM ecg.read_position").fetchall()
        self._connection.commit()
        return {(topic, partition): offset for topic, partition, offset in rows}

    def note(self, positions: Mapping[Source, int]) -> None:
        """Note how far it has come, behind what was written: a note that is lost is of no consequence."""
        with self._connection.transaction():
            self._connection.execute("SET LOCAL synchronous_commit = off")
            topics, partitions = zip(*positions, strict=True)
            self._connection.execute(_NOTE, (list(topics), list(partitions), list(positions.values())))

    def write(self, rows: Iterable[Rows], blocks: Sequence[Block]) -> None:
        """Write all or, where an error is raised, nothing."""
        joined: dict[str, list[Row]] = {}
        for found in rows:
            for table, more in found.items():
                joined.setdefault(table.name, []).extend(more)
        try:
            self._write(joined, blocks)
        except psycopg.errors.UniqueViolation:
            # A block that the writer held for new is stored: now the database is asked for each.
            self._blocks.forget()
            self._write(joined, blocks)

    def _write(self, rows: Mapping[str, list[Row]], blocks: Sequence[Block]) -> None:
        with self._connection.transaction():
            for table in UPSERTED:
                if rows.get(table.name):
                    self._upsert(table, rows[table.name])
            devices = {row[0] for row in rows.get(tables.DEVICE.name, ())} - self._devices
            self._follow_rhythms(devices | {row[0] for row in rows.get(tables.RHYTHM.name, ())})
            known = self._blocks.write(blocks) if blocks else None
        self._devices |= devices
        if known is not None:
            self._blocks.remember(known)

    def _follow_rhythms(self, devices: set[str]) -> None:
        """Give devices their newest rhythm; a new device's rhythms may have come before it."""
        if devices:
            self._connection.execute(tables.LOCK_DEVICES, (list(devices),))
            self._connection.execute(tables.FOLLOW_RHYTHM, (list(devices),))

    def _upsert(self, table: Table, rows: Iterable[Row]) -> None:
        self._stage(table, rows)
        self._connection.execute(table.upsert)

    def _stage(self, table: Table, rows: Iterable[Row]) -> None:
        with self._connection.cursor() as cursor, cursor.copy(table.copy) as copy:
            copy.set_types(list(table.columns.values()))
            for row in rows:
                copy.write_row(row)
