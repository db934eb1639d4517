"""What no device can mean: limits that every record is held to on its way in and on its way out."""

import math
import re
from collections.abc import Sequence

from schemas.errors import BadRecordError
from schemas.records import Association, ClockCorrection, Control, Enrolled, Enrolment, Limit, Limits, Packet

DEVICE_ID = re.compile(r"[!-~]{1,64}")
_DEVICE_LIST = re.compile(rb"(?:[!-~]{1,64}(?:\n[!-~]{1,64})*)?")
PSEUDONYM = re.compile(r"[!-~]{0,32}")
_CODE = r"[A-Za-z0-9_-]{1,32}"
FACILITY_PATH = re.compile(rf"{_CODE}(?:\.{_CODE}){{0,6}}")
MAX_LEADS = 16
MAX_KIND = 64
MAX_SUBJECT = 512
SHARDS = 4096
DIGEST_BYTES = 32
MAX_CHANNELS = 32
MAX_PACKET_S = 10.0
MIN_RATE_HZ = 0.01
MAX_RATE_HZ = 50_000.0
MIN_GAIN = 1e-9
MAX_GAIN = 1e12
MAX_COUNT = 2**53
MAX_TIME_NS = 2**62


def check_device(device: str) -> None:
    """Raise ``BadRecordError`` unless ``device`` is 1 to 64 printable ASCII characters without space."""
    if not DEVICE_ID.fullmatch(device):
        raise BadRecordError(
            f"device id {device[:80]!r} is not 1 to 64 printable ASCII characters without space"
        )


def device_list(joined: bytes) -> list[str]:
    r"""Return the device ids that a columnar record joins by line feeds.

    Raises:
        BadRecordError: one of them is no device id.

    >>> device_list(b"dev-1\ndev-2")
    ['dev-1', 'dev-2']
    """
    if not _DEVICE_LIST.fullmatch(joined):
        raise BadRecordError("devices are not ASCII ids joined by line feeds")
    return joined.decode().split("\n") if joined else []


def check_control(control: Control) -> None:
    """Raise ``BadRecordError`` where a control record cannot be meant."""
    check_device(control.device)
    if not 0 <= control.session < MAX_TIME_NS or not 0 <= control.from_sample < MAX_COUNT:
        raise BadRecordError("session or from_sample out of range")
    change = control.change
    if isinstance(change, Association) and not PSEUDONYM.fullmatch(change.patient):
        raise BadRecordError("a pseudonym is at most 32 printable ASCII characters without space")
    if isinstance(change, Limits):
        for limit in change.limits:
            _check_limit(limit)
    if isinstance(change, Enrolled):
        _check_place(change.facility, change.leads)
    if isinstance(change, ClockCorrection) and abs(change.ahead_ns) >= MAX_TIME_NS:
        raise BadRecordError("ahead_ns out of range")


def _check_limit(limit: Limit) -> None:
    bounds = [b for b in (limit.low, limit.high) if b is not None]
    if not all(math.isfinite(b) for b in bounds) or bounds != sorted(bounds):
        raise BadRecordError(f"limits of {limit.code} are not finite, or low is above high")


def _check_place(facility: str, leads: Sequence[int]) -> None:
    if not FACILITY_PATH.fullmatch(facility):
        raise BadRecordError(
            f"facility path {facility[:80]!r} is not 1 to 7 codes ([A-Za-z0-9_-]{{1,32}}) joined by dots"
        )
    if len(leads) > MAX_LEADS or not all(0 < code < 2**32 for code in leads):
        raise BadRecordError(f"leads are at most {MAX_LEADS} MDC codes above 0")


def check_enrolment(enrolment: Enrolment) -> None:
    """Raise ``BadRecordError`` where an enrolment cannot be meant; the error shows no key."""
    check_device(enrolment.device)
    _check_place(enrolment.facility, enrolment.leads)
    for what, text, longest in (
        ("kind", enrolment.kind, MAX_KIND),
        ("certificate subject", enrolment.certificate_subject, MAX_SUBJECT),
    ):
        if len(text) > longest or not text.isprintable():
            raise BadRecordError(f"a {what} is at most {longest} printable characters")
    if not 0 <= enrolment.shard < SHARDS:
        raise BadRecordError(f"shard {enrolment.shard} is not 0 to {SHARDS - 1}")
    if len(enrolment.key_digest) not in (0, DIGEST_BYTES):
        raise BadRecordError(f"a key digest of {len(enrolment.key_digest)} bytes, not {DIGEST_BYTES} or none")
    if not 0 <= enrolment.changed_ns < MAX_TIME_NS:
        raise BadRecordError("changed_ns out of range")


def check_packet(packet: Packet) -> None:
    """Raise ``BadRecordError`` where a packet cannot be meant."""
    check_device(packet.device)
    if not 1 <= len(packet.channels) <= MAX_CHANNELS:
        raise BadRecordError(f"{len(packet.channels)} channels in a packet (1 to {MAX_CHANNELS})")
    times = (packet.session, packet.start_ns, packet.received_ns)
    if not all(0 <= t < MAX_TIME_NS for t in times):
        raise BadRecordError("session, start_ns or received_ns out of range")
    if not 0 <= packet.seq < MAX_COUNT or not 0 <= packet.first_sample < MAX_COUNT:
        raise BadRecordError("seq or first_sample out of range")
    durations = []
    for c in packet.channels:
        if not MIN_RATE_HZ <= c.rate <= MAX_RATE_HZ:
            raise BadRecordError(f"sampling rate of {c.rate} Hz")
        if not (MIN_GAIN <= c.gain <= MAX_GAIN and math.isfinite(c.offset)):
            raise BadRecordError(f"gain {c.gain} with offset {c.offset}")
        durations.append((c.samples.size / c.rate, 1.0 / c.rate))
    longest, step = max(durations)
    if not 0 < longest <= MAX_PACKET_S or min(durations)[0] <= 0:
        raise BadRecordError(f"a packet of {longest:g} s (more than 0, at most {MAX_PACKET_S:g} s)")
    if any(longest - d > step + s for d, s in durations):
        raise BadRecordError("the channels of a packet cover different times")
    if any(not 0 <= mark < packet.channels[0].samples.size for mark in packet.pace_marks):
        raise BadRecordError("a pace mark outside its packet")
