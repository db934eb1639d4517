"""A patient's stored signal: what a device measured while the patient wore it, cut to the sample.

Times are the device's own. Of a block at the edge of what is asked for, its part is given: what two requests
side by side give is there once, and without a hole.
"""

import math
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import LiteralString, NamedTuple

import numpy as np
import psycopg
import structlog
from psycopg.rows import class_row

from ecgstream.monitor.live.frames import Wave
from ecgstream.monitor.read.alerts import may_read
from ecgstream.monitor.read.patient import Known
from ecgstream.store.trace_codec import TraceError, decode_block
from ecgstream.store.traces import BLOCK_S, position
from schemas.records import MISSING

_DRIFT = timedelta(seconds=130)
"""By so much the nominal time of a block may be off in a long session (``api.trace``)."""
_EDGE_NS = 30 * 10**9
"""By so much the packets of a block may begin before what it holds, or end behind it, and more."""

_BLOCKS: LiteralString = """
SELECT session, channel, first_sample, time, code, kind, unit, rate, gain, "offset",
    high_pass, low_pass, notch, n, codec, data, packet_first, packet_ns, packet_lead_off
FROM api.trace_blocks
WHERE device = %(device)s AND time > %(early)s AND time < %(late)s
    AND coalesce(packet_ns[1], %(until_ns)s) < %(until_ns)s::bigint + %(edge_ns)s
    AND coalesce(packet_ns[cardinality(packet_ns)], %(since_ns)s) > %(since_ns)s::bigint - %(edge_ns)s
ORDER BY session, first_sample / rate, channel
"""
_BEATS: LiteralString = """
SELECT session, sample, code FROM api.beats
WHERE device = %(device)s AND time >= %(since)s AND time < %(until)s ORDER BY time
"""
_ENDS: LiteralString = """
SELECT (SELECT time FROM api.trace_blocks
        WHERE device = %(device)s AND time >= %(since)s ORDER BY time LIMIT 1),
    (SELECT time + n / rate * interval '1 s' FROM api.trace_blocks
     WHERE device = %(device)s AND time < %(until)s ORDER BY time DESC LIMIT 1)
"""
_BEYOND: LiteralString = """
SELECT EXISTS (SELECT FROM api.trace_blocks WHERE device = %(device)s AND time >= %(until)s)
"""
_BEHIND: LiteralString = """
SELECT NOT EXISTS (SELECT FROM api.trace_blocks
                   WHERE device = %(device)s AND time > %(until)s::timestamptz - interval '10 min'
                       AND time + n / rate * interval '1 s' >= %(until)s)
    AND EXISTS (SELECT FROM api.device_health
                WHERE device = %(device)s AND last_seen > now() - interval '1 min')
"""

log = structlog.get_logger()


class _Block(NamedTuple):
    session: int
    channel: int
    first_sample: int
    time: datetime
    code: int
    kind: int
    unit: int
    rate: float
    gain: float
    offset: float
    high_pass: float | None
    low_pass: float | None
    notch: float | None
    n: int
    codec: str
    data: bytes
    packet_first: list[int]
    packet_ns: list[int]
    packet_lead_off: list[bool]


class Part(NamedTuple):
    """The waves of about ten seconds of a session; ``rate_0``, ``origin_ms``: as of ``frames.Signal``."""

    session: int
    rate_0: float
    origin_ms: float
    waves: list[Wave]


class Beat(NamedTuple):
    """A beat; ``sample``: at the rate of channel 0; ``code``: WFDB's."""

    session: int
    sample: int
    code: str


class Ends(NamedTuple):
    """Where what is stored of a device begins and ends; None: nothing is."""

    oldest: datetime | None
    newest: datetime | None


Stretch = tuple[datetime, datetime]
"""From a time to before another."""


def worn(one: Known, device: str, since: datetime, until: datetime) -> list[Stretch]:
    """Return when in a time the patient wore a device."""
    found = []
    for w in one.worn:
        begin, end = max(w.since or since, since), min(w.until or until, until)
        if w.device == device and begin < end:
            found.append((begin, end))
    return sorted(found)


def parts(connection: psycopg.Connection, device: str, since: datetime, until: datetime) -> Iterator[Part]:
    """Yield what is stored of a device in a time, in order; a block that cannot be decoded is a gap."""
    since_ms, until_ms = (time.timestamp() * 1000 for time in (since, until))
    asked = {
        "device": device,
        "early": since - _DRIFT - timedelta(seconds=BLOCK_S),
        "late": until + _DRIFT,
        "since_ns": int(since_ms * 1e6),
        "until_ns": int(until_ms * 1e6),
        "edge_ns": _EDGE_NS,
    }
    with connection.cursor(row_factory=class_row(_Block), binary=True) as cursor:
        blocks = cursor.execute(_BLOCKS, asked).fetchall()
    rates = {block.session: block.rate for block in blocks if block.channel == 0}
    for block in blocks:
        rate_0 = rates.get(block.session, block.rate)
        origin_ms = _origin_ms(block, rate_0)
        low = _within(block, math.ceil(round((since_ms - origin_ms) * block.rate / 1000, 3)))
        high = _within(block, math.ceil(round((until_ms - origin_ms) * block.rate / 1000, 3)))
        if low >= high:
            continue
        try:
            yield Part(block.session, rate_0, origin_ms, list(_waves(block, rate_0, low, high)))
        except TraceError:
            log.warning("trace_block_unreadable", device=device, session=block.session, codec=block.codec)


def beats(connection: psycopg.Connection, device: str, since: datetime, until: datetime) -> list[Beat]:
    """Return the beats of a time."""
    with connection.cursor(row_factory=class_row(Beat)) as cursor:
        return cursor.execute(_BEATS, {"device": device, "since": since, "until": until}).fetchall()


def ends(connection: psycopg.Connection, device: str, stretches: Sequence[Stretch]) -> Ends:
    """Return where what is stored of some stretches begins and ends."""
    if not stretches:
        return Ends(None, None)
    asked = {"device": device, "since": stretches[0][0], "until": stretches[-1][1]}
    row = connection.execute(_ENDS, asked).fetchone()
    return Ends(None, None) if row is None else Ends(*row)


def is_beyond(connection: psycopg.Connection, device: str, until: datetime) -> bool:
    """Return whether something of a device is stored that begins at a time or later."""
    return connection.execute(_BEYOND, {"device": device, "until": until}).fetchone() == (True,)


def is_behind(connection: psycopg.Connection, device: str, until: datetime) -> bool:
    """Return whether a device is heard of, and what it measured up to a time is not stored yet."""
    if not may_read(connection, "device_health"):
        return False
    return connection.execute(_BEHIND, {"device": device, "until": until}).fetchone() == (True,)


def _origin_ms(block: _Block, rate_0: float) -> float:
    """Return the device's time of the session's sample 0, counted back from the block's first packet."""
    if not block.packet_ns:
        return block.time.timestamp() * 1000 - block.first_sample / block.rate * 1000
    return block.packet_ns[0] / 1e6 - block.packet_first[0] / rate_0 * 1000


def _within(block: _Block, sample: int) -> int:
    return min(max(sample, block.first_sample), block.first_sample + block.n)


def _waves(block: _Block, rate_0: float, low: int, high: int) -> Iterator[Wave]:
    """Yield a block's samples from ``low`` to before ``high``; along each the electrode is on, or off."""
    samples = decode_block(block.codec, block.data, block.n)
    begins = [position(first, block.rate, rate_0) for first in block.packet_first]
    turns = [
        (begin, off)
        for n, (begin, off) in enumerate(zip(begins, block.packet_lead_off, strict=True))
        if n == 0 or off != block.packet_lead_off[n - 1]
    ] or [(low, False)]
    turns[0] = (low, turns[0][1])  # the block's first samples may be of a packet that began before
    edges = [*(begin for begin, _ in turns[1:]), high]
    for (begin, off), edge in zip(turns, edges, strict=True):
        first, last = max(begin, low), min(edge, high)
        known = np.flatnonzero(samples[first - block.first_sample : last - block.first_sample] != MISSING)
        if first < last and known.size:
            first, last = first + int(known[0]), first + int(known[-1]) + 1
            yield _wave(block, first, off, samples[first - block.first_sample : last - block.first_sample])


def _wave(block: _Block, first: int, is_off: bool, samples: np.ndarray) -> Wave:
    filters = (math.nan if one is None else one for one in (block.high_pass, block.low_pass, block.notch))
    return Wave(
        first,
        block.code,
        block.kind,
        block.unit,
        is_off,
        block.rate,
        block.gain,
        block.offset,
        samples,
        block.channel,
        *filters,
    )
