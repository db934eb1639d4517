"""A clock that is shown to be wrong is corrected; one that is right is left alone, whatever happens."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.corrections import LEAST_S, REMEMBERED
from schemas.checks import MAX_TIME_NS
from schemas.mdc import SPO2
from schemas.records import Packet, Vital
from tests.devices.clocked import LEAD, NS, Device, Gateway, ahead_ns, error_s, ns

HOUR = 3600.0
LATE = st.integers(0, 40_000).map(lambda quarters: quarters / 4)
"""Quarters of a second, so that nothing grows as slowly as a clock drifts."""
LIFE = st.lists(
    st.one_of(
        st.tuples(st.just("second"), st.one_of(st.just(0.1), LATE)),
        st.tuples(st.sampled_from(["pause", "miss", "restart"]), st.integers(1, 9000).map(float)),
        st.tuples(st.just("kill"), st.just(0.0)),
        st.tuples(st.just("again"), LATE),
    ),
    max_size=80,
)


@given(LIFE, st.floats(-0.9, 0.9), st.floats(0.9995, 1.0005))
def test_a_clock_that_is_right_is_never_corrected(
    life: list[tuple[str, float]], ahead_s: float, crystal: float
) -> None:
    device, gateway = Device(ahead_s, crystal), Gateway()
    sent = device.second()
    for what, seconds in life:
        if what == "second":
            sent = device.second()
            assert gateway.take(replace(sent), seconds) == 0.0
        elif what == "again":
            assert gateway.take(replace(sent), seconds) == 0.0
        elif what == "miss":
            device.miss(int(seconds))
        elif what == "kill":
            gateway.kill()
        else:
            getattr(device, what)(seconds)
    assert gateway.marks == []


SET = st.one_of(st.integers(2, 20_000), st.integers(-20_000, -2)).map(float)


@given(
    st.floats(0.0, 9000.0),
    st.lists(st.tuples(st.sampled_from(["set", "pause", "miss", "kill"]), SET), max_size=12),
)
def test_what_is_live_is_right_to_a_second_however_its_clock_is_set(
    ahead_s: float, acts: list[tuple[str, float]]
) -> None:
    device, gateway = Device(ahead_s), Gateway()
    for what, by_s in acts:
        for _ in range(3):
            packet = device.second()
            gateway.take(packet, 0.2)
            assert abs(error_s(packet, device)) <= LEAST_S + 0.5
        if what == "set":
            device.ahead_s += by_s
        elif what == "kill":
            gateway.kill()
        else:
            getattr(device, what)(int(abs(by_s)))
    if not acts:
        assert gateway.take(device.second(), 0.2) == pytest.approx(ahead_s - 0.2 if ahead_s > 1.2 else 0.0)


TIME = st.one_of(st.integers(0, MAX_TIME_NS - 1), st.floats(-9000.0, 9000.0).map(ns))
ANY = st.lists(
    st.tuples(st.integers(1, 3), st.integers(0, 9), TIME, st.floats(0.0, 500.0), st.booleans()),
    max_size=REMEMBERED // 2,
)


@given(ANY)
def test_whatever_comes_the_devices_own_time_is_found_again_and_nothing_is_moved_into_the_future(
    packets: list[tuple[int, int, int, float, bool]],
) -> None:
    gateway, now_s, sample = Gateway(), 0.0, 0
    for session, samples, start_ns, passed_s, is_killed in packets:
        now_s += passed_s
        sample += samples * 10 + 1
        packet = Packet("d", session, 0, sample, start_ns, ns(now_s), [LEAD])
        gateway.take(packet)
        absurd = packet.start_ns in (0, MAX_TIME_NS - 1)
        if not absurd:
            assert packet.start_ns + ahead_ns(gateway.marks, session, sample) == start_ns
        assert packet.start_ns + NS <= ns(now_s) + NS
        number = Vital("d", session, start_ns, SPO2, 97.0)
        found_s = gateway.number(number, now_s)
        assert found_s >= 0 or number.time_ns / NS - found_s <= ns(now_s) / NS + 1.5
        if is_killed:
            gateway.kill()


@given(st.lists(st.tuples(SET, st.booleans()), min_size=1, max_size=6), st.data())
def test_what_comes_again_behind_a_kill_has_the_time_that_it_had(
    acts: list[tuple[float, bool]], data: st.DataObject
) -> None:
    device, gateway = Device(), Gateway()
    sent: list[tuple[Packet, int]] = []
    for by_s, is_restarted in acts:
        for _ in range(3):
            packet = device.second()
            given_ns = replace(packet)
            gateway.take(packet, 0.2)
            sent.append((given_ns, packet.start_ns))
        device.ahead_s += by_s
        if is_restarted:
            device.restart(30.0)
        gateway.kill()
    for first, start_ns in data.draw(st.permutations(sent)):
        again = replace(first)
        gateway.take(again, 100.0)
        assert (
            again.start_ns
            == start_ns
            == first.start_ns - ahead_ns(gateway.marks, first.session, first.first_sample)
        )


def seconds(device: Device, gateway: Gateway, many: int, late_s: float = 0.1) -> list[float]:
    return [round(gateway.take(device.second(), late_s), 1) for _ in range(many)]


def test_a_clock_that_is_set_forward_and_right_again_is_marked_twice() -> None:
    device, gateway = Device(), Gateway()
    assert seconds(device, gateway, 5) == [0.0] * 5
    device.ahead_s = HOUR
    assert seconds(device, gateway, 5) == [3599.9] * 5
    device.ahead_s = 0.0
    assert seconds(device, gateway, 5) == [0.0] * 5
    assert [(mark.session, mark.from_sample) for mark in gateway.marks] == [(1, 50), (1, 100)]
    assert {mark.id for mark in gateway.marks} == {f"clock-d-1-50-{ns(6.1)}", f"clock-d-1-100-{ns(11.1)}"}


def test_a_clock_that_is_set_back_is_corrected_until_it_is_set_right() -> None:
    device, gateway = Device(), Gateway()
    seconds(device, gateway, 5)
    device.ahead_s = -HOUR
    assert seconds(device, gateway, 5) == [-3600.0] * 5
    device.ahead_s = -HOUR / 2
    assert seconds(device, gateway, 5) == [-1800.0] * 5
    device.ahead_s = 0.0
    assert seconds(device, gateway, 5) == [0.0] * 5


def test_a_slow_clock_is_corrected_by_a_second_whenever_it_has_lost_one() -> None:
    device, gateway = Device(), Gateway()
    for _ in range(6 * 3600):
        packet = device.second()
        gateway.take(packet, 0.1)
        assert abs(error_s(packet, device)) < 1.2
        device.ahead_s -= 200e-6
    assert len(gateway.marks) == 4


def test_a_fast_clock_is_corrected_too() -> None:
    device, gateway = Device(), Gateway()
    for _ in range(4 * 3600):
        packet = device.second()
        gateway.take(packet, 0.1)
        assert abs(error_s(packet, device)) < 1.2
        device.ahead_s += 300e-6
    assert len(gateway.marks) == 4


def test_a_slow_clock_is_found_behind_a_kill_a_slow_line_and_a_restart_in_between() -> None:
    device, gateway = Device(), Gateway()
    for second in range(3 * 3600):
        gateway.take(device.second(), 0.1 if second % 900 > 300 else 20.0 + second % 60)
        device.ahead_s -= 150e-6
        if second % 1000 == 500:
            gateway.kill()
    assert len(gateway.marks) == 1


@pytest.mark.parametrize("speed", [1.02, 1.5, 20.0])
def test_a_backlog_that_grows_and_is_drained_is_no_clock(speed: float) -> None:
    """As slowly as anything but a clock: 0.02 s a second are 1.2 s a minute."""
    device, gateway = Device(), Gateway()
    late_s = 0.1
    for second in range(7000):
        late_s = late_s + 0.5 if second < 3000 else max(0.1, late_s - (speed - 1))
        assert gateway.take(device.second(), late_s) == 0.0


def test_a_device_that_is_behind_from_the_beginning_may_send_what_it_has_kept() -> None:
    device, gateway = Device(-HOUR), Gateway()
    assert seconds(device, gateway, 200) == [0.0] * 200


def test_a_device_that_restarts_has_been_set_unless_it_still_is_ahead() -> None:
    device, gateway = Device(HOUR), Gateway()
    seconds(device, gateway, 3)
    device.restart(20.0)
    assert seconds(device, gateway, 3, late_s=600.0) == [3599.9] * 3  # with what it has kept meanwhile
    device.restart(20.0)
    device.ahead_s = 0.0
    assert seconds(device, gateway, 3) == [0.0] * 3
    device.ahead_s = -HOUR
    assert seconds(device, gateway, 3) == [-3600.0] * 3
    device.restart(0.2)  # a lead was added: by its clock, it went on
    assert seconds(device, gateway, 3) == [-3600.0] * 3
    device.restart(20.0)
    assert seconds(device, gateway, 3) == [0.0] * 3
    assert ahead_ns(gateway.marks, device.session, 0) == 0


def test_an_older_session_that_comes_in_between_has_what_held_in_it() -> None:
    device, gateway = Device(HOUR), Gateway()
    kept = [device.second() for _ in range(4)]
    assert round(gateway.take(replace(kept[0]))) == 3600
    device.ahead_s = 0.0
    device.restart(5.0)
    for old in kept[1:]:
        assert seconds(device, gateway, 2) == [0.0, 0.0]
        assert round(gateway.take(old)) == 3600


def test_a_gateways_own_clock_that_is_set_right_takes_its_corrections_along() -> None:
    device, gateway = Device(), Gateway(off_s=-HOUR)
    assert seconds(device, gateway, 3) == [3599.9] * 3
    gateway.off_s = 0.0
    assert seconds(device, gateway, 3) == [0.0] * 3


def test_and_so_it_does_where_it_was_set_while_the_gateway_was_down() -> None:
    device, gateway = Device(), Gateway(off_s=-HOUR)
    assert seconds(device, gateway, 3) == [3599.9] * 3
    gateway.off_s = 0.0
    gateway.kill()
    corrected = seconds(device, gateway, 90)
    assert corrected == [3599.9] * corrected.count(3599.9) + [0.0] * corrected.count(0.0)
    assert corrected.count(3599.9) <= 61


def number(device: Device, session: int | None = None) -> Vital:
    at_ns = ns(device.now_s + device.ahead_s)
    return Vital("d", device.session if session is None else session, at_ns, SPO2, 97.0)


def test_numbers_are_corrected_as_the_packets_around_them() -> None:
    device, gateway = Device(HOUR), Gateway()
    seconds(device, gateway, 2)
    assert round(gateway.number(number(device), device.now_s), 1) == 3599.9
    device.ahead_s = -HOUR
    seconds(device, gateway, 2)
    before = number(device)
    assert gateway.number(before, device.now_s) == pytest.approx(-3600.0, abs=0.2)
    device.ahead_s = 0.0
    device.restart(30.0)
    assert gateway.number(number(device), device.now_s) == 0.0
    seconds(device, gateway, 2)
    assert gateway.number(before, device.now_s) == pytest.approx(-3600.0, abs=0.2)  # it was held up
    late = replace(number(device), time_ns=ns(device.now_s + 40.0))  # some round up to the minute
    assert gateway.number(late, device.now_s) == 0.0
    assert seconds(device, gateway, 2) == [0.0, 0.0]


def test_a_device_of_numbers_alone_is_corrected_where_they_lie_in_the_future() -> None:
    device, gateway = Device(HOUR), Gateway()
    for _ in range(3):
        device.now_s += 1.0
        assert round(gateway.number(number(device), device.now_s + 0.1), 1) == 3599.9
    gateway.kill()
    assert round(gateway.number(number(device), device.now_s + 0.1), 1) == 3599.9
    assert [mark.from_sample for mark in gateway.marks] == [0]
    device.ahead_s = 0.0
    assert gateway.number(number(device), device.now_s) == 0.0
    assert seconds(device, gateway, 3) == [0.0] * 3
