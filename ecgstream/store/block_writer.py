"""Writes trace blocks, merged with what is stored of them, within the writer's transaction.

1. No other sink writes blocks of these partitions meanwhile: there is a lock.
2. What comes twice is merged here. Each block gets its nominal time, by the origin of its session.
3. The keys are copied into a staging table; the database answers with the blocks that it has.
4. These are merged and, where that changes them, copied into a staging table and upserted from there.
5. All others, nearly always all, are new. They are copied straight into place, which costs half of a staging
   table and an upsert.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import psycopg
import structlog
from psycopg.sql import Composed

from ecgstream.store import tables
from ecgstream.store.trace_codec import TraceError
from ecgstream.store.trace_rows import Placed, block_of, packed, packed_keys
from ecgstream.store.traces import Block, merge, nominal_ns

_LOCKS = 0x65636701  # first key of the advisory locks; the second is the partition
_ORIGINS_KEPT = 100_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Key = tuple[str, int, int, int]
Origins = dict[tuple[str, int], int]
"""Device and session to the device time of the session's sample 0, ns."""

log = structlog.get_logger()


class BlockWriter:
    """Writes over the connection of a writer, in the transaction that is open."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        self._origins: Origins = {}  # as committed in ecg.session, where they never change
        with connection.transaction():
            for table in (tables.SESSION, tables.BLOCK_KEY, tables.TRACE):
                connection.execute(table.stage)

    def write(self, blocks: Sequence[Block]) -> Origins:
        """Write blocks; return what may be remembered once all is committed."""
        self._lock({block.partition for block in blocks})
        merged: dict[Key, Block] = {}
        for block in blocks:
            before = merged.get(block.key)
            merged[block.key] = block if before is None else merge(before, block)
        origins = self._find_origins(blocks)
        placed = {
            key: (b, nominal_ns(origins[b.device, b.session], b.first_sample, b.wave.rate))
            for key, b in merged.items()
        }
        changed = []
        for key, stored in self._find_stored(list(placed.values())).items():
            block, time_ns = placed.pop(key)
            whole = block if stored is None else merge(stored, block)
            if stored is None or not _same(stored, whole):
                changed.append((whole, time_ns))
        if changed:
            self._copy(tables.TRACE.copy, packed(changed))
            self._connection.execute(tables.TRACE.upsert)
        if placed:
            self._copy(tables.COPY_TRACE, packed(list(placed.values())))
        return origins

    def remember(self, origins: Origins) -> None:
        """Keep the origins of sessions, which are committed now, so that they need not be asked for again."""
        if len(self._origins) > _ORIGINS_KEPT:
            self._origins.clear()
        self._origins |= origins

    def _lock(self, partitions: set[int]) -> None:
        # Reading what is stored of a block, merging and writing it back must not meet another sink that has
        # the partition too (a paused one that does not know yet that it lost it).
        self._connection.execute(
            "SELECT pg_advisory_xact_lock(%s, p) FROM unnest(%s::int[]) AS p", (_LOCKS, sorted(partitions))
        )

    def _find_origins(self, blocks: Sequence[Block]) -> Origins:
        """Return the origins of the blocks' sessions; that of a new one is fixed by what came first."""
        new = {
            (b.device, b.session, b.origin_ns, b.offset)
            for b in blocks
            if (b.device, b.session) not in self._origins
        }
        known = {key: self._origins[key] for b in blocks if (key := (b.device, b.session)) in self._origins}
        if not new:
            return known
        with self._connection.cursor() as cursor, cursor.copy(tables.SESSION.copy) as copy:
            copy.set_types(list(tables.SESSION.columns.values()))
            for row in new:
                copy.write_row(row)
        self._connection.execute(tables.SESSION.upsert)
        rows = self._connection.execute(tables.ORIGINS, binary=True)
        return known | {(device, session): origin_ns for device, session, origin_ns in rows}

    def _find_stored(self, placed: Sequence[Placed]) -> dict[Key, Block | None]:
        """Return the blocks of these keys that the database has; ``None`` where one cannot be read."""
        self._copy(tables.BLOCK_KEY.copy, [packed_keys(placed)])
        times = [time_ns for _, time_ns in placed]
        bounds = (_moment(min(times)), _moment(max(times)))
        # Prepared, the plan would be made without the bounds, and every chunk asked for every block.
        rows = self._connection.execute(tables.BLOCK_KEY.upsert, bounds, prepare=False, binary=True)
        found: dict[Key, Block | None] = {}
        for row in rows:
            key = row[0], row[1], row[2], row[3]
            try:
                found[key] = block_of(row)
            except TraceError as error:
                log.warning("stored_block_unreadable", device=row[0], session=row[1], reason=str(error))
                found[key] = None
        return found

    def _copy(self, statement: Composed, pieces: Iterable[bytes]) -> None:
        with self._connection.cursor() as cursor, cursor.copy(statement) as copy:
            for piece in pieces:
                copy.write(piece)


def _moment(ns: int) -> datetime:
    return _EPOCH + timedelta(microseconds=ns // 1000)


def _same(stored: Block, whole: Block) -> bool:
    """Say whether a merge has brought nothing new: so a replay writes nothing."""
    return (
        stored.wave == whole.wave
        and stored.packets == whole.packets
        and stored.paces == whole.paces
        and np.array_equal(stored.samples, whole.samples)
    )
