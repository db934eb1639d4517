"""Packets, as the log held them, from the blocks that are stored of a session. No I/O.

How long a packet was is not stored: it ends where the next one begins, or where samples end. Where samples
are missing before the next one, it is taken to be as long as the one before it; to the detectors it is the
same whether samples are missing within a packet or between two.
"""

import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ecgstream.store.traces import Block, block_samples, position
from schemas.checks import MAX_PACKET_S
from schemas.records import MISSING, Channel, Packet

_HELD_BACK = 2
"""Blocks of channel 0 whose packets wait for what follows: a packet may reach into the next one."""
_MUCH_LONGER = 1.5


class Came(NamedTuple):
    """A packet, and the offset of the record that it came with first."""

    offset: int
    packet: Packet


def packets(slices: Iterable[list[Block]]) -> Iterator[list[Came]]:
    """Yield the packets of a session by their first sample, slice by slice.

    Args:
        slices: blocks of all its channels, each slice behind the one before it.
    """
    window = _Window()
    for found in slices:
        window.add(found)
        yield window.take(_HELD_BACK)
    yield window.take(0)


class _Window:
    """The blocks whose packets are not all made yet, and how long the newest packet was, samples."""

    def __init__(self) -> None:
        self._blocks: dict[tuple[int, int], Block] = {}
        self._rates: dict[int, float] = {}
        self._usual = 0

    def add(self, blocks: Iterable[Block]) -> None:
        """Take further blocks."""
        for block in blocks:
            self._blocks[block.channel, block.first_sample] = block
            self._rates[block.channel] = block.wave.rate

    def take(self, held_back: int) -> list[Came]:
        """Return the packets that begin in all but the last so many blocks of channel 0; forget these."""
        starts = sorted(first for channel, first in self._blocks if channel == 0)
        done = starts[: len(starts) - held_back]
        following = starts[len(done) :]
        keys = [(first, seq, start) for start in done for seq, first in self._blocks[0, start].packets]
        keys.sort()
        then = [first for first, _, _ in keys[1:]]
        then += sorted(first for s in following for _, first in self._blocks[0, s].packets)[:1]
        come = []
        for at, (first, seq, start) in enumerate(keys):
            block = self._blocks[0, start]
            n = self._length(block, first, then[at] if at < len(then) else None)
            if n > 0:  # else another packet begins at the same sample
                self._usual = n
                if (seq, first) in block.arrived:  # else stored before places were
                    come.append(Came(block.arrived[seq, first], self._packet(block, (seq, first), n)))
        if following:
            self._forget(following[0])
        return come

    def _forget(self, before: int) -> None:
        """Forget the blocks that end before a sample of channel 0."""
        begin_s = before / self._rates[0]
        self._blocks = {
            key: block
            for key, block in self._blocks.items()
            if (key[1] + block_samples(block.wave.rate)) / block.wave.rate > begin_s
        }

    def _length(self, block: Block, first: int, following: int | None) -> int:
        """Return how many samples of channel 0 a packet has."""
        rate = block.wave.rate
        whole = block_samples(rate)
        end = block.first_sample + block.samples.size
        behind = self._blocks.get((0, block.first_sample + whole))
        if block.samples.size == whole and behind is not None:
            end = behind.first_sample + behind.samples.size
        if following is not None:
            end = min(end, following)
        n, most = end - first, math.floor(MAX_PACKET_S * rate)
        if n <= min(_MUCH_LONGER * self._usual, most):
            return n
        n = min(n, most)
        measured = [
            math.ceil((int(np.flatnonzero(samples != MISSING).max(initial=-1)) + 1) * rate / of_rate)
            for of_rate, samples in self._samples(first, n, rate)
        ]
        return min(n, max(*measured, self._usual, 1))

    def _samples(self, first: int, n: int, rate_0: float) -> Iterator[tuple[float, NDArray[np.int16]]]:
        """Yield rate and samples of each channel from a sample of channel 0 on."""
        for channel, rate in sorted(self._rates.items()):
            at, end = (position(sample, rate, rate_0) for sample in (first, first + n))
            yield rate, self._cut(channel, rate, at, end)

    def _cut(self, channel: int, rate: float, at: int, end: int) -> NDArray[np.int16]:
        """Return samples of a channel, missing where nothing is stored."""
        length = block_samples(rate)
        start = at - at % length
        block = self._blocks.get((channel, start))
        if block is not None and end <= start + block.samples.size:
            return block.samples[at - start : end - start]
        found = np.full(end - at, MISSING, np.int16)
        while start < end:
            block = self._blocks.get((channel, start))
            if block is not None:
                low, high = max(at, start), min(end, start + block.samples.size)
                if low < high:
                    found[low - at : high - at] = block.samples[low - start : high - start]
            start += length
        return found

    def _packet(self, block: Block, key: tuple[int, int], n: int) -> Packet:
        """Return a packet that begins in a block of channel 0, with the channels that it had."""
        seq, first = key
        rate_0 = block.wave.rate
        start_ns, _ = block.packets[key]
        channels = []
        for channel, rate in sorted(self._rates.items()):
            at, end = (position(sample, rate, rate_0) for sample in (first, first + n))
            own = self._blocks.get((channel, at - at % block_samples(rate)))
            if own is not None and key in own.packets and end > at:
                channels.append(_channel(own, key, self._cut(channel, rate, at, end)))
        end_ns = start_ns + round(n / rate_0 * 1e9)
        paces = [mark - first for mark in sorted(block.paces) if first <= mark < first + n]
        return Packet(block.device, block.session, seq, first, start_ns, end_ns, channels, paces)


def _channel(block: Block, key: tuple[int, int], samples: NDArray[np.int16]) -> Channel:
    wave = block.wave
    high, low, notch = (math.nan if f is None else f for f in (wave.high_pass, wave.low_pass, wave.notch))
    return Channel(
        *(wave.code, wave.kind, wave.unit, wave.rate, wave.gain, samples),
        *(wave.offset, high, low, notch, block.packets[key][1]),
    )
