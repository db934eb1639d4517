"""Recordings for tests: numbers by rule, of nobody."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ecgstream.exchange.recording import NS, Lead, Mark, Recording, Segment
from schemas import mdc
from schemas.records import ECG_KIND, PLETH_KIND

START_NS = 1_774_769_415_123_456_000
"""2026-03-29T07:30:15.123456Z"""
TWELVE = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")


def lead(name: str, rate: float = 250.0, gain: float = 200.0, offset: float = 0.0) -> Lead:
    return Lead(name, mdc.lead_code(name), ECG_KIND, "mV", rate, gain, offset, 0.05, 40.0, 50.0)


def pleth(rate: float = 125.0) -> Lead:
    return Lead("PLETH", mdc.PLETH, PLETH_KIND, "%", rate, 100.0)


def segment(
    leads: tuple[Lead, ...] = (lead("II"), lead("V1")),
    *,
    seconds: float = 12.4,
    rate_hz: float = 250.0,
    start_ns: int = START_NS,
    seed: int = 1,
) -> Segment:
    """Samples of all values that there are; a beat a second, of all kinds; AF from 5 s to 8 s."""
    width = round(sum(one.rate for one in leads) / rate_hz)
    frames = round(seconds * rate_hz)
    samples = np.random.default_rng(seed).integers(-32767, 32768, (frames, width)).astype(np.int16)
    rate = leads[0].rate
    beats = np.arange(round(0.4 * rate), round(seconds * rate), round(rate))
    codes = np.frombuffer(b"NSVFQ/", np.uint8)[np.arange(beats.size) % 6]
    rhythms = tuple(
        Mark(round(at * rate), text)
        for at, text in ((0, "N"), (5, "AFIB"), (8, "NOISE"), (9.5, "N"))
        if at < seconds
    )
    conditions = (Mark(round(5 * rate), "ATRIAL_FIBRILLATION", round(8 * rate)),) if seconds > 8 else ()
    return Segment(start_ns, rate_hz, leads, samples, beats, codes, rhythms, conditions)


def recording(*segments: Segment, subject: str = "P-ABCDEFGHIJ", **more: tuple[str, ...]) -> Recording:
    return Recording(subject, ("mon-17",), segments, "ecgstream 0.1.0", ("7",), **more)


def later(one: Segment, seconds: float) -> Segment:
    return replace(one, start_ns=one.start_ns + round(seconds * NS))
