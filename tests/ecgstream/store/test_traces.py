"""Trace blocks: any order, cut and repetition of packets ends in the same blocks."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgstream.store.trace_rows import block_of
from ecgstream.store.traces import Block, TraceBuilder, block_samples, merge
from schemas import mdc
from schemas.bundle import Bundle
from schemas.records import MISSING, Channel, Packet
from tests.ecgstream.store.copied import row

SESSION = 1_700_000_000_000_000_000
RATE = 50.0  # a block has 500 samples
SECOND = 1_000_000_000
LIVE, LATE = ("ecg.ingest", 3), ("ecg.backfill", 3)


def packet(
    seq: int, first: int, n: int, rates: tuple[float, ...] = (RATE,), session: int = SESSION
) -> Packet:
    channels = []
    for i, rate in enumerate(rates):
        at = round(first * rate / rates[0])
        end = round((first + n) * rate / rates[0])
        samples = ((np.arange(at, end) * 37 + i) % 1000).astype(np.int16)
        channels.append(Channel(mdc.LEADS["II"], 0, 0, rate, 200.0, samples, lead_off=seq % 5 == 0))
    start = session + round(first / rates[0] * SECOND)
    return Packet("dev-1", session, seq, first, start, start, channels, [n - 1] if seq % 7 == 0 else [])


def bundle(*packets: Packet) -> Bundle:
    return Bundle.of("gw-1", 0, SESSION, list(packets), [])


def stored(blocks: list[Block]) -> dict[tuple[str, int, int, int], Block]:
    """What the store would hold: each block encoded, read back and merged."""
    found: dict[tuple[str, int, int, int], Block] = {}
    for block in blocks:
        written = row(merge(found[block.key], block) if block.key in found else block)
        found[block.key] = block_of(written[:4] + written[5:])  # a time is no part of a block
    return found


def rows(found: dict[tuple[str, int, int, int], Block]) -> list[tuple[object, ...]]:
    return [row(found[key]) for key in sorted(found)]


def test_a_packet_over_a_boundary_is_listed_where_it_begins() -> None:
    builder = TraceBuilder()
    builder.add(bundle(packet(0, 0, 480), packet(1, 480, 40), packet(2, 520, 50)), LIVE, 7)
    (full,) = builder.take()
    (rest,) = builder.drain()
    assert (full.first_sample, full.samples.size, sorted(full.packets)) == (0, 500, [(0, 0), (1, 480)])
    assert (rest.first_sample, rest.samples.size, sorted(rest.packets)) == (500, 70, [(2, 520)])
    whole = np.concatenate([full.samples, rest.samples])
    assert np.array_equal(whole, packet(0, 0, 570).channels[0].samples)


def test_a_gap_is_missing_samples() -> None:
    builder = TraceBuilder()
    builder.add(bundle(packet(0, 0, 50), packet(2, 100, 50)), LIVE, 0)
    (block,) = builder.drain()
    assert (block.samples[50:100] == MISSING).all()
    assert (block.samples[:50] != MISSING).all()
    assert block.samples.size == 150


@st.composite
def histories(draw: st.DrawFn) -> list[Packet]:
    """Packets of one session, in order, some lost, of two channels with different rates."""
    packets, at = [], 0
    for seq in range(draw(st.integers(1, 40))):
        n = draw(st.integers(2, 50)) * 2
        if draw(st.integers(0, 9)) != 0:
            packets.append(packet(seq, at, n, (RATE, RATE / 2)))
        at += n
    return packets


@settings(deadline=None)
@given(histories(), st.randoms(use_true_random=False))
def test_any_order_cut_and_repetition_gives_the_same_blocks(
    packets: list[Packet], rng: random.Random
) -> None:
    straight = TraceBuilder()
    for p in packets:
        straight.add(bundle(p), LIVE, p.seq)
    expected = rows(stored(straight.drain()))

    come = [(p.seq, p) for p in packets]
    shuffled = come + [(1000 + n, p) for n, p in rng.choices(come, k=len(come) // 2)] if come else []
    rng.shuffle(shuffled)
    pieces: list[Block] = []
    builder = TraceBuilder()
    while shuffled:
        cut = rng.randint(1, 5)
        for offset, p in shuffled[:cut]:
            builder.add(bundle(p), LIVE, offset)
        shuffled = shuffled[cut:]
        if rng.random() < 0.3:
            pieces += builder.drain()
            builder = TraceBuilder()
    pieces += builder.drain()
    assert rows(stored(pieces)) == expected
    assert rows(stored(pieces + pieces)) == expected


@settings(deadline=None)
@given(histories())
def test_each_packet_is_in_one_block_of_channel_0(packets: list[Packet]) -> None:
    builder = TraceBuilder()
    for offset, p in enumerate(packets):
        builder.add(bundle(p), LIVE, offset)
    listed = [key for block in builder.drain() if block.channel == 0 for key in block.packets]
    assert sorted(listed) == [(p.seq, p.first_sample) for p in packets]


def test_offsets_are_held_while_a_block_is_open() -> None:
    builder = TraceBuilder()
    assert builder.low() == {}
    builder.add(bundle(packet(0, 0, 400)), LIVE, 11)
    builder.add(bundle(packet(1, 400, 50)), LIVE, 12)
    assert builder.low() == {LIVE: 11}
    builder.add(bundle(packet(2, 450, 100)), LIVE, 13)  # fills the first block, opens the second
    assert builder.low() == {LIVE: 13}
    builder.drain()
    assert builder.low() == {}


def test_a_silent_device_is_closed_by_the_callers_clock() -> None:
    builder = TraceBuilder()
    builder.add(bundle(packet(0, 0, 50)), LIVE, 0, now_s=100.0)
    builder.add(bundle(packet(0, 0, 50, session=SESSION + 1)), LIVE, 1, now_s=110.0)
    builder.close_idle(105.0)
    assert [b.session for b in builder.take()] == [SESSION]
    assert builder.low() == {LIVE: 1}


def test_memory_is_bounded() -> None:
    builder = TraceBuilder(max_open_bytes=10 * block_samples(RATE) * 2)
    for i in range(100):
        builder.add(bundle(packet(0, 0, 50, session=SESSION + i)), LIVE, i)
    assert len(builder.take()) == 90
    assert builder.low() == {LIVE: 90}


def test_a_revoked_partition_leaves_nothing() -> None:
    builder = TraceBuilder()
    builder.add(bundle(packet(0, 0, 450), packet(1, 450, 100)), LIVE, 0)
    builder.add(bundle(packet(0, 0, 450, session=SESSION + 1)), ("ecg.ingest", 2), 0)
    builder.discard(LIVE)
    assert {b.source for b in builder.drain()} == {("ecg.ingest", 2)}


def test_what_comes_live_and_what_comes_late_have_offsets_of_their_own() -> None:
    """Of one device and one session: the two topics meet in one block."""
    builder = TraceBuilder()
    builder.add(bundle(packet(9, 450, 50), packet(10, 500, 50)), LIVE, 7)
    builder.add(bundle(packet(0, 0, 400)), LATE, 90_000)
    assert builder.low() == {LIVE: 7, LATE: 90_000}
    builder.add(bundle(packet(8, 400, 50)), LATE, 90_001)
    builder.discard(LATE)
    assert {b.source for b in builder.take()} == {LIVE}
    builder.add(bundle(packet(0, 0, 450)), LATE, 90_000)
    found = stored(builder.drain())
    (whole,) = (b for b in found.values() if b.first_sample == 0)
    assert MISSING not in whole.samples


def test_an_absurd_first_sample_is_rejected() -> None:
    builder = TraceBuilder()
    far = replace(packet(0, 0, 50), first_sample=2**52)
    builder.add(bundle(far, packet(1, 0, 50)), LIVE, 0)
    assert builder.rejected == 1
    assert [b.first_sample for b in builder.drain()] == [0]


def test_a_change_of_gain_within_a_session_mixes_nothing() -> None:
    builder = TraceBuilder()
    odd = packet(1, 50, 50)
    odd.channels[0].gain = 100.0
    builder.add(bundle(packet(0, 0, 50), odd), LIVE, 0)
    first, second = builder.drain()
    assert merge(first, second) is second
