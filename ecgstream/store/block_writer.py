"""Writes trace blocks, merged with what is stored of them, within the writer's transaction.

1. No other sink writes blocks of these partitions meanwhile: there is a lock.
2. What comes twice is merged here. Each block gets its nominal time, by the origin of its session.
3. Keys are copied into a staging table, and the database answers with the blocks that it has. Left out are
   blocks behind the last that this writer brought of a channel, where that one was new: nearly always all.
4. Blocks that are stored are merged and, where that changes them, copied into a staging table and upserted.
5. All others are copied straight into place, at half the cost. Should one of them be there all the same,
   because another sink took over and gave back, then the unique key tells: ``forget``, and write again.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import numpy as np
import psycopg
import structlog
from psycopg.sql import Composed

from ecgstream.store import tables
from ecgstream.store.trace_codec import TraceError
from ecgstream.store.trace_rows import Placed, block_of, packed, packed_keys
from ecgstream.store.traces import Block, merge, nominal_ns

_LOCKS = 0x65636701  # first key of the advisory locks; the second is the partition
_KEPT = 100_000  # sessions
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Key = tuple[str, int, int, int]


class Known(NamedTuple):
    """What a writer knows of the store without asking.

    Attributes:
        origins: device and session to the device time of the session's sample 0, ns, which never changes.
        newest: device, session and channel to the first sample of the last block, which was new.
    """

    origins: dict[tuple[str, int], int]
    newest: dict[tuple[str, int, int], int]


log = structlog.get_logger()


class BlockWriter:
    """Writes over the connection of a writer, in the transaction that is open."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        self._known = Known({}, {})
        with connection.transaction():
            for table in (tables.SESSION, tables.BLOCK_KEY, tables.TRACE):
                connection.execute(table.stage)

    def write(self, blocks: Sequence[Block]) -> Known:
        """Write blocks; return what is to be remembered once all is committed."""
        self._lock({block.source[1] for block in blocks})
        merged: dict[Key, Block] = {}
        for block in blocks:
            before = merged.get(block.key)
            merged[block.key] = block if before is None else merge(before, block)
        origins = self._find_origins(blocks)
        placed = {
            key: (b, nominal_ns(origins[b.device, b.session], b.first_sample, b.wave.rate))
            for key, b in merged.items()
        }
        newest = self._known.newest
        stored = self._find_stored([at for k, at in placed.items() if k[3] <= newest.get(k[:3], k[3])])
        changed = []
        for key, before in stored.items():
            block, time_ns = placed.pop(key)
            whole = block if before is None else merge(before, block)
            if before is None or not _same(before, whole):
                changed.append((whole, time_ns))
        if changed:
            self._copy(tables.TRACE.copy, packed(changed))
            self._connection.execute(tables.TRACE.upsert)
        if placed:
            self._copy(tables.COPY_TRACE, packed(list(placed.values())))
        return Known(origins, _newest(placed, stored))

    def remember(self, known: Known) -> None:
        """Keep what is known from now on, since it is committed."""
        if len(self._known.origins) > _KEPT:
            self.forget()
        self._known.origins.update(known.origins)
        for channel, first_sample in known.newest.items():
            if first_sample > self._known.newest.get(channel, -1):
                self._known.newest[channel] = first_sample

    def forget(self) -> None:
        """Ask the database again."""
        self._known = Known({}, {})

    def _lock(self, partitions: set[int]) -> None:
        # Reading what is stored of a block, merging and writing it back must not meet another sink that has
        # the partition too (a paused one that does not know yet that it lost it).
        self._connection.execute(
            "SELECT pg_advisory_xact_lock(%s, p) FROM unnest(%s::int[]) AS p", (_LOCKS, sorted(partitions))
        )

    def _find_origins(self, blocks: Sequence[Block]) -> dict[tuple[str, int], int]:
        """Return the origins of the blocks' sessions; that of a new one is fixed by what came first."""
        origins = self._known.origins
        known = {key: origins[key] for b in blocks if (key := (b.device, b.session)) in origins}
        new = {
            (b.device, b.session, b.origin_ns, b.offset) for b in blocks if (b.device, b.session) not in known
        }
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
        if not placed:
            return {}
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


def _newest(new: Iterable[Key], stored: Iterable[Key]) -> dict[tuple[str, int, int], int]:
    """Return the last block of each channel whose last block is new."""
    newest: dict[tuple[str, int, int], int] = {}
    for key in new:
        if key[3] > newest.get(key[:3], -1):
            newest[key[:3]] = key[3]
    for key in stored:
        if key[3] > newest.get(key[:3], -1):
            newest.pop(key[:3], None)
    return newest


def _moment(ns: int) -> datetime:
    return _EPOCH + timedelta(microseconds=ns // 1000)


def _same(stored: Block, whole: Block) -> bool:
    """Say whether a merge has brought nothing new: so a replay writes nothing."""
    return (
        stored.wave == whole.wave
        and stored.packets == whole.packets
        and stored.paces == whole.paces
        and stored.arrived == whole.arrived
        and np.array_equal(stored.samples, whole.samples)
    )
