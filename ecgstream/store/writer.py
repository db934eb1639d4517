"""The writer: rows and trace blocks into the database, all in one transaction."""

from collections.abc import Iterable, Sequence

import psycopg
import structlog

from ecgstream.store import tables
from ecgstream.store.rows import Rows
from ecgstream.store.tables import Row, Table
from ecgstream.store.trace_codec import CODEC, TraceError, decode_block, encode_block
from ecgstream.store.traces import Block, Wave, merge

_LOCKS = 0x65636701  # first key of the advisory locks; the second is the partition

log = structlog.get_logger()


class Writer:
    """Writes over one connection, which it owns."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        self._devices: set[str] = set()  # that are in ecg.device for sure
        with connection.transaction():
            for table in (*tables.UPSERTED, tables.SESSION, tables.BLOCK_KEY, tables.TRACE):
                connection.execute(table.stage)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def write(self, rows: Iterable[Rows], blocks: Sequence[Block]) -> None:
        """Write all or, where an error is raised, nothing."""
        joined: dict[str, list[Row]] = {}
        for found in rows:
            for table, more in found.items():
                joined.setdefault(table.name, []).extend(more)
        with self._connection.transaction():
            for table in tables.UPSERTED:
                if joined.get(table.name):
                    self._upsert(table, joined[table.name])
            new = {row[0] for row in joined.get(tables.DEVICE.name, ())} - self._devices
            self._follow_rhythms(new | {row[0] for row in joined.get(tables.RHYTHM.name, ())})
            if blocks:
                self._write_blocks(blocks)
        self._devices |= new

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

    def _write_blocks(self, blocks: Sequence[Block]) -> None:
        # Reading what is stored of a block, merging and writing it back must not meet another sink that has
        # the partition too (a paused one that does not know yet that it lost it).
        partitions = sorted({block.partition for block in blocks})
        self._connection.execute(
            "SELECT pg_advisory_xact_lock(%s, p) FROM unnest(%s::int[]) AS p", (_LOCKS, partitions)
        )
        merged: dict[tuple[str, int, int, int], Block] = {}
        for block in blocks:
            before = merged.get(block.key)
            merged[block.key] = block if before is None else merge(before, block)
        sessions = {(b.device, b.session, b.origin_ns, b.offset) for b in blocks}
        self._upsert(tables.SESSION, sessions)
        self._stage(tables.BLOCK_KEY, ((*b.key, b.wave.rate) for b in merged.values()))
        for row in self._connection.execute(tables.BLOCK_KEY.upsert, binary=True).fetchall():
            try:
                stored = block_of(row)
            except TraceError as error:
                log.warning("stored_block_unreadable", device=row[0], session=row[1], reason=str(error))
                continue
            merged[stored.key] = merge(stored, merged[stored.key])
        self._upsert(tables.TRACE, map(row_of, merged.values()))


def row_of(block: Block) -> Row:
    """Return a block as a row of the trace table."""
    w = block.wave
    packets = block.ordered
    return (
        *block.key,
        *(w.code, w.kind, w.unit, w.rate, w.gain, w.offset, w.high_pass, w.low_pass, w.notch),
        *(block.samples.size, CODEC, encode_block(block.samples)),
        *([p[i] for p in packets] for i in range(4)),
        sorted(block.paces),
    )


def block_of(row: Row) -> Block:
    """Return the block that a row of the trace table holds.

    Raises:
        TraceError: its samples cannot be decoded.
    """
    device, session, channel, first_sample = row[:4]
    n, codec, data = row[13:16]
    seq, first, start_ns, lead_off, paces = row[16:]
    entries = zip(zip(seq, first, strict=True), zip(start_ns, lead_off, strict=True), strict=True)
    samples = decode_block(codec, data, n)
    wave = Wave(*row[4:13])
    return Block(device, session, channel, first_sample, wave, 0, samples, dict(entries), set(paces))
