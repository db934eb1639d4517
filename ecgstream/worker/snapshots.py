"""What the snapshot topic holds of a partition: keys, and which record of several holds.

A record's key names what it is of and its writer, one assignment of one process. Within a key records follow
each other as their one writer wrote them, so the last holds, and compaction keeps it; among the keys of
several writers the **highest offset** holds. So a paused former owner, whose records may come last,
overwrites nothing, neither here nor in compaction. Keys that lost are given up (tombstones) by the present
owner. A generation would not do as a writer's name: a static member that is killed and back within its
session joins the group in the generation that it had.
"""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field

import detectors
from detectors.bank import STATE_VERSION
from schemas import codec
from schemas.errors import BadRecordError
from schemas.records import Lane, Snapshot, SnapshotKind

VERSION = f"{STATE_VERSION}/{detectors.VERSION}"
"""Of a state: one of another layout cannot be read, one of other detectors means something else."""

Identity = tuple[SnapshotKind, Lane, str, int, int]
"""What a snapshot is of."""


def identity(s: Snapshot) -> Identity:
    """Return what a snapshot is of."""
    return s.kind, s.lane, s.device, s.session, s.sample


def key_of(s: Snapshot, writer: str) -> bytes:
    """Return the key that a writer writes a snapshot under.

    >>> key_of(Snapshot(SnapshotKind.GAP, Lane.LIVE, "dev-1", 7, 2500, 90, 3, VERSION, b""), "5c0a11ed")
    b'GAP LIVE dev-1 7 2500 5c0a11ed'
    """
    return " ".join(map(str, (*identity(s), writer))).encode()


@dataclass(slots=True)
class LaneSaved:
    """What there is of one lane: where reading goes on, and each device's newest snapshot."""

    position: int = 0
    devices: dict[str, Snapshot] = field(default_factory=dict)


@dataclass(slots=True)
class Saved:
    """What the topic holds of one partition.

    Attributes:
        live, backfill: by lane.
        gaps: those that a backlog may still fill.
        keys: under which key the record that holds lies.
        stale: keys whose records hold no more.
        oldest: first record of the ingest topic, where reading could not go on at the position: what lay
            between is gone.
    """

    live: LaneSaved = field(default_factory=LaneSaved)
    backfill: LaneSaved = field(default_factory=LaneSaved)
    gaps: list[Snapshot] = field(default_factory=list)
    keys: dict[Identity, bytes] = field(default_factory=dict)
    stale: list[bytes] = field(default_factory=list)
    oldest: int | None = None

    @classmethod
    def of(cls, records: Iterable[tuple[bytes, bytes]]) -> "Saved":
        """Return what records tell: the last of each key, in any order of keys."""
        saved = cls()
        newest: dict[Identity, Snapshot] = {}
        for key, value in records:
            try:
                snapshot = codec.decode_as(Snapshot, value)
            except BadRecordError:
                saved.stale.append(
                    key
                )  # of a later version that was undone, or damaged: rebuilt from the log
                continue
            what = identity(snapshot)
            known = newest.get(what)
            if known is not None and (known.offset, known.generation) > (
                snapshot.offset,
                snapshot.generation,
            ):
                saved.stale.append(key)
                continue
            if known is not None:
                saved.stale.append(saved.keys[what])
            newest[what] = snapshot
            saved.keys[what] = key
        for snapshot in newest.values():
            saved._take(snapshot)
        return saved

    def _take(self, snapshot: Snapshot) -> None:
        lane = self.live if snapshot.lane is Lane.LIVE else self.backfill
        if snapshot.kind is SnapshotKind.POSITION:
            lane.position = snapshot.offset
        elif snapshot.kind is SnapshotKind.GAP:
            self.gaps.append(snapshot)
        else:
            lane.devices[snapshot.device] = snapshot

    @property
    def refused(self) -> bool:
        """Whether the state of a device of the live lane is of another version."""
        return any(s.version != VERSION for s in self.live.devices.values())


class Keys:
    """Which keys a writer has written, and which it must give up; each ``Keys`` is a writer of its own."""

    def __init__(self, saved: Saved) -> None:
        self.writer = uuid.uuid4().hex[:8]
        self._keys = dict(saved.keys)
        self._given_up = list(saved.stale)

    def wrote(self, snapshot: Snapshot) -> bytes:
        """Note that a snapshot is written; return its key."""
        key, what = key_of(snapshot, self.writer), identity(snapshot)
        before = self._keys.get(what, key)
        if before != key:
            self._given_up.append(before)
        self._keys[what] = key
        return key

    def drop(self, what: Identity) -> None:
        """Give up what there is of something."""
        key = self._keys.pop(what, None)
        if key is not None:
            self._given_up.append(key)

    def take(self) -> list[bytes]:
        """Return the keys to give up, once."""
        found, self._given_up = self._given_up, []
        return found
