"""A device's signal as its gateway has published it, an alert in it, and the topic as a consumer reads it."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from kafka import TopicPartition

from schemas import mdc, topics
from schemas.bundle import Bundle
from schemas.codec import encode
from schemas.records import ECG_KIND, Alert, AlertState, Channel, Packet, Priority
from schemas.units import MILLIVOLT

SECOND = 1_000_000_000
SESSION = 1_700_000_000 * SECOND
RATE, GAIN, OFFSET = 250, 200.0, 5.0
ONSET_S, DECIDED_S = 20.0, 24.0
PARTITION = 3
DEVICE = "mon-17"
LEADS = ("I", "II", "V5", "V1")
LATENCY_S = 0.5
"""From a packet's last sample to the broker."""


ALERT = Alert(
    id="an-alert",
    device=DEVICE,
    patient="P-7F3A",
    session=SESSION,
    condition="ASYSTOLE",
    priority=Priority.HIGH,
    state=AlertState.ACTIVE,
    onset_sample=round(ONSET_S * RATE),
    onset_ns=SESSION + round(ONSET_S * SECOND),
    decided_sample=round(DECIDED_S * RATE),
    decided_ns=SESSION + round(DECIDED_S * SECOND),
    delay_s=DECIDED_S - ONSET_S,
    end_ns=None,
    evidence={"quality_lead_1": 0.9, "quality_lead_2": 0.8},
    published_ns=SESSION + round((DECIDED_S + LATENCY_S) * SECOND),
    raised_ns=SESSION + round((DECIDED_S + 1) * SECOND),
    updated_ns=SESSION + round((DECIDED_S + 1) * SECOND),
    partition=PARTITION,
    offset=0,
    facility="centre.ward_3",
)


def with_evidence(**evidence: float) -> Alert:
    return replace(ALERT, evidence=evidence)


def counts(second: int, lead: int) -> np.ndarray:
    """A second of a lead: each sample has a value of its own."""
    return (np.arange(second * RATE, (second + 1) * RATE) + 100 * lead).astype(np.int16)


def packet(second: int, leads: int = 2, **changed: Any) -> Packet:
    """The packet that begins so many seconds into the session."""
    channels = [
        Channel(mdc.LEADS[LEADS[n]], ECG_KIND, MILLIVOLT, RATE, GAIN, counts(second, n), OFFSET)
        for n in range(leads)
    ]
    at_ns = SESSION + second * SECOND
    return replace(Packet(DEVICE, SESSION, second, second * RATE, at_ns, at_ns + SECOND, channels), **changed)


def packets(seconds: Sequence[int] = range(40), **how: Any) -> list[Packet]:
    return [packet(second, **how) for second in seconds]


class Record(NamedTuple):
    timestamp_ms: int
    value: bytes | None
    offset: int


class Offset(NamedTuple):
    offset: int
    timestamp: int


class FakeReader:
    """The ingest topic, as a consumer without a group reads it.

    Attributes:
        asked: the times that were looked for, ms.
        fails: what every request fails with.
        hangs: whether polls bring nothing.
        let: polls wait for it.
    """

    def __init__(self, chunk: int = 5) -> None:
        self.log: dict[TopicPartition, list[Record]] = defaultdict(list)
        self.asked: list[int] = []
        self.fails: Exception | None = None
        self.hangs = False
        self.let = threading.Event()
        self.let.set()
        self.closed = False
        self._chunk = chunk
        self._assigned: list[TopicPartition] = []
        self._at: dict[TopicPartition, int] = {}

    def publish(self, value: bytes | None, at_s: float, partition: int = PARTITION) -> None:
        log = self.log[TopicPartition(topics.INGEST.name, partition)]
        log.append(Record(round((SESSION / SECOND + at_s) * 1000), value, len(log)))

    def send(self, found: Sequence[Packet], partition: int = PARTITION) -> None:
        """Publish each packet when it is whole."""
        for one in found:
            end_s = (one.start_ns - SESSION) / SECOND + 1
            self.publish(encode(Bundle.of("gw-1", 0, 0, [one], [])), end_s + LATENCY_S, partition)

    def offsets_for_times(
        self, wanted: dict[TopicPartition, int], timeout_ms: float
    ) -> dict[TopicPartition, Offset | None]:
        self.asked += wanted.values()
        if self.fails:
            raise self.fails
        return {
            source: next((Offset(r.offset, r.timestamp_ms) for r in self.log[source] if r[0] >= at_ms), None)
            for source, at_ms in wanted.items()
        }

    def end_offsets(self, sources: list[TopicPartition], timeout_ms: float) -> dict[TopicPartition, int]:
        return {source: len(self.log[source]) for source in sources}

    def assign(self, sources: list[TopicPartition]) -> None:
        self._assigned = sources

    def seek(self, source: TopicPartition, offset: int) -> None:
        assert source in self._assigned
        self._at[source] = offset

    def poll(self, timeout_ms: float) -> dict[TopicPartition, list[Record]]:
        assert self.let.wait(20)
        if self.hangs:
            time.sleep(timeout_ms / 1000)
            return {}
        found = {}
        for source in self._assigned:
            at = self._at[source]
            found[source] = self.log[source][at : at + self._chunk]
            self._at[source] += len(found[source])
        return found

    def close(self) -> None:
        self.closed = True
