"""Lost links on the log's time."""

import numpy as np

from ecgstream.worker.links import Links
from schemas.bundle import Bundle
from schemas.records import Channel, Packet

SECOND_NS = 1_000_000_000


def bundle(*devices: tuple[str, int]) -> Bundle:
    """One packet of a second for each (device, seq)."""
    lead = Channel(131330, 0, 0, 250.0, 200.0, np.zeros(250, np.int16))
    packets = [Packet(d, 7, seq, seq * 250, seq * SECOND_NS, 0, [lead]) for d, seq in devices]
    return Bundle.of("gw", 0, 0, packets, [])


ROWS = np.array([0, 1])


def test_a_silent_device_is_lost_once_and_back_once() -> None:
    links = Links(10.0, 1.0)
    assert links.heard(bundle(("a", 0), ("b", 0)), ROWS, 0) == []
    assert links.advance(10_000) == []
    links.heard(bundle(("b", 1)), np.array([1]), 10_000)

    (lost,) = links.advance(10_001)
    assert (lost.row, lost.back, lost.session, lost.last_sample) == (0, False, 7, 249)
    assert lost.last_ns == 996_000_000
    assert lost.silent_s == 10.001
    assert links.advance(15_000) == []

    (back,) = links.heard(bundle(("a", 20)), np.array([0]), 20_000)
    assert (back.row, back.back, back.last_sample) == (0, True, 249)
    assert links.heard(bundle(("a", 21)), np.array([0]), 21_000) == []


def test_the_timer_runs_at_the_clock_rate() -> None:
    links = Links(10.0, 10.0)
    links.heard(bundle(("a", 0)), np.array([0]), 0)
    assert links.advance(1_000) == []
    (lost,) = links.advance(1_500)
    assert lost.silent_s == 15.0


def test_a_restored_timer_goes_on_where_it_stood() -> None:
    links = Links(10.0, 1.0)
    links.heard(bundle(("a", 3), ("b", 3)), ROWS, 5_000)
    links.advance(15_001)
    again = Links(10.0, 1.0)
    for row in (0, 1):
        again.restore(row, links.snapshot(row))
    assert again.advance(20_000) == []
    assert [e.last_sample for e in again.heard(bundle(("b", 4)), np.array([1]), 20_000)] == [999]


def test_skipped_entries_and_rows_never_heard_are_left_alone() -> None:
    links = Links(10.0, 1.0)
    assert links.heard(bundle(("a", 0)), np.array([-1]), 0) == []
    links.restore(500, links.snapshot(3))
    assert links.advance(10**9) == []


def test_a_device_with_two_packets_in_a_bundle_ends_at_the_later_one() -> None:
    links = Links(10.0, 1.0)
    links.heard(bundle(("a", 0), ("a", 1)), np.array([4]), 0)
    (lost,) = links.advance(20_000)
    assert (lost.row, lost.last_sample) == (4, 499)
