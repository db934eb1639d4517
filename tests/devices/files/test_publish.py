"""A recording is the same packets whenever it is taken, and past; what cannot be one is refused whole."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from devices.errors import FullError, MessageError
from devices.files import publish
from devices.files.publish import AHEAD_S, Recording
from devices.files.read import read
from devices.source import NS, Session, Source, Wave
from schemas import mdc
from schemas.bundle import Bundle
from schemas.records import ECG_KIND, BacklogEnd, Control, Packet
from schemas.units import MILLIVOLT
from tests.devices.files.ecg import START_NS

FIXTURE = Path(__file__).resolve().parents[3] / "fixtures" / "devices" / "files" / "twelve-lead.dcm"
NOW_NS = START_NS + 3600 * NS
RATE = 100.0


def source(seconds: float, start_ns: int | None = START_NS) -> Source:
    samples = (np.arange(round(seconds * RATE)) % 1000).astype(np.int16)
    wave = Wave("II", mdc.LEADS["II"], ECG_KIND, MILLIVOLT, RATE, 200.0, samples)
    return Source(
        "cart-3", 5, "File: made, II", simulated=False, sessions=(Session((wave,)),), start_ns=start_ns
    )


class Kept:
    """A spool in memory that may be full."""

    def __init__(self) -> None:
        self.room = True
        self.is_durable = True
        self.writes: list[tuple[int, list[Bundle], Control | None]] = []

    def publish_past(self, shard: int, bundles: Sequence[Bundle], end: Control | None = None) -> bool:
        self.writes.append((shard, list(bundles), end))
        return self.is_durable

    def refuse(self) -> None:
        raise AssertionError("it is not the recording that counts")

    def packets(self) -> list[Packet]:
        return [p for _, bundles, _ in self.writes for b in bundles for p in b.packets()]


def numbers(packet: Packet) -> tuple[str, int, int, int, int, bytes]:
    samples = b"".join(c.samples.tobytes() for c in packet.channels)
    return packet.device, packet.session, packet.seq, packet.first_sample, packet.start_ns, samples


def test_it_is_packets_of_a_second_in_a_session_that_is_its_start() -> None:
    kept = Kept()
    told: list[int] = []
    found = Recording.of(source(25.5), None, NOW_NS)
    assert found.publish(kept, "gw", NOW_NS, told.append) == 26
    packets = kept.packets()
    assert [p.seq for p in packets] == list(range(26))
    assert {p.session for p in packets} == {START_NS}
    assert [p.start_ns for p in packets] == [START_NS + n * NS for n in range(26)]
    assert {p.received_ns for p in packets} == {NOW_NS}
    samples = np.concatenate([p.channels[0].samples for p in packets])
    assert (samples == found.source.sessions[0].waves[0].samples).all()
    ((shard, bundles, end),) = kept.writes
    assert (shard, [b.packet.device.size for b in bundles]) == (5, [10, 10, 6])
    assert end is not None
    assert (end.device, end.change, end.from_sample) == ("cart-3", BacklogEnd(), 0)
    assert 0 < end.session < START_NS  # 0 would let all gaps of the device be forgotten
    assert told == [26]


def test_the_same_file_twice_is_the_same_packets() -> None:
    found = []
    for now_ns in (NOW_NS, NOW_NS + 86_400 * NS):
        kept = Kept()
        Recording.of(read(FIXTURE, device="cart-3", shard=5), None, now_ns).publish(kept, "gw", now_ns)
        found.append([numbers(p) for p in kept.packets()])
    assert found[0] == found[1]
    assert len(found[0]) == 2


def test_a_long_one_is_made_durable_by_and_by_and_ends_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish, "_WRITE_BYTES", 20 * 2 * int(RATE))
    kept = Kept()
    told: list[int] = []
    Recording.of(source(50.0), None, NOW_NS).publish(kept, "gw", NOW_NS, told.append)
    assert [end is not None for _, _, end in kept.writes] == [False, False, True]
    assert told == [20, 40, 50]
    assert [p.seq for p in kept.packets()] == list(range(50))


@pytest.mark.parametrize(("room", "is_durable"), [(False, True), (True, False)])
def test_where_it_is_not_durable_it_is_not_taken(*, room: bool, is_durable: bool) -> None:
    kept = Kept()
    kept.room, kept.is_durable = room, is_durable
    with pytest.raises(FullError, match="try again"):
        Recording.of(source(3.0), None, NOW_NS).publish(kept, "gw", NOW_NS)


def test_when_it_began_must_be_known_and_what_is_given_holds() -> None:
    with pytest.raises(MessageError, match="its start must be given"):
        Recording.of(source(3.0, None), None, NOW_NS)
    assert Recording.of(source(3.0, None), 7, NOW_NS).start_ns == 7
    assert Recording.of(source(3.0), 7, NOW_NS).start_ns == 7


def test_what_ends_in_the_future_is_of_another_zone() -> None:
    latest = NOW_NS + round(AHEAD_S * NS)
    assert Recording.of(source(3.0, latest - 3 * NS), None, NOW_NS)
    with pytest.raises(MessageError, match="ends in the future"):
        Recording.of(source(3.0, latest - 2 * NS), None, NOW_NS)


def test_what_no_device_can_mean_is_refused_before_anything_is_taken() -> None:
    kept = Kept()
    with pytest.raises(MessageError, match="session"):
        Recording.of(source(3.0), -5, NOW_NS).publish(kept, "gw", NOW_NS)
    assert kept.writes == []
