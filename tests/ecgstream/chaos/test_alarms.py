"""Which lost links must come, which may, and which are judged wrong."""

from dataclasses import replace

import numpy as np
import pytest

from devices.source import Session, Source, Wave
from ecgstream.chaos import load
from ecgstream.chaos.alarms import Judgement, LostLink, Silence, judge, lost_at_end, of_faults, of_load
from ecgstream.chaos.faults import Struck
from ecgstream.chaos.schedule import Fault, Kind

MUST = Silence("d", 99.0, 100.0, must=True)
MAY = Silence("d", 95.0, 140.0, must=False)
TOLD = LostLink("1", "d", 99.8, "END", "ENDED")


def source(*away: tuple[float, float]) -> Source:
    wave = Wave("II", 1, 0, 0, 100.0, 200.0, np.zeros(40_000, np.int16))
    return Source("d", 0, "", simulated=True, sessions=(Session((wave,), away=away),))


def test_a_load_is_silent_where_its_devices_are_and_at_its_end() -> None:
    found = list(of_load([source((140.0, 165.0), (200.0, 209.0), (300.0, 305.0))]))
    assert found == [
        Silence("d", 139.0, 140.0, must=True),
        Silence("d", 199.0, 200.0, must=False),
        Silence("d", 399.0, 400.0, must=True),
    ]


@pytest.mark.parametrize("told", [TOLD, replace(TOLD, onset_s=99.0)])
def test_what_had_to_come_and_came_is_right(told: LostLink) -> None:
    assert judge([MUST], [told]) == Judgement((), (), ())


def test_what_had_to_come_and_did_not_is_missing() -> None:
    assert judge([MUST], []).missing == ("LINK_LOST of d between 99.0 and 100.0 s",)
    assert judge([MUST], [replace(TOLD, device="e")]).missing != ()


def test_a_device_that_was_away_already_when_it_had_to_be_lost_is_lost_from_then_on() -> None:
    assert judge([MUST, MAY], [replace(TOLD, onset_s=96.0)]) == Judgement((), (), ())
    assert judge([MUST, replace(MAY, from_s=101.0)], [replace(TOLD, onset_s=102.0)]).missing != ()


def test_what_was_not_allowed_is_extra() -> None:
    assert judge([MAY], []) == Judgement((), (), ())
    assert judge([MAY], [replace(TOLD, onset_s=141.0)]).extra == (
        "LINK_LOST of d at 141.0 s, END, alert ENDED",
    )


def test_a_lost_link_must_end_where_the_device_is_heard_again_and_have_its_alert() -> None:
    for wrong in (replace(TOLD, phase="ONSET"), replace(TOLD, alert="ACTIVE"), replace(TOLD, alert=None)):
        assert judge([MUST], [wrong]).wrong == (str(wrong),)
    last = LostLink("1", "d", load.SIGNAL_S - 0.01, "ONSET", "ACTIVE")
    silence = Silence("d", load.SIGNAL_S - 1, load.SIGNAL_S, must=True)
    assert lost_at_end(last)
    assert judge([silence], [last]) == Judgement((), (), ())
    assert judge([silence], [replace(last, phase="END")]).wrong != ()


def test_a_paused_gateway_must_be_missed_and_a_killed_one_may_be() -> None:
    paused = Struck(Fault(Kind.PAUSE, "gw-3", 50.0, 20.0), 50.0, 70.0, 1.0)
    killed = Struck(Fault(Kind.KILL_GATEWAY, "gw-3", 50.0, 0.0), 50.0, 50.1, 9.0)
    for device in load.GATEWAYS["gw-3"]:
        assert Silence(device, 90.0, 101.0, must=True) in list(of_faults([paused], 2.0))
        assert not any(s.must for s in of_faults([killed], 2.0))
        assert judge(list(of_faults([killed], 2.0)), [replace(TOLD, device=device)]) == Judgement((), (), ())


def test_a_broker_that_restarts_may_keep_every_device_away_and_a_sink_none() -> None:
    broker = Struck(Fault(Kind.BROKER_RESTART, "broker-1", 50.0, 10.0), 50.0, 66.0, 2.0)
    sink = Struck(Fault(Kind.KILL_SINK, "sink", 50.0, 0.0), 50.0, 50.1, 9.0)
    assert {s.device for s in of_faults([broker], 2.0)} == set(load.DEVICES)
    assert list(of_faults([sink], 2.0)) == []
