"""The durable spool: what devices gave and Kafka has not acknowledged, in a file of SQLite.

One row a record, which is a bundle as it will be sent. It is deleted after Kafka's acknowledgement and not
before. What is to be kept is collected, and committed at once with what is to be deleted: one sync of the
disk a flush, however many records and devices.

A disk that is full or broken stops no device: what cannot be written stays in memory, where it is sent from,
and ``room`` says when no more fits. A record that the disk gives back damaged is lost, and counted as such;
all others go on.
"""

import sqlite3
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from devices import notes, spool_file, stretches
from devices.backlog import Gap, Part, Plan
from devices.counts import Counts, Held
from devices.errors import SpoolDamagedError
from devices.ledger import Account, Ledger, Mark, Play
from devices.rows import BODY, PUT, SELECT, Record, checksum, head_of, record_of
from devices.stretches import Stretch, Stretches
from devices.tally import Lost, Tally

MAX_UNWRITTEN_BYTES = 32 * 1_048_576
"""What a gateway holds in memory while its disk takes nothing."""
_MOST_NUMBERS = 2**62  # no gateway comes so far


class _New(NamedTuple):
    """A record that is not on the disk yet."""

    record: Record
    value: bytes


class Spool:
    """A gateway's spool; several threads may use it. Close it.

    What changes it takes effect at once, and is durable after the next ``commit`` that returns true.

    Args:
        path: its file.
        steady_s: a clock, for tests.

    Raises:
        SpoolDamagedError: the file is not whole; it is set aside.
        SpoolError: another process has it, or it cannot be opened.
    """

    def __init__(self, path: Path, *, steady_s: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self.trouble = ""
        """Why the disk does not take what is to be kept; empty: it does."""
        self._damage: SpoolDamagedError | None = None
        self._lock = threading.RLock()
        self._new: OrderedDict[int, _New] = OrderedDict()
        self._new_bytes = 0
        self._deleted: dict[int, int] = {}  # number to shard
        self._undeleted: Counter[int] = Counter()
        self._work: list[tuple[str, tuple[int | str | bytes, ...]]] = []
        self._connection = spool_file.connect(path)
        with self._guarded():
            self._ledger = Ledger(self._connection)
            self.tally = Tally(self._connection, steady_s=steady_s)
            self._counts = Counts(self._connection)
            self._stretches = Stretches(self._connection, self._counts.newest)
            gaps = [gap for _, gap in notes.gaps(self._connection)]
            self._open_gaps, reserved = len(gaps), max((gap.end for gap in gaps), default=0)
            self._next = max(self._counts.newest, reserved, self._ledger.first_record - 1) + 1
            if self._next > _MOST_NUMBERS:
                raise self._damaged("its records have numbers that cannot be")

    def close(self) -> None:
        """Write what can be written, and let go of the file."""
        with self._lock:
            if self._damage is None:
                self.commit()
                self._connection.close()

    # -- records

    def put(
        self, shard: int, spooled_ns: int, value: bytes, parts: list[Part], *, is_live: bool = True
    ) -> Record:
        """Take a record behind all others; not ``is_live``: of what was measured at another time."""
        with self._lock:
            record = Record(self._next, shard, len(value), parts, is_live, spooled_ns, self.tally.ran_s)
            self._next += 1
            self._new[record.number] = _New(record, value)
            self._new_bytes += record.size
            self._counts.put(record.number, shard, record.size)
            self._stretches.put(record.number, shard, {part.device for part in parts}, is_live=is_live)
            return record

    @property
    def room(self) -> bool:
        """Whether more can be taken; false only where the disk takes nothing, and neither does Kafka."""
        return self._new_bytes < MAX_UNWRITTEN_BYTES

    def record(self, number: int) -> Record | None:
        """Return what is known of a record; ``None``: it is damaged, and lost with this."""
        with self._lock, self._guarded():
            if number in self._new:
                return self._new[number].record
            return self._whole(self._row(f"{SELECT} WHERE number = ?", number))

    def read(self, number: int) -> bytes | None:
        """Return a record as it was put; ``None``: it is damaged, and lost with this."""
        with self._lock, self._guarded():
            if number in self._new:
                return self._new[number].value
            value, crc, shard, size = self._row(f"{BODY} WHERE number = ?", number)
            if isinstance(value, bytes) and crc in (None, checksum(number, value)):
                return bytes(value)
            self._lose(number, shard, size)
            return None

    def records(self, but: Callable[[Stretch], bool] = lambda _: False) -> Iterator[Record]:
        """Yield all records, oldest first of each shard; for the start: nothing else must be done meanwhile.

        ``but``: those of stretches of which this is true are left out.
        """
        where = "WHERE shard = ? AND number >= ? AND number < ? ORDER BY number"
        with self._lock, self._guarded():
            for stretch in stretches.found(self._connection, sorted(self._counts.shards), self._next):
                if not but(stretch):
                    yield from self._found(where, stretch.shard, stretch.begin, stretch.end)

    def oldest(
        self, level: int | None, before_s: float, most: int, may: Callable[[Record], bool]
    ) -> list[Record]:
        """Return the oldest records on the disk.

        Args:
            level: of these (``Record.level``); ``None``: of all.
            before_s: those that were taken before the gateway had run for so long.
            most: so many of them.
            may: those of which this is true.
        """
        where = "" if level is None else "WHERE level = ? "
        found: list[Record] = []
        with self._lock, self._guarded():
            for record in self._found(f"{where}ORDER BY number", *(() if level is None else (level,))):
                if record.ran_s >= before_s or len(found) == most:
                    break
                if may(record):
                    found.append(record)
        return found

    def first_of(self, shard: int, below: int, begin: int = 0) -> Record | None:
        """Return the oldest record of a shard from number ``begin`` on, if its number is lower."""
        with self._lock, self._guarded():
            where = "WHERE shard = ? AND number >= ? AND number < ? ORDER BY number"
            for record in self._found(where, shard, begin, below):
                return record
            in_memory = (new.record for new in self._new.values())
            return next((r for r in in_memory if r.shard == shard and begin <= r.number < below), None)

    def acknowledged(self, record: Record, parts: Sequence[Part], size: int, *, is_all: bool) -> None:
        """Hear that Kafka has these parts of a record, sent as so many bytes.

        Where they are not all, the backlog's are left.
        """
        with self._lock:
            self._ledger.count(record.number, parts, size)
            new = self._new.get(record.number)
            if is_all:
                self._counts.gone(record.number, record.shard, record.size)
                if new is not None:
                    del self._new[record.number]
                    self._new_bytes -= record.size
                else:
                    self._deleted[record.number] = record.shard
                    self._undeleted[record.shard] += 1
            elif new is not None:
                self._new[record.number] = new._replace(record=record._replace(is_live=False))
            else:
                self._work.append((PUT, head_of(record._replace(is_live=False))))

    def undeleted(self, shard: int) -> int:
        """Return how many of a shard's records Kafka has, and a crash would bring back."""
        with self._lock:
            return self._undeleted[shard]

    @property
    def is_empty(self) -> bool:
        """Whether Kafka has acknowledged all records, and the ends of all gaps."""
        return not self._counts.records and not self._open_gaps

    def held(self) -> Held:
        """Return how much waits."""
        with self._lock, self._guarded():
            times = self._connection.execute("SELECT number, spooled_ns FROM record ORDER BY number")
            on_disk = (ns for number, ns in times if number not in self._deleted and isinstance(ns, int))
            in_memory = (new.record.spooled_ns for new in self._new.values())
            return self._counts.held(next(on_disk, next(in_memory, None)))

    def count_below(self, shard: int, below: int) -> int:
        """Return how many records of a shard have a lower number."""
        with self._lock, self._guarded():
            return self._counts.below(shard, below, partial(self._between, shard))

    def _between(self, shard: int, begin: int, end: int) -> int:
        query = "SELECT count(*) FROM record WHERE shard = ? AND number >= ? AND number < ?"
        (on_disk,) = self._connection.execute(query, (shard, begin, end)).fetchone()
        in_memory = sum(r.shard == shard and begin <= r.number < end for r, _ in self._new.values())
        gone = sum(its == shard and begin <= number < end for number, its in self._deleted.items())
        return int(on_disk + in_memory - gone)

    # -- what is lost

    def thin(self, record: Record, value: bytes | None, thinner: Record, lost: Lost) -> None:
        """Keep less of a record that is on the disk: this value and head; ``None``: the value as it is."""
        with self._lock:
            self._part_with(record, lost)
            self._counts.bytes += thinner.size - record.size
            self._work.append((PUT, head_of(thinner)))
            if value is not None:
                number = record.number
                what = "UPDATE body SET value = ?, crc = ? WHERE number = ?"
                self._work.append((what, (value, checksum(number, value), number)))

    def drop(self, record: Record, lost: Lost) -> None:
        """Keep nothing of a record that is on the disk."""
        with self._lock:
            self._part_with(record, lost)
            self._counts.gone(record.number, record.shard, record.size)
            self._deleted[record.number] = record.shard

    def _part_with(self, record: Record, lost: Lost) -> None:
        if lost != Lost():
            self.tally.lose(lost)
            self._ledger.lost(record.number, record.parts)

    def _lose(self, number: int, shard: int, size: int) -> None:
        """A record is damaged."""
        if number not in self._deleted:
            self._counts.gone(number, shard, size)
            self._deleted[number] = shard
            self.tally.lose(Lost(records=1))

    # -- gaps

    def gaps(self) -> list[tuple[int, Gap]]:
        """Return the gaps that have not ended, each with its shard, in order; for the start."""
        with self._lock, self._guarded():
            return notes.gaps(self._connection)

    def planned(self, shard: int, plan: Plan) -> None:
        """Keep a plan."""
        with self._lock:
            for gap in plan.dropped:
                self.ended(gap)
            self._open_gaps += len(plan.begun)
            for gap in plan.begun:
                self._work.append((notes.PUT_GAP, notes.gap_row(shard, gap)))

    def ended(self, gap: Gap) -> None:
        """Forget a gap."""
        with self._lock:
            self._open_gaps -= 1
            self._work.append(("DELETE FROM gap WHERE device = ? AND to_record = ?", (gap.device, gap.end)))

    # -- what is known of devices (devices.sessions, devices.corrections)

    def known(self, what: notes.What) -> dict[str, bytes]:
        """Return what was kept, by device."""
        with self._lock, self._guarded():
            return notes.known(self._connection, what)

    def keep(self, what: notes.What, known: Mapping[str, bytes]) -> None:
        """Keep this, by device, instead of what was kept of them."""
        with self._lock:
            self._work += [(notes.put(what), notes.row(device, value)) for device, value in known.items()]

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

    def free_bytes(self) -> int:
        """Return how much can be written before the file grows."""
        with self._lock, self._guarded():
            return spool_file.free_bytes(self._connection)

    @property
    def has_changed(self) -> bool:
        """Whether a commit would write anything."""
        changed = self._ledger.has_changed or self.tally.has_changed
        return bool(self._new) or not self.is_settled or changed

    @property
    def is_settled(self) -> bool:
        """Whether no record on the disk waits to be changed there."""
        return not (self._deleted or self._work)

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
            sql.executemany(PUT, [head_of(record) for record, _ in new])
            bodies = [(record.number, value, checksum(record.number, value)) for record, value in new]
            sql.executemany("INSERT INTO body VALUES (?, ?, ?)", bodies)
            for statement, values in self._work:
                sql.execute(statement, values)
            gone = [(number,) for number in self._deleted]
            sql.executemany("DELETE FROM record WHERE number = ?", gone)
            sql.executemany("DELETE FROM body WHERE number = ?", gone)
            self._ledger.write(sql)
            self._stretches.write(sql)
            self.tally.write(sql)
            sql.execute("COMMIT")
        except sqlite3.OperationalError as error:
            if sql.in_transaction:
                sql.execute("ROLLBACK")
            return f"{error} ({error.sqlite_errorname})"
        self._ledger.written()
        self._stretches.written()
        self.tally.written()
        self._work.clear()
        self._deleted.clear()
        self._undeleted.clear()
        spool_file.shrink(sql)
        return ""

    def _found(self, where: str, *values: int) -> Iterator[Record]:
        """Yield the whole records on the disk; those that are damaged are lost with this."""
        for row in self._connection.execute(f"{SELECT} {where}", values):
            if row[0] not in self._deleted and (record := self._whole(row)) is not None:
                yield record

    def _whole(self, row: tuple[Any, ...]) -> Record | None:
        record = record_of(row)
        if record is None:
            self._lose(row[0], row[1], row[4] if isinstance(row[4], int) else 0)
        return record

    def _row(self, query: str, number: int) -> tuple[Any, ...]:
        row: tuple[Any, ...] | None = self._connection.execute(query, (number,)).fetchone()
        if row is None:
            raise self._damaged(f"record {number} is not there")
        return row

    @contextmanager
    def _guarded(self) -> Iterator[None]:
        """Turn what SQLite says into what to do."""
        if self._damage is not None:
            raise self._damage
        try:
            yield
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            if spool_file.is_damage(error):
                raise self._damaged(str(error)) from error
            raise spool_file.refusal(self.path, error) from error

    def _damaged(self, why: str) -> SpoolDamagedError:
        self._connection.close()
        self._damage = spool_file.set_aside(self.path, why)
        return self._damage
