"""Blocks as COPY BINARY, read by another reader; and back from rows."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgstream.store.tables import BLOCK_KEY, TRACE
from ecgstream.store.trace_codec import CODEC, decode_block
from ecgstream.store.trace_rows import UNKNOWN, block_of, packed, packed_keys
from ecgstream.store.traces import Block, Wave
from tests.ecgstream.store.copied import row, rows

EPOCH_US = 946_684_800_000_000

int63 = st.integers(0, 2**63 - 1)
filters = st.none() | st.floats(0, 1e6, width=32)
waves = st.builds(
    Wave,
    *(st.integers(0, 2**32 - 1), st.integers(0, 255), st.integers(0, 255)),
    *(st.floats(0.01, 1e5), st.floats(1e-9, 1e9), st.floats(-1e9, 1e9)),
    *(filters, filters, filters),
)
packets = st.dictionaries(st.tuples(int63, int63), st.tuples(int63, st.booleans()), max_size=12)


@st.composite
def blocks(draw: st.DrawFn) -> Block:
    samples = np.array(draw(st.lists(st.integers(-32768, 32767), min_size=1, max_size=20)), np.int16)
    of_packets = draw(packets)
    placed = draw(st.sets(st.sampled_from(sorted(of_packets)))) if of_packets else ()
    return Block(
        draw(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=10)),
        *(draw(int63), draw(st.integers(0, 255)), draw(int63), draw(waves), 0, samples, of_packets),
        set(draw(st.lists(int63, max_size=5))),
        {key: draw(int63) for key in placed},
    )


@settings(deadline=None)
@given(st.lists(st.tuples(blocks(), int63), max_size=5))
def test_blocks_arrive_as_they_are(placed: list[tuple[Block, int]]) -> None:
    found = rows(b"".join(packed(placed)), TRACE)
    keys = rows(packed_keys(placed), BLOCK_KEY)
    for (block, time_ns), row_, key in zip(placed, found, keys, strict=True):
        values = dict(zip(TRACE.columns, row_, strict=True))
        assert key == row_[:5] == (*block.key, time_ns // 1000 - EPOCH_US)
        wave = block.wave
        for name in Wave.__dataclass_fields__:
            assert values[name] == getattr(wave, name)
        assert values["codec"] == CODEC
        assert np.array_equal(decode_block(CODEC, values["data"], values["n"]), block.samples)
        assert list(zip(values["packet_seq"], values["packet_first"], strict=True)) == sorted(block.packets)
        assert [
            block.packets[key] for key in zip(values["packet_seq"], values["packet_first"], strict=True)
        ] == list(zip(values["packet_ns"], values["packet_lead_off"], strict=True))
        places = [block.arrived.get(key, UNKNOWN) for key in sorted(block.packets)]
        assert values["packet_offset"] == (places if block.arrived else [])
        assert values["pace"] == sorted(block.paces)


@settings(deadline=None)
@given(blocks())
def test_a_block_is_the_same_when_it_is_read_back(block: Block) -> None:
    found = row(block)
    back = block_of(found[:4] + found[5:])
    assert np.array_equal(back.samples, block.samples)
    assert (back.key, back.wave, back.packets, back.paces, back.arrived) == (
        block.key,
        block.wave,
        block.packets,
        block.paces,
        block.arrived,
    )


def test_more_blocks_than_are_laid_out_at_once() -> None:
    wave = Wave(1, 0, 0, 250.0, 200.0, 0.0, None, None, None)
    made = [
        Block("d", 1, 0, i, wave, 0, np.full(3, i, np.int16), {(i, j): (j, False) for j in range(i % 3)})
        for i in range(1000)
    ]
    found = rows(b"".join(packed([(b, 0) for b in made])), TRACE)
    assert [(r[3], r[-4]) for r in found] == [(i, list(range(i % 3))) for i in range(1000)]
