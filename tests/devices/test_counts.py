"""What is counted on is what the spool's file would say."""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from devices.spool import Spool
from devices.tally import Lost

ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(1, 2)),
        st.tuples(st.sampled_from(["gone", "lost", "below"]), st.integers(0, 30)),
        st.tuples(st.sampled_from(["commit", "again"]), st.just(0)),
    ),
    max_size=40,
)


@given(ACTS)
@settings(max_examples=60, deadline=None)
def test_it_counts_as_one_that_looks_each_time(acts: list[tuple[str, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "gw.spool"
        spool, kept = Spool(path), {}
        for act, n in acts:
            if act == "put":
                record = spool.put(n, 5, b"x" * n, [])
                kept[record.number] = record
            elif act == "below":
                for shard in (1, 2):
                    wanted = sum(r.shard == shard and r.number < n for r in kept.values())
                    assert spool.count_below(shard, n) == wanted
            elif act == "commit":
                assert spool.commit()
            elif act == "again":
                spool.close()
                spool = Spool(path)
                if not kept:
                    continue
            elif kept:
                record = kept.pop(sorted(kept)[n % len(kept)])
                if act == "gone" or record.number in spool._new:
                    spool.acknowledged(record, [], record.size, is_all=True)
                else:
                    spool.drop(record, Lost())
            held = spool.held()
            assert (held.records, held.bytes) == (len(kept), sum(r.size for r in kept.values()))
        with closing(spool):
            assert spool.is_empty == (not kept)
