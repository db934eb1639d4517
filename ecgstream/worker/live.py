"""The live lane: the ingest topic, as it arrives."""

from collections.abc import Sequence

import numpy as np
import structlog
from numpy.typing import NDArray

from detectors.output import Events
from ecgstream.worker import outputs
from ecgstream.worker.detect import Partition, Record
from ecgstream.worker.links import LinkEvent, Links
from ecgstream.worker.outputs import Output, Source
from ecgstream.worker.rebuild import Rebuild, loud
from ecgstream.worker.snapshots import VERSION, Keys, Saved, identity
from ecgstream.worker.unfinished import decoded
from schemas import codec, topics
from schemas.bundle import Bundle, Gathered
from schemas.records import Control, Enrolled, Lane, LinkDown, Snapshot, SnapshotKind

log = structlog.get_logger()

MOST_GAPS = 8
"""Gaps kept a device, the newest: each restart of a device leaves one, and few are ever filled."""


class Live(Partition):
    """A partition of the ingest topic: detectors, link timers, and what was before each gap."""

    lane = Lane.LIVE
    topic = topics.INGEST

    def __init__(
        self, number: int, generation: int, saved: Saved, keys: Keys, *, lost_link_s: float, clock_rate: float
    ) -> None:
        self._links = Links(lost_link_s, clock_rate)
        self._rebuild = Rebuild()
        self._gaps: dict[str, list[Snapshot]] = {}
        for gap in sorted(saved.gaps, key=lambda g: g.offset):
            self._gaps.setdefault(gap.device, []).append(gap)
        super().__init__(number, generation, saved.live, keys)

    # -- records in

    def process(self, records: Sequence[Record]) -> None:
        """See ``Partition.process``."""
        told = [r for r in records if r.offset < self._rebuild.until] if self._rebuild else []
        for part in (told, records[len(told) :]):
            super().process(part)
            if self._rebuild and self.next_offset >= self._rebuild.until:
                self._finish_rebuild()

    def _control(self, record: Record, control: Control) -> None:
        self._note_links(self._links.advance(record.log_ms), record.offset, record.log_ms)
        if record.offset < self._resume.get(control.device, 0):
            return
        (row,) = rows = self._rows([control.device])
        self._controls.add(control)
        if isinstance(control.change, Enrolled):
            disabled = control.change.disabled
            ended = self._links.enrol(int(row), disabled=disabled, log_ms=record.log_ms)
            self._note_links(ended, record.offset, record.log_ms)
        elif isinstance(control.change, LinkDown):
            self._note_links(self._links.down(int(row), record.log_ms), record.offset, record.log_ms)
        else:
            self._bank.control(control)
        self._mark_dirty(rows, record.offset)

    def _take(self, records: Sequence[Record], gathered: Gathered) -> None:
        bundle = gathered.bundle
        offset = np.repeat([record.offset for record in records], gathered.devices)
        source = self._source(offset, gathered.created_ns.repeat(gathered.devices))
        rows = self._rows(bundle.devices)
        if self._resume:
            known = np.array([self._resume.get(d, 0) for d in bundle.devices], np.int64) > offset
            rows[known] = -1
        wanted = rows >= 0
        self._mark_dirty(rows[wanted], offset[wanted])
        self._hear(records, gathered, rows)
        parts = np.arange(len(records)).repeat(gathered.devices)
        events = self._bank.push(bundle, rows, parts)
        for gap in events.gaps:
            self._keep_gap(bundle.devices[gap["entry"]], gap, int(offset[gap["entry"]]))
        if self._rebuild:
            events = self._without_what_was_told(events, bundle.devices, source)
        self._put_out(events, bundle.devices, source)
        self._tell_statuses(bundle.devices, rows, source)

    def _hear(self, records: Sequence[Record], gathered: Gathered, rows: NDArray[np.int64]) -> None:
        """Let the link timers see the bundles: all at once where no link is lost or back meanwhile."""
        log_ms = np.array([record.log_ms for record in records])
        if self._links.heard_calmly(gathered, rows, log_ms):
            return
        for record, own in zip(records, np.split(rows, np.cumsum(gathered.devices)[:-1]), strict=True):
            at = record.offset, record.log_ms
            self._note_links(self._links.advance(record.log_ms), *at)
            self._note_links(self._links.heard(Bundle.decode(record.value), own, record.log_ms), *at)

    def _tell_statuses(self, devices: list[str], rows: NDArray[np.int64], source: Source) -> None:
        newest = np.full(len(self._devices), -1)
        wanted = np.flatnonzero(rows >= 0)
        newest[rows[wanted]] = wanted  # of several entries of a row the last stays
        entries = newest[newest >= 0]
        if not entries.size:
            return
        statuses = self._bank.status(rows[entries])
        source = self._source(source.offset[entries], source.published_ns[entries])
        self.outbox.append(outputs.of_statuses(statuses, [devices[e] for e in entries.tolist()], source))

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

    # -- gaps

    def _keep_gap(self, device: str, gap: np.void, offset: int) -> None:
        found = Snapshot(
            *(SnapshotKind.GAP, self.lane, device, int(gap["session"]), int(gap["sample"]), offset),
            *(self.generation, VERSION, gap["state"], self._controls.of(device)),
        )
        kept = self._gaps.setdefault(device, [])
        kept[:] = [g for g in kept if identity(g) != identity(found)]
        kept.append(found)
        self.outbox.append(Output(topics.SNAPSHOTS, self.keys.wrote(found), codec.encode(found)))
        for old in kept[:-MOST_GAPS]:
            self.keys.drop(identity(old))
        del kept[:-MOST_GAPS]

    def gap(self, device: str, session: int, sample: int) -> Snapshot | None:
        """Return the state before the gap that a sample of a backlog lies in or behind."""
        found = [g for g in self._gaps.get(device, ()) if g.session == session and g.sample <= sample]
        return max(found, key=lambda g: g.sample, default=None)

    def last_state(self, device: str) -> bytes | None:
        """Return the newest state of a device that a backlog's settings can be taken from."""
        kept = self._gaps.get(device)
        if kept:
            return kept[-1].state
        row = int(self._rows([device])[0])
        return self._bank.snapshot(row)

    def worn_since_ns(self, device: str) -> int:
        """See ``Controls.worn_since_ns``."""
        return self._controls.worn_since_ns(device)

    def filled(self, device: str, session: int, sample: int) -> None:
        """Forget the gaps of a device up to a sample of a session; session 0: all."""
        kept = self._gaps.get(device, [])
        over = [g for g in kept if not session or (g.session, g.sample) < (session, sample)]
        for gap in over:
            self.keys.drop(identity(gap))
            kept.remove(gap)

    # -- what of the log is gone

    def lose(self, oldest: int, wall_ms: int) -> None:
        """Go on at ``oldest``, what lies before it is gone: no device goes on with its state from there."""
        expected, self.next_offset = self.next_offset, oldest
        rows = np.arange(len(self._devices))
        n = rows.size
        source = self._source(np.full(n, oldest), np.full(n, wall_ms * 1_000_000))
        self._put_out(self._bank.stop(rows), self._devices, source)
        self._mark_dirty(rows, oldest)
        self._resume.clear()
        lost = outputs.of_lost_records(
            self.topic.name, self.number, (expected, oldest), self.generation, wall_ms
        )
        self.outbox += lost

    # -- checkpoint and restore

    def snapshots(self, turn: int = 0, turns: int = 1) -> list[Snapshot]:
        """See ``Partition.snapshots``; none during a rebuild: they would stand for less than those before."""
        return [] if self._rebuild else super().snapshots(turn, turns)

    def _state(self, row: int) -> bytes:
        return self._links.snapshot(row) + super()._state(row)

    def _set_state(self, device: str, state: bytes) -> int:
        row = super()._set_state(device, state[Links.STATE_BYTES :])
        self._links.restore(row, state[: Links.STATE_BYTES])
        return row

    def _without_state(self, snapshot: Snapshot) -> None:
        row = int(self._rows([snapshot.device])[0])
        self._links.restore(row, snapshot.state[: Links.STATE_BYTES])
        self._rebuild.add(snapshot.device, snapshot.offset, decoded(snapshot.open))

    def _without_what_was_told(self, events: Events, devices: list[str], source: Source) -> Events:
        quiet = self._rebuild.quiet(devices, source.offset)
        self._noted(loud(events, ~quiet), devices, source)
        return loud(events, quiet)

    def _finish_rebuild(self) -> None:
        devices = self._rebuild.devices
        rows = self._rows(devices).tolist()
        at = {device: self._bank.stands(row) for device, row in zip(devices, rows, strict=True)}
        for record in self._rebuild.finish(self._unfinished, at, self.next_offset - 1, self.generation):
            self._tell(record)
        for row in rows:
            self._bank.split(row)
        log.info("rebuilt", partition=self.number, devices=len(devices), offset=self.next_offset)
