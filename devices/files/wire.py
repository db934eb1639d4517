"""How a source that was read from a file comes from the child that read it: words as JSON, samples as bytes.

Nothing in it can run anything. What the child says is not trusted: a source comes out, or ``MessageError``.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

import numpy as np

from devices.errors import MessageError
from devices.files.content import MAX_SAMPLES
from devices.source import Session, Source, Wave
from schemas.checks import MAX_CHANNELS

MAX_HEAD_BYTES = 2**20
_WORDS = [f.name for f in fields(Wave) if f.name not in ("samples", "off")]
_SAMPLE_BYTES = 2


def head_of(source: Source) -> bytes:
    """Return all that ``read`` makes of a file but its samples, as JSON; NaN is null."""
    waves = [
        {name: _plain(getattr(wave, name)) for name in _WORDS}
        | {"off": wave.off, "samples": wave.samples.size}
        for wave in source.sessions[0].waves
    ]
    words = {
        "label": source.label,
        "left_out": source.left_out,
        "start_ns": source.start_ns,
        "waves": waves,
    }
    return json.dumps(words).encode()


def sizes(head: bytes) -> list[int]:
    """Return how many bytes of samples follow of each wave.

    Raises:
        MessageError: it is no such head, or they are too many.
    """
    try:
        found = [int(wave["samples"]) * _SAMPLE_BYTES for wave in _parsed(head)["waves"]]
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise MessageError("the reader's answer cannot be meant") from error
    if len(found) > MAX_CHANNELS or min(found, default=0) < 0 or sum(found) > MAX_SAMPLES * _SAMPLE_BYTES:
        raise MessageError("the reader's answer is too long")
    return found


def source_of(head: bytes, samples: Sequence[bytes], device: str, shard: int) -> Source:
    """Return the source again.

    Args:
        head: see ``head_of``.
        samples: of each wave, little-endian int16, as many as ``sizes`` says.
        device: its device id.
        shard: the shard it is enrolled in.

    Raises:
        MessageError: no source comes of it.
    """
    try:
        words = _parsed(head)
        waves = [_wave(said, data) for said, data in zip(words["waves"], samples, strict=True)]
        start = words["start_ns"]
        return Source(
            device,
            shard,
            str(words["label"]),
            simulated=False,
            sessions=(Session(tuple(waves)),),
            left_out=tuple(str(reason) for reason in words["left_out"]),
            start_ns=None if start is None else int(start),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise MessageError("the reader's answer cannot be meant") from error


def _parsed(head: bytes) -> dict[str, Any]:
    try:
        words = json.loads(head)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if not isinstance(words, dict):
        raise TypeError("no object")
    return words


def _wave(said: dict[str, Any], data: bytes) -> Wave:
    if len(data) != said["samples"] * _SAMPLE_BYTES:
        raise ValueError("other samples than it says")
    low, high, notch = (_number(said[name]) for name in ("high_pass", "low_pass", "notch"))
    return Wave(
        str(said["name"]),
        int(said["code"]),
        int(said["kind"]),
        int(said["unit"]),
        float(said["rate"]),
        float(said["gain"]),
        np.frombuffer(data, "<i2").astype(np.int16, copy=False),
        float(said["offset"]),
        low,
        high,
        notch,
        tuple((float(begin), float(end)) for begin, end in said["off"]),
    )


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)
