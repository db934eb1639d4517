"""What follows what in messages that know no sessions: no sample twice, none moved, gaps of their length."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.reading import Measured, Reading, Stretch
from devices.sessions import JITTER_S, REMEMBERED, Item, Sessions
from schemas import mdc
from schemas.checks import check_packet
from schemas.errors import BadRecordError
from schemas.records import Channel, Packet, Vital

NS = 1_000_000_000
BEGIN = 1_700_000_000 * NS
RATE = 250


def reading(
    n: int, at_s: float, *, length_s: float = 1.0, gain: float = 200.0, rate: float = RATE
) -> Reading:
    """Message ``n``; its samples tell their place in the whole."""
    first = round(at_s * rate)
    samples = np.arange(first, first + round(length_s * rate)).astype(np.int16)
    channel = Channel(mdc.LEADS["II"], 0, 0, rate, gain, samples)
    return Reading("d", f"m-{n}", None, (Stretch(BEGIN + round(at_s * NS), (channel,)),))


def check(item: Item) -> None:
    if isinstance(item, Packet):
        check_packet(item)


def take(sessions: Sessions, one: Reading, at_s: float) -> list[Item]:
    return sessions.take(one, BEGIN + round(at_s * NS), check)


def packets(sessions: Sessions, *messages: tuple[Reading, float]) -> list[Packet]:
    found = [item for one, at_s in messages for item in take(sessions, one, at_s)]
    return [item for item in found if isinstance(item, Packet)]


@given(
    lengths=st.lists(st.integers(50, 500), min_size=2, max_size=20),
    jitter=st.lists(st.floats(-JITTER_S / 2, JITTER_S / 2), min_size=20, max_size=20),
    lost=st.sets(st.integers(1, 18), max_size=5),
    twice=st.sets(st.integers(0, 18), max_size=5),
    restarts=st.sets(st.integers(0, 18), max_size=3),
)
def test_each_sample_is_in_its_place_whatever_is_lost_comes_twice_or_restarts(
    lengths: list[int], jitter: list[float], lost: set[int], twice: set[int], restarts: set[int]
) -> None:
    sessions, found, first = Sessions(), [], 0
    for n, length in enumerate(lengths):
        at_s, end_s = first / RATE, (first + length) / RATE
        one = reading(n, at_s, length_s=length / RATE)
        moved = replace(
            one, stretches=(replace(one.stretches[0], start_ns=BEGIN + round((at_s + jitter[n]) * NS)),)
        )
        first += length
        if n in lost and length / RATE > 2 * JITTER_S:
            continue
        for _ in range(2 if n in twice else 1):
            found += packets(sessions, (moved, end_s + 0.1))
        if n in restarts:
            sessions = Sessions({"d": sessions.kept("d")})
    assert [p.seq for p in found] == [*range(len(found))]
    assert len({p.session for p in found}) == 1
    for packet in found:
        # Of a hole its length is known as well as the clock; what follows without one, follows exactly.
        off = packet.first_sample - int(packet.channels[0].samples[0]) % 2**16
        assert abs(off) <= len(lost) * JITTER_S * RATE + 1
    if not lost:
        assert [p.first_sample for p in found] == list(np.cumsum([0, *lengths[:-1]]))


def test_what_is_missing_is_a_hole_of_its_length() -> None:
    found = packets(Sessions(), (reading(0, 0), 1.1), (reading(1, 7), 8.1))
    assert [(p.session, p.seq, p.first_sample) for p in found] == [(BEGIN, 0, 0), (BEGIN, 1, 7 * RATE)]


@pytest.mark.parametrize(
    ("at_s", "came_s"),
    [
        (301.0, 2.1),  # set forward
        (-300.0, 2.1),  # set back
        (4000.0, 4001.1),  # away for more than an hour
    ],
)
def test_a_clock_that_was_set_and_a_long_absence_begin_a_session_that_is_greater(
    at_s: float, came_s: float
) -> None:
    sessions = Sessions()
    first, second, third = packets(
        sessions, (reading(0, 0), 1.1), (reading(1, at_s), came_s), (reading(2, at_s + 1), came_s + 1)
    )
    assert second.session > first.session
    assert (second.seq, second.first_sample) == (0, 0)
    assert (third.session, third.seq, third.first_sample) == (second.session, 1, RATE)
    assert second.start_ns == BEGIN + round(at_s * NS)


@pytest.mark.parametrize("changed", [{"gain": 100.0}, {"rate": 500.0}])
def test_other_channels_begin_a_session(changed: dict[str, float]) -> None:
    first, second = packets(Sessions(), (reading(0, 0), 1.1), (reading(1, 1, **changed), 2.1))
    assert (first.session, second.session) == (BEGIN, BEGIN + NS)


def test_what_was_kept_back_comes_all_at_once_and_follows() -> None:
    found = packets(Sessions(), *((reading(n, n), 60.0 + n / 100) for n in range(30)))
    assert [p.first_sample for p in found] == [n * RATE for n in range(30)]
    assert len({p.session for p in found}) == 1


def test_numbers_are_of_the_session_of_the_waves_and_have_one_without() -> None:
    alone = Reading(
        "d", "n-1", None, numbers=(Measured(BEGIN + 5, mdc.SPO2, 97.0), Measured(BEGIN + 6, mdc.SPO2, 96))
    )
    sessions = Sessions()
    assert take(sessions, alone, 1.0) == [
        Vital("d", BEGIN + 5, BEGIN + 5, mdc.SPO2, 97.0),
        Vital("d", BEGIN + 5, BEGIN + 6, mdc.SPO2, 96),
    ]
    (packet,) = packets(sessions, (reading(0, 2), 3.0))
    (vital,) = take(sessions, replace(alone, message="n-2", numbers=alone.numbers[:1]), 4.0)
    assert packet.session == vital.session == BEGIN + 2 * NS


def test_what_no_device_can_mean_changes_nothing() -> None:
    sessions = Sessions()
    (first,) = packets(sessions, (reading(0, 0), 1.1))
    bad = reading(1, 1, rate=0.001, length_s=1e5)
    with pytest.raises(BadRecordError):
        take(sessions, bad, 2.1)
    (second,) = packets(sessions, (replace(reading(1, 1), message=bad.message), 2.2))
    assert (second.session, second.seq) == (first.session, 1)


def test_what_is_remembered_is_bounded() -> None:
    sessions = Sessions()
    for n in range(10 * REMEMBERED):
        take(sessions, reading(n, n), n + 1.1)
    assert len(sessions.kept("d")) < 4000
    assert take(sessions, reading(10 * REMEMBERED - 1, 0), 1.0) == []
