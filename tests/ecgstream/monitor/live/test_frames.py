"""The bytes of the live socket: what is told comes out as it went in, and garbage is refused."""

from __future__ import annotations

import contextlib
import math
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ecgstream.monitor.live import frames
from ecgstream.monitor.live.frames import BadFrameError, Kind, Lost, Signal, State, Told, Wave

U32 = st.integers(0, 2**32 - 1)
F32 = st.floats(width=32, allow_nan=False, allow_infinity=False)
TIMES = st.floats(0, 2**43)
TEXT = st.text(st.characters(codec="utf-8"))
JSON = st.dictionaries(
    TEXT, st.recursive(st.none() | st.integers() | TEXT, lambda inner: st.lists(inner, max_size=3))
)
WAVES = st.builds(
    Wave,
    first=st.integers(0, 2**47),
    code=U32,
    kind=st.integers(0, 255),
    unit=st.integers(0, 255),
    is_off=st.booleans(),
    rate=st.floats(0, 1e5),
    gain=F32,
    offset=F32,
    samples=hnp.arrays(np.int16, st.integers(0, 9)),
    channel=st.integers(0, 255),
    high_pass=F32,
    low_pass=F32,
    notch=F32,
)
SIGNALS = st.builds(
    Signal,
    device=U32,
    session=U32,
    at_ms=TIMES,
    waves=st.lists(WAVES, max_size=4),
    rate_0=st.floats(0, 1e5),
    origin_ms=TIMES,
)
TOLD = st.builds(Told, st.sampled_from([Kind.DEVICES, Kind.NUMBERS, Kind.ALARMS, Kind.BEATS]), JSON)
STATES = st.builds(State, TIMES, st.booleans(), st.booleans())


def encoded(frame: frames.Frame) -> bytes:
    match frame:
        case State():
            return frames.of_state(frame.now_ms, frame.is_current, frame.is_away)
        case Told():
            return frames.of_told(frame.kind, frame.content)
        case Lost():
            return frames.of_lost(frame.frames)
        case Signal():
            return frames.of_signal(frame)


def plain(frame: frames.Frame) -> Any:
    if not isinstance(frame, Signal):
        return frame
    waves = [
        [*(getattr(wave, one.name) for one in fields(Wave) if one.name != "samples"), wave.samples.tolist()]
        for wave in frame.waves
    ]
    return frame.device, frame.session, frame.at_ms, frame.rate_0, frame.origin_ms, waves


@given(st.lists(SIGNALS | TOLD | STATES | st.builds(Lost, U32), max_size=5))
def test_a_message_holds_the_frames_that_went_into_it(sent: list[frames.Frame]) -> None:
    message = b"".join(map(encoded, sent))
    assert len(message) % 4 == 0
    assert list(map(plain, frames.decode(message))) == list(map(plain, sent))


@given(st.binary(max_size=200))
def test_garbage_is_a_message_or_is_refused(message: bytes) -> None:
    with contextlib.suppress(BadFrameError):
        frames.decode(message)


@given(st.lists(SIGNALS | TOLD, min_size=1, max_size=2), st.data())
def test_a_message_that_is_cut_or_changed_never_fails_in_another_way(
    sent: list[frames.Frame], data: st.DataObject
) -> None:
    message = bytearray(b"".join(map(encoded, sent)))
    at = data.draw(st.integers(0, len(message) - 1))
    message[at] ^= data.draw(st.integers(1, 255))
    for broken in (bytes(message), bytes(message[:at])):
        with contextlib.suppress(BadFrameError):
            frames.decode(broken)


def test_a_frame_that_is_cut_is_refused() -> None:
    whole = frames.of_lost(3)
    for end in range(1, len(whole)):
        with pytest.raises(BadFrameError):
            frames.decode(whole[:end])


def test_what_is_no_number_does_not_travel_as_json() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        frames.of_told(Kind.NUMBERS, {"n": 1, "numbers": {"hr": [math.nan]}})
