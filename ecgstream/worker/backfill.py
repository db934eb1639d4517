"""The backfill lane: what gateways send afterwards, behind gaps that are too long to fill in order.

A device's stretch begins with the state that the live lane had before the gap, and ends with ``BacklogEnd``.
A stretch whose gap is not known begins cold, with the settings that the device had last. It is nobody's where
it was measured before it was told who wears the device now: a file may be older than that.
"""

from collections.abc import Sequence

import numpy as np
import structlog

from detectors.bank import StateError
from ecgstream.worker import outputs
from ecgstream.worker.detect import CLEAN, Partition, Record
from ecgstream.worker.live import Live
from ecgstream.worker.snapshots import Saved
from ecgstream.worker.unfinished import decoded
from schemas import codec, topics
from schemas.bundle import Bundle, Gathered
from schemas.errors import BadRecordError
from schemas.records import Association, BacklogEnd, Condition, Control, Lane, Snapshot, SnapshotKind

log = structlog.get_logger()


class Backfill(Partition):
    """A partition of the backfill topic; ``live``: that of the ingest topic, which knows the gaps."""

    lane = Lane.BACKFILL
    topic = topics.BACKFILL

    def __init__(self, number: int, generation: int, saved: Saved, live: Live) -> None:
        self._live = live
        self._running: set[str] = set(saved.backfill.devices)
        super().__init__(number, generation, saved.backfill, live.keys)

    def _control(self, record: Record, control: Control) -> None:
        if not isinstance(control.change, BacklogEnd):
            raise BadRecordError(f"a change of {type(control.change).__name__} on the backfill topic")
        device = control.device
        if record.offset < self._resume.get(device, 0):
            return
        if device in self._running:
            (row,) = rows = self._rows([device])
            ended = self._bank.stop(rows)
            self._put_out(ended, [device], self._source_of(record, 1, control.issued_ns))
            self._bank.forget(int(row))
            self._dirty_since[rows] = CLEAN
            self._running.discard(device)
            self.keys.drop((SnapshotKind.DEVICE, self.lane, device, 0, 0))
        self._live.filled(device, control.session, control.from_sample)

    def _take(self, records: Sequence[Record], gathered: Gathered) -> None:
        bundle = gathered.bundle
        offset = np.repeat([record.offset for record in records], gathered.devices)
        rows = self._rows(bundle.devices)
        first = _first_packets(bundle)
        for entry, device in enumerate(bundle.devices):
            if offset[entry] < self._resume.get(device, 0):
                rows[entry] = -1
            elif device not in self._running:
                self._begin(device, *first.get(entry, (0, 0, 0)))
        wanted = rows >= 0
        self._mark_dirty(rows[wanted], offset[wanted])
        events = self._bank.push(bundle, rows, np.arange(len(records)).repeat(gathered.devices))
        source = self._source(offset, gathered.created_ns.repeat(gathered.devices))
        self._put_out(events, bundle.devices, source)

    def _begin(self, device: str, session: int, sample: int, start_ns: int) -> None:
        """Begin a device's stretch, at a sample of a session, measured at ``start_ns``; all 0: by numbers."""
        self._running.add(device)
        gap = self._live.gap(device, session, sample)
        try:
            if gap is not None:
                self._bank.resume(device, gap.state)
                return
            state = self._live.last_state(device)
            if state is not None:
                self._bank.forget(self._bank.restore(device, state))
                if 0 < start_ns < self._live.worn_since_ns(device):
                    self._bank.control(Control("", device, 0, 0, 0, "", Association("")))
        except StateError as error:
            log.warning("gap_refused", device=device, session=session, reason=str(error))
            for encoded in gap.controls if gap is not None else ():
                self._bank.control(codec.decode_as(Control, encoded))

    def _without_state(self, snapshot: Snapshot) -> None:
        """The rest of the stretch is analysed cold; what was open ends where it was seen last."""
        self._resume[snapshot.device] = snapshot.offset
        for begun in decoded(snapshot.open):
            if isinstance(begun, Condition):
                self.outbox.append(outputs.of_condition(outputs.ended(begun, self.generation)))


def _first_packets(bundle: Bundle) -> dict[int, tuple[int, int, int]]:
    """Return session, first sample and start (UTC ns) of the first packet of each entry that has one."""
    p = bundle.packet
    first: dict[int, tuple[int, int, int]] = {}
    columns = (p.device, p.session, p.first_sample, p.start_ns)
    for entry, session, sample, start_ns in zip(*(column.tolist() for column in columns), strict=True):
        first.setdefault(entry, (session, sample, start_ns))
    return first
