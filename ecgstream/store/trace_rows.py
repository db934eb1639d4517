"""Trace blocks as rows: into the bytes of COPY BINARY, and back from what a query gives. No I/O.

psycopg dumps an array element by element, which took longer than all the rest of storing a block. Here NumPy
lays out the arrays of many blocks at once.
"""

import struct
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from ecgstream.store.tables import BLOCK_KEY, TRACE, Row
from ecgstream.store.trace_codec import CODEC, decode_block
from ecgstream.store.traces import Block, Wave

Placed = tuple[Block, int]
"""A block, and its nominal time in ns."""

_BEGIN = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_END = b"\xff\xff"
UNKNOWN = -1
"""In place of an offset: of a packet that was stored before these were."""
_EPOCH_US = 946_684_800_000_000  # PostgreSQL counts from 2000
_TOGETHER = 128  # about what a socket holds: the server works while the next are laid out

_INT8, _BOOL = 20, 16  # PostgreSQL's numbers of types
_NULL = struct.pack(">i", -1)
_REAL = struct.Struct(">if")
_COUNT, _SIZE = struct.Struct(">h"), struct.Struct(">i")
_PLACE = struct.Struct(">iqihiqiq")  # session, channel, first_sample, time; each behind its size
_WAVE = struct.Struct(">iqihihididid")  # code, kind, unit, rate, gain, offset
_EMPTY = struct.pack(">4i", 12, 0, 0, _INT8)
_CODEC_NAME = _SIZE.pack(len(CODEC)) + CODEC.encode()


def packed_keys(placed: Sequence[Placed]) -> bytes:
    """Return blocks as all that is copied into ``tables.BLOCK_KEY``."""
    count = _COUNT.pack(len(BLOCK_KEY.columns))
    return b"".join((_BEGIN, *(count + _key(*one) for one in placed), _END))


def packed(placed: Sequence[Placed]) -> Iterator[bytes]:
    """Yield blocks, piece by piece, as all that is copied into ``tables.TRACE``."""
    yield _BEGIN
    for i in range(0, len(placed), _TOGETHER):
        yield _rows(placed[i : i + _TOGETHER])
    yield _END


def _rows(placed: Sequence[Placed]) -> bytes:
    count = _COUNT.pack(len(TRACE.columns))
    waves: dict[int, bytes] = {}  # blocks of a session share the object
    parts: list[bytes] = []
    for (block, time_ns), arrays in zip(placed, _packets([b for b, _ in placed]), strict=True):
        wave = waves.get(id(block.wave))
        if wave is None:
            wave = waves[id(block.wave)] = _wave(block.wave)
        data = block.data
        size = struct.pack(">ii", 4, block.samples.size)
        parts += (count, _key(block, time_ns), wave, size, _CODEC_NAME, _SIZE.pack(len(data)), data)
        parts += arrays
        parts.append(_array(sorted(block.paces)) if block.paces else _EMPTY)
    return b"".join(parts)


def _key(block: Block, time_ns: int) -> bytes:
    device = block.device.encode()
    place = (8, block.session, 2, block.channel, 8, block.first_sample, 8, time_ns // 1000 - _EPOCH_US)
    return b"".join((_SIZE.pack(len(device)), device, _PLACE.pack(*place)))


def _wave(w: Wave) -> bytes:
    known = _WAVE.pack(8, w.code, 2, w.kind, 2, w.unit, 8, w.rate, 8, w.gain, 8, w.offset)
    return known + b"".join(
        _NULL if f is None else _REAL.pack(4, f) for f in (w.high_pass, w.low_pass, w.notch)
    )


def _packets(blocks: Sequence[Block]) -> Iterator[tuple[bytes, ...]]:
    """Yield for each block the arrays of its packets: seq, first_sample, start_ns, lead_off, arrived."""
    keys: list[tuple[int, int]] = []
    values: list[tuple[int, bool]] = []
    arrived: list[bytes] = []
    for block in blocks:
        ordered = sorted(block.packets)
        keys += ordered
        values += map(block.packets.__getitem__, ordered)
        arrived.append(
            _array([block.arrived.get(key, UNKNOWN) for key in ordered]) if block.arrived else _EMPTY
        )
    seq, first = _columns(keys)
    start_ns, lead_off = _columns(values)
    longs = [_elements(column, ">i8") for column in (seq, first, start_ns)]
    bools = _elements(lead_off, "i1")
    at = 0
    for block, its_places in zip(blocks, arrived, strict=True):
        n = len(block.packets)
        head, head_bool = _heads(n)
        begin, end = 12 * at, 12 * (at + n)
        yield (
            *(part for column in longs for part in (head, column[begin:end])),
            *(head_bool, bools[5 * at : 5 * (at + n)], its_places),
        )
        at += n


def _columns(pairs: Sequence[tuple[int, int]]) -> NDArray[np.int64]:
    return np.fromiter(chain.from_iterable(pairs), np.int64, 2 * len(pairs)).reshape(-1, 2).T


def _elements(values: NDArray[np.int64], kind: str) -> bytes:
    """Return values as elements of an array: each behind its size."""
    laid = np.empty(values.size, [("size", ">i4"), ("value", kind)])
    laid["size"], laid["value"] = np.dtype(kind).itemsize, values
    return laid.tobytes()


@cache
def _heads(n: int) -> tuple[bytes, bytes]:
    """Return what stands before ``n`` elements of 8 bytes, and of one."""
    if n == 0:
        return _EMPTY, struct.pack(">4i", 12, 0, 0, _BOOL)
    return struct.pack(">6i", 20 + 12 * n, 1, 0, _INT8, n, 1), struct.pack(
        ">6i", 20 + 5 * n, 1, 0, _BOOL, n, 1
    )


def _array(values: Sequence[int]) -> bytes:
    return _heads(len(values))[0] + _elements(np.array(values, np.int64), ">i8")


def block_of(row: Row) -> Block:
    """Return the block that a row of ``tables.BLOCK_KEY`` holds.

    Raises:
        TraceError: its samples cannot be decoded.
    """
    device, session, channel, first_sample = row[:4]
    wave = Wave(*row[4:13])
    n, codec, data = row[13:16]
    seq, first, start_ns, lead_off, offsets, paces = row[16:]
    keys = list(zip(seq, first, strict=True))
    entries = dict(zip(keys, zip(start_ns, lead_off, strict=True), strict=True))
    # Of rows that were written before places were stored, there are none.
    arrived = {key: at for key, at in zip(keys, offsets, strict=False) if at != UNKNOWN}
    samples = decode_block(codec, data, n)
    return Block(device, session, channel, first_sample, wave, 0, samples, entries, set(paces), arrived)
