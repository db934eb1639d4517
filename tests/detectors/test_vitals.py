"""Vital signs beyond their limits: desaturation and apnoea."""

import pytest

from detectors.bank import Bank
from detectors.evidence import NAMES
from schemas import mdc
from schemas.conditions import Code
from schemas.records import Limit, Limits
from tests.detectors import synthetic as syn
from tests.detectors.signs import ADULT, CHILD, HOUR, NEONATE, S, each_second, push, times, watched

# Desaturation.


def test_desaturation_is_ten_points_below_the_limit_and_held_for_ten_seconds():
    events = push(Bank(), *each_second(mdc.SPO2, [97] * 5 + [79] * 20 + [81] * 10))
    assert syn.codes(events) == [Code.SPO2_LOW, Code.DESATURATION]
    assert times(events, Code.DESATURATION, 0) == [15]
    assert times(events, Code.DESATURATION, 2) == [30]
    (onset,) = syn.phases(events, Code.DESATURATION, 0)
    assert onset["onset_ns"] == syn.START_NS + 5 * S
    assert dict(zip(NAMES[Code.DESATURATION], onset["evidence"], strict=False)) == {
        "spo2_percent": 79,
        "limit_percent": 80,
    }


@pytest.mark.parametrize(
    ("changes", "spo2", "expected"),
    [
        ((), 80, False),
        ((), 79, True),
        ((NEONATE,), 75, False),
        ((NEONATE,), 74, True),
        ((Limits((Limit(mdc.SPO2, 88.0, None),)),), 78, False),
        ((Limits((Limit(mdc.SPO2, 88.0, None),)),), 77, True),
        ((Limits((Limit(mdc.SPO2, None, None),)),), 80, False),
        ((Limits((Limit(mdc.SPO2, None, None),)),), 79, True),
    ],
)
def test_desaturation_follows_the_patients_limit_and_is_never_off(changes, spo2, expected):
    events = push(watched(*changes), *each_second(mdc.SPO2, [spo2] * 15))
    assert (Code.DESATURATION in syn.codes(events)) == expected


def test_a_short_desaturation_is_none():
    events = push(Bank(), *each_second(mdc.SPO2, [97] * 5 + [70] * 10 + [97] * 10))
    assert Code.DESATURATION not in syn.codes(events)


# Apnoea.


@pytest.mark.parametrize(
    ("settings_of", "after_s"), [(ADULT, 20), (CHILD, 20), (NEONATE, 15)], ids=["adult", "child", "neonate"]
)
def test_apnoea_is_a_rate_of_zero_that_lasts(settings_of, after_s):
    breaths = [35] * 5 + [0] * 30 + [35] * 10
    events = push(watched(settings_of), *each_second(mdc.RESP_RATE, breaths))
    assert times(events, Code.APNOEA, 0) == [5 + after_s]
    assert times(events, Code.APNOEA, 2) == [40]
    (onset,) = syn.phases(events, Code.APNOEA, 0)
    assert onset["onset_ns"] == syn.START_NS + 5 * S
    assert onset["delay_s"] == pytest.approx(after_s)
    assert onset["evidence"][:2].tolist() == [0, 1]
    shorter = push(watched(settings_of), *each_second(mdc.RESP_RATE, [35] * 5 + [0] * after_s + [35] * 10))
    assert Code.APNOEA not in syn.codes(shorter)


def test_one_breath_a_minute_is_no_apnoea_and_no_limit_switches_it_off():
    slow = push(Bank(), *each_second(mdc.RESP_RATE, [1] * 60))
    assert syn.codes(slow) == [Code.RESPIRATION_RATE_LOW]
    off = watched(Limits((Limit(mdc.RESP_RATE, None, None),)))
    assert syn.codes(push(off, *each_second(mdc.RESP_RATE, [0] * 60))) == [Code.APNOEA]


@pytest.mark.parametrize(
    ("number", "value", "code"), [(mdc.RESP_RATE, 0, Code.APNOEA), (mdc.SPO2, 60, Code.DESATURATION)]
)
def test_a_clock_that_is_set_back_delays_what_is_held_by_the_hold_only(number, value, code):
    before = each_second(number, [value] * 8)
    after = each_second(number, [value] * 30, first=-HOUR)
    found = times(push(Bank(), *before, *after), code, 0)
    assert found == [-HOUR + (20 if code == Code.APNOEA else 10)]
