"""What is played: the same for the same round, with the schedule's reboots and bursts."""

from pathlib import Path

import numpy as np

from ecgstream.chaos import load
from ecgstream.chaos.schedule import Fault, Kind, Round
from schemas.records import Packet

ROUND = Round(5, (Fault(Kind.BURST, "gw-3", 50.0, 3.0), Fault(Kind.REBOOT, "sim-07", 30.0, 2.5)))


def test_every_device_is_played_by_one_gateway_and_every_partition_has_several_gateways() -> None:
    assert sorted(load.DEVICES) == sorted(d for devices in load.GATEWAYS.values() for d in devices)
    for partition in range(load.PARTITIONS):
        near = [g for g in load.CAST.gateways if any(load.DEVICES[d] == partition for d in load.GATEWAYS[g])]
        assert len(near) >= 2


def test_a_burst_holds_the_packets_of_a_gateway_back_and_loses_none() -> None:
    held = load.sources("gw-3", ROUND)[1]
    plain = load.sources("gw-3", Round(5, ROUND.of(Kind.REBOOT)))[1]
    late, usual = list(held.emissions(load.START_NS)), list(plain.emissions(load.START_NS))
    assert [e.item.device for e in late] == [e.item.device for e in usual]
    moved = [(now.at_s, was.at_s) for now, was in zip(late, usual, strict=True) if now.at_s != was.at_s]
    assert {now for now, _ in moved} == {106.0}
    assert min(was for _, was in moved) == 100.0
    assert max(was for _, was in moved) < 106.0


def test_a_reboot_begins_a_new_session() -> None:
    (source, _) = load.sources("gw-3", ROUND)
    assert [(s.start_s, round(s.duration_s)) for s in source.sessions] == [(0.0, 60), (65.0, 335)]


def test_all_play_as_long_as_the_round() -> None:
    for gateway in load.GATEWAYS:
        assert {round(s.duration_s) for s in load.sources(gateway, ROUND)} == {round(load.SIGNAL_S)}


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    written = load.sources("gw-1", ROUND)
    file = load.write(tmp_path, {"gw-1": written})["gw-1"]
    for read, made in zip(load.read(file), written, strict=True):
        for one, other in zip(read.emissions(1), made.emissions(1), strict=True):
            assert one.at_s == other.at_s
            if isinstance(one.item, Packet):
                assert isinstance(other.item, Packet)
                assert np.array_equal(one.item.channels[0].samples, other.item.channels[0].samples)
