"""The codec of trace blocks: int16 samples to bytes and back, bit for bit. No I/O.

What is written is ``pcodec-wrapped``: pcodec's wrapped form, that is its header, the metadata of one chunk
and the chunk's only page. It says in itself how samples were predicted, so that any reader of pcodec's format
reads it, given the number of samples, which stands in the row. The standalone form, ``pcodec``, spends some
20 bytes a block on what the row says; blocks that were written so are still read.

A prediction is chosen a block:

* first or second differences, whichever are smaller in sum, as FLAC chooses among its fixed predictors;
* a linear prediction from ten samples instead, where that saves an eighth. Signals that a device has smoothed
  become a fifth smaller, but take three times as long to decode.

A lead is never predicted from another one: reading one would be reading both.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from pcodec import ChunkConfig, DeltaSpec, ModeSpec, standalone, wrapped

CODEC = "pcodec-wrapped"
"""What ``encode_block`` writes."""

_LEVEL = 8
_WORTH_DECODING_LONGER = 7 / 8
_ORDER = 10
_BATCH = 512


class TraceError(ValueError):
    """A stored block that cannot be decoded."""


def _config(delta: DeltaSpec) -> ChunkConfig:
    # Integers that are multiples of something are rare, and looking for it costs as much as all the rest.
    return ChunkConfig(compression_level=_LEVEL, delta_spec=delta, mode_spec=ModeSpec.classic())


_DIFFERENCES = tuple(_config(DeltaSpec.try_consecutive(order)) for order in (1, 2))
_LINEAR = _config(DeltaSpec.try_conv1(_ORDER))
_COMPRESSOR = wrapped.FileCompressor()
_HEADER: bytes = _COMPRESSOR.write_header()


def encode_block(samples: NDArray[np.int16]) -> bytes:
    """Return ``samples``, shape (n,) with n > 0, as bytes of the codec ``CODEC``."""
    samples = np.ascontiguousarray(samples)
    first = np.diff(samples)
    second = np.diff(first)
    plain = _wrapped(samples, _DIFFERENCES[int(np.abs(second).sum() < np.abs(first).sum())])
    linear = _linear(samples, _WORTH_DECODING_LONGER * len(plain))
    return plain if linear is None else linear


def _linear(samples: NDArray[np.int16], below: float) -> bytes | None:
    """Return a block by linear prediction, ``None`` where it is no smaller or not to be relied on.

    In pcodec this prediction is young. Version 1.1 panics where the last of the batches that it works in is
    shorter than what it predicts from. What else may be wrong with it is not known, so a block is read back
    before it is kept.
    """
    if 0 < samples.size % _BATCH < _ORDER:
        return None
    data = _wrapped(samples, _LINEAR)
    if len(data) < below and np.array_equal(decode_block(CODEC, data, samples.size), samples):
        return data
    return None


def _wrapped(samples: NDArray[np.int16], config: ChunkConfig) -> bytes:
    chunk = _COMPRESSOR.chunk_compressor(samples, config)
    return b"".join((_HEADER, chunk.write_meta(), chunk.write_page(0)))


def decode_block(codec: str, data: bytes, n: int) -> NDArray[np.int16]:
    """Return the ``n`` samples of a stored block, shape (n,), bit for bit as they were measured.

    Raises:
        TraceError: an unknown codec, or bytes that are none of its.

    >>> decode_block(CODEC, encode_block(np.array([1, -32768, 3], np.int16)), 3).tolist()
    [1, -32768, 3]
    """
    decoder = _DECODERS.get(codec)
    if decoder is None:
        raise TraceError(f"a trace block of codec {codec!r}, known here are {', '.join(_DECODERS)}")
    try:
        samples = decoder(data, n)
    except (RuntimeError, TypeError) as error:
        raise TraceError(f"a trace block that is no {codec}: {error}") from error
    if samples is None:
        raise TraceError(f"a trace block that does not hold {n} int16 samples")
    return samples


def _from_wrapped(data: bytes, n: int) -> NDArray[np.int16] | None:
    file, at = wrapped.FileDecompressor.new(data)
    chunk, size = file.chunk_decompressor(data[at:], "i16")
    page = data[at + size :]
    samples = np.empty(n, np.int16)
    progress, read = chunk.read_page_into(page, n, samples)
    return samples if progress.finished and progress.n_processed == n and read == len(page) else None


def _from_standalone(data: bytes, n: int) -> NDArray[np.int16] | None:
    samples = standalone.simple_decompress(data)
    if samples is None or samples.dtype != np.int16 or samples.size != n:
        return None
    return np.asarray(samples)


_DECODERS: dict[str, Callable[[bytes, int], NDArray[np.int16] | None]] = {
    CODEC: _from_wrapped,
    "pcodec": _from_standalone,
}
