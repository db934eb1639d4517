"""JSON of packets and numbers, as ``POST /v1/packets`` and ``/v1/vitals`` take it.

Each item of a request is read by itself: where one cannot be meant, its reason stands in its place. The
forms are the one truth of the fields: the OpenAPI document is made from them.

msgspec reads and checks in C, and what is left is a record's own checks: a packet of four leads of 250
samples takes 30 µs as base64 and 80 µs as numbers. ``orjson`` reads the same in 6 and 25 µs, but into
dictionaries that would have to be checked in Python, and as a whole: one bad item would cost all others.
"""

import math
from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar

import msgspec
import numpy as np
from msgspec import Meta, Struct
from numpy.typing import NDArray

from devices.errors import MessageError
from devices.http import terms
from devices.http.decoding import decoded, refused
from devices.http.times import moment_ns
from schemas.checks import MAX_CHANNELS, MAX_COUNT, MAX_RATE_HZ, MAX_TIME_NS, check_device, check_packet
from schemas.errors import BadRecordError
from schemas.records import Channel, Packet, Vital

JSON_TYPE = "application/json"
MAX_ITEMS = 1000
"""Items a request."""

T = TypeVar("T")
F = TypeVar("F")

_Count = Annotated[int, Meta(ge=0, lt=MAX_COUNT)]
_Hertz = Annotated[float, Meta(ge=0, le=MAX_RATE_HZ)]
_Device = Annotated[
    str, Meta(pattern="^[!-~]+$", min_length=1, max_length=64, description="as it is enrolled")
]
_Session = Annotated[
    int | str,
    Meta(
        description="by custom when the device was started: RFC 3339, or UTC ns as a whole number. "
        "A new one at every start and at every change of rate, channels or gain"
    ),
]


class FiltersForm(Struct, forbid_unknown_fields=True, frozen=True):
    """What the device has filtered, Hz; what is left out is unknown."""

    high_pass: _Hertz | None = None
    low_pass: _Hertz | None = None
    notch: Annotated[_Hertz | None, Meta(description="0: none")] = None


class ChannelForm(Struct, forbid_unknown_fields=True, frozen=True):
    """One wave of a packet: value in ``unit`` = (sample - offset) / gain. Either ``lead`` or ``code``."""

    rate: Annotated[float, Meta(description="samples a second")]
    gain: Annotated[float, Meta(gt=0, description="steps a unit")]
    unit: Annotated[str, Meta(description="UCUM", extra_json_schema={"enum": [*terms.WAVE_UNITS]})]
    samples: Annotated[
        list[int] | bytes,
        Meta(description="16 bits each; -32768: missing. As numbers, or little-endian in base64"),
    ]
    lead: Annotated[
        str | None, Meta(description="of an ECG", extra_json_schema={"enum": [*terms.LEADS, None]})
    ] = None
    code: Annotated[int | None, Meta(description="IEEE 11073-10101 MDC code")] = None
    offset: Annotated[float, Meta(description="the step that stands for 0")] = 0.0
    lead_off: Annotated[bool, Meta(description="as the device says of this electrode or sensor")] = False
    filters: FiltersForm = FiltersForm()


class PacketForm(Struct, forbid_unknown_fields=True, frozen=True):
    """About a second of all channels of a device; the same device, session and seq are the same packet."""

    device: _Device
    session: _Session
    seq: Annotated[_Count, Meta(description="0, 1, 2 … within the session, without a hole")]
    first_sample: Annotated[
        _Count, Meta(description="index of the first sample in the session, at the rate of the first channel")
    ]
    start: Annotated[
        int | str, Meta(description="of the first sample by the device's clock: RFC 3339, or UTC ns")
    ]
    channels: Annotated[list[ChannelForm], Meta(min_length=1, max_length=MAX_CHANNELS)]
    pace_marks: Annotated[
        list[int],
        Meta(description="pacing pulses: samples of the first channel, from the packet's first"),
    ] = []


class VitalForm(Struct, forbid_unknown_fields=True, frozen=True):
    """One number; the same device, code and time are the same number."""

    device: _Device
    session: _Session
    time: Annotated[int | str, Meta(description="by the device's clock: RFC 3339, or UTC ns")]
    code: Annotated[
        int, Meta(description="IEEE 11073-10101 MDC code", extra_json_schema={"enum": [*terms.NUMBERS]})
    ]
    value: Annotated[float | None, Meta(description="null: measured, but not to be had")]
    unit: Annotated[str, Meta(description="UCUM")]


class _Packets(Struct, forbid_unknown_fields=True):
    packets: Annotated[list[msgspec.Raw], Meta(max_length=MAX_ITEMS)]


class _Vitals(Struct, forbid_unknown_fields=True):
    vitals: Annotated[list[msgspec.Raw], Meta(max_length=MAX_ITEMS)]


_PACKETS, _PACKET = msgspec.json.Decoder(_Packets), msgspec.json.Decoder(PacketForm)
_VITALS, _VITAL = msgspec.json.Decoder(_Vitals), msgspec.json.Decoder(VitalForm)


def packets(body: bytes) -> list[Packet | MessageError]:
    """Return the packets of a request, each or why it cannot be meant; ``received_ns`` is still 0.

    Raises:
        MessageError: the body is no such request.

    >>> packets(b'{"packets": [{"device": "dev-1"}]}')
    [MessageError('Object missing required field `session`')]
    """
    return _each(decoded(_PACKETS, body).packets, _PACKET, _packet)


def vitals(body: bytes) -> list[Vital | MessageError]:
    """Return the numbers of a request, as ``packets``."""
    return _each(decoded(_VITALS, body).vitals, _VITAL, _vital)


def checked_vital(vital: Vital) -> Vital:
    """Return a number that can be meant.

    Raises:
        MessageError: it is none that a device may send, infinite, or at no time.
        BadRecordError: its device is none.
    """
    check_device(vital.device)
    if vital.code not in terms.NUMBERS:
        raise MessageError("no number that is taken here")
    if math.isinf(vital.value):
        raise MessageError("a number that is not finite")
    if not (0 <= vital.session < MAX_TIME_NS and 0 <= vital.time_ns < MAX_TIME_NS):
        raise MessageError("session or time out of range")
    return vital


def _each(
    items: Sequence[msgspec.Raw], decoder: msgspec.json.Decoder[F], made: Callable[[F], T]
) -> list[T | MessageError]:
    def one(item: msgspec.Raw) -> T | MessageError:
        try:
            return made(decoded(decoder, item))
        except (MessageError, BadRecordError) as error:
            return refused(error)

    return [one(item) for item in items]


def _packet(form: PacketForm) -> Packet:
    channels = [_channel(i, channel) for i, channel in enumerate(form.channels)]
    packet = Packet(
        form.device,
        _ns(form.session),
        form.seq,
        form.first_sample,
        _ns(form.start),
        0,
        channels,
        form.pace_marks,
    )
    check_packet(packet)
    return packet


def _channel(index: int, form: ChannelForm) -> Channel:
    try:
        what = terms.wave(_code(form), form.unit)
        samples = _samples(form.samples)
    except MessageError as error:
        raise MessageError(f"channels[{index}]: {error}") from None
    return Channel(
        what.code,
        what.kind,
        what.unit,
        form.rate,
        form.gain * what.per_unit,
        samples,
        form.offset,
        _known(form.filters.high_pass),
        _known(form.filters.low_pass),
        _known(form.filters.notch),
        form.lead_off,
    )


def _code(form: ChannelForm) -> int:
    if (form.lead is None) == (form.code is None):
        raise MessageError("either lead or code is wanted")
    if form.code is not None:
        return form.code
    if form.lead not in terms.LEADS:
        raise MessageError(f"a lead is one of {', '.join(terms.LEADS)}")
    return terms.LEADS[form.lead]


def _samples(given: list[int] | bytes) -> NDArray[np.int16]:
    if isinstance(given, bytes):
        if len(given) % 2:
            raise MessageError("half a sample at the end")
        return np.frombuffer(given, "<i2")
    try:
        return np.array(given, np.int16)
    except OverflowError:
        raise MessageError("a sample beyond 16 bits") from None


def _vital(form: VitalForm) -> Vital:
    value = terms.number(form.code, math.nan if form.value is None else form.value, form.unit)
    return checked_vital(Vital(form.device, _ns(form.session), _ns(form.time), form.code, value))


def _ns(moment: int | str) -> int:
    return moment_ns(moment) if isinstance(moment, str) else moment


def _known(hertz: float | None) -> float:
    return math.nan if hertz is None else hertz
