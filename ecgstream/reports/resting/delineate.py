"""Where the waves of a median beat begin and end, in all leads at once; what is not certain is not found.

Global points, as the CSE working party has them: QRS begins where the first lead begins, and ends where the
last ends (J. L. Willems et al., "A reference data base for multilead electrocardiographic computer
measurement programs", J. Am. Coll. Cardiol. 10 (1987) 1313-1321). QRS is bounded by the spatial velocity,
the root mean square of the leads' slopes, as in J. H. van Bemmel et al., "Methodology of the modular ECG
analysis system MEANS", Methods Inf. Med. 29 (1990) 346-353. T ends where the tangent at its steepest
descent meets the baseline (E. Lepeschkin, B. Surawicz, "The measurement of the Q-T interval of the
electrocardiogram", Circulation 6 (1952) 378-388), on the root mean square of the leads, in which no lead's
T wave can be upside down.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgstream.reports.resting.median import Median, smooth

Array = NDArray[np.float64]

_SLOPE_MS = 4
_CORE_MS, _CORE = 130, 0.2
"""So near to its instant, what has a fifth of the greatest velocity is of QRS."""
_QUIET, _QUIET_MS = 0.05, 10
"""Below this share of the greatest velocity for so long, QRS is not yet, or no more."""
_CALM, _MOST_CALM = 0.2, 0.1
"""The velocity of the calmest fifth of a beat is noise; above this share of the greatest it hides edges."""
_LEAST_T_MV, _LEAST_P_MV, _TIMES_NOISE = 0.04, 0.02, 4.0
_P_LIKE = 0.7
"""Correlation of three of four P waves with the median one, in which fibrillation leaves something too."""
_LATER_HUMP = 0.4
"""A hump behind T's greatest that is so high is of a T wave of two phases; a lower one is a U wave."""
_DOWN_TO = 0.3
_EDGE = 0.04
_P_BEFORE_MS, _P_BEFORE_RR = 320.0, 0.4
_QRS_MS, _QT_MS, _P_MS, _PR_MS = (40, 240), (180, 700), (30, 200), (60, 400)
"""What is believed; all else is a mistake or needs eyes."""


@dataclass(frozen=True, slots=True)
class Points:
    """Indices of a median beat, None where not certain; ``why_*``: the reason."""

    qrs_on: int | None
    qrs_off: int | None
    t_off: int | None
    p_on: int | None
    p_off: int | None
    why_qrs: str = ""
    why_t: str = ""
    why_p: str = ""


def points(beat: Median) -> Points:
    """Return the points of a median beat of the independent leads (I, II and V1 to V6)."""
    velocity = _velocity(beat.mv)
    bounds = _qrs(velocity, beat.at)
    if bounds is None:
        why = "QRS without clear bounds"
        return Points(None, None, None, None, None, why, why, why)
    on, off = bounds
    t_off, why_t = _t(beat, on, off)
    p_on, p_off, why_p = _p(beat, on)
    return Points(on, off, t_off, p_on, p_off, "", why_t, why_p)


def _velocity(mv: Array) -> Array:
    """Return the spatial velocity, mV a ms."""
    slope = np.zeros_like(mv)
    slope[:, _SLOPE_MS:-_SLOPE_MS] = (mv[:, 2 * _SLOPE_MS :] - mv[:, : -2 * _SLOPE_MS]) / (2 * _SLOPE_MS)
    return _rms(slope)


def _qrs(velocity: Array, at: int) -> tuple[int, int] | None:
    near = velocity[max(0, at - _CORE_MS) : at + _CORE_MS]
    core = np.flatnonzero(near >= _CORE * near.max()) + max(0, at - _CORE_MS)
    calm = float(np.quantile(velocity, _CALM))
    if calm > _MOST_CALM * near.max():
        return None
    quiet = velocity < max(_QUIET * near.max(), 2 * calm)
    # How many quiet ones there have been in a row, up to and with each.
    behind = _in_a_row(quiet)
    ahead = _in_a_row(quiet[::-1])[::-1]
    before = np.flatnonzero(behind[: core[0]] >= _QUIET_MS)
    after = np.flatnonzero(ahead[core[-1] + 1 :] >= _QUIET_MS)
    if not (near.max() and before.size and after.size):
        return None
    # The slope at an instant has seen what comes half its width later.
    on, off = int(before[-1]) + 1 + _SLOPE_MS // 2, int(after[0]) + core[-1] - _SLOPE_MS // 2
    return (on, int(off)) if _QRS_MS[0] <= off - on <= _QRS_MS[1] else None


def _in_a_row(quiet: NDArray[np.bool_]) -> NDArray[np.int64]:
    count = np.cumsum(quiet)
    return count - np.maximum.accumulate(np.where(quiet, 0, count))


def _t(beat: Median, on: int, off: int) -> tuple[int | None, str]:
    """Return where T ends, or why that is not certain."""
    since = off + 40
    level = np.median(beat.mv[:, max(0, on - 20) : max(1, on - 4)], axis=1, keepdims=True)
    wave = _rms(smooth(beat.mv - level))[since:]
    last = round(min(_QT_MS[1], 0.72 * beat.rr_ms)) + on - since
    humps = [h for h in _humps(wave) if h < last]
    noise = _TIMES_NOISE * float(_rms(beat.noise_mv)[since:].mean())
    if not humps or max(wave[h] for h in humps) < max(_LEAST_T_MV, noise):
        return None, "no clear T wave"
    greatest = max(wave[h] for h in humps)
    peak = max(h for h in humps if wave[h] >= _LATER_HUMP * greatest)
    later = np.flatnonzero(wave[peak:] < _DOWN_TO * wave[peak])
    if not later.size:
        return None, "T runs into the next wave"
    fall = np.diff(wave[peak : peak + int(later[0]) + 1])
    steepest = int(np.argmin(fall))
    floor = float(wave[peak + int(later[0]) : last + 1].min(initial=wave[peak + int(later[0])]))
    foot = (
        peak + steepest + 0.5 + (wave[peak + steepest : peak + steepest + 2].mean() - floor) / -fall[steepest]
    )
    end = since + round(float(foot))
    return (end, "") if _QT_MS[0] <= end - on <= _QT_MS[1] else (None, "implausible end of T")


def _p(beat: Median, on: int) -> tuple[int | None, int | None, str]:
    """Return where P begins and ends, or why that is not certain."""
    begin = max(0, on - round(min(_P_BEFORE_MS, _P_BEFORE_RR * beat.rr_ms)))
    part = beat.mv[:, begin:on]
    noise = _TIMES_NOISE * float(_rms(beat.noise_mv[:, begin:on]).mean())
    calm = smooth(_velocity(part)[None], 30)[0]
    quiet = int(np.argmin(calm[15:-15])) + 15 if calm.size > 60 else 0
    level = np.median(part[:, max(0, quiet - 8) : quiet + 8], axis=1, keepdims=True)
    wave = _rms(smooth(part - level))
    humps = [h for h in _humps(wave) if 25 <= h < wave.size - 25]
    peak = max(humps, key=lambda h: wave[h], default=None)
    if peak is None or wave[peak] < max(_LEAST_P_MV, noise):
        return None, None, "no clear P wave"
    below = wave < max(_EDGE * wave[peak], noise / _TIMES_NOISE)
    first, last = np.flatnonzero(below[:peak]), np.flatnonzero(below[peak:])
    if not first.size:
        return None, None, "P not free of T"
    p_on, p_off = begin + int(first[-1]) + 1, begin + peak + int(last[0]) if last.size else on
    if not (_P_MS[0] <= p_off - p_on <= _P_MS[1] and _PR_MS[0] <= on - p_on <= _PR_MS[1]):
        return None, None, "implausible length of P or PR"
    if np.quantile(beat.likeness(slice(p_on, p_off)), 0.25) < _P_LIKE:
        return None, None, "P waves differ from beat to beat"
    return p_on, p_off, ""


def _humps(wave: Array) -> list[int]:
    """Return the local maxima."""
    return [int(n) for n in np.flatnonzero((wave[1:-1] >= wave[:-2]) & (wave[1:-1] > wave[2:])) + 1]


def _rms(leads: Array) -> Array:
    found: Array = np.sqrt(np.mean(leads**2, axis=0))
    return found
