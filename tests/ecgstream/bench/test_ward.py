"""What has come is compared with what was sent, each packet and number."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ecgstream.bench.backlog import bars
from ecgstream.bench.load import NS
from ecgstream.bench.ward import Arrived, Ward
from schemas.bundle import Bundle
from schemas.records import Packet, Vital

WARD = Ward.of(3, 1_790_000_000 * NS)
SECONDS = 4


def bundle(packets: list[Packet], vitals: list[Vital]) -> Bundle:
    return Bundle.decode(Bundle.of("gw", 7, 1, packets, vitals).encode())


def arrived(*bundles: Bundle) -> Arrived:
    found = Arrived(WARD, SECONDS)
    for one in bundles:
        found.take(one)
    return found


def test_what_comes_as_it_was_sent_is_counted_by_device_and_second() -> None:
    whole = [
        bundle([WARD.packet(d, s) for d in range(3)], [v for d in range(3) for v in WARD.vitals(d, s)])
        for s in range(SECONDS)
    ]
    found = arrived(*whole)
    assert (found.missing(), found.repeated(), found.wrong) == ((0, 0), 0, 0)
    found = arrived(*whole[1:], whole[2])
    assert (found.missing(), found.repeated(), found.wrong) == ((3, 6), 9, 0)


def test_what_is_not_as_it_was_sent_is_wrong_and_missing() -> None:
    packet, (vital, _) = WARD.packet(1, 2), WARD.vitals(1, 2)
    samples = packet.channels[0].samples.copy()
    samples[17] += 1
    others = [
        replace(packet, channels=[replace(packet.channels[0], samples=samples)]),
        replace(packet, first_sample=packet.first_sample + 1),
        replace(packet, session=packet.session + 1),
        replace(packet, start_ns=packet.start_ns + 1),
        replace(packet, seq=3),
        replace(packet, seq=10**6),
        replace(packet, device="nobody"),
        replace(packet, channels=[replace(packet.channels[0], samples=np.zeros(125, np.int16))]),
    ]
    numbers = [
        replace(vital, value=vital.value + 1),
        replace(vital, time_ns=vital.time_ns + 1),
        replace(vital, time_ns=vital.time_ns - NS * 100),
        replace(vital, device="nobody"),
    ]
    found = arrived(*(bundle([one], []) for one in others), *(bundle([], [one]) for one in numbers))
    assert (found.wrong, found.repeated()) == (len(others) + len(numbers), 0)
    assert found.missing() == (3 * SECONDS, 3 * SECONDS * 2)


def test_its_seconds_go_by_the_clock() -> None:
    assert WARD.seconds_at(WARD.over_ns(5)) == 6
    assert WARD.seconds_at(WARD.over_ns(5) - 1) == 5


def test_what_is_missing_or_late_misses_its_bar() -> None:
    found = {"missing_packets": 0, "missing_numbers": 0, "wrong": 0, "live_longest_s": 4.9}
    assert [met for *_, met in bars(found)] == [True] * 4
    worse = {"missing_packets": 1, "missing_numbers": 2, "wrong": 3, "live_longest_s": 5.1}
    assert [met for *_, met in bars(worse)] == [False] * 4
