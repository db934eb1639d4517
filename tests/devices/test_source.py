"""Packetising: any rate, any number of leads, any packet length, bit by bit."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.source import NS, Number, Session, Source, Wave
from schemas import mdc
from schemas.checks import check_packet
from schemas.records import MISSING, Packet, Vital

START_NS = 1_700_000_000 * NS


def wave(rate: float, seconds: float, seed: int = 0, **more: object) -> Wave:
    samples = np.random.default_rng(seed).integers(MISSING, 32768, max(1, round(seconds * rate)))
    return Wave(f"w{seed}", mdc.ECG, 0, 0, rate, 200.0, samples.astype(np.int16), **more)  # type: ignore[arg-type]


def source(*sessions: Session) -> Source:
    return Source("dev-1", 0, "Test", simulated=True, sessions=sessions)


def packets(played: Source, packet_s: float = 1.0) -> list[Packet]:
    return [e.item for e in played.emissions(START_NS, packet_s) if isinstance(e.item, Packet)]


def joined(found: list[Packet], channel: int) -> np.ndarray:
    return np.concatenate([p.channels[channel].samples for p in found])


@given(
    rate=st.one_of(st.integers(100, 1000).map(float), st.floats(100, 1000)),
    leads=st.integers(1, 12),
    other=st.sampled_from([25.0, 62.5, 125.0, 128.0, 1000.0]),
    seconds=st.floats(0.3, 12),
    packet_s=st.floats(0.2, 2),
)
def test_packets_put_together_are_the_recording(
    rate: float, leads: int, other: float, seconds: float, packet_s: float
) -> None:
    waves = [wave(rate, seconds, i) for i in range(leads)]
    waves.append(wave(other, waves[0].duration_s, 99))
    found = packets(source(Session(tuple(waves))), packet_s)
    for p in found:
        check_packet(p)
    for i, w in enumerate(waves):
        np.testing.assert_array_equal(joined(found, i), w.samples)
    assert [p.seq for p in found] == list(range(len(found)))
    sizes = [p.channels[0].samples.size for p in found]
    assert [p.first_sample for p in found] == [0, *np.cumsum(sizes)[:-1].tolist()]
    for p in found:
        assert p.start_ns - START_NS == round(p.first_sample / rate * NS)
        assert p.channels[0].samples.size / rate <= 2 + 1 / rate
    if len(found) > 1:
        assert min(sizes) / rate >= 0.1 - 1 / rate


def test_a_packet_leaves_when_its_last_sample_is_measured() -> None:
    emitted = list(source(Session((wave(250, 3),), start_s=7)).emissions(START_NS))
    assert [e.at_s for e in emitted] == [8, 9, 10]
    assert all(isinstance(e.item, Packet) and e.item.session == START_NS + 7 * NS for e in emitted)


def test_without_a_link_no_packet_is_made_and_no_number_sent() -> None:
    w = wave(250, 30)
    numbers = tuple(Number(float(s), mdc.SPO2, 97.0) for s in range(1, 31))
    played = source(Session((w,), numbers, away=((10.0, 18.5),)))
    found = packets(played)
    assert [p.seq for p in found] == list(range(len(found)))
    kept = np.concatenate([w.samples[:2500], w.samples[4625:]])
    np.testing.assert_array_equal(joined(found, 0), kept)
    assert [p.first_sample for p in found[9:12]] == [2250, 4625, 4875]
    sent = [e.at_s for e in played.emissions(START_NS) if isinstance(e.item, Vital)]
    assert sent == [*range(1, 10), *range(19, 31)]


def test_a_reboot_begins_a_session_that_counts_anew() -> None:
    played = source(Session((wave(100, 5),)), Session((wave(100, 5),), start_s=8))
    found = packets(played)
    assert [(p.session - START_NS) // NS for p in found] == [0] * 5 + [8] * 5
    assert [p.seq for p in found] == [*range(5), *range(5)]
    assert [p.first_sample for p in found[5:]] == [0, 100, 200, 300, 400]
    assert played.duration_s == 13


def test_lead_off_is_said_of_every_packet_that_it_touches() -> None:
    found = packets(source(Session((wave(100, 6), wave(100, 6, 1, off=((2.5, 4.0),))))))
    assert [p.channels[1].lead_off for p in found] == [False, False, True, True, False, False]
    assert not any(p.channels[0].lead_off for p in found)


def test_numbers_and_packets_come_in_the_order_of_time() -> None:
    numbers = (Number(2.5, mdc.SPO2, math.nan), Number(0.5, mdc.SPO2, 97.0), Number(1.0, mdc.HEART_RATE, 60))
    emitted = list(source(Session((wave(100, 3),), numbers)).emissions(START_NS))
    assert [(e.at_s, type(e.item)) for e in emitted] == [
        (0.5, Vital),
        (1.0, Packet),
        (1.0, Vital),
        (2.0, Packet),
        (2.5, Vital),
        (3.0, Packet),
    ]


def test_channels_must_cover_the_same_time() -> None:
    with pytest.raises(ValueError, match="lasts 4 s"):
        Session((wave(100, 3), wave(250, 4)))
    with pytest.raises(ValueError, match="int16"):
        Session((Wave("x", mdc.ECG, 0, 0, 100.0, 1.0, np.zeros(5, np.int32)),))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="packets of 3 s"):
        packets(source(Session((wave(100, 3),))), 3.0)


def test_pace_marks_come_with_the_packet_of_their_sample() -> None:
    paced = source(Session((wave(250.0, 3.0),), paces=(0.5, 0.999, 1.0, 2.7)))
    found = packets(paced)
    assert [p.pace_marks for p in found] == [[125], [0, 0], [175]]
    for packet in found:
        check_packet(packet)
