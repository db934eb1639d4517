"""What travels on the live socket: a message is one frame or more, one behind the other, all little-endian.

A frame is a head of 8 bytes (kind u8, version u8, 0 u16, length of the body u32) and a body that is filled up
to 4 bytes, so that a browser lays typed arrays over it. Kinds and their bodies:

* ``STATE``: server's time in ms since 1970, f64; whether what Kafka holds is known, u32; whether the
  database is away, which says what may be seen, u32.
  The first frame of every message: ages are counted by it, whatever the screen's own clock says.
* ``DEVICES``: JSON, all that the viewer may see: name to ``{"n": number}`` with the fields of ``view.Bed``.
  Every other frame names a device by its number, which holds for the connection.
* ``SIGNAL``: a packet's waves, below. Of a device that is shown, those of a wall; of one that is watched
  whole, all of them.
* ``NUMBERS``: JSON, ``{"n": number, "numbers": {name: [value, …, time in ms]}}``; all that are known.
* ``ALARMS``: JSON, ``{"n": number, "alarms": [{"id", "code", "priority", "state", "since"}]}``; all that
  stand, ``since`` in ms.
* ``LOST``: how many ``SIGNAL`` and ``BEATS`` frames were dropped, as the viewer did not keep up, u32; 0 u32.
* ``BEATS``: JSON, ``{"n": number, "beats": [[session, sample, code], …]}`` of a device that is watched whole.
  ``sample`` is the R peak, counted at the rate of channel 0; ``code`` is of ``schemas.wfdb.BEATS``. One that
  comes again replaces what was said of the same sample. Of a share none come: the store tells them.

``SIGNAL``: number u32, session u32 (``mark_of``), time in ms at which the gateway passed it on f64, number of
waves u32, 0 u32, rate of channel 0 in Hz f64, device's time of the session's sample 0 in ms f64, counted back
from this packet's own. Then a head a wave: first sample within the session f64, rate in Hz f64, MDC code u32,
kind u8, unit u8, lead off u8, number of the channel u8, gain in steps a unit f32, offset in steps f32, high
pass, low pass and notch in Hz f32 (NaN: not known), number of samples u32. Then the samples, int16, wave
after wave; ``MISSING`` (-32768) is a gap. A frame stands by itself: rate and gain may differ in the next.

What is stored comes over HTTP in the same frames (``ecgstream.monitor.pages.ecg``): number 0, passed on at 0,
and as many waves of a channel as it has stretches with the electrode on or off. What is live and what is
stored join by session, channel and sample.
"""

import json
import math
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

VERSION = 2
_HEAD = struct.Struct("<BBHI")
_STATE = struct.Struct("<dII")
_LOST = struct.Struct("<II")
_SIGNAL = struct.Struct("<IIdIIdd")
_WAVE = struct.Struct("<ddIBBBBfffffI")
_FILL = 4


class BadFrameError(ValueError):
    """Bytes that are no message of ours."""


class Kind(IntEnum):
    """What a frame holds."""

    STATE = 1
    DEVICES = 2
    SIGNAL = 3
    NUMBERS = 4
    ALARMS = 5
    LOST = 6
    BEATS = 7


@dataclass(frozen=True, slots=True)
class State:
    """The server's time, UTC ms; whether it knows what Kafka holds; whether the database is away."""

    now_ms: float
    is_current: bool
    is_away: bool


@dataclass(frozen=True, slots=True)
class Told:
    """What travels as JSON: ``DEVICES``, ``NUMBERS``, ``ALARMS`` or ``BEATS``."""

    kind: Kind
    content: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Lost:
    """So many signal frames were dropped."""

    frames: int


@dataclass(frozen=True, slots=True, eq=False)
class Wave:
    """One wave of a packet; ``first``: index of its first sample within the session; ``samples``: int16.

    Filters in Hz, NaN: not known.
    """

    first: int
    code: int
    kind: int
    unit: int
    is_off: bool
    rate: float
    gain: float
    offset: float
    samples: NDArray[np.int16]
    channel: int = 0
    high_pass: float = math.nan
    low_pass: float = math.nan
    notch: float = math.nan


@dataclass(frozen=True, slots=True, eq=False)
class Signal:
    """A packet's waves; ``session``: its ``mark_of``; ``at_ms``: UTC.

    Attributes:
        rate_0: of channel 0, Hz: packets and beats are counted by it.
        origin_ms: the device's time of the session's sample 0, counted back from this packet's own.
    """

    device: int
    session: int
    at_ms: float
    waves: Sequence[Wave]
    rate_0: float = 0.0
    origin_ms: float = 0.0


Frame = State | Told | Lost | Signal


def of_state(now_ms: float, is_current: bool, is_away: bool) -> bytes:
    """Return a ``STATE`` frame."""
    return _HEAD.pack(Kind.STATE, VERSION, 0, _STATE.size) + _STATE.pack(now_ms, is_current, is_away)


def of_lost(frames: int) -> bytes:
    """Return a ``LOST`` frame."""
    return _HEAD.pack(Kind.LOST, VERSION, 0, _LOST.size) + _LOST.pack(min(frames, 2**32 - 1), 0)


def of_told(kind: Kind, content: Mapping[str, Any]) -> bytes:
    """Return a frame of JSON; what is not a number must be ``None``, since JSON has no NaN."""
    body = json.dumps(content, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
    body += b" " * (-len(body) % _FILL)
    return _HEAD.pack(kind, VERSION, 0, len(body)) + body


def mark_of(session: int) -> int:
    """Return the 32 bits that stand for a session: a browser's numbers have no 64.

    >>> mark_of(1_700_000_000_000_000_000) == mark_of(1_700_000_000_000_000_001)
    False
    """
    return zlib.crc32(session.to_bytes(8, "little", signed=True))


def of_signal(signal: Signal) -> bytes:
    """Return a ``SIGNAL`` frame."""
    heads = [
        _WAVE.pack(
            *(w.first, w.rate, w.code, w.kind, w.unit, w.is_off, w.channel, w.gain, w.offset),
            *(w.high_pass, w.low_pass, w.notch, w.samples.size),
        )
        for w in signal.waves
    ]
    samples = [w.samples.astype("<i2", copy=False).tobytes() for w in signal.waves]
    begin = _SIGNAL.pack(
        *(signal.device, signal.session, signal.at_ms, len(heads), 0, signal.rate_0, signal.origin_ms)
    )
    body = b"".join((begin, *heads, *samples))
    body += bytes(-len(body) % _FILL)
    return _HEAD.pack(Kind.SIGNAL, VERSION, 0, len(body)) + body


def when(frame: bytes) -> tuple[int, float]:
    """Return the device's number and the time, UTC ms, of a frame of ``SIGNAL``; -inf of ``BEATS``.

    Beats are told by samples, not by when they were passed on.
    """
    if frame[0] == Kind.BEATS:
        (beats,) = decode(frame)
        return (beats.content["n"] if isinstance(beats, Told) else 0), -math.inf
    number, _, at_ms, *_ = _SIGNAL.unpack_from(frame, _HEAD.size)
    return number, at_ms


def without_older(frame: bytes, since_ms: float) -> bytes:
    """Return a frame of ``NUMBERS`` or ``ALARMS`` without those that are older, UTC ms."""
    (told,) = decode(frame)
    if not isinstance(told, Told):
        raise TypeError("a frame that holds no JSON")
    content = dict(told.content)
    if told.kind is Kind.ALARMS:
        content["alarms"] = [alarm for alarm in content["alarms"] if alarm["since"] >= since_ms]
    else:
        numbers = content["numbers"].items()
        content["numbers"] = {name: told for name, told in numbers if told[-1] >= since_ms}
    return of_told(told.kind, content)


def decode(message: bytes) -> list[Frame]:
    """Return the frames of a message.

    Raises:
        BadFrameError: it is none of ours, or not whole.
    """
    found: list[Frame] = []
    at = 0
    try:
        while at < len(message):
            kind, version, zero, size = _HEAD.unpack_from(message, at)
            at += _HEAD.size
            body = message[at : at + size]
            if version != VERSION or zero or size % _FILL or len(body) != size:
                raise BadFrameError("a frame of another version, or not whole")
            found.append(_frame(Kind(kind), body))
            at += size
    except (struct.error, ValueError, OverflowError, RecursionError) as error:  # JSON's are ValueErrors
        raise BadFrameError(f"no message of ours: {error}") from error
    return found


def _frame(kind: Kind, body: bytes) -> Frame:
    if kind is Kind.STATE:
        now_ms, is_current, is_away = _STATE.unpack(body)
        return State(now_ms, bool(is_current), bool(is_away))
    if kind is Kind.LOST:
        return Lost(_LOST.unpack(body)[0])
    if kind is Kind.SIGNAL:
        return _signal(body)
    content = json.loads(body)
    if not isinstance(content, dict):
        raise BadFrameError("JSON, but no object")
    return Told(kind, content)


def _signal(body: bytes) -> Signal:
    device, session, at_ms, waves, _, rate_0, origin_ms = _SIGNAL.unpack_from(body)
    at = _SIGNAL.size + waves * _WAVE.size
    found = []
    for number in range(waves):
        first, rate, code, kind, unit, off, channel, gain, offset, *filters, n = _WAVE.unpack_from(
            body, _SIGNAL.size + number * _WAVE.size
        )
        samples = np.frombuffer(body, "<i2", n, at)
        at += samples.nbytes
        found.append(
            Wave(int(first), code, kind, unit, bool(off), rate, gain, offset, samples, channel, *filters)
        )
    if len(body) - at not in range(_FILL):
        raise BadFrameError("samples and their numbers disagree")
    return Signal(device, session, at_ms, found, rate_0, origin_ms)
