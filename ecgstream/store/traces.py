"""Trace blocks: about 10 s of one channel, put together from packets. No I/O, no clock.

A block is one row of ``ecg.trace``. It begins at a multiple of ``round(10 * rate)`` of the channel's own
samples, so that any order, cut or repetition of packets ends in the same blocks: what is known of a block
(``Block``) is merged with what is stored of it, sample by sample.
"""

import math
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgstream.store.trace_codec import encode_block
from schemas.bundle import Bundle, ChannelColumns
from schemas.records import MISSING

BLOCK_S = 10
MAX_SESSION_S = 1e9
"""A first sample later than 31 years in its session is no index."""
MAX_OPEN_BYTES = 512 * 1_048_576


def block_samples(rate: float) -> int:
    """Return how many samples a block of a channel with this rate has.

    >>> block_samples(250.0), block_samples(62.5), block_samples(0.01)
    (2500, 625, 1)
    """
    return max(1, round(BLOCK_S * rate))


def nominal_ns(origin_ns: int, first_sample: int, rate: float) -> int:
    """Return when a block begins whose session has its sample 0 at ``origin_ns``: part of the row's key.

    >>> nominal_ns(1_700_000_000_000_000_000, 2500, 250.0)
    1700000010000000000
    """
    return origin_ns + round(first_sample / rate * 1e9)


def position(first_sample: int, rate: float, rate_0: float) -> int:
    """Return where in a channel a packet begins that begins at ``first_sample`` of channel 0."""
    return first_sample if rate == rate_0 else round(first_sample * rate / rate_0)


@dataclass(frozen=True, slots=True)
class Wave:
    """What a channel of a session is; see ``schemas.records.Channel``. Filters in Hz, ``None`` unknown."""

    code: int
    kind: int
    unit: int
    rate: float
    gain: float
    offset: float
    high_pass: float | None
    low_pass: float | None
    notch: float | None


Source = tuple[str, int]
"""A topic and a partition of it: within, offsets are in order."""


@dataclass(slots=True)
class Block:
    """What is known of one block.

    Attributes:
        origin_ns: device time of the session's sample 0 after the packet that opened the block.
        samples: int16, shape (n,), from ``first_sample`` on; missing where no packet was.
        packets: packets that begin in the block: (seq, first_sample) to (start_ns, lead_off).
        arrived: of these packets, the offset of the record that each came with first: its place in the log,
            against what else came of the device; in channel 0 only.
        paces: pacing pulses in these packets, at the rate of channel 0; in channel 0 only.
        source: topic and partition of the record that opened the block.
        offset: of that record.
    """

    device: str
    session: int
    channel: int
    first_sample: int
    wave: Wave
    origin_ns: int
    samples: NDArray[np.int16]
    packets: dict[tuple[int, int], tuple[int, bool]] = field(default_factory=dict)
    paces: set[int] = field(default_factory=set)
    arrived: dict[tuple[int, int], int] = field(default_factory=dict)
    source: Source = ("", 0)
    offset: int = 0
    _data: bytes = field(default=b"", repr=False, compare=False)

    @property
    def data(self) -> bytes:
        """The samples as bytes of the codec: encoded once, however often the database has to be tried."""
        if not self._data:
            self._data = encode_block(self.samples)
        return self._data

    @property
    def key(self) -> tuple[str, int, int, int]:
        """The block's identity."""
        return self.device, self.session, self.channel, self.first_sample


def merge(stored: Block, new: Block) -> Block:
    """Return ``stored`` with what ``new`` knows besides; where both know a sample, ``new`` holds.

    A session has one gain and rate by contract; where they differ all the same, samples cannot be mixed, and
    the newer block stands alone.
    """
    if stored.wave.rate != new.wave.rate or (stored.wave.gain, stored.wave.offset) != (
        new.wave.gain,
        new.wave.offset,
    ):
        return new
    samples = np.full(max(stored.samples.size, new.samples.size), MISSING, np.int16)
    samples[: stored.samples.size] = stored.samples
    np.copyto(samples[: new.samples.size], new.samples, where=new.samples != MISSING)
    return Block(
        *new.key,
        stored.wave,
        stored.origin_ns,
        samples,
        stored.packets | new.packets,
        stored.paces | new.paces,
        _first_of(stored.arrived, new.arrived),
        new.source,
        min(stored.offset, new.offset),
    )


def _first_of(
    one: dict[tuple[int, int], int], other: dict[tuple[int, int], int]
) -> dict[tuple[int, int], int]:
    """Return where packets came first: that they come again changes nothing of what was found in them."""
    return {key: min(at, one.get(key, at)) for key, at in (one | other).items()}


class _Open:
    """A block that is being filled: a buffer of its whole length, and how far packets have reached."""

    __slots__ = ("block", "reached")

    def __init__(self, block: Block) -> None:
        self.block = block
        self.reached = 0

    def put(self, at: int, samples: NDArray[np.int16]) -> None:
        """Write samples from ``at`` on; what is missing in them takes nothing away."""
        end = at + samples.size
        if at >= self.reached:
            self.block.samples[at:end] = samples
        else:
            np.copyto(self.block.samples[at:end], samples, where=samples != MISSING)
        self.reached = max(self.reached, end)


class _Session:
    """The open blocks of a session, at most one a channel, and when a packet came last."""

    __slots__ = ("blocks", "touched_s", "waves")

    def __init__(self) -> None:
        self.touched_s = 0.0
        self.blocks: dict[int, _Open] = {}
        self.waves: dict[int, tuple[tuple[float, ...], Wave]] = {}

    def wave(self, channel: int, columns: tuple[Any, ...]) -> Wave:
        """Return what the channel is, the same object while nothing changes."""
        found = self.waves.get(channel)
        if found is None or found[0] != columns[:_CALIBRATION]:
            filters = (None if math.isnan(f) else f for f in columns[_CALIBRATION : _CALIBRATION + 3])
            found = columns[:_CALIBRATION], Wave(*columns[:_CALIBRATION], *filters)
            self.waves[channel] = found
        return found[1]


_CALIBRATION = ChannelColumns._fields.index("high_pass")
_RATE = ChannelColumns._fields.index("rate")


class TraceBuilder:
    """Packets in, blocks out.

    A block is complete when packets have reached its end, or when its channel goes on in another one: packets
    come in order but for what a gateway sends again, and that is merged in the store. ``rejected`` counts
    packets whose sample index cannot be one.
    """

    def __init__(self, max_open_bytes: int = MAX_OPEN_BYTES) -> None:
        self._max_open_bytes = max_open_bytes
        self._open_bytes = 0
        self._open: OrderedDict[tuple[Source, str, int], _Session] = OrderedDict()  # longest untouched first
        self._done: list[Block] = []
        self.rejected = 0

    def add(self, bundle: Bundle, source: Source, offset: int, now_s: float = 0.0) -> None:
        """Take the packets of a record; ``now_s`` is the caller's clock, for ``close_idle``."""
        packets = zip(*(column.tolist() for column in bundle.packet), strict=True)
        channels = list(zip(*(column.tolist() for column in bundle.channel), strict=True))
        marks = bundle.pace_mark.tolist()
        channel_at = sample_at = mark_at = 0
        for device, session, seq, first, start_ns, _received_ns, n_channels, n_marks in packets:
            waves = channels[channel_at : channel_at + n_channels]
            rate_0 = waves[0][_RATE]
            believable = first <= MAX_SESSION_S * rate_0
            if believable:
                key = (source, bundle.devices[device], session)
                found = self._touch(key, now_s)
                origin_ns = start_ns - round(first / rate_0 * 1e9)
                paces = [first + m for m in marks[mark_at : mark_at + n_marks]]
            self.rejected += not believable
            for channel, columns in enumerate(waves):
                *_, lead_off, n = columns
                if believable:
                    wave = found.wave(channel, columns)
                    at = position(first, wave.rate, rate_0)
                    opened = self._block(key, found, channel, wave, at, origin_ns, offset)
                    opened.block.packets[seq, first] = (start_ns, bool(lead_off))
                    if channel == 0:
                        arrived = opened.block.arrived
                        arrived[seq, first] = min(offset, arrived.get((seq, first), offset))
                        opened.block.paces.update(paces)
                    samples = bundle.sample[sample_at : sample_at + n]
                    while samples.size:
                        opened = self._block(key, found, channel, wave, at, origin_ns, offset)
                        inside = at - opened.block.first_sample
                        fits = min(samples.size, opened.block.samples.size - inside)
                        opened.put(inside, samples[:fits])
                        if opened.reached == opened.block.samples.size:
                            self._close(found, channel)
                        at += fits
                        samples = samples[fits:]
                sample_at += n
            channel_at += n_channels
            mark_at += n_marks
        while self._open_bytes > self._max_open_bytes:
            self._close_all(next(iter(self._open)))

    def take(self) -> list[Block]:
        """Return the blocks that are complete, once."""
        done, self._done = self._done, []
        return done

    def close_idle(self, before_s: float) -> None:
        """Complete the blocks of devices that sent nothing since ``before_s`` of the caller's clock."""
        while self._open:
            key, oldest = next(iter(self._open.items()))
            if oldest.touched_s >= before_s:
                return
            self._close_all(key)

    def drain(self) -> list[Block]:
        """Complete every block and return them all."""
        for key in list(self._open):
            self._close_all(key)
        return self.take()

    def discard(self, source: Source) -> None:
        """Forget what came from there: another reads it now, from the offset that was committed."""
        for key in [k for k in self._open if k[0] == source]:
            self._close_all(key)
        self._done = [block for block in self._done if block.source != source]

    def low(self) -> dict[Source, int]:
        """Return the lowest offset that an open block holds, by source; below it may be committed."""
        found: dict[Source, int] = {}
        for (source, _device, _session), session in self._open.items():
            for opened in session.blocks.values():
                found[source] = min(found.get(source, opened.block.offset), opened.block.offset)
        return found

    def _touch(self, key: tuple[Source, str, int], now_s: float) -> _Session:
        found = self._open.get(key)
        if found is None:
            found = self._open[key] = _Session()
        else:
            self._open.move_to_end(key)
        found.touched_s = now_s
        return found

    def _block(
        self,
        key: tuple[Source, str, int],
        session: _Session,
        channel: int,
        wave: Wave,
        at: int,
        origin_ns: int,
        offset: int,
    ) -> _Open:
        """Return the open block that holds sample ``at``; whichever was open before it is complete."""
        length = block_samples(wave.rate)
        first_sample = at - at % length
        opened = session.blocks.get(channel)
        if opened is not None:
            if opened.block.first_sample == first_sample and opened.block.wave is wave:
                return opened
            self._close(session, channel)
        source, device, number = key
        samples = np.full(length, MISSING, np.int16)
        block = Block(device, number, channel, first_sample, wave, origin_ns, samples)
        block.source, block.offset = source, offset
        self._open_bytes += samples.nbytes
        opened = session.blocks[channel] = _Open(block)
        return opened

    def _close(self, session: _Session, channel: int) -> None:
        opened = session.blocks.pop(channel)
        self._open_bytes -= opened.block.samples.nbytes
        opened.block.samples = opened.block.samples[: opened.reached]
        self._done.append(opened.block)

    def _close_all(self, key: tuple[Source, str, int]) -> None:
        session = self._open.pop(key)
        for channel in list(session.blocks):
            self._close(session, channel)
