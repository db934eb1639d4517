"""SCP-ECG (EN 1064): sections with checksums; rhythm data plain, or in the default Huffman code."""

import binascii
import struct
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas.mdc import ECG, LEADS
from tests.devices.files.ecg import FAMILY, GIVEN, PATIENT_ID, Ecg

_VERSION = 20  # 2.0
_SECTIONS = 12
_DEFAULT_CODE = 19999
_SHORT = 8  # differences up to here have codes of their own


class Lead(NamedTuple):
    """Of section 3: where a lead's samples lie in the recording, from 1, and its code."""

    first: int
    last: int
    code: int


def scp(
    ecg: Ecg, *, huffman: bool = False, zone_min: int | None = 120, leads: Sequence[Lead] | None = None
) -> bytes:
    placed = leads or [Lead(1, s.size, LEADS[name] - ECG) for name, s in ecg.leads.items()]
    sections = {1: _header(ecg, zone_min), 3: _leads(placed), 6: _rhythm(ecg, huffman)}
    if huffman:
        sections[2] = struct.pack("<H", _DEFAULT_CODE)
    return assembled(sections)


def assembled(sections: dict[int, bytes]) -> bytes:
    """Put section 0 before the others, and checksums over all."""
    laid = {number: _section(number, body) for number, body in sorted(sections.items())}
    at = 6 + 16 + 10 * _SECTIONS
    pointers = struct.pack("<HII", 0, 16 + 10 * _SECTIONS, 7)
    for number in range(1, _SECTIONS):
        size = len(laid.get(number, b""))
        pointers += struct.pack("<HII", number, size, at + 1 if size else 0)
        at += size
    body = _section(0, pointers, b"SCPECG") + b"".join(laid.values())
    sized = struct.pack("<I", 6 + len(body)) + body
    return struct.pack("<H", binascii.crc_hqx(sized, 0xFFFF)) + sized


def _section(number: int, body: bytes, reserved: bytes = b"") -> bytes:
    body += b"\0" * (len(body) % 2)
    head = struct.pack("<HIBB6s", number, 16 + len(body), _VERSION, _VERSION, reserved)
    return struct.pack("<H", binascii.crc_hqx(head + body, 0xFFFF)) + head + body


def _header(ecg: Ecg, zone_min: int | None) -> bytes:
    start = ecg.start
    tags = {
        0: FAMILY.encode() + b"\0",
        1: GIVEN.encode() + b"\0",
        2: PATIENT_ID.encode() + b"\0",
        5: struct.pack("<HBB", 1901, 2, 3),
        25: struct.pack("<HBB", start.year, start.month, start.day),
        26: bytes([start.hour, start.minute, start.second]),
        27: struct.pack("<H", 5),  # 0.05 Hz
        28: struct.pack("<H", 150),
        29: b"\x02",  # notch at 50 Hz
    }
    if zone_min is not None:
        tags[34] = struct.pack("<hH", zone_min, 0)
    return b"".join(struct.pack("<BH", tag, len(v)) + v for tag, v in tags.items()) + b"\xff\0\0"


def _leads(leads: Sequence[Lead]) -> bytes:
    simultaneous = 0x04 | len(leads) << 3
    return bytes([len(leads), simultaneous & 0xFF]) + b"".join(struct.pack("<IIB", *lead) for lead in leads)


def _rhythm(ecg: Ecg, huffman: bool) -> bytes:
    data = [
        _huffman(_second_differences(s)) if huffman else s.astype("<i2").tobytes() for s in ecg.leads.values()
    ]
    head = struct.pack("<HHBB", ecg.step_uv * 1000, 1_000_000 // ecg.rate, 2 if huffman else 0, 0)
    return head + struct.pack(f"<{len(data)}H", *map(len, data)) + b"".join(data)


def _second_differences(samples: NDArray[np.int16]) -> list[int]:
    """The first two samples, then how each differs from the line through the two before, in 16 bits."""
    x = samples.astype(np.int64)
    found = np.concatenate([x[:2], x[2:] - 2 * x[1:-1] + x[:-2]])
    return [int(d) for d in found.astype(np.int16)]


def _huffman(differences: list[int]) -> bytes:
    bits = "".join(_coded(d) for d in differences)
    bits += "0" * (-len(bits) % 8)
    return int("1" + bits, 2).to_bytes(len(bits) // 8 + 1, "big")[1:]


def _coded(value: int) -> str:
    if value == 0:
        return "0"
    if abs(value) <= _SHORT:
        return "1" * abs(value) + "0" + ("0" if value > 0 else "1")
    if -128 <= value < 128:
        return "1111111110" + f"{value & 0xFF:08b}"
    return "1111111111" + f"{value & 0xFFFF:016b}"
