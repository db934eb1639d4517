"""Heart rate variability of NN intervals, in the time and frequency domain.

Source: Task Force of the European Society of Cardiology and the North American Society of Pacing and
Electrophysiology, "Heart rate variability: standards of measurement, physiological interpretation, and
clinical use", Circulation 93 (1996) 1043-1065.

NeuroKit2 computes: ``hrv_time`` once, ``hrv_frequency`` of each segment (D. Makowski et al., "NeuroKit2: A
Python toolbox for neurophysiological signal processing", Behav. Res. Methods 53 (2021) 1689-1696). It is told
of each interval, with NaN where one is not NN: of NN intervals alone it would guess by their times which are
neighbours, and where none are, as in bigeminy, it would take all for such.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgstream.reports.material import NS, Beats

SEGMENT_S = 300
"""Segments of five minutes of the clock."""
LEAST_SHARE = 0.8
"""Of a segment that must be NN intervals; another one is left out."""
_FEWEST = 3  # intervals of a segment, and of a stretch that NeuroKit2 can say something of
_RESAMPLED_HZ = 4


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
        pnn50_percent: successive differences beyond 50 ms, of ``successive`` and one.
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
    successive = int((nn[1:] & nn[:-1]).sum())
    sdnn, rmssd, pnn50 = times(beats, nn)
    segments, left_out = _segments(beats, nn)
    means = np.array([one.mean_nn_ms for one in segments])
    lf, hf = (_mean([getattr(one, band) for one in segments]) for band in ("lf_ms2", "hf_ms2"))
    return Variability(
        int(nn.sum()),
        int(known.sum()),
        successive,
        sdnn,
        float(means.std(ddof=1)) if means.size > 1 else None,
        _mean([one.sdnn_ms for one in segments]),
        rmssd if successive else None,
        pnn50 if successive else None,
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
        if nn_ms.size < _FEWEST or nn_ms.sum() < LEAST_SHARE * SEGMENT_S * 1000:
            left_out += 1
            continue
        lf, hf = powers(beats.time_ns[first:end], beats.rr_s[first:end], inside)
        found.append(
            Segment(int(number * length), nn_ms.size, float(nn_ms.mean()), float(nn_ms.std(ddof=1)), lf, hf)
        )
    return found, left_out


def times(beats: Beats, nn: NDArray[np.bool_]) -> tuple[float | None, float | None, float | None]:
    """Return SDNN and RMSSD, ms, and pNN50, %, of all NN intervals."""
    from neurokit2 import hrv_time

    if nn.sum() < _FEWEST:
        return None, None, None
    with warnings.catch_warnings(action="ignore"):  # of what it cannot compute: it is NaN
        found = hrv_time(_told(beats.time_ns, beats.rr_s, nn))
    figures = (float(found[f"HRV_{name}"].iloc[0]) for name in ("SDNN", "RMSSD", "pNN50"))
    sdnn, rmssd, pnn50 = (one if np.isfinite(one) else None for one in figures)
    return sdnn, rmssd, pnn50


def powers(
    time_ns: NDArray[np.int64], rr_s: NDArray[np.float64], nn: NDArray[np.bool_]
) -> tuple[float, float]:
    """Return LF and HF power, ms², of a segment's NN intervals, by Welch's method.

    Args:
        time_ns: when each interval ended; shape (n,), as of the others.
        rr_s: the intervals, of any kind.
        nn: which are NN. The spline that resamples them, at 4 Hz, bridges the others.
    """
    from neurokit2 import hrv_frequency

    told = _told(time_ns, rr_s, nn)
    with warnings.catch_warnings(action="ignore"):  # of ratios, which are not taken, where nothing varies
        found = hrv_frequency(told, normalize=False, interpolation_rate=_RESAMPLED_HZ)
    return float(found["HRV_LF"].iloc[0]), float(found["HRV_HF"].iloc[0])


def _told(
    time_ns: NDArray[np.int64], rr_s: NDArray[np.float64], nn: NDArray[np.bool_]
) -> dict[str, NDArray[np.float64]]:
    return {"RRI": np.where(nn, rr_s * 1000, np.nan), "RRI_Time": (time_ns - time_ns[0]) / NS}


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None
