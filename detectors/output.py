"""What comes out of the bank, and how the kernel writes it.

The kernel writes into arrays that are large enough for the packet at hand (``bank`` sees to that); how
many rows of each are filled is counted in the last array.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.compiled import jit
from detectors.evidence import EVIDENCE_SLOTS, collect

ONSET, UPDATE, END = range(3)

BEAT = np.dtype(
    [
        ("entry", np.int64),
        ("session", np.int64),
        ("sample", np.int64),
        ("time_ns", np.int64),
        ("code", np.uint8),
        ("rr_s", np.float32),
        ("hr_bpm", np.float32),
    ],
    align=True,
)
RHYTHM = np.dtype(
    [
        ("entry", np.int64),
        ("session", np.int64),
        ("sample", np.int64),
        ("time_ns", np.int64),
        ("rhythm", np.uint8),
    ],
    align=True,
)
TREND = np.dtype(
    [
        ("entry", np.int64),
        ("session", np.int64),
        ("minute_ns", np.int64),
        ("code", np.uint32),
        ("n", np.uint32),
        ("mean", np.float32),
        ("low", np.float32),
        ("high", np.float32),
    ],
    align=True,
)
_CONDITION = [
    ("entry", np.int64),
    ("session", np.int64),
    ("code", np.uint16),
    ("phase", np.uint8),
    ("onset_sample", np.int64),
    ("onset_ns", np.int64),
    ("sample", np.int64),
    ("time_ns", np.int64),
    ("delay_s", np.float64),
    ("evidence", np.float64, (EVIDENCE_SLOTS,)),
]
CONDITION = np.dtype([*_CONDITION, ("patient", "S32")], align=True)
CONDITION_RAW = np.dtype([*_CONDITION, ("patient", np.uint8, (32,))], align=True)
STATUS = np.dtype(
    [
        ("session", np.int64),
        ("sample", np.int64),
        ("time_ns", np.int64),
        ("hr_bpm", np.float32),
        ("beat", np.uint8),
        ("rhythm", np.uint8),
        ("quality", np.float32),
        ("leads_off", np.uint16),
        ("leads", np.uint8),
    ],
    align=True,
)


class Events(NamedTuple):
    """What one push brought; ``entry`` indexes the bundle's devices."""

    beats: NDArray[np.void]
    rhythms: NDArray[np.void]
    trends: NDArray[np.void]
    conditions: NDArray[np.void]


class Out(NamedTuple):
    """Where the kernel writes; ``n``: rows filled of the four, then the entry at hand."""

    beats: NDArray[np.void]
    rhythms: NDArray[np.void]
    trends: NDArray[np.void]
    conditions: NDArray[np.void]
    n: NDArray[np.int64]


N_BEATS, N_RHYTHMS, N_TRENDS, N_CONDITIONS, ENTRY = range(5)


@jit
def time_of(s: Any, sample: float) -> int:
    """Return the device time of an ECG sample, UTC ns."""
    return int(s.anchor_ns + round((sample - s.anchor) * (1e9 / s.rate_hz)))


@jit
def outer(s: Any, sample: float) -> int:
    """Return an ECG sample as a sample of channel 0, which is what events count in."""
    return int(np.rint(sample * s.ratio))


@jit
def write_beat(d: Any, s: Any, out: Any, sample: float, code: int, rr_s: float, hr_bpm: float) -> None:
    """Write a beat annotation."""
    row = out.beats[out.n[N_BEATS]]
    out.n[N_BEATS] += 1
    row.entry = out.n[ENTRY]
    row.session = d.session
    row.sample = outer(s, sample)
    row.time_ns = time_of(s, sample)
    row.code = code
    row.rr_s = rr_s
    row.hr_bpm = hr_bpm


@jit
def write_rhythm(d: Any, s: Any, out: Any, sample: int, rhythm: int) -> None:
    """Write a rhythm change."""
    row = out.rhythms[out.n[N_RHYTHMS]]
    out.n[N_RHYTHMS] += 1
    row.entry = out.n[ENTRY]
    row.session = d.session
    row.sample = outer(s, sample)
    row.time_ns = time_of(s, sample)
    row.rhythm = rhythm


@jit
def write_trend(
    session: int, out: Any, minute_ns: int, code: int, n: int, mean: float, low: float, high: float
) -> None:
    """Write one number of one minute."""
    row = out.trends[out.n[N_TRENDS]]
    out.n[N_TRENDS] += 1
    row.entry = out.n[ENTRY]
    row.session = session
    row.minute_ns = minute_ns
    row.code = code
    row.n = n
    row.mean = mean
    row.low = low
    row.high = high


@jit
def write_condition(
    d: Any, s: Any, out: Any, session: int, code: int, phase: int, sample: int, time_ns: int, value: float
) -> None:
    """Write a phase of a condition; ``sample`` counts at the rate of channel 0, ``value`` is a vital's."""
    row = out.conditions[out.n[N_CONDITIONS]]
    out.n[N_CONDITIONS] += 1
    row.entry = out.n[ENTRY]
    row.session = session
    row.code = code
    row.phase = phase
    row.onset_sample = d.onset[code]
    row.onset_ns = d.onset_ns[code]
    row.sample = sample
    row.time_ns = time_ns
    row.delay_s = (time_ns - d.onset_ns[code]) * 1e-9
    collect(d, s, code, value, row.evidence)
    for i in range(32):
        row.patient[i] = d.patient[i]
