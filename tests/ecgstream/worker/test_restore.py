"""Of all snapshots of a device the highest offset holds, not the last record."""

from hypothesis import given
from hypothesis import strategies as st

from ecgstream.worker.restore import Saved
from schemas.records import Lane, Snapshot, SnapshotKind


@given(st.permutations(range(1, 8)))
def test_the_highest_offset_wins_whoever_wrote_last(order: list[int]) -> None:
    saved = Saved()
    for offset in order:
        saved.add(
            Snapshot(SnapshotKind.DEVICE, Lane.LIVE, "dev", 0, 0, offset, 10 - offset, "v", b"%d" % offset)
        )
        saved.add(Snapshot(SnapshotKind.POSITION, Lane.LIVE, "", 0, 0, offset, 1, "v", b""))
    assert saved.devices["dev"].state == b"7"
    assert saved.position == 7
