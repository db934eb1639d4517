"""What a report is made of: plain arrays, wherever they come from."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

NS = 10**9
MINUTE_NS = 60 * NS

Span = tuple[int, int]
"""From a time to before another, UTC ns of the device's clock."""


@dataclass(frozen=True, slots=True)
class Beats:
    """Beats in order of time; one index a beat.

    Attributes:
        time_ns: int64, when.
        code: uint8, WFDB letter.
        rr_s: float64, s since the beat before; NaN where the detectors know of none: a cold start or a gap.
        source: int64, the same for beats of one session of one part; intervals never cross it.
    """

    time_ns: NDArray[np.int64]
    code: NDArray[np.uint8]
    rr_s: NDArray[np.float64]
    source: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Minutes:
    """UTC minutes of which something is stored, each once and in order.

    Attributes:
        start_ns: int64, when each begins.
        recorded_s: float64, s of it that the detectors went through, 0 to 60.
        analysed_s: float64, s of it in which a lead could be read, 0 to ``recorded_s``.
    """

    start_ns: NDArray[np.int64]
    recorded_s: NDArray[np.float64]
    analysed_s: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RhythmSpan:
    """A rhythm (a WFDB auxiliary string) that was in force from a time to another."""

    rhythm: str
    from_ns: int
    to_ns: int


@dataclass(frozen=True, slots=True)
class StoredLead:
    """A lead that was recorded, and its ST levels: UTC minutes, each once and in order.

    Attributes:
        name: of ``mdc.LEADS``, ``ECG`` where it has none.
        high_pass_hz: the filters that it was recorded with; None: not stated.
        start_ns: int64, when each minute begins.
        n: float64, how many values it has.
        mv: float64, their mean.
    """

    name: str
    high_pass_hz: tuple[float | None, ...]
    start_ns: NDArray[np.int64]
    n: NDArray[np.float64]
    mv: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class StStored:
    """What is known of ST: the leads, and findings of change."""

    leads: tuple[StoredLead, ...]
    elevations: int
    depressions: int


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose report it is; never a name of a patient.

    Attributes:
        device: ids of the devices, in order.
        patient: pseudonym, "" where a device's stretch is reported that may be of several or of nobody.
        facility: English and Chinese name, "" where it is not seen.
        zone: time zone that times are shown in.
    """

    devices: tuple[str, ...]
    patient: str
    facility: tuple[str, str]
    zone: str


class Reported(Protocol):
    """What is of every report."""

    @property
    def subject(self) -> Subject:
        """Whose it is."""
        ...

    @property
    def asked(self) -> Span:
        """The stretch."""
        ...


@dataclass(frozen=True, slots=True)
class Material:
    """All that a report is computed from.

    Attributes:
        asked: the stretch.
        parts: what of it is the subject's, in whole minutes, in order.
        detectors: versions that decided.
    """

    subject: Subject
    asked: Span
    parts: tuple[Span, ...]
    beats: Beats
    minutes: Minutes
    rhythms: tuple[RhythmSpan, ...]
    st: StStored
    detectors: tuple[str, ...]
