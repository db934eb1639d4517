"""What happens to the records of one partition: no I/O, no await, no clock of its own.

State change, hand-over of the outputs and the move of ``next_offset`` are one synchronous step, so that
whatever a checkpoint finds belongs together.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import structlog
from numpy.typing import NDArray

from detectors.bank import STATE_VERSION, Bank, StateError
from ecgstream.worker import outputs
from ecgstream.worker.links import LinkEvent, Links
from ecgstream.worker.outputs import Output, Source
from schemas import codec
from schemas.bundle import Bundle, gather
from schemas.errors import BadRecordError
from schemas.records import Control, Enrolled, Lane, Snapshot, SnapshotKind

log = structlog.get_logger()

CLEAN = np.iinfo(np.int64).max
"""In place of an offset: this row's newest snapshot holds everything."""


class Record(NamedTuple):
    """An ingest record: its offset, the broker's time of its arrival, its bytes."""

    offset: int
    log_ms: int
    value: bytes


class Partition:
    """A partition's detector bank, link timers, outputs not yet sent, and the next offset to process."""

    def __init__(
        self, number: int, generation: int, next_offset: int, *, lost_link_s: float, clock_rate: float
    ) -> None:
        self.number = number
        self.generation = generation
        self.next_offset = next_offset
        self.outbox: list[Output] = []
        self._bank = Bank()
        self._links = Links(lost_link_s, clock_rate)
        self._devices: list[str] = []
        self._dirty_since = np.full(0, CLEAN, np.int64)
        self._resume: dict[str, int] = {}

    # -- records in

    def process(self, records: Sequence[Record]) -> None:
        """Process records that follow each other; what cannot be read becomes a dead letter."""
        waiting: list[tuple[Record, Bundle]] = []
        for record in records:
            try:
                content = codec.decode(record.value)
                if isinstance(content, Bundle):
                    waiting.append((record, content))
                    continue
                self._push(waiting)
                waiting = []
                self._control(record, content)
            except BadRecordError as error:
                self._refuse(record, str(error))
        self._push(waiting)
        if records:
            self.next_offset = records[-1].offset + 1
            if self._resume and self.next_offset >= max(self._resume.values()):
                self._resume.clear()

    def _control(self, record: Record, content: codec.Record) -> None:
        if not isinstance(content, Control):
            raise BadRecordError(f"a {type(content).__name__} on the ingest topic")
        self._note_links(self._links.advance(record.log_ms), record.offset, record.log_ms)
        if record.offset < self._resume.get(content.device, 0):
            return
        (row,) = rows = self._rows([content.device])
        if isinstance(content.change, Enrolled):
            disabled = content.change.disabled
            ended = self._links.enrol(int(row), disabled=disabled, log_ms=record.log_ms)
            self._note_links(ended, record.offset, record.log_ms)
        else:
            self._bank.control(content)
        self._mark_dirty(rows, record.offset)

    def _push(self, waiting: Sequence[tuple[Record, Bundle]]) -> None:
        if not waiting:
            return
        try:
            self._push_gathered(waiting)
        except Exception as error:
            # A bank takes every valid bundle; this is a fault of ours. It must not stop the other devices:
            # they go in one by one, and what went in before it failed is known to the bank as duplicates.
            log.exception("bank_failed", partition=self.number, offset=waiting[0][0].offset)
            if len(waiting) == 1:
                self._refuse(waiting[0][0], f"{type(error).__name__}: {error}")
                return
            for one in waiting:
                self._push([one])

    def _push_gathered(self, waiting: Sequence[tuple[Record, Bundle]]) -> None:
        rows_of = []
        for record, bundle in waiting:
            rows = self._rows(bundle.devices)
            if self._resume:
                known = np.array([self._resume.get(d, 0) > record.offset for d in bundle.devices], np.bool_)
                rows = np.where(known, -1, rows)
            rows_of.append(rows)
            self._mark_dirty(rows[rows >= 0], record.offset)
            self._note_links(self._links.advance(record.log_ms), record.offset, record.log_ms)
            self._note_links(self._links.heard(bundle, rows, record.log_ms), record.offset, record.log_ms)
        counts = [len(bundle.devices) for _, bundle in waiting]
        source = Source(
            self.number,
            self.generation,
            np.repeat([record.offset for record, _ in waiting], counts),
            np.repeat([bundle.created_ns for _, bundle in waiting], counts),
        )
        gathered = gather([bundle for _, bundle in waiting])
        rows = np.concatenate(rows_of)
        parts = np.repeat(np.arange(len(waiting)), counts)
        self.outbox += outputs.of_events(self._bank.push(gathered, rows, parts), gathered, source)
        self._tell_statuses(gathered, rows, source)

    def _tell_statuses(self, gathered: Bundle, rows: NDArray[np.int64], source: Source) -> None:
        newest = {row: entry for entry, row in enumerate(rows.tolist()) if row >= 0}
        if not newest:
            return
        entries = np.fromiter(newest.values(), np.int64)
        statuses = self._bank.status(np.fromiter(newest, np.int64))
        source = Source(
            source.partition, source.generation, source.offset[entries], source.published_ns[entries]
        )
        self.outbox.append(outputs.of_statuses(statuses, [gathered.devices[e] for e in entries], source))

    def _refuse(self, record: Record, reason: str) -> None:
        log.warning("dead_letter", partition=self.number, offset=record.offset, reason=reason)
        self.outbox.append(outputs.of_dead_letter(self.number, record.offset, reason, record.value))

    # -- time passing while nothing arrives

    def idle(self, wall_ms: int) -> None:
        """Move the link timers on; only where everything in the log is processed."""
        self._note_links(self._links.advance(wall_ms), self.next_offset - 1, wall_ms)

    def _note_links(self, events: Sequence[LinkEvent], offset: int, log_ms: int) -> None:
        for event in events:
            at = (self.number, self.generation, max(offset, 0), log_ms * 1_000_000)
            device = self._devices[event.row]
            self.outbox.append(outputs.of_link(event, device, self._bank.patient(event.row), at))
            # The timer has changed: the next snapshot must hold it, or a restart would tell it again.
            self._mark_dirty(np.array([event.row]), self.next_offset)

    # -- rows

    def _rows(self, devices: Sequence[str]) -> NDArray[np.int64]:
        rows = self._bank.rows(devices)
        highest = int(rows.max(initial=-1))
        if highest >= len(self._devices):
            self._devices += [""] * (highest + 1 - len(self._devices))
            for device, row in zip(devices, rows.tolist(), strict=True):
                self._devices[row] = device
        if highest >= self._dirty_since.size:
            more = max(64, 2 * (highest + 1)) - self._dirty_since.size
            self._dirty_since = np.concatenate([self._dirty_since, np.full(more, CLEAN, np.int64)])
        return rows

    def _mark_dirty(self, rows: NDArray[np.int64], offset: int) -> None:
        self._dirty_since[rows] = np.minimum(self._dirty_since[rows], offset)

    # -- checkpoint and restore

    def snapshots(self, turn: int = 0, turns: int = 1) -> list[Snapshot]:
        """Return the changed devices' snapshots whose turn it is, and count them as saved."""
        dirty = np.flatnonzero(self._dirty_since != CLEAN)
        due = dirty[dirty % turns == turn % turns]
        self._dirty_since[due] = CLEAN
        return [
            Snapshot(
                SnapshotKind.DEVICE,
                Lane.LIVE,
                self._devices[row],
                0,
                0,
                self.next_offset,
                self.generation,
                STATE_VERSION,
                self._links.snapshot(row) + self._bank.snapshot(row),
            )
            for row in due.tolist()
        ]

    def position(self) -> int:
        """Return the offset below which the snapshots taken so far hold everything."""
        return int(min(self.next_offset, self._dirty_since.min(initial=CLEAN)))

    def restore(self, snapshot: Snapshot) -> None:
        """Take a device's state; records below its offset will not touch the device again.

        A state that is of another version or damaged is refused: the device starts cold.
        """
        link, state = snapshot.state[: Links.STATE_BYTES], snapshot.state[Links.STATE_BYTES :]
        try:
            self._bank.restore(snapshot.device, state)
        except StateError as error:
            log.warning("snapshot_refused", device=snapshot.device, reason=str(error))
            return
        row = int(self._rows([snapshot.device])[0])
        self._links.restore(row, link)
        self._resume[snapshot.device] = snapshot.offset
