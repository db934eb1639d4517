"""Ten seconds of a resting ECG in a real database, whose intervals are known."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np

from ecgstream.store.connection import connect
from ecgstream.store.traces import TraceBuilder
from ecgstream.store.writer import Writer
from schemas import mdc, topics
from schemas.bundle import Bundle
from schemas.records import Channel, Packet
from tests.ecgstream.reports.resting.made_of import LEADS, Beat, signal
from tests.system.access_world import insert

NS = 10**9
RATE = 500
BEGINS_S = np.arange(0.4, 9.9, 0.8)
MADE = Beat(p=100, pr=160, qrs=90, qt=380)
BY = {"generation": 1, "source_offset": 1, "version": "7"}


def record(
    url: str, device: str, begin: datetime, leads: tuple[str, ...] = LEADS, *, session: int = 1
) -> None:
    """Ten seconds of a device that is known, with the beats that the detectors find."""
    begin_ns = round(begin.timestamp() * 1000) * 10**6
    mv = signal(MADE, BEGINS_S, RATE)
    builder = TraceBuilder()
    for s in range(10):
        at = begin_ns + s * NS
        channels = [
            Channel(mdc.LEADS[name], 0, 0, float(RATE), 1000.0, part, high_pass=0.05, low_pass=150.0)
            for name, part in zip(
                leads,
                np.round(mv[: len(leads), s * RATE : (s + 1) * RATE] * 1000).astype(np.int16),
                strict=True,
            )
        ]
        packet = Packet(device, session, s, s * RATE, at, at, channels)
        builder.add(Bundle.of("g", 0, at, [packet], []), (topics.INGEST.name, 0), s)
    writer = Writer(connect(url, role="ecg_sink"))
    writer.write((), builder.drain())
    writer.close()
    with connect(url, role="ecg_sink") as sink:
        known = {"device": device, "session": session}
        lane = {"lane": "LIVE", "from_sample": 0, "start": "COLD", "settings": "{}"}
        ends = {"to_ns": begin_ns + 10 * NS, "to_sample": 10 * RATE}
        insert(sink, "segment", **known, **lane, **ends, from_ns=begin_ns, time=begin, **BY)
        insert(sink, "rhythm", **known, sample=0, time=begin, time_ns=begin_ns, rhythm="N", **BY)
        for begin_s in BEGINS_S + 0.045:
            at_ms = round(begin_s * 1000)
            time = begin + timedelta(milliseconds=at_ms)
            beat = {"sample": at_ms * RATE // 1000, "time": time, "time_ns": begin_ns + at_ms * 10**6}
            insert(sink, "beat", **known, **beat, code="N", rr_s=0.8, hr_bpm=75, **BY)
