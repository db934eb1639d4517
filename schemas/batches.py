"""What a worker writes: columnar batches of beats, rhythms, trends and device statuses.

A batch is one Kafka record; a row's identity lies in its own columns, so that a replay that cuts the
batches elsewhere writes the same rows again.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from schemas import columns
from schemas.checks import device_list
from schemas.errors import BadRecordError
from schemas.records import Lane
from schemas.registry import Schema, newest


class Beat(NamedTuple):
    """One beat annotation: see ``avro/Beats-1.avsc``; ``code`` is a WFDB letter."""

    device: str
    session: int
    sample: int
    time_ns: int
    code: str
    rr_s: float
    hr_bpm: float
    offset: int


class Rhythm(NamedTuple):
    """One rhythm change: see ``avro/Rhythms-1.avsc``."""

    device: str
    session: int
    sample: int
    time_ns: int
    rhythm: int
    offset: int


class Trend(NamedTuple):
    """One number of one minute: see ``avro/Trends-2.avsc``."""

    device: str
    session: int
    minute_ns: int
    code: int
    n: int
    mean: float
    low: float
    high: float
    offset: int


class DeviceStatus(NamedTuple):
    """Where a device stands: see ``avro/DeviceStatuses-1.avsc``; ``beat`` is a WFDB letter or empty."""

    device: str
    session: int
    sample: int
    time_ns: int
    published_ns: int
    hr_bpm: float
    beat: str
    rhythm: int
    quality: float
    leads_off: int
    leads: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Head of every batch; ``devices`` are what the ``device`` column indexes."""

    ROW: ClassVar[Any]
    LETTERS: ClassVar[str] = ""

    partition: int
    generation: int
    version: str
    devices: list[str]
    device: NDArray[np.integer]
    session: NDArray[np.int64]

    def encode(self) -> bytes:
        """Return the batch in single-object encoding."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return columns.encode(type(self).__name__, values | {"devices": "\n".join(self.devices)})

    @classmethod
    def decode(cls, data: bytes | memoryview, writer: Schema | None = None) -> "Batch":
        """Return the batch that ``data`` holds, as views.

        Raises:
            BadRecordError: truncated, or lengths that disagree.
        """
        values = columns.decode(writer or newest(cls.__name__), data)
        values["devices"] = device_list(values["devices"])
        batch = cls(**values)
        if batch.device.size and int(batch.device.max()) >= len(batch.devices):
            raise BadRecordError(f"{cls.__name__}: a row of a device that is not listed")
        return batch

    def rows(self) -> Iterator[Any]:
        """Yield the rows, devices by name and letters as text."""
        lists = [getattr(self, name).tolist() for name in self.ROW._fields]
        lists[0] = [self.devices[i] for i in lists[0]]
        if self.LETTERS:
            at = self.ROW._fields.index(self.LETTERS)
            lists[at] = [chr(code) if code else "" for code in lists[at]]
        return map(self.ROW._make, zip(*lists, strict=True))


@dataclass(frozen=True, slots=True)
class Beats(Batch):
    """Beat annotations; rows are ``Beat``."""

    ROW = Beat
    LETTERS = "code"

    sample: NDArray[np.int64]
    time_ns: NDArray[np.int64]
    code: NDArray[np.uint8]
    rr_s: NDArray[np.float32]
    hr_bpm: NDArray[np.float32]
    offset: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Rhythms(Batch):
    """Rhythm changes; rows are ``Rhythm``."""

    ROW = Rhythm

    sample: NDArray[np.int64]
    time_ns: NDArray[np.int64]
    rhythm: NDArray[np.uint8]
    offset: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Trends(Batch):
    """Minute trends; rows are ``Trend``."""

    ROW = Trend

    minute_ns: NDArray[np.int64]
    code: NDArray[np.uint32]
    n: NDArray[np.uint32]
    mean: NDArray[np.float32]
    low: NDArray[np.float32]
    high: NDArray[np.float32]
    offset: NDArray[np.int64]
    lane: str = Lane.LIVE


@dataclass(frozen=True, slots=True)
class DeviceStatuses(Batch):
    """Device statuses; rows are ``DeviceStatus``."""

    ROW = DeviceStatus
    LETTERS = "beat"

    sample: NDArray[np.int64]
    time_ns: NDArray[np.int64]
    published_ns: NDArray[np.int64]
    hr_bpm: NDArray[np.float32]
    beat: NDArray[np.uint8]
    rhythm: NDArray[np.uint8]
    quality: NDArray[np.float32]
    leads_off: NDArray[np.uint16]
    leads: NDArray[np.uint8]


BATCHES: dict[str, type[Batch]] = {kind.__name__: kind for kind in (Beats, Rhythms, Trends, DeviceStatuses)}
