"""The bundler loses nothing, doubles nothing, and keeps a bad packet from harming the others."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.bundler import Bundler, Instant
from schemas import mdc
from schemas.bundle import Bundle
from schemas.errors import BadRecordError
from schemas.records import Channel, Packet, Vital


def packet(device: str, seq: int, n: int = 250, channels: int = 1) -> Packet:
    waves = [Channel(mdc.ECG, 0, 0, 250.0, 200.0, np.full(n, seq % 1000, np.int16)) for _ in range(channels)]
    return Packet(device, 1, seq, seq * n, 10, 20, waves, [0] * (seq % 3))


def at(seconds: float) -> Instant:
    return Instant(seconds, 1_700_000_000_000_000_000 + round(seconds * 1e9))


class Device:
    def __init__(self) -> None:
        self.seq = 0

    def __call__(self, name: str, n: int, channels: int) -> Packet:
        self.seq += 1
        return packet(name, self.seq, n, channels)


steps = st.lists(
    st.tuples(
        st.integers(0, 3),  # shard
        st.integers(0, 5),  # device of the shard
        st.booleans(),  # a packet or a number
        st.integers(1, 500),  # samples
        st.integers(1, 12),  # channels
        st.floats(0, 0.4),  # s until the next
    ),
    max_size=60,
)


@given(steps=steps, max_bytes=st.integers(13_000, 60_000))
def test_nothing_is_lost_nothing_comes_twice_and_sizes_are_bounded(
    steps: list[tuple[int, int, bool, int, int, float]], max_bytes: int
) -> None:
    bundler = Bundler("gw", max_bytes=max_bytes)
    make = Device()
    now = 0.0
    given_in: dict[int, list[Packet | Vital]] = {}
    out: list[Bundle] = []
    for shard, device, is_packet, n, channels, pause in steps:
        name = f"dev-{shard}-{device}"
        item = make(name, n, channels) if is_packet else Vital(name, 1, make.seq, mdc.SPO2, float(n))
        given_in.setdefault(shard, []).append(item)
        out += bundler.add(shard, item, at(now))
        now += pause
        out += bundler.due(at(now))
        assert bundler.due_s() > now
    out += bundler.flush(at(now))
    assert bundler.flush(at(now)) == []
    assert bundler.refused == 0
    for bundle in out:
        assert len(bundle.encode()) <= max_bytes
        assert bundle.packet.seq.size + bundle.vital.code.size > 0
    for shard, items in given_in.items():
        mine = [Bundle.decode(b.encode()) for b in out if b.shard == shard]
        packets = [p for b in mine for p in b.packets()]
        sent = [p for p in items if isinstance(p, Packet)]
        assert [(p.device, p.seq, p.pace_marks) for p in packets] == [
            (p.device, p.seq, p.pace_marks) for p in sent
        ]
        for got, was in zip(packets, sent, strict=True):
            for a, b in zip(got.channels, was.channels, strict=True):
                np.testing.assert_array_equal(a.samples, b.samples)
        assert [v for b in mine for v in b.vitals()] == [v for v in items if isinstance(v, Vital)]


def test_a_bundle_ends_half_a_second_after_its_first_row() -> None:
    bundler = Bundler("gw")
    assert bundler.due_s() == float("inf")
    bundler.add(1, packet("a", 0), at(10.0))
    bundler.add(1, packet("a", 1), at(10.4))
    bundler.add(2, packet("b", 0), at(10.45))
    assert bundler.due_s() == 10.5
    assert bundler.due(at(10.49)) == []
    first, second = bundler.due(at(10.5))
    assert (first.shard, first.packet.seq.tolist(), first.created_ns) == (1, [0, 1], at(10.5).utc_ns)
    assert (second.shard, second.packet.seq.tolist()) == (2, [0])  # one flush, one sync of the disk


def _channel(p: Packet, **change: object) -> Packet:
    return replace(p, channels=[replace(p.channels[0], **change)])  # type: ignore[arg-type]


ABSURD: list[Callable[[Packet], Packet]] = [
    lambda p: replace(p, device="not one word"),
    lambda p: replace(p, device=""),
    lambda p: replace(p, channels=[]),
    lambda p: replace(p, channels=p.channels * 33),
    lambda p: replace(p, seq=-1),
    lambda p: replace(p, session=2**63),
    lambda p: replace(p, pace_marks=[250]),
    lambda p: _channel(p, code=2**32),
    lambda p: _channel(p, kind=-1),
    lambda p: _channel(p, unit=200),
    lambda p: _channel(p, rate=float("nan")),
    lambda p: _channel(p, gain=0.0),
    lambda p: _channel(p, samples=np.zeros(250)),
    lambda p: _channel(p, samples=np.zeros((2, 125), np.int16)),
    lambda p: _channel(p, samples=np.empty(0, np.int16)),
    lambda p: _channel(p, rate=50_000.0, samples=np.zeros(400_000, np.int16)),
]


@pytest.mark.parametrize("spoil", ABSURD)
def test_an_absurd_packet_is_refused_alone(spoil: Callable[[Packet], Packet]) -> None:
    bundler = Bundler("gw")
    bundler.add(0, packet("good", 0), at(0))
    with pytest.raises(BadRecordError):
        bundler.add(0, spoil(packet("bad", 0)), at(0.1))
    bundler.add(0, packet("good", 1), at(0.2))
    [bundle] = bundler.flush(at(1))
    assert bundler.refused == 1
    assert Bundle.decode(bundle.encode()).devices == ["good"]
    assert bundle.packet.seq.tolist() == [0, 1]


@pytest.mark.parametrize(
    "vital",
    [
        Vital("two words", 1, 1, mdc.SPO2, 97.0),
        Vital("d", -1, 1, mdc.SPO2, 97.0),
        Vital("d", 1, 2**63, mdc.SPO2, 97.0),
        Vital("d", 1, 1, -1, 97.0),
        Vital("d", 1, 1, mdc.SPO2, float("inf")),
    ],
)
def test_an_absurd_number_is_refused_alone(vital: Vital) -> None:
    bundler = Bundler("gw")
    with pytest.raises(BadRecordError):
        bundler.add(0, vital, at(0))
    with pytest.raises(BadRecordError):
        bundler.add(-1, packet("d", 0), at(0))
    assert bundler.refused == 2
    assert bundler.flush(at(1)) == []
