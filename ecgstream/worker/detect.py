"""What happens to the records of one partition: no I/O, no await, no clock of its own.

State change, hand-over of the outputs and the move of ``next_offset`` are one synchronous step, so that
whatever a checkpoint finds belongs together. ``live`` and ``backfill`` are the two lanes.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import numpy as np
import structlog
from numpy.typing import NDArray

from detectors.bank import Bank, StateError
from detectors.output import Events
from ecgstream.worker import outputs
from ecgstream.worker.controls import Controls
from ecgstream.worker.outputs import Output, Source
from ecgstream.worker.snapshots import VERSION, Keys, LaneSaved
from ecgstream.worker.unfinished import Begun, Unfinished
from schemas import codec
from schemas.bundle import Bundle, Gathered, gather
from schemas.errors import BadRecordError
from schemas.records import Condition, Control, Lane, Snapshot, SnapshotKind
from schemas.registry import writer_of
from schemas.topics import Topic

log = structlog.get_logger()

CLEAN = np.iinfo(np.int64).max
"""In place of an offset: this row's newest snapshot holds everything."""


class Record(NamedTuple):
    """A record of the log: its offset, the broker's time of its arrival, its bytes."""

    offset: int
    log_ms: int
    value: bytes


class Partition(ABC):
    """A partition's detector bank, outputs not yet sent, and the next offset to process.

    Args:
        number, generation: of the partition, and of the assignment that made it ours.
        saved: what the snapshot topic holds of this lane.
        keys: the keys of this partition in the snapshot topic, both lanes'.
    """

    lane: ClassVar[Lane]
    topic: ClassVar[Topic]

    def __init__(self, number: int, generation: int, saved: LaneSaved, keys: Keys) -> None:
        self.number = number
        self.generation = generation
        self.next_offset = saved.position
        self.keys = keys
        self.outbox: list[Output] = []
        self.device_seconds = 0.0
        """Signal taken in since we own it, s."""
        self.refused = 0
        """Records that became dead letters since we own it."""
        self._bank = Bank()
        self._controls = Controls()
        self._unfinished = Unfinished()
        self._devices: list[str] = []
        self._dirty_since = np.full(0, CLEAN, np.int64)
        self._resume: dict[str, int] = {}
        self._restore(saved)

    # -- records in

    def process(self, records: Sequence[Record]) -> None:
        """Process records that follow each other; what cannot be read becomes a dead letter."""
        bundles: list[Record] = []
        for record in records:
            try:
                if writer_of(record.value).name == "Bundle":
                    bundles.append(record)
                    continue
                self._push(bundles)
                bundles = []
                self._control(record, self._as_control(codec.decode(record.value)))
            except BadRecordError as error:
                self._refuse(record, str(error))
        self._push(bundles)
        if records:
            self.next_offset = records[-1].offset + 1
            if self._resume and self.next_offset >= max(self._resume.values()):
                self._resume.clear()

    def _as_control(self, content: codec.Record) -> Control:
        if not isinstance(content, Control):
            raise BadRecordError(f"a {type(content).__name__} on {self.topic.name}")
        return content

    @abstractmethod
    def _control(self, record: Record, control: Control) -> None:
        """Take a control record."""

    @abstractmethod
    def _take(self, records: Sequence[Record], gathered: Gathered) -> None:
        """Feed bundles that follow each other to the bank."""

    def _push(self, records: Sequence[Record]) -> None:
        """Take bundles; those that are refused are found by halves, and stop none of the others."""
        if not records:
            return
        try:
            gathered = gather([record.value for record in records])
            self._take(records, gathered)
            self.device_seconds += _seconds(gathered.bundle)
        except Exception as error:
            if not isinstance(error, BadRecordError):
                # A bank takes every valid bundle; this is a fault of ours. What went in before it failed is
                # known to the bank as duplicates.
                at = {"partition": self.number, "lane": self.lane, "offset": records[0].offset}
                log.exception("bank_failed", **at)
            if len(records) == 1:
                self._refuse(records[0], _reason(error))
                return
            half = len(records) // 2
            self._push(records[:half])
            self._push(records[half:])

    def _refuse(self, record: Record, reason: str) -> None:
        at = {"topic": self.topic.name, "partition": self.number, "offset": record.offset}
        log.warning("dead_letter", reason=reason, **at)
        self.refused += 1
        self.outbox.append(
            outputs.of_dead_letter(self.topic.name, self.number, record.offset, reason, record.value)
        )

    def _put_out(self, events: Events, devices: list[str], source: Source) -> None:
        """Turn what the bank found into records."""
        self.outbox += outputs.of_events(events, devices, source)
        for record in self._noted(events, devices, source):
            self._tell(record)

    def _noted(self, events: Events, devices: list[str], source: Source) -> list[Begun]:
        """Note what has begun and what has ended; return its records."""
        found: list[Begun] = [
            *outputs.conditions_of(events, devices, source),
            *outputs.segments_of(events, devices, source),
        ]
        for record in found:
            self._unfinished.note(record)
        return found

    def _tell(self, record: Begun) -> None:
        if isinstance(record, Condition):
            self.outbox.append(outputs.of_condition(record))
        else:
            self.outbox.append(outputs.of_segment(record))

    def _source(self, offset: NDArray[np.int64], published_ns: NDArray[np.int64]) -> Source:
        return Source(self.lane, self.number, self.generation, offset, published_ns)

    def _source_of(self, record: Record, entries: int, published_ns: int) -> Source:
        """Return the source of what one record brought."""
        return self._source(np.full(entries, record.offset), np.full(entries, published_ns))

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

    def _mark_dirty(self, rows: NDArray[np.int64], offset: NDArray[np.int64] | int) -> None:
        np.minimum.at(self._dirty_since, rows, offset)

    # -- checkpoint and restore

    def snapshots(self, turn: int = 0, turns: int = 1) -> list[Snapshot]:
        """Return the changed devices' snapshots whose turn it is, and count them as saved."""
        dirty = np.flatnonzero(self._dirty_since != CLEAN)
        due = dirty[dirty % turns == turn % turns]
        self._dirty_since[due] = CLEAN
        return [self._snapshot(self._devices[row], self._state(row)) for row in due.tolist()]

    def position(self) -> int:
        """Return the offset below which the snapshots taken so far hold everything."""
        return int(min(self.next_offset, self._dirty_since.min(initial=CLEAN)))

    def position_record(self, position: int) -> Snapshot:
        """Return the record that says so."""
        return Snapshot(SnapshotKind.POSITION, self.lane, "", 0, 0, position, self.generation, VERSION, b"")

    def _snapshot(self, device: str, state: bytes) -> Snapshot:
        return Snapshot(
            *(
                SnapshotKind.DEVICE,
                self.lane,
                device,
                0,
                0,
                self.next_offset,
                self.generation,
                VERSION,
                state,
            ),
            self._controls.of(device),
            self._unfinished.encoded(device),
        )

    def _state(self, row: int) -> bytes:
        return self._bank.snapshot(row)

    def _set_state(self, device: str, state: bytes) -> int:
        """Take a device's state and return its row; raise ``StateError`` where it cannot be read."""
        return self._bank.restore(device, state)

    @abstractmethod
    def _without_state(self, snapshot: Snapshot) -> None:
        """Begin a device anew whose state is refused; its controls hold already."""

    def _restore(self, saved: LaneSaved) -> None:
        """Take the devices' states; records below a state's offset will not touch its device again."""
        self._bank.make_room(len(saved.devices))
        self._rows(list(saved.devices))
        for device, snapshot in saved.devices.items():
            try:
                self._set_state(device, _readable(snapshot))
            except StateError as error:
                log.warning("snapshot_refused", device=device, lane=self.lane, reason=str(error))
                for control in self._controls.restore(snapshot.controls):
                    self._bank.control(control)
                self._without_state(snapshot)
                continue
            self._controls.restore(snapshot.controls)
            self._unfinished.restore(snapshot.open)
            self._resume[device] = snapshot.offset


def _readable(snapshot: Snapshot) -> bytes:
    """Return a snapshot's state; raise ``StateError`` where another version wrote it."""
    if snapshot.version != VERSION:
        raise StateError(f"of version {snapshot.version}, this is {VERSION}")
    return snapshot.state


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, BadRecordError) else f"{type(error).__name__}: {error}"


def _seconds(bundle: Bundle) -> float:
    """Return how much signal a bundle holds, s of all its devices."""
    p, c = bundle.packet, bundle.channel
    first = np.cumsum(p.channels, dtype=np.int64) - p.channels
    return float((c.samples[first] / c.rate[first]).sum())
