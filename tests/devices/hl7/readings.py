"""Readings that a message can hold to the last bit, and readings as plain values, to be compared."""

from __future__ import annotations

import math
import string
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from devices.hl7 import codes
from devices.reading import Measured, Reading, Stretch
from schemas import mdc
from schemas.records import ECG_KIND, MISSING, PLETH_KIND, PRESSURE_KIND, RESPIRATION_KIND, Channel
from schemas.units import COUNTS, MILLIVOLT, MM_HG, OHM, PERCENT

FIXTURES = Path(__file__).parents[3] / "fixtures" / "devices" / "hl7"
MESSAGES = {path.stem: path.read_bytes() for path in sorted(FIXTURES.glob("*.hl7"))}
NAMES = ("Testname", "Erfunden", "T-0001", "T-0002", "测试", "億倈虚构", "一床")
"""Made-up names and numbers of the fixtures' patients, and a bed."""

WAVES = {
    mdc.LEADS["II"]: (ECG_KIND, MILLIVOLT),
    mdc.LEADS["aVR"]: (ECG_KIND, MILLIVOLT),
    mdc.ECG: (ECG_KIND, MILLIVOLT),
    mdc.PLETH: (PLETH_KIND, PERCENT),
    mdc.ABP: (PRESSURE_KIND, MM_HG),
    mdc.RESP: (RESPIRATION_KIND, OHM),
}
STEP_NS = 100_000  # HL7 writes times to 0.1 ms
times = st.integers(10**18 // STEP_NS, 4 * 10**18 // STEP_NS).map(lambda n: n * STEP_NS)
corners = st.sampled_from((math.nan, 0.05, 0.5, 40.0, 50.0, 150.0))
numbers = st.builds(
    Measured, times, st.sampled_from(sorted(set(codes.NUMBERS.values()))), st.integers(-(10**9), 10**9).map(
        lambda n: n / 1000
    ),
)  # fmt: skip
ids = st.text(string.ascii_letters + string.digits + "|^~\\&#-", min_size=1, max_size=20)
devices = st.text([chr(c) for c in range(33, 127)], min_size=1, max_size=64)


@st.composite
def channels(draw: st.DrawFn, code: int, slots: int) -> Channel:
    """A channel of ``slots`` times 40 ms."""
    rate = draw(st.sampled_from((100, 125, 250, 500)))
    size = rate * slots // 25
    seed = draw(st.integers(0, 2**32 - 1))
    samples = np.random.default_rng(seed).integers(-32767, 32768, size).astype(np.int16)
    is_off = draw(st.booleans())
    samples[slice(None) if is_off else slice(0, draw(st.integers(0, size - 1)))] = MISSING
    kind, unit = WAVES[code]
    if code == mdc.PLETH:
        unit = draw(st.sampled_from((PERCENT, COUNTS)))
    return Channel(
        code,
        kind,
        unit,
        float(rate),
        draw(st.sampled_from((0.5, 1.0, 100.0, 200.0, 333.3, 409.6, 819.2, 1000.0))),
        samples,
        draw(st.sampled_from((0.0, 0.5, -7.25, 1024.0, -30000.0))),
        draw(corners),
        draw(corners),
        draw(corners),
        is_off,
    )


@st.composite
def stretches(draw: st.DrawFn) -> Stretch:
    slots = draw(st.integers(1, 25))
    found = draw(st.lists(st.sampled_from(sorted(WAVES)), min_size=1, max_size=4, unique=True))
    found.sort(key=lambda code: WAVES[code][0] != ECG_KIND)
    return Stretch(draw(times), tuple(draw(channels(code, slots)) for code in found))


readings = st.builds(
    Reading,
    devices,
    ids,
    st.none() | times,
    st.lists(stretches(), max_size=2, unique_by=lambda s: s.start_ns).map(
        lambda found: tuple(sorted(found, key=lambda s: s.start_ns))
    ),
    st.lists(numbers, max_size=4).map(lambda found: tuple(sorted(found, key=lambda n: n.time_ns))),
)


def plain(reading: Reading) -> dict[str, Any]:
    """A reading as JSON has it; NaN is null."""
    return {
        "device": reading.device,
        "message": reading.message,
        "sent_ns": reading.sent_ns,
        "numbers": [list(number) for number in reading.numbers],
        "stretches": [
            {"start_ns": stretch.start_ns, "channels": [_plain(channel) for channel in stretch.channels]}
            for stretch in reading.stretches
        ],
        "left_out": list(reading.left_out),
    }


def _plain(channel: Channel) -> dict[str, Any]:
    filters = (channel.high_pass, channel.low_pass, channel.notch)
    return {
        "code": channel.code,
        "kind": channel.kind,
        "unit": channel.unit,
        "rate": channel.rate,
        "gain": channel.gain,
        "offset": channel.offset,
        "filters": [None if math.isnan(corner) else corner for corner in filters],
        "lead_off": channel.lead_off,
        "samples": channel.samples.tolist(),
    }
