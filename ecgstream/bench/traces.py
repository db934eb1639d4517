"""Trace blocks of real recordings in the store's codec, beside what else such signals are kept in.

Every block is decoded again and compared, bit for bit. Of each record the best of the turns counts, by the
time that the processor gave to it: a codec needs nothing else, and what else the machine does shall not
count. A table's time is the clock's.
"""

import io
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import zstandard
from numpy.typing import NDArray
from pcodec import ChunkConfig, standalone
from rich.console import Console
from rich.progress import track

from devices.errors import RecordingError
from devices.recordings import read
from devices.source import Source
from ecgstream.bench import samples_table
from ecgstream.bench.measure import CannotMeasureError
from ecgstream.store.trace_codec import CODEC, decode_block, encode_block
from ecgstream.store.traces import block_samples

TURNS = 3
ROWS = 1_000_000
"""Samples that go into the table of a row a sample, evenly from all records."""

Samples = NDArray[np.int16]
Cost = dict[str, float]
"""``bytes_per_sample``, ``encode_ns`` and ``decode_ns``, both a sample."""


class Codec(NamedTuple):
    """A way to keep a block; how many samples it has stands in its row, whatever the codec."""

    encode: Callable[[Samples], bytes]
    decode: Callable[[bytes, int], Samples]


def codecs() -> dict[str, Codec]:
    """Return what is compared: the store's codec, the one before, WFDB's two compact formats, and zstd."""
    old = ChunkConfig(compression_level=8)
    compress, decompress = zstandard.ZstdCompressor().compress, zstandard.ZstdDecompressor().decompress
    return {
        CODEC: Codec(encode_block, lambda data, n: decode_block(CODEC, data, n)),
        "pcodec": Codec(
            lambda samples: bytes(standalone.simple_compress(samples, old)),
            lambda data, n: decode_block("pcodec", data, n),
        ),
        "wfdb-516": Codec(_to_flac, lambda data, _: _from_flac(data)),
        "wfdb-212": Codec(_to_212, _from_212),
        "zstd": Codec(
            lambda samples: compress(samples.tobytes()),
            lambda data, _: np.frombuffer(decompress(data), np.int16),
        ),
    }


def run(folder: Path, server: str) -> dict[str, Cost]:
    """Return codec to its cost, over all channels of all WFDB records in ``folder`` and below.

    Args:
        folder: where the headers (.hea) are.
        server: URL of a database server for a row a sample; empty for the embedded PostgreSQL.

    Raises:
        CannotMeasureError: there is no record that can be read.
    """
    console = Console(stderr=True)
    paths = sorted(folder.rglob("*.hea"))
    compared = codecs()
    sums = {name: _Sum() for name in compared}
    kept: list[Samples] = []
    records = 0
    shown = track(paths, "Measuring", console=console, transient=True, disable=not console.is_terminal)
    for source in _readable(shown, console):
        blocks = list(_blocks(source))
        _measure(compared, blocks, sums)
        kept += _first(blocks, ROWS // len(paths))
        records += 1
    if not records:
        raise CannotMeasureError(f"{folder}: no WFDB record that can be read")
    found = {name: total.cost() for name, total in sums.items()}
    console.print(f"{records} records, {sums[CODEC].samples:,} samples in blocks of 10 s")
    try:
        name, cost = samples_table.run(server, kept)
    except CannotMeasureError as error:
        console.print(f"A row a sample was not measured: {error}")
    else:
        found[name] = cost
    return found


class _Sum:
    """What a codec has taken so far."""

    def __init__(self) -> None:
        self.samples = self.size = 0
        self.encode_s = self.decode_s = 0.0

    def cost(self) -> Cost:
        return {
            "bytes_per_sample": round(self.size / self.samples, 4),
            "encode_ns": round(self.encode_s / self.samples * 1e9, 2),
            "decode_ns": round(self.decode_s / self.samples * 1e9, 2),
        }


def _readable(paths: Iterable[Path], console: Console) -> Iterator[Source]:
    for path in paths:
        try:
            source = read(path)
        except RecordingError as error:
            console.print(f"Left out: {error}", soft_wrap=True)
            continue
        if source.left_out:
            console.print(f"Left out of {path}: {'; '.join(source.left_out)}", soft_wrap=True)
        yield source


def _blocks(source: Source) -> Iterator[Samples]:
    for session in source.sessions:
        for wave in session.waves:
            n = block_samples(wave.rate)
            for first in range(0, wave.samples.size, n):
                yield np.ascontiguousarray(wave.samples[first : first + n])


def _first(blocks: Sequence[Samples], wanted: int) -> Iterator[Samples]:
    for block in blocks:
        if wanted < block.size:
            return
        wanted -= block.size
        yield block


def _measure(compared: dict[str, Codec], blocks: Sequence[Samples], sums: dict[str, _Sum]) -> None:
    best = {name: (float("inf"), float("inf")) for name in compared}
    for turn in range(TURNS):
        for name, codec in compared.items():
            began = time.thread_time()
            encoded = [codec.encode(block) for block in blocks]
            half = time.thread_time()
            decoded = [codec.decode(data, block.size) for data, block in zip(encoded, blocks, strict=True)]
            ended = time.thread_time()
            best[name] = min(best[name][0], half - began), min(best[name][1], ended - half)
            if turn == 0:
                if not all(map(np.array_equal, decoded, blocks)):
                    raise RuntimeError(f"{name} does not give the samples back that it was given")
                sums[name].size += sum(map(len, encoded))
                sums[name].samples += sum(block.size for block in blocks)
    for name, (encode_s, decode_s) in best.items():
        sums[name].encode_s += encode_s
        sums[name].decode_s += decode_s


def _to_flac(samples: Samples) -> bytes:
    import soundfile

    file = io.BytesIO()
    # As wfdb writes it: no sampling rate that hospitals use is one of FLAC's own.
    soundfile.write(file, samples, 96_000, format="FLAC", subtype="PCM_16")
    return file.getvalue()


def _from_flac(data: bytes) -> Samples:
    import soundfile

    samples: Samples = soundfile.read(io.BytesIO(data), dtype="int16")[0]
    return samples


def _to_212(samples: Samples) -> bytes:
    """Return samples in WFDB's format 212 or, where they have more than 12 bits, in its format 16."""
    if samples.min() < -2048 or samples.max() > 2047:
        return samples.astype("<i2").tobytes()
    pairs = np.zeros((samples.size + 1) // 2 * 2, np.uint16)
    pairs[: samples.size] = samples.view(np.uint16) & 0xFFF
    first, second = pairs[0::2], pairs[1::2]
    return (
        np.stack((first & 0xFF, first >> 8 | second >> 4 & 0xF0, second & 0xFF), 1).astype(np.uint8).tobytes()
    )


def _from_212(data: bytes, n: int) -> Samples:
    if len(data) == 2 * n:
        return np.frombuffer(data, "<i2")
    low, high, second = np.frombuffer(data, np.uint8).reshape(-1, 3).T.astype(np.uint16)
    pairs = np.stack((low | (high & 0x0F) << 8, second | (high & 0xF0) << 4), 1).reshape(-1)[:n]
    return (pairs << 4).view(np.int16) >> 4
