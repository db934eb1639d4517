"""Packets come back from blocks as they were; where one ended in nothing, detectors cannot tell."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgstream.replay.packets import packets
from ecgstream.store.traces import TraceBuilder
from schemas.records import MISSING, Packet
from tests.detectors import synthetic as syn

FS = 250
SECONDS = 70
SIGNAL = syn.counts(syn.ecg(75, SECONDS, FS, leads=2))
PLETH = syn.pleth(syn.pulse(syn.regular(75, 0.7, SECONDS), SECONDS, 125), 125)


def made(cuts: list[int], lost: set[int], missing: list[tuple[int, int]]) -> list[Packet]:
    """A session of ragged packets with two leads and a pulse wave, of which some were lost."""
    signal = SIGNAL[:, : cuts[-1]].copy()
    for begin, n in missing:
        signal[:, begin : begin + n] = MISSING
    found = syn.with_waves(syn.packets(signal, FS, cuts, pace=(300, 5000)), FS, PLETH)
    return [packet for packet in found if packet.seq not in lost]


def again(sent: list[Packet], a_slice: int) -> list[Packet]:
    builder = TraceBuilder()
    for offset, packet in enumerate(sent):
        builder.add(syn.bundle([packet]), ("ecg.ingest", 0), offset)
    blocks = sorted(builder.drain(), key=lambda b: (b.first_sample / b.wave.rate, b.channel))
    slices = [blocks[at : at + a_slice] for at in range(0, len(blocks), a_slice)]
    come = [one for of_slice in packets(slices) for one in of_slice]
    assert [one.offset for one in come] == list(range(len(sent)))
    return [one.packet for one in come]


# Whole samples of each channel: where a device cuts between two, the store may place its wave by one beside.
lengths = st.lists(st.integers(25, 250).map(lambda n: 2 * n), min_size=40, max_size=80)


@settings(deadline=None, max_examples=10)
@given(
    lengths,
    st.sets(st.integers(1, 39), max_size=8),
    st.lists(st.tuples(st.integers(0, 60 * FS), st.integers(1, 800)), max_size=3),
    st.integers(3, 40),
)
def test_detectors_find_the_same(
    of_packets: list[int], lost: set[int], missing: list[tuple[int, int]], a_slice: int
) -> None:
    cuts = [int(cut) for cut in np.cumsum(of_packets) if cut < SECONDS * FS]
    sent = made(cuts, lost, missing)
    got = again(sent, a_slice)
    same = ("seq", "first_sample", "start_ns", "session", "device", "pace_marks")
    assert [[getattr(p, n) for n in same] for p in got] == [[getattr(p, n) for n in same] for p in sent]
    assert syn.same(syn.run(got)[1], syn.run(sent)[1])


@settings(deadline=None, max_examples=10)
@given(lengths, st.integers(3, 40))
def test_nothing_is_added_where_nothing_is_lost(of_packets: list[int], a_slice: int) -> None:
    cuts = [int(cut) for cut in np.cumsum(of_packets) if cut < SECONDS * FS]
    sent = made(cuts, set(), [])
    for one, other in zip(again(sent, a_slice), sent, strict=True):
        assert [c.code for c in one.channels] == [c.code for c in other.channels]
        assert [c.lead_off for c in one.channels] == [c.lead_off for c in other.channels]
        for is_, was in zip(one.channels[:2], other.channels[:2], strict=True):
            assert np.array_equal(is_.samples, was.samples)
    for before, behind in pairwise(again(sent, a_slice)):
        assert before.first_sample + before.channels[0].samples.size == behind.first_sample
