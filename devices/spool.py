"""The durable spool: what devices gave and Kafka has not acknowledged, in a file of SQLite.

One row a record, which is a bundle as it will be sent. It is deleted after Kafka's acknowledgement and not
before. What is to be kept is collected, and committed at once with what is to be deleted: one sync of the
disk a flush, however many records and devices.

A disk that is full or broken stops no device: what cannot be written stays in memory, where it is sent from,
and ``room`` says when no more fits.
"""

import sqlite3
import threading
from collections import Counter, OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from devices import spool_file
from devices.backlog import Gap, Part, Plan
from devices.errors import SpoolDamagedError
from devices.ledger import Account, Ledger, Mark, Play
from devices.parts import from_text, to_text

MAX_UNWRITTEN_BYTES = 32 * 1_048_576
"""What a gateway holds in memory while its disk takes nothing."""
_SPARE_PAGES = 16 * 1024  # 64 MB: a busy gateway's file goes up and down by less
_VACUUM_PAGES = 1024


class Record(NamedTuple):
    """What is known of a record without reading it; not ``is_live``: only parts of the backlog are left."""

    number: int
    shard: int
    size: int
    parts: list[Part]
    is_live: bool = True


@dataclass(frozen=True, slots=True)
class Held:
    """How much waits for Kafka's acknowledgement, and since when (the gateway's clock, UTC ns)."""

    records: int
    bytes: int
    oldest_ns: int | None


class _New(NamedTuple):
    """A record that is not on the disk yet."""

    record: Record
    spooled_ns: int
    value: bytes


class Spool:
    """A gateway's spool; several threads may use it. Close it.

    What changes it takes effect at once, and is durable after the next ``commit`` that returns true.

    Raises:
        SpoolDamagedError: the file is not whole; it is set aside.
        SpoolError: another process has it, or it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.trouble = ""
        """Why the disk does not take what is to be kept; empty: it does."""
        self._damage: SpoolDamagedError | None = None
        self._lock = threading.RLock()
        self._new: OrderedDict[int, _New] = OrderedDict()
        self._new_bytes = 0
        self._deleted: set[int] = set()
        self._undeleted: Counter[int] = Counter()
        self._work: list[tuple[str, tuple[int | str, ...]]] = []
        self._connection = spool_file.connect(path)
        with self._guarded():
            self._ledger = Ledger(self._connection)
            row = self._connection.execute("SELECT count(*), total(size), max(number) FROM record").fetchone()
            self._records, self._bytes, newest = row[0], int(row[1]), row[2] or 0
            row = self._connection.execute("SELECT count(*), max(to_record) FROM gap").fetchone()
            self._open_gaps, reserved = row[0], row[1] or 0
            self._next = max(newest, reserved, self._ledger.first_record - 1) + 1

    def close(self) -> None:
        """Write what can be written, and let go of the file."""
        with self._lock:
            if self._damage is None:
                self.commit()
                self._connection.close()

    # -- records

    def put(self, shard: int, spooled_ns: int, value: bytes, parts: list[Part]) -> Record:
        """Take a record behind all others."""
        with self._lock:
            record = Record(self._next, shard, len(value), parts)
            self._next += 1
            self._new[record.number] = _New(record, spooled_ns, value)
            self._new_bytes += record.size
            self._count(record, 1)
            return record

    @property
    def room(self) -> bool:
        """Whether more can be taken; false only where the disk takes nothing, and neither does Kafka."""
        return self._new_bytes < MAX_UNWRITTEN_BYTES

    def record(self, number: int) -> Record:
        """Return what is known of a record."""
        with self._lock, self._guarded():
            if number in self._new:
                return self._new[number].record
            return _record(self._row(f"{_SELECT} WHERE number = ?", number))

    def read(self, number: int) -> bytes:
        """Return a record as it was put."""
        with self._lock, self._guarded():
            if number in self._new:
                return self._new[number].value
            return bytes(self._row("SELECT value FROM body WHERE number = ?", number)[0])

    def records(self) -> Iterator[Record]:
        """Yield all records, oldest first; for the start: nothing else must be done meanwhile."""
        with self._lock, self._guarded():
            yield from map(_record, self._connection.execute(f"{_SELECT} ORDER BY number"))

    def first_of(self, shard: int, below: int) -> Record | None:
        """Return the oldest record of a shard if its number is lower."""
        with self._lock, self._guarded():
            where = "WHERE shard = ? AND number < ? ORDER BY number"
            for row in self._connection.execute(f"{_SELECT} {where}", (shard, below)):
                if row[0] not in self._deleted:
                    return _record(row)
            in_memory = (new.record for new in self._new.values())
            return next((r for r in in_memory if r.shard == shard and r.number < below), None)

    def acknowledged(self, record: Record, parts: Sequence[Part], size: int, *, is_all: bool) -> None:
        """Hear that Kafka has these parts of a record, sent as so many bytes.

        Where they are not all, the backlog's are left.
        """
        with self._lock:
            self._ledger.count(record.number, parts, size)
            new = self._new.get(record.number)
            if is_all:
                self._count(record, -1)
                if new is not None:
                    del self._new[record.number]
                    self._new_bytes -= record.size
                else:
                    self._deleted.add(record.number)
                    self._undeleted[record.shard] += 1
            elif new is not None:
                self._new[record.number] = new._replace(record=record._replace(is_live=False))
            else:
                self._work.append(("UPDATE record SET live = 0 WHERE number = ?", (record.number,)))

    def undeleted(self, shard: int) -> int:
        """Return how many of a shard's records Kafka has, and a crash would bring back."""
        with self._lock:
            return self._undeleted[shard]

    @property
    def is_empty(self) -> bool:
        """Whether Kafka has acknowledged all records, and the ends of all gaps."""
        return not self._records and not self._open_gaps

    def held(self) -> Held:
        """Return how much waits."""
        with self._lock, self._guarded():
            times = self._connection.execute("SELECT number, spooled_ns FROM record ORDER BY number")
            on_disk = (ns for number, ns in times if number not in self._deleted)
            in_memory = (new.spooled_ns for new in self._new.values())
            return Held(self._records, self._bytes, next(on_disk, next(in_memory, None)))

    def count_below(self, shard: int, below: int) -> int:
        """Return how many records of a shard have a lower number."""
        with self._lock, self._guarded():
            counting = "SELECT count(*) FROM record WHERE shard = ? AND number < ?"
            return int(self._connection.execute(counting, (shard, below)).fetchone()[0])

    # -- gaps

    def gaps(self) -> list[tuple[int, Gap]]:
        """Return the gaps that have not ended, each with its shard, in order; for the start."""
        with self._lock, self._guarded():
            rows = self._connection.execute("SELECT * FROM gap ORDER BY to_record")
            return [(shard, Gap(*gap)) for shard, *gap in rows]

    def planned(self, shard: int, plan: Plan) -> None:
        """Keep a plan."""
        with self._lock:
            for gap in plan.dropped:
                self.ended(gap)
            self._open_gaps += len(plan.begun)
            for gap in plan.begun:
                self._work.append(("INSERT INTO gap VALUES (?, ?, ?, ?, ?, ?, ?)", (shard, *gap)))

    def ended(self, gap: Gap) -> None:
        """Forget a gap."""
        with self._lock:
            self._open_gaps -= 1
            self._work.append(("DELETE FROM gap WHERE device = ? AND to_record = ?", (gap.device, gap.end)))

    # -- the play

    @property
    def play(self) -> Play | None:
        """The play that is going on, or was the last one."""
        return self._ledger.play

    def begin(self, play: Play) -> Play:
        """Go on with the play of this name, or begin it: see ``Ledger.begin``."""
        with self._lock:
            return self._ledger.begin(play, self._next)

    def marks(self) -> dict[str, Mark]:
        """Return how far the devices of the play have come."""
        first = self._ledger.first_record
        return self._ledger.marks(r.parts for r in self.records() if r.number >= first)

    def account(self) -> Account:
        """Return what Kafka has acknowledged of the play."""
        with self._lock:
            return deepcopy(self._ledger.account)

    # -- the file

    @property
    def has_changed(self) -> bool:
        """Whether a commit would write anything."""
        return bool(self._new or self._deleted or self._work or self._ledger.has_changed)

    def commit(self) -> bool:
        """Make durable what has changed, with one sync; return whether all of it is, else see ``trouble``."""
        with self._lock, self._guarded():
            if not self.has_changed:
                return True
            self.trouble = self._write(list(self._new.values()))
            if not self.trouble:
                self._new.clear()
                self._new_bytes = 0
            elif self._new:
                self._write([])  # what is deleted makes room for the next time
            return not self.trouble

    def _write(self, new: list[_New]) -> str:
        """Write these and all other changes; return why that was not possible."""
        sql = self._connection
        try:
            sql.execute("BEGIN IMMEDIATE")
            rows = [(r.number, r.shard, r.is_live, ns, r.size, to_text(r.parts)) for r, ns, _ in new]
            sql.executemany("INSERT INTO record VALUES (?, ?, ?, ?, ?, ?)", rows)
            sql.executemany("INSERT INTO body VALUES (?, ?)", [(n.record.number, n.value) for n in new])
            for statement, values in self._work:
                sql.execute(statement, values)
            gone = [(number,) for number in self._deleted]
            sql.executemany("DELETE FROM record WHERE number = ?", gone)
            sql.executemany("DELETE FROM body WHERE number = ?", gone)
            self._ledger.write(sql)
            sql.execute("COMMIT")
        except sqlite3.OperationalError as error:
            if sql.in_transaction:
                sql.execute("ROLLBACK")
            return f"{error} ({error.sqlite_errorname})"
        self._ledger.written()
        self._work.clear()
        self._deleted.clear()
        self._undeleted.clear()
        self._shrink()
        return ""

    def _row(self, query: str, number: int) -> tuple[Any, ...]:
        row: tuple[Any, ...] | None = self._connection.execute(query, (number,)).fetchone()
        if row is None:
            raise self._damaged(f"record {number} is not there")
        return row

    def _shrink(self) -> None:
        """Give pages back that an outage has left, a few at a time."""
        free = self._connection.execute("PRAGMA freelist_count").fetchone()[0]
        if free > _SPARE_PAGES:
            # By a script: Python's execute would step once, and give back one page.
            self._connection.executescript(f"PRAGMA incremental_vacuum({_VACUUM_PAGES})")

    def _count(self, record: Record, sign: int) -> None:
        self._records += sign
        self._bytes += sign * record.size

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Turn what SQLite says into what to do."""
        if self._damage is not None:
            raise self._damage
        try:
            yield
        except sqlite3.DatabaseError as error:
            if spool_file.is_damage(error):
                raise self._damaged(str(error)) from error
            raise spool_file.refusal(self.path, error) from error

    def _damaged(self, why: str) -> SpoolDamagedError:
        self._connection.close()
        self._damage = spool_file.set_aside(self.path, why)
        return self._damage


_SELECT = "SELECT number, shard, size, parts, live FROM record"


def _record(row: tuple[Any, ...]) -> Record:
    number, shard, size, parts, live = row
    return Record(number, shard, size, from_text(parts), bool(live))
