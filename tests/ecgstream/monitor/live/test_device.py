"""What is known of one device: which waves, which numbers, and how old they are."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from ecgstream.monitor.live import frames
from ecgstream.monitor.live.device import OWN_S, RING_S, Device
from schemas import mdc
from schemas.batches import DeviceStatus
from schemas.wfdb import RHYTHMS
from tests.ecgstream.monitor.live.ward import NS, SESSION, lead, packet, pleth, vital

AT_MS = SESSION / 1_000_000


def told(device: Device) -> dict[str, Any]:
    device.tell_numbers()
    (frame,) = frames.decode(device.numbers_frame)
    assert isinstance(frame, frames.Told)
    return dict(frame.content["numbers"])


def status(hr_bpm: float, rhythm: str) -> DeviceStatus:
    return DeviceStatus("d", SESSION, 0, SESSION, SESSION, hr_bpm, "N", RHYTHMS.index(rhythm), 1.0, 0, 1)


def signal(frame: bytes | None) -> frames.Signal:
    assert frame is not None
    (found,) = frames.decode(frame)
    assert isinstance(found, frames.Signal)
    return found


def test_a_wall_shows_one_lead_that_is_on_and_the_pulse() -> None:
    device = Device(7)
    found = signal(device.take(packet("d", 0, lead("I"), pleth(), lead("II", 9)), SESSION))
    assert (found.device, found.at_ms) == (7, AT_MS)
    assert [wave.code for wave in found.waves] == [mdc.LEADS["II"], mdc.PLETH]
    assert found.waves[0].samples.tolist() == [9] * 250
    found = signal(device.take(packet("d", 1, lead("I"), lead("II", off=True)), SESSION))
    assert [(wave.code, wave.is_off) for wave in found.waves] == [(mdc.LEADS["I"], False)]
    found = signal(device.take(packet("d", 2, lead("I", off=True), lead("II", off=True)), SESSION))
    assert [(wave.code, wave.is_off) for wave in found.waves] == [(mdc.LEADS["II"], True)]


def test_each_wave_counts_its_own_samples_and_brings_its_own_gain() -> None:
    device = Device(0)
    signal(device.take(packet("d", 0, lead(gain=200.0), pleth()), SESSION))
    found = signal(device.take(packet("d", 1, lead(gain=400.0), pleth()), SESSION))
    assert [(wave.first, wave.rate, wave.gain) for wave in found.waves] == [(250, 250, 400), (125, 125, 1000)]


def test_a_packet_s_frame_says_when_its_session_began_and_what_its_filters_are() -> None:
    device = Device(0)
    filtered = replace(lead("V1"), high_pass=0.5, low_pass=40.0, notch=50.0, lead_off=True)
    device.take(packet("d", 3, lead("II"), filtered, pleth()), SESSION)
    found = signal(device.whole(device.ring[-1]))
    assert (found.session, found.rate_0, found.origin_ms) == (frames.mark_of(SESSION), 250, AT_MS)
    assert [(wave.channel, wave.first, wave.rate) for wave in found.waves] == [
        (0, 750, 250),
        (1, 750, 250),
        (2, 375, 125),
    ]
    wave = found.waves[1]
    assert (wave.high_pass, wave.low_pass, wave.notch, wave.is_off) == (0.5, 40, 50, True)
    assert math.isnan(found.waves[0].notch)


def test_what_is_held_keeps_no_more_than_its_own_samples() -> None:
    device, record = Device(0), np.zeros(1_000_000, np.int16)
    one = packet("d", 0, replace(lead(), samples=record[:250]))
    device.take(one, SESSION)
    assert device.ring[0].packet.channels[0].samples.base is None


def test_a_packet_that_comes_twice_is_shown_once() -> None:
    device = Device(0)
    assert device.take(packet("d", 3), SESSION)
    assert device.take(packet("d", 3), SESSION) is None
    assert device.take(packet("d", 2), SESSION) is None
    assert device.take(packet("d", 0, session=SESSION - 1), SESSION)  # its clock was set back
    assert len(device.ring) == 2


def test_the_ring_holds_the_newest_seconds_and_no_more() -> None:
    device = Device(0)
    for second in range(1000):
        device.take(packet("d", second), SESSION)
    held = [signal(kept.frame).waves[0].first // 250 for kept in device.ring]
    assert held == list(range(1000 - int(RING_S), 1000))


def test_numbers_come_with_the_time_at_which_they_were_passed_on() -> None:
    device = Device(0)
    assert device.measure(vital("d", mdc.SPO2, 97), SESSION)
    assert device.measure(vital("d", mdc.RESP_RATE, math.nan), SESSION + NS)
    assert not device.measure(vital("d", mdc.BATTERY_CHARGE, 80), SESSION)
    assert device.measure(vital("d", mdc.PULSE_RATE, math.inf), SESSION)
    assert device.measure(vital("d", mdc.NIBP_SYS, -math.inf), SESSION)
    found = told(device)
    assert found.pop("nibp")[:3] == [None, None, None]
    assert found == {"spo2": [97, AT_MS], "resp": [None, AT_MS + 1000], "pr": [None, AT_MS]}


def test_the_detectors_heart_rate_comes_before_the_devices_own_while_it_is_new() -> None:
    device = Device(0)
    device.measure(vital("d", mdc.HEART_RATE, 70), SESSION)
    assert told(device)["hr"] == [70, "device", AT_MS]
    device.stand(status(71.5, "AFIB"), SESSION)
    assert not device.measure(vital("d", mdc.HEART_RATE, 70), SESSION + NS)
    assert told(device) == {"hr": [71.5, "own", AT_MS], "rhythm": ["AFIB", AT_MS]}
    device.stand(status(math.nan, "NOISE"), SESSION + 9 * NS)
    assert told(device)["hr"] == [71.5, "own", AT_MS]
    assert device.measure(vital("d", mdc.HEART_RATE, 69), SESSION + round(OWN_S * NS))
    assert told(device)["hr"] == [69, "device", AT_MS + 1000 * OWN_S]


@pytest.mark.parametrize(("ahead_s", "known_ms"), [(0, AT_MS), (3600, AT_MS + 2000), (-60, AT_MS - 60_000)])
def test_a_pressure_that_is_sent_again_grows_old_whatever_the_devices_clock(
    ahead_s: int, known_ms: float
) -> None:
    device = Device(0)
    time_ns = SESSION + ahead_s * NS
    for again_s in (2, 60, 600):
        for code, value in ((mdc.NIBP_SYS, 120), (mdc.NIBP_DIA, 80)):
            assert device.measure(vital("d", code, value, time_ns), SESSION + again_s * NS)
        assert told(device)["nibp"] == [120, 80, None, known_ms]
    device.measure(vital("d", mdc.NIBP_SYS, 90, time_ns + 700 * NS), SESSION + 700 * NS)
    assert told(device)["nibp"][:3] == [90, None, None]
