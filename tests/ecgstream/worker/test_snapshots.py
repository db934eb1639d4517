"""Which record of the snapshot topic holds, whoever wrote last, and what compaction leaves of them."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgstream.worker.snapshots import VERSION, Keys, Saved, identity, key_of
from schemas import codec
from schemas.records import Lane, Snapshot, SnapshotKind

DEVICE, POSITION, GAP = SnapshotKind.DEVICE, SnapshotKind.POSITION, SnapshotKind.GAP


def snapshot(offset: int, generation: int = 1, kind: SnapshotKind = DEVICE, **more: object) -> Snapshot:
    device = "" if kind is POSITION else "dev"
    made = Snapshot(kind, Lane.LIVE, device, 0, 0, offset, generation, VERSION, b"%d" % offset)
    return dataclasses.replace(made, **more)  # type: ignore[arg-type]


def written(*snapshots: Snapshot) -> list[tuple[bytes, bytes]]:
    """As by a writer for each generation."""
    return [(key(s), codec.encode(s)) for s in snapshots]


def key(s: Snapshot) -> bytes:
    return key_of(s, f"w{s.generation}")


def compacted(log: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """What counts of a log, and is left when the broker has compacted it: the last record of each key."""
    return list(dict(log).items())


@given(st.permutations(range(1, 8)))
def test_the_highest_offset_wins_whoever_wrote_last(order: list[int]) -> None:
    """Each offset by a generation of its own, the later ones not always by the higher."""
    log = [r for o in order for r in written(snapshot(o, 10 - o), snapshot(o, 10 - o, POSITION))]
    found = Saved.of(compacted(log))
    assert found.live.devices["dev"].state == b"7"
    assert found.live.position == 7
    assert len(found.stale) == 2 * 6


@given(st.integers(1, 50), st.integers(51, 100))
def test_a_paused_owner_swallows_nothing_in_compaction(old: int, new: int) -> None:
    """The device falls silent after its new owner's snapshot; then the old owner's stale one is appended."""
    log = written(snapshot(old, 1), snapshot(new, 2), snapshot(old, 1))
    found = Saved.of(compacted(log))
    assert found.live.devices["dev"].offset == new
    assert found.stale == [key(snapshot(old, 1))]


def test_a_new_owner_gives_up_what_it_has_replaced_and_what_had_lost() -> None:
    old, lost, gap = snapshot(9, 3), snapshot(5, 2), snapshot(7, 1, GAP, session=4, sample=250)
    keys = Keys(Saved.of(written(old, lost, gap)))
    assert keys.take() == [key(lost)]
    assert keys.wrote(snapshot(12, 4)) == key_of(snapshot(12, 4), keys.writer)
    assert keys.take() == [key(old)]
    keys.wrote(snapshot(13, 4))
    assert keys.take() == []
    keys.drop(identity(gap))
    keys.drop(identity(gap))
    assert keys.take() == [key(gap)]


def test_two_owners_of_one_generation_are_two_writers() -> None:
    """As a static member is that was killed, and back before its session ended."""
    killed, back = Keys(Saved()), Keys(Saved())
    log = [(killed.wrote(snapshot(30)), codec.encode(snapshot(30)))]
    log += [(back.wrote(snapshot(60)), codec.encode(snapshot(60))), log[0]]
    assert Saved.of(compacted(log)).live.devices["dev"].offset == 60


def test_lanes_and_gaps_are_told_apart() -> None:
    gaps = [snapshot(5, 1, GAP, session=s, sample=n) for s, n in ((1, 0), (1, 250), (2, 0))]
    backfill = [snapshot(8, 1, lane=Lane.BACKFILL), snapshot(8, 1, POSITION, lane=Lane.BACKFILL)]
    found = Saved.of(written(snapshot(9), snapshot(7, 1, POSITION), *backfill, *gaps))
    assert (found.live.position, found.backfill.position) == (7, 8)
    assert found.live.devices["dev"].offset == 9
    assert found.backfill.devices["dev"].offset == 8
    assert [(g.session, g.sample) for g in found.gaps] == [(1, 0), (1, 250), (2, 0)]


@pytest.mark.parametrize("lane", list(Lane))
def test_a_state_of_another_version_is_seen_in_the_live_lane(lane: Lane) -> None:
    found = Saved.of(written(snapshot(5, lane=lane, version="0/0")))
    assert found.refused == (lane is Lane.LIVE)


def test_what_is_no_snapshot_is_given_up() -> None:
    found = Saved.of([(b"key", b"garbage"), *written(snapshot(3))])
    assert found.stale == [b"key"]
    assert found.live.devices["dev"].offset == 3
