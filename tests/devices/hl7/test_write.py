"""What is written is read again to the last bit, in every character set."""

from __future__ import annotations

from datetime import UTC

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devices.hl7.message import CHARSETS, header
from devices.hl7.mllp import Frames, framed
from devices.hl7.pcd import reading_of
from devices.hl7.write import report
from devices.reading import Measured, Reading, Stretch
from schemas import mdc
from schemas.errors import BadRecordError
from schemas.records import ECG_KIND, MISSING, Channel
from schemas.units import MILLIVOLT
from tests.devices.hl7.readings import plain, readings

STATED = sorted(charset for charset in CHARSETS if charset)
START_NS = 1_772_366_400 * 10**9


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(readings, st.sampled_from(STATED))
def test_a_reading_comes_back_as_it_was_written(reading: Reading, charset: str) -> None:
    place = "億倈室^^1" if charset in ("UNICODE UTF-8", "GB 18030-2000") else ""
    (message,) = Frames().feed(framed(report(reading, charset, place=place)))
    assert plain(reading_of(message, UTC)) == plain(reading)


@pytest.mark.parametrize("charset", STATED)
def test_a_message_says_its_character_set_and_names_nobody(charset: str) -> None:
    message = report(Reading("dev-1", "7", None), charset)
    assert header(message)[18] == charset
    assert b"\rPID|||^^^ecgstream^PI||^^^^^^U\r" in message


def wave(samples: list[int], *, is_off: bool) -> Reading:
    values = np.array(samples, np.int16)
    channel = Channel(mdc.LEADS["II"], ECG_KIND, MILLIVOLT, 250.0, 200.0, values, lead_off=is_off)
    return Reading("dev-1", "7", None, (Stretch(START_NS, (channel,), (1,)),))


def test_what_is_not_carried_is_as_it_is_said() -> None:
    off = reading_of(report(wave([1, 2, 3], is_off=True)), UTC).stretches[0]
    empty = reading_of(report(wave([MISSING] * 3, is_off=False)), UTC).stretches[0]
    for found in (off, empty):
        assert found.channels[0].lead_off
        assert found.channels[0].samples.tolist() == [MISSING] * 3
        assert found.pace_marks == ()
    fine = Reading("dev-1", "7", None, (), (Measured(START_NS + 123_456, mdc.SPO2, 97.0),))
    assert reading_of(report(fine), UTC).numbers[0].time_ns == START_NS + 100_000


def test_a_device_without_a_name_is_not_written() -> None:
    with pytest.raises(BadRecordError):
        report(Reading("two words", "7", None))


def test_a_place_that_the_character_set_does_not_hold_is_not_written() -> None:
    with pytest.raises(UnicodeEncodeError):
        report(Reading("dev-1", "7", None), "ASCII", place="室")
