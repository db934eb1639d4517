"""Packets and numbers in, bundles out: one bundle a shard and flush. No I/O and no clock inside."""

import math
from collections import defaultdict
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from schemas import columns
from schemas.bundle import Bundle
from schemas.checks import MAX_TIME_NS, check_device, check_packet
from schemas.errors import BadRecordError
from schemas.records import Packet, Vital
from schemas.registry import HEADER_BYTES, newest
from schemas.units import UNITS

FLUSH_S = 0.5
MAX_BYTES = 512_000
_VARINT_BYTES = 10
_MAX_U2, _MAX_U4, _MAX_INT = 2**16, 2**32, 2**31


def _row_bytes() -> dict[str, int]:
    sizes: defaultdict[str, int] = defaultdict(int)
    for column in columns.layout(newest("Bundle")):
        if column.dtype is not None:
            sizes[column.rows] += column.dtype.itemsize
    return dict(sizes)


_ROW = _row_bytes()
# Every field may need a length, and the pad before the samples takes up to seven bytes more.
_FIXED = HEADER_BYTES + _VARINT_BYTES * len(columns.layout(newest("Bundle"))) + columns.ALIGNMENT


class Instant(NamedTuple):
    """A moment on two clocks: ``steady_s`` never jumps and times the flushes, ``utc_ns`` is what travels."""

    steady_s: float
    utc_ns: int


@dataclass(slots=True)
class _Pending:
    opened_s: float
    size: int
    packets: list[Packet] = field(default_factory=list)
    vitals: list[Vital] = field(default_factory=list)
    devices: set[str] = field(default_factory=set)


class Bundler:
    """Collects by shard; bundles end ``flush_s`` after their first row, or before one outgrows ``max_bytes``.

    ``refused`` counts the packets and numbers that were not taken.
    """

    def __init__(self, gateway: str, *, flush_s: float = FLUSH_S, max_bytes: int = MAX_BYTES) -> None:
        self.gateway = gateway
        self.refused = 0
        self._flush_s = flush_s
        self._max_bytes = max_bytes
        self._empty = _FIXED + len(gateway.encode())
        self._shards: dict[int, _Pending] = {}

    def add(self, shard: int, item: Packet | Vital, now: Instant) -> list[Bundle]:
        """Take one packet or number; return the bundle that it did not fit into any more, if any.

        Raises:
            BadRecordError: no device can mean this; nothing else is touched.
        """
        try:
            size = self.check(shard, item)
        except BadRecordError:
            self.refused += 1
            raise
        closed = []
        pending = self._shards.get(shard)
        if pending is not None and pending.size + size > self._max_bytes:
            closed.append(self._close(shard, now))
            pending = None
        if pending is None:
            pending = self._shards[shard] = _Pending(now.steady_s, self._empty)
        if item.device not in pending.devices:
            pending.devices.add(item.device)
            pending.size += len(item.device) + 1
        pending.size += size - len(item.device) - 1
        if isinstance(item, Packet):
            pending.packets.append(item)
        else:
            pending.vitals.append(item)
        return closed

    def due_s(self) -> float:
        """Return when the next bundle is due, s of the steady clock; infinity where nothing waits."""
        return min((p.opened_s + self._flush_s for p in self._shards.values()), default=math.inf)

    def due(self, now: Instant) -> list[Bundle]:
        """Return all that waits once a bundle's time has come: one flush is one sync of the spool's disk."""
        return self.flush(now) if self.due_s() <= now.steady_s else []

    def flush(self, now: Instant) -> list[Bundle]:
        """Return all that waits."""
        return [self._close(shard, now) for shard in list(self._shards)]

    def _close(self, shard: int, now: Instant) -> Bundle:
        pending = self._shards.pop(shard)
        return Bundle.of(self.gateway, shard, now.utc_ns, pending.packets, pending.vitals)

    def check(self, shard: int, item: Packet | Vital) -> int:
        """Return the most bytes that the item adds to a bundle.

        Raises:
            BadRecordError: no device can mean this.
        """
        if not 0 <= shard < _MAX_INT:
            raise BadRecordError(f"shard {shard}")
        if isinstance(item, Packet):
            size = _check_packet(item)
        else:
            _check_vital(item)
            size = _ROW["vital"]
        size += len(item.device) + 1
        if self._empty + size > self._max_bytes:
            raise BadRecordError(f"a packet of {size} bytes in a bundle of at most {self._max_bytes}")
        return size


def _check_packet(packet: Packet) -> int:
    for c in packet.channels:
        if c.samples.dtype != np.int16 or c.samples.ndim != 1:
            raise BadRecordError("samples are not one row of int16")
        if not (0 <= c.code < _MAX_U4 and 0 <= c.kind < 256 and 0 <= c.unit < len(UNITS)):
            raise BadRecordError(f"channel with code {c.code}, kind {c.kind}, unit {c.unit}")
    check_packet(packet)
    if len(packet.pace_marks) >= _MAX_U2:
        raise BadRecordError(f"{len(packet.pace_marks)} pace marks in a packet")
    samples = sum(c.samples.size for c in packet.channels)
    return (
        _ROW["packet"]
        + _ROW["channel"] * len(packet.channels)
        + _ROW["pace"] * len(packet.pace_marks)
        + _ROW["sample"] * samples
    )


def _check_vital(vital: Vital) -> None:
    check_device(vital.device)
    if not (0 <= vital.session < MAX_TIME_NS and 0 <= vital.time_ns < MAX_TIME_NS):
        raise BadRecordError("session or time of a vital out of range")
    if not 0 <= vital.code < _MAX_U4 or math.isinf(vital.value):
        raise BadRecordError(f"vital with code {vital.code}, value {vital.value}")
