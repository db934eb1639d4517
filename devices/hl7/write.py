"""The other way: a reading as an observation report (IHE PCD-01, and WCM within it), for simulated devices.

What is written names no patient. Waves are whole samples with their scale, so that ``pcd`` gives back what
was written, but for these: times are kept to 0.1 ms, a lead that is off has no samples, one without samples
is off, and pace marks are not written, since no facet for them is known here.
"""

import math
from collections.abc import Iterator
from decimal import Decimal

from devices.hl7 import codes
from devices.hl7.message import CHARSETS, STANDARD, stamp
from devices.reading import Measured, Reading, Stretch
from schemas.checks import check_device
from schemas.mdc import UNITS
from schemas.records import MISSING, Channel
from schemas.units import UNITS as WAVE_UNITS

UTF_8 = "UNICODE UTF-8"
_PROFILE = "IHE_PCD_001^IHE PCD^1.3.6.1.4.1.19376.1.6.1.1.1^ISO"
_NUMERICS = "182777000^monitoring of patient^SCT"
_WAVES = "69121^MDC_OBS_WAVE_CTS^MDC"
_MDS = "69965^MDC_DEV_MON_PHYSIO_MULTI_PARAM_MDS^MDC"
_NAMES = {code: name for name, code in reversed(codes.REFERENCES.items())}
_ESCAPES = str.maketrans({
    STANDARD.field: "\\F\\", STANDARD.component: "\\S\\", STANDARD.subcomponent: "\\T\\",
    STANDARD.repetition: "\\R\\", STANDARD.escape: "\\E\\",
})  # fmt: skip
_LOWEST, _HIGHEST = -32767, 32767
_NS = 10**9


def report(reading: Reading, charset: str = UTF_8, *, place: str = "") -> bytes:
    """Return a reading as a message, whose control id is its id.

    Args:
        reading: what is told.
        charset: one of ``devices.hl7.message.CHARSETS``.
        place: where the monitor stands (PV1-3).

    Raises:
        BadRecordError: the device's name is none.
        UnicodeEncodeError: the character set does not hold the place or the id.
    """
    check_device(reading.device)
    sent = "" if reading.sent_ns is None else stamp(reading.sent_ns)
    device = f"{_text(reading.device)}^ecgstream"
    head = f"MSH|^~\\&|ecgstream||||{sent}||ORU^R01^ORU_R01|{_text(reading.message)}|P|2.6|||AL|NE||{charset}"
    segments = [
        f"{head}|||{_PROFILE}",
        "PID|||^^^ecgstream^PI||^^^^^^U",
        f"PV1||U|{_text(place)}",
        *_observations(reading, device),
    ]
    return "".join(f"{segment}\r" for segment in segments).encode(CHARSETS[charset])


def _observations(reading: Reading, device: str) -> Iterator[str]:
    monitor = _obx("", _MDS, "1.0.0.0", "", status="X", device=device)
    groups = [(_NUMERICS, "", [monitor, *_numbers(reading.numbers)])]
    for stretch in reading.stretches:
        first = stretch.channels[0]
        end_ns = stretch.start_ns + round(first.samples.size / first.rate * _NS)
        groups.append((_WAVES, f"{stamp(stretch.start_ns)}|{stamp(end_ns)}", [*_waves(stretch)]))
    position = 0
    for n, (kind, times, observed) in enumerate(groups, 1):
        yield f"OBR|{n}||{_text(reading.message)}-{n}^ecgstream|{kind}|||{times}"
        for row in observed:
            position += 1
            yield f"OBX|{position}|{row}"


def _numbers(numbers: tuple[Measured, ...]) -> Iterator[str]:
    for n, (time_ns, code, value) in enumerate(numbers, 1):
        unit, at = _unit(UNITS[code]), f"1.0.0.{n}"
        yield _obx("NM", _observed(code), at, _decimal(value), unit, time=stamp(time_ns))


def _waves(stretch: Stretch) -> Iterator[str]:
    for n, channel in enumerate(stretch.channels, 1):
        at = f"1.0.0.{n}"
        samples = "^".join(map(str, channel.samples.tolist()))
        flags, status = ("INV", "X") if channel.lead_off else ("", "R")
        yield _obx("NA", _observed(channel.code), at, samples, flags=flags, status=status)
        for k, (form, name, value, unit) in enumerate(_facets(channel), 1):
            yield _obx(form, f"0^{name}^MDC", f"{at}.{k}", value, unit and _unit(unit))


def _facets(channel: Channel) -> Iterator[tuple[str, str, str, str]]:
    """Yield what is said of a wave: value type, name, value, unit."""
    unit = WAVE_UNITS[channel.unit].replace("{counts}", "1")
    yield "NM", codes.SAMPLE_RATE, _decimal(channel.rate), "/s"
    if channel.offset:
        low, high = ((end - channel.offset) / channel.gain for end in (_LOWEST, _HIGHEST))
        yield "NR", codes.DATA_RANGE, f"{_LOWEST}^{_HIGHEST}", ""
        yield "NR", codes.SCALE_RANGE, f"{_decimal(low)}^{_decimal(high)}", unit
    else:
        yield "NM", codes.RESOLUTION, _decimal(1 / channel.gain), unit
    yield "NM", codes.INOPERATIVE, str(MISSING), ""
    for name, corner in (
        (codes.HIGH_PASS, channel.high_pass),
        (codes.LOW_PASS, channel.low_pass),
        (codes.NOTCH, channel.notch),
    ):
        if not math.isnan(corner):
            yield "NM", name, _decimal(corner), "Hz"


def _obx(
    form: str,
    what: str,
    at: str,
    value: str,
    unit: str = "",
    *,
    flags: str = "",
    status: str = "R",
    time: str = "",
    device: str = "",
) -> str:
    """Return an OBX from its second field on."""
    fields = [form, what, at, value, unit, "", flags, "", "", status, "", "", time, "", "", "", device]
    return "|".join(fields).rstrip("|")


def _observed(code: int) -> str:
    return f"{code}^{_NAMES.get(code, '')}^MDC"


def _unit(ucum: str) -> str:
    return f"{ucum}^{ucum}^UCUM"


def _decimal(value: float) -> str:
    """Return a number without exponent, as HL7 wants it (NM).

    >>> _decimal(1e-05), _decimal(250.0)
    ('0.00001', '250')
    """
    return format(Decimal(repr(float(value))).normalize(), "f")


def _text(words: str) -> str:
    return words.translate(_ESCAPES)
