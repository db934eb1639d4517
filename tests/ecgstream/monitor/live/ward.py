"""Devices of a test: what their gateways and the detectors publish of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from schemas import mdc
from schemas.batches import Beats, DeviceStatuses
from schemas.bundle import Bundle
from schemas.records import ECG_KIND, PLETH_KIND, Channel, Packet, Vital
from schemas.units import COUNTS, MILLIVOLT
from schemas.wfdb import RHYTHMS

NS = 1_000_000_000
SESSION = 1_700_000_000 * NS
RATE = 250


def lead(name: str = "II", level: int = 0, gain: float = 200.0, *, off: bool = False) -> Channel:
    samples = np.full(RATE, level, np.int16)
    return Channel(mdc.LEADS[name], ECG_KIND, MILLIVOLT, RATE, gain, samples, lead_off=off)


def pleth() -> Channel:
    return Channel(mdc.PLETH, PLETH_KIND, COUNTS, RATE / 2, 1000.0, np.zeros(RATE // 2, np.int16))


def packet(device: str, second: int = 0, *channels: Channel, session: int = SESSION) -> Packet:
    begin_ns = session + second * NS
    leads = list(channels) or [lead(level=second)]
    return Packet(device, session, second, second * RATE, begin_ns, begin_ns, leads)


def vital(device: str, code: int, value: float, time_ns: int = SESSION) -> Vital:
    return Vital(device, SESSION, time_ns, code, value)


def bundle(*rows: Packet | Vital, at_ns: int = SESSION) -> Bundle:
    packets = [row for row in rows if isinstance(row, Packet)]
    vitals = [row for row in rows if isinstance(row, Vital)]
    return Bundle.of("gw-1", 0, at_ns, packets, vitals)


def statuses(device: str, hr_bpm: float, rhythm: str, at_ns: int = SESSION) -> DeviceStatuses:
    def one(value: Any, dtype: Any) -> Any:
        return np.array([value], dtype)

    times = [one(value, np.int64) for value in (SESSION, 0, at_ns, at_ns)]
    stands = one(hr_bpm, np.float32), one(0, np.uint8), one(RHYTHMS.index(rhythm), np.uint8)
    leads = one(1.0, np.float32), one(0, np.uint16), one(1, np.uint8)
    return DeviceStatuses(0, 1, "1", [device], one(0, np.uint16), *times, *stands, *leads)


def beats(device: str, *samples: int, code: str = "N", session: int = SESSION) -> Beats:
    n, at = len(samples), np.array(samples, np.int64)
    sessions, letters = np.full(n, session, np.int64), np.full(n, ord(code), np.uint8)
    rates = np.full(n, np.nan, np.float32), np.full(n, 60, np.float32)
    return Beats(
        0,
        1,
        "1",
        [device],
        np.zeros(n, np.uint16),
        sessions,
        at,
        session + at * (NS // RATE),
        letters,
        *rates,
        at,
    )
