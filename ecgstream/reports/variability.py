"""Heart rate variability of NN intervals, in the time and frequency domain.

Source: Task Force of the European Society of Cardiology and the North American Society of Pacing and
Electrophysiology, "Heart rate variability: standards of measurement, physiological interpretation, and
clinical use", Circulation 93 (1996) 1043-1065.

NeuroKit2 gives the same figures, and tests compare with it; it is not what computes here, since to import it
and to ask it for each segment of a day takes longer than a report may.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgstream.reports.material import NS, Beats

SEGMENT_S = 300
"""Segments of five minutes of the clock."""
LEAST_SHARE = 0.8
"""Of a segment that must be NN intervals; another one is left out."""
NN50_MS = 50.0
LF_HZ, HF_HZ = (0.04, 0.15), (0.15, 0.40)
_RESAMPLED_HZ = 4.0
_WINDOW_S = 120.0  # of Welch's periodograms: one cycle of 0.0083 Hz, twelve of the slowest of LF


@dataclass(frozen=True, slots=True)
class Segment:
    """Five minutes; powers in ms², times in ms."""

    from_ns: int
    intervals: int
    mean_nn_ms: float
    sdnn_ms: float
    lf_ms2: float
    hf_ms2: float


@dataclass(frozen=True, slots=True)
class Variability:
    """HRV of a stretch; None where there is too little.

    Attributes:
        intervals: NN intervals in all.
        of_intervals: intervals between neighbouring beats of any class.
        successive: pairs of NN intervals next to each other, of which RMSSD and pNN50 are.
        sdnn_ms: standard deviation of all NN intervals.
        sdann_ms: standard deviation of the means of segments.
        sdnn_index_ms: mean of the standard deviations of segments.
        rmssd_ms: root mean square of successive differences.
        pnn50_percent: share of successive differences beyond 50 ms.
        lf_ms2, hf_ms2: mean power of segments, 0.04 to 0.15 Hz and 0.15 to 0.40 Hz.
        lf_hf: their ratio.
        segments: those that were counted.
        left_out: segments of the stretch with beats, but too few NN intervals.
    """

    intervals: int
    of_intervals: int
    successive: int
    sdnn_ms: float | None
    sdann_ms: float | None
    sdnn_index_ms: float | None
    rmssd_ms: float | None
    pnn50_percent: float | None
    lf_ms2: float | None
    hf_ms2: float | None
    lf_hf: float | None
    segments: tuple[Segment, ...]
    left_out: int


def variability(beats: Beats, known: NDArray[np.bool_], nn: NDArray[np.bool_]) -> Variability:
    """Return the HRV; ``known`` and ``nn`` as ``intervals`` gives them."""
    ms = beats.rr_s * 1000
    pairs = nn[1:] & nn[:-1]
    steps = np.diff(ms)[pairs]
    segments, left_out = _segments(beats, nn)
    means = np.array([one.mean_nn_ms for one in segments])
    lf, hf = (_mean([getattr(one, band) for one in segments]) for band in ("lf_ms2", "hf_ms2"))
    return Variability(
        int(nn.sum()),
        int(known.sum()),
        steps.size,
        _deviation(ms[nn]),
        _deviation(means),
        _mean([one.sdnn_ms for one in segments]),
        float(np.sqrt(np.mean(steps**2))) if steps.size else None,
        float(100 * np.mean(np.abs(steps) > NN50_MS)) if steps.size else None,
        lf,
        hf,
        lf / hf if lf is not None and hf else None,
        tuple(segments),
        left_out,
    )


def _segments(beats: Beats, nn: NDArray[np.bool_]) -> tuple[list[Segment], int]:
    length = SEGMENT_S * NS
    numbers = beats.time_ns // length
    found, left_out = [], 0
    for number in np.unique(numbers):
        first, end = np.searchsorted(numbers, (number, number + 1))
        inside = nn[first:end]
        nn_ms = beats.rr_s[first:end][inside] * 1000
        if nn_ms.size < 3 or nn_ms.sum() < LEAST_SHARE * SEGMENT_S * 1000:
            left_out += 1
            continue
        at_s = (beats.time_ns[first:end][inside] - number * length) / NS
        lf, hf = powers(at_s, nn_ms)
        found.append(
            Segment(int(number * length), nn_ms.size, float(nn_ms.mean()), float(nn_ms.std(ddof=1)), lf, hf)
        )
    return found, left_out


def powers(at_s: NDArray[np.float64], nn_ms: NDArray[np.float64]) -> tuple[float, float]:
    """Return LF and HF power of NN intervals, ms²: a cubic spline sampled at 4 Hz, Welch's method.

    ``at_s``: when each interval ended, s, rising; shape (n,), as ``nn_ms``. Where intervals are missing the
    spline bridges them.
    """
    from scipy.interpolate import CubicSpline
    from scipy.signal import welch

    even_s = np.arange(at_s[0], at_s[-1], 1 / _RESAMPLED_HZ)
    even = CubicSpline(at_s, nn_ms)(even_s)
    length = min(even.size, round(_WINDOW_S * _RESAMPLED_HZ))
    hz, density = welch(even - even.mean(), _RESAMPLED_HZ, nperseg=length, detrend="linear")
    step = hz[1] - hz[0]
    lf, hf = (float(density[(hz >= low) & (hz < high)].sum() * step) for low, high in (LF_HZ, HF_HZ))
    return lf, hf


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _deviation(values: NDArray[np.float64]) -> float | None:
    return float(values.std(ddof=1)) if values.size > 1 else None
