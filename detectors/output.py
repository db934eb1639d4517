"""What comes out of the bank, and how the kernel writes it.

The kernel writes into arrays that are large enough for the packet at hand (``bank`` sees to that); how
many rows of each are filled is counted in the last array.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.compiled import jit
from detectors.evidence import EVIDENCE_SLOTS, collect
from detectors.state import LIMITED

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
SEGMENT = np.dtype(
    [
        ("entry", np.int64),
        ("session", np.int64),
        ("from_sample", np.int64),
        ("from_ns", np.int64),
        ("to_sample", np.int64),  # OPEN while it goes on
        ("to_ns", np.int64),
        ("restored", np.uint8),
        ("category", np.uint8),
        ("paced", np.uint8),
        ("news2", np.uint8),
        ("low", np.float64, (LIMITED,)),
        ("high", np.float64, (LIMITED,)),
    ],
    align=True,
)
OPEN = -1
GAP_RAW = np.dtype([("entry", np.int64), ("session", np.int64), ("sample", np.int64)], align=True)
GAP = np.dtype([("entry", np.int64), ("session", np.int64), ("sample", np.int64), ("state", np.object_)])
"""``sample``: the first that is missing. ``state``: as ``Bank.snapshot`` gives it, from before it is."""
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
    segments: NDArray[np.void]
    gaps: NDArray[np.void]


class Out(NamedTuple):
    """Where the kernel writes; ``n``: rows filled of the first six, then the entry at hand.

    ``gap_device``, ``gap_signal``: the rows of the device as they were before each of ``gaps``.
    """

    beats: NDArray[np.void]
    rhythms: NDArray[np.void]
    trends: NDArray[np.void]
    conditions: NDArray[np.void]
    segments: NDArray[np.void]
    gaps: NDArray[np.void]
    gap_device: NDArray[np.void]
    gap_signal: NDArray[np.void]
    n: NDArray[np.int64]


N_BEATS, N_RHYTHMS, N_TRENDS, N_CONDITIONS, N_SEGMENTS, N_GAPS, ENTRY = range(7)


@jit
def time_of(s: Any, sample: float) -> int:
    """Return the device time of an ECG sample, UTC ns."""
    return int(s.anchor_ns + round((sample - s.anchor) * (1e9 / s.rate_hz)))


@jit
def outer(s: Any, sample: float) -> int:
    """Return an ECG sample as a sample of channel 0, which is what events count in."""
    return int(np.rint(sample * s.ratio))


@jit
def beat_back(s: Any, n: int) -> float:
    """Return the ECG sample of the ``n``-th last beat."""
    return float(s.at[(s.beats - n) % len(s.at)])


@jit
def code_back(s: Any, n: int) -> int:
    """Return the class of the ``n``-th last beat."""
    return int(s.code[(s.beats - n) % len(s.code)])


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


@jit
def write_segment(d: Any, s: Any, out: Any, to_sample: int, to_ns: int) -> None:
    """Write where the running segment began and where it ends."""
    row = out.segments[out.n[N_SEGMENTS]]
    out.n[N_SEGMENTS] += 1
    row.entry = out.n[ENTRY]
    row.session = d.session
    row.from_sample = s.segment
    row.from_ns = s.segment_ns
    row.to_sample = to_sample
    row.to_ns = to_ns
    row.restored = s.restored
    row.category = d.category
    row.paced = d.paced
    row.news2 = d.news2
    for i in range(LIMITED):
        row.low[i] = d.low[i]
        row.high[i] = d.high[i]


@jit
def begin_segment(d: Any, s: Any, out: Any) -> None:
    """Begin a segment at the row's position."""
    s.segment = outer(s, s.position)
    s.segment_ns = time_of(s, float(s.position))
    write_segment(d, s, out, OPEN, OPEN)


@jit
def keep_gap(d: Any, s: Any, out: Any) -> None:
    """Keep the row as it is, for a backlog that may come of what is missing behind it."""
    at = out.n[N_GAPS]
    out.n[N_GAPS] += 1
    row = out.gaps[at]
    row.entry = out.n[ENTRY]
    row.session = d.session
    row.sample = outer(s, s.position)
    out.gap_device[at] = d
    out.gap_signal[at] = s
