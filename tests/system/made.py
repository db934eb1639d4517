"""Records made for tests: small, and like those that gateways, workers and the pager write."""

from dataclasses import replace

import numpy as np

from schemas import mdc
from schemas.batches import Beats, Rhythms, Trends
from schemas.bundle import Bundle
from schemas.ids import event_id
from schemas.records import (
    Alert,
    AlertState,
    BacklogEnd,
    Channel,
    Condition,
    Control,
    Lane,
    Packet,
    Phase,
    Priority,
    Segment,
    Start,
    Vital,
)
from schemas.wfdb import RHYTHMS

RATE = 250
SESSION = 1_700_000_000_000_000_000
SECOND = 1_000_000_000


def wave(device: str, at: int, n: int = RATE) -> np.ndarray:
    """The device's signal from sample ``at`` on."""
    x = np.arange(at, at + n)
    return (200 * np.sin(x / 40 + len(device)) + x % 7).astype(np.int16)


def packet(device: str, seq: int, session: int = SESSION) -> Packet:
    first = seq * RATE
    samples = wave(device, first)
    leads = [Channel(mdc.LEADS[name], 0, 0, RATE, 200.0, samples + i) for i, name in enumerate(("II", "V1"))]
    start = session + first * SECOND // RATE
    return Packet(device, session, seq, first, start, start + 5, leads, [3] if seq == 2 else [])


def bundle(devices: list[str], seq: int) -> bytes:
    vitals = [Vital(d, SESSION, SESSION + seq * SECOND, mdc.SPO2, 97.0) for d in devices]
    return Bundle.of("gw-1", 0, SESSION, [packet(d, seq) for d in devices], vitals).encode()


def backlog_end(device: str, from_sample: int) -> Control:
    return Control("end", device, SESSION, from_sample, SESSION, "gw-1", BacklogEnd())


def beats(device: str, samples: list[int], generation: int = 1, offset: int = 0, code: str = "N") -> Beats:
    n = len(samples)
    at = np.array(samples, np.int64)
    return Beats(
        partition=0,
        generation=generation,
        version="1",
        devices=[device],
        device=np.zeros(n, np.uint16),
        session=np.full(n, SESSION, np.int64),
        sample=at,
        time_ns=SESSION + at * (SECOND // RATE),
        code=np.full(n, ord(code), np.uint8),
        rr_s=np.full(n, np.nan, np.float32),
        hr_bpm=np.full(n, 72, np.float32),
        offset=np.full(n, offset, np.int64),
    )


def rhythm(device: str) -> Rhythms:
    one = np.ones(1, np.int64)
    index = np.array([RHYTHMS.index("AFIB")], np.uint8)
    return Rhythms(
        0, 1, "1", [device], 0 * one, SESSION * one, 250 * one, (SESSION + SECOND) * one, index, one
    )


def trend(device: str, mean: float = 70.0) -> Trends:
    one = np.ones(1, np.int64)
    numbers = (np.array([v], np.float32) for v in (mean, 60.0, 80.0))
    minute = (SESSION // (60 * SECOND)) * 60 * SECOND
    return Trends(
        0,
        1,
        "1",
        [device],
        0 * one,
        SESSION * one,
        minute * one,
        mdc.HEART_RATE * one,
        9 * one,
        *numbers,
        one,
    )


def segment(device: str, **more: object) -> Segment:
    """A stretch that begins; ``more``: what differs."""
    began = Segment(
        device=device,
        session=SESSION,
        lane=Lane.LIVE,
        from_sample=0,
        from_ns=SESSION,
        to_sample=None,
        to_ns=None,
        start=Start.COLD,
        settings='{"category": "ADULT"}',
        partition=0,
        offset=5,
        generation=1,
        version="1",
    )
    return replace(began, **more)


def condition(device: str, phase: Phase, sample: int, offset: int = 5) -> Condition:
    return Condition(
        id=event_id(device, SESSION, "ASYSTOLE", 1000),
        device=device,
        patient="p-1",
        session=SESSION,
        code="ASYSTOLE",
        phase=phase,
        onset_sample=1000,
        onset_ns=SESSION + 4 * SECOND,
        sample=sample,
        time_ns=SESSION + sample * SECOND // RATE,
        delay_s=(sample - 1000) / RATE,
        evidence={"pause_s": 4.2, "nothing": float("nan")},
        published_ns=SESSION + 9,
        partition=0,
        offset=offset,
        generation=1,
        version="1",
    )


def alert(device: str, state: AlertState, offset: int, updated_ns: int) -> Alert:
    return Alert(
        id=event_id(device, SESSION, "ASYSTOLE", 1000),
        device=device,
        patient="p-1",
        session=SESSION,
        condition="ASYSTOLE",
        priority=Priority.HIGH,
        state=state,
        onset_sample=1000,
        onset_ns=SESSION + 4 * SECOND,
        decided_sample=2000,
        decided_ns=SESSION + 8 * SECOND,
        delay_s=4.0,
        end_ns=None,
        evidence={},
        published_ns=SESSION,
        raised_ns=1,
        updated_ns=updated_ns,
        partition=0,
        offset=offset,
    )
