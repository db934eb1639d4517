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


def enrolled(links: Links, log_ms: int, *, disabled: bool) -> list[tuple[bool, int]]:
    return [(e.back, e.last_sample) for e in links.enrol(0, disabled=disabled, log_ms=log_ms)]


def test_a_lost_link_ends_when_its_device_is_disabled_and_none_is_lost_while_it_is() -> None:
    links = Links(10.0, 1.0)
    links.heard(bundle(("a", 0), ("b", 0)), ROWS, 0)
    links.advance(10_001)
    (ended,) = links.enrol(0, disabled=True, log_ms=12_000)
    assert (ended.row, ended.back, ended.last_sample, ended.silent_s) == (0, True, 249, 12.0)
    assert enrolled(links, 13_000, disabled=True) == []
    assert links.advance(10**6) == []
    assert links.heard(bundle(("a", 20), ("b", 1)), ROWS, 10**6) != []  # b was lost, a is not lost
    assert [e.row for e in links.advance(2 * 10**6)] == [1]


def test_the_timer_of_a_device_that_is_enabled_again_begins_anew_with_an_onset_of_its_own() -> None:
    links = Links(10.0, 1.0)
    links.heard(bundle(("a", 0)), ROWS, 0)
    (lost,) = links.advance(10_001)
    links.enrol(0, disabled=True, log_ms=12_000)
    assert enrolled(links, 60_000, disabled=False) == []
    assert links.advance(70_000) == []
    (again,) = links.advance(70_001)
    assert again.last_sample == lost.last_sample + 60 * 250
    assert again.last_ns == lost.last_ns + 60 * SECOND_NS
    assert again.silent_s == 10.001
    assert enrolled(links, 80_000, disabled=False) == []  # told again, and nothing has changed


def test_enrolment_that_is_told_again_leaves_the_timer_alone() -> None:
    links = Links(10.0, 1.0)
    links.heard(bundle(("a", 0)), ROWS, 0)
    assert enrolled(links, 9_000, disabled=False) == []
    assert [e.last_sample for e in links.advance(10_001)] == [249]


def test_a_device_never_heard_is_not_lost_however_it_is_enrolled() -> None:
    links = Links(10.0, 1.0)
    for disabled in (False, True, False):
        assert enrolled(links, 1_000, disabled=disabled) == []
        assert links.advance(10**9) == []


def test_a_disabled_device_is_disabled_after_a_restart() -> None:
    links, again = Links(10.0, 1.0), Links(10.0, 1.0)
    links.heard(bundle(("a", 0)), np.array([0]), 0)
    links.enrol(0, disabled=True, log_ms=5_000)
    again.restore(0, links.snapshot(0))
    assert again.advance(10**6) == []
    links.enrol(0, disabled=False, log_ms=10**6)
    again.enrol(0, disabled=False, log_ms=10**6)
    assert again.advance(2 * 10**6) == links.advance(2 * 10**6) != []


def test_a_link_that_is_said_to_be_down_is_lost_at_once_and_back_with_what_comes() -> None:
    links = Links(10.0, 1.0)
    links.heard(bundle(("a", 0), ("b", 0)), ROWS, 1_000)
    (lost,) = links.down(0, 3_500)
    assert (lost.row, lost.back, lost.last_sample, lost.silent_s) == (0, False, 249, 2.5)
    assert links.down(0, 4_000) == []
    assert [e.row for e in links.advance(12_000)] == [1]  # the other one, by its silence
    (back, _) = links.heard(bundle(("a", 12), ("b", 12)), ROWS, 13_000)
    assert (back.row, back.back, back.last_sample) == (0, True, 249)
    assert links.advance(23_000) == []


def test_its_id_is_the_one_that_silence_would_have_given() -> None:
    by_word, by_silence = Links(10.0, 1.0), Links(10.0, 1.0)
    for links in (by_word, by_silence):
        links.heard(bundle(("a", 3)), np.array([0]), 0)
    (said,), (silent,) = by_word.down(0, 500), by_silence.advance(10_001)
    assert (said.session, said.last_sample, said.last_ns) == (
        silent.session,
        silent.last_sample,
        silent.last_ns,
    )


def test_what_is_said_of_nobody_of_a_disabled_one_or_of_before_is_nothing() -> None:
    links = Links(10.0, 1.0)
    assert links.down(7, 1_000) == []
    links.heard(bundle(("a", 0)), np.array([0]), 5_000)
    assert links.down(0, 4_999) == []
    links.enrol(0, disabled=True, log_ms=6_000)
    assert links.down(0, 7_000) == []
    assert links.advance(8_000) == []
