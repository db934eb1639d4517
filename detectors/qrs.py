"""The QRS detector: one detection function from all readable leads, and a falling threshold.

The decision comes at most 0.4 s after the R peak.

Each lead's envelope (``rates``) is divided by its own running QRS level, weighted by its signal-to-noise
ratio, and averaged by its root: the loss of a lead changes neither scale nor threshold, and what one lead
alone sees (an electrode that moves) counts for less than what all see. A peak stands if nothing higher
follows within the refractory time. The threshold lies above the patient's own T waves while one may come,
falls to its base within an RR interval and lower in a pause, so that a small beat is found without searching
back. A low peak must look like a beat that was there before, unless a beat is overdue.

References: J. Pan and W. J. Tompkins, "A real-time QRS detection algorithm", IEEE Trans. Biomed. Eng.
32 (1985) 230-236 (running signal and noise peaks, refractory time, T-wave zone); W. A. H. Engelse and
C. Zeelenberg, "A single scan algorithm for QRS-detection", Computers in Cardiology 1979, 37-42 and
I. I. Christov, "Real time electrocardiogram QRS detection using combined adaptive threshold", Biomed.
Eng. OnLine 3 (2004) 28 (threshold falling with time, several leads in one function).
Deviations: a wavelet pair's envelope instead of derivative, square and integral; no search back, which
would decide later than 0.6 s; leads are fused before, not voted on after the decision. Shares and times
without a source were chosen on the development set (docs/evaluation.md).
"""

import math
from typing import Any

import numpy as np

from detectors.beats import decide_beat
from detectors.classes import VENTRICULAR
from detectors.compiled import jit
from detectors.leads import FULL_SNR, note_beat, snr
from detectors.shapes import likeness, width_at

REFRACTORY_S = 0.20  # EC57 pairs within 0.15 s; Pan 1985: 0.2 s
CONFIRM_S = 0.24  # nothing higher within this time: a P wave gives way to its QRS
T_WAVE_S = 0.36  # Pan 1985
EARLY_SHARE = 0.60  # of the QRS level, at the end of the refractory time, where T waves are tall or not known
LEAST_EARLY_SHARE = 0.35  # the same where they are low
T_TIMES, T_MARGIN = 1.8, 0.10  # the early share over the height of T waves
T_WIDER = 2.0  # times as wide as the beat before, and no higher than T_HIGHEST: a T wave
T_HIGHEST = 1.2  # of the QRS level
T_END_S = 0.40  # T waves are looked for up to here
T_GAIN = 0.05  # share of a new T wave in their level
BASE_SHARE = 0.35  # an RR interval after the last beat
PAUSE_SHARE = 0.20  # PAUSE_RRS RR intervals after it
PAUSE_RRS = 2.5
NOISE_SHARE = 0.32  # of the way from noise to signal level; Pan 1985: a quarter
MOST_SHARE = 1.5  # of its QRS level, as which a lead counts at most
FAMILIAR_SHARE = 0.60  # below it, a peak that comes in time must look like a beat that was there before
FAMILIAR = 0.4  # correlation from which it does
FAMILIAR_BEATS = 8  # since the stretch began, before which nothing is asked
OVERDUE = 1.5  # RR intervals, behind which nothing is asked either
MIN_QRS_MV = 0.15  # envelope: QRS complexes of 0.5 mV have 0.36 and more, those of 0.15 mV up to 0.13 (EC13)
MAX_QRS_MV = 10.0  # envelope: twice the largest QRS of EC13; whatever it is, no level is learnt from it
WEAK_MV = 0.22  # envelope: a pulse of 10 ms and 1 mV has 0.21
NARROW_S = 0.022  # area over height: half of what the narrowest QRS complex of EC13 (70 ms) has
LEARN_S = 1.5
LEVEL_GAIN = 0.12  # share of a new beat in the QRS level; Pan 1985: 1/8
NOISE_GAIN = 0.125  # Pan 1985
MAX_JUMP = 1.5  # a beat raises the level as if it were at most so many times as high
BACKGROUND_QUANTILE = 0.4
BACKGROUND_STEP = 0.03
LEVEL_PAUSE_S = 2.5  # without a beat for so long, the level begins to fall
LEVEL_FALL_S = 3.0
RR_START_S = 0.8
RR_GAIN = 0.2
BLIND_S = 0.5  # nothing readable for so long: what comes is a new stretch


@jit
def _learned(s: Any, r: Any, lead: int) -> bool:
    """Follow a lead's level and background; return whether the lead counts in this block.

    A lead that was bad learns its level while it is judged anew: what it learnt in a second that was bad is
    forgotten with the verdict (``quality``).
    """
    bad = (s.unusable >> lead) & 1 == 1
    if s.settle[lead] > 0 or (bad and s.level[lead] > 0.0):
        return False
    e = s.envelope[lead]
    n = int(LEARN_S * r.internal_hz)
    if s.learn[lead] < n:
        s.learn[lead] += 1
        if e > MAX_QRS_MV:  # no heart: not until it has left the wavelet
            s.learn[lead] = -(2 * r.half + 1)
            s.peak[lead] = 0.0
        if s.learn[lead] > 0:
            s.peak[lead] = max(s.peak[lead], e)
        if s.learn[lead] < n or bad:
            return False
        s.level[lead] = max(s.peak[lead], MIN_QRS_MV)
        s.noise[lead] = 0.1 * s.level[lead]
    if e > s.noise[lead]:
        s.noise[lead] *= 1.0 + BACKGROUND_STEP * BACKGROUND_QUANTILE
    else:
        s.noise[lead] = max(1e-3, s.noise[lead] * (1.0 - BACKGROUND_STEP * (1.0 - BACKGROUND_QUANTILE)))
    return True


@jit
def _fuse(s: Any, r: Any) -> float:
    """Return the detection function, about 1 at a QRS; negative where no lead can be read."""
    total = 0.0
    weights = 0.0
    readable = False
    for lead in range(s.leads):
        if s.settle[lead] == 0 and not (s.unusable >> lead) & 1:
            readable = True
        if _learned(s, r, lead):
            w = min(1.0, max(0.05, snr(s, lead) / FULL_SNR))
            total += w * w * math.sqrt(min(MOST_SHARE, s.envelope[lead] / s.level[lead]))
            weights += w * w
    if weights > 0.0:
        return (total / weights) ** 2
    return 0.0 if readable else -1.0


@jit
def _follow_t(s: Any, r: Any, f: float) -> None:
    """Follow how high the T waves are, of ventricular beats apart."""
    if np.isnan(s.last_block):
        return
    since = (s.block - r.half - s.last_block) / r.internal_hz
    if REFRACTORY_S <= since < T_END_S:
        s.t_top = max(s.t_top, f)
    elif since >= T_END_S and s.t_open and s.candidate == 0.0:
        s.t_open = 0
        top = min(s.t_top, EARLY_SHARE)
        kind = _kind(s)
        if np.isnan(s.t_level[kind]):
            s.t_level[kind] = top
        s.t_level[kind] += T_GAIN * (top - s.t_level[kind])


@jit
def _kind(s: Any) -> int:
    """Return 1 behind a ventricular beat, else 0."""
    return int(s.code[(s.beats - 1) % len(s.code)] == VENTRICULAR)


@jit
def _early_share(s: Any) -> float:
    """Return the threshold while a T wave may come."""
    level = s.t_level[_kind(s)]
    if np.isnan(level):
        return EARLY_SHARE
    return float(min(EARLY_SHARE, max(LEAST_EARLY_SHARE, T_TIMES * level + T_MARGIN)))


@jit
def _threshold(s: Any, r: Any, at: float) -> float:
    """Return the height that a peak must exceed."""
    noise = s.noise_peak + NOISE_SHARE * (1.0 - s.noise_peak)
    if np.isnan(s.last_block):
        return float(max(BASE_SHARE, noise))
    since = (at - s.last_block) / r.internal_hz
    rr = RR_START_S if np.isnan(s.rr_blocks) else s.rr_blocks / r.internal_hz
    rr = max(rr, T_WAVE_S + 0.04)
    early = _early_share(s)
    if since < T_WAVE_S:
        share = early
    elif since < rr:
        share = early + (BASE_SHARE - early) * (since - T_WAVE_S) / (rr - T_WAVE_S)
    else:
        fall = min(1.0, (since - rr) / ((PAUSE_RRS - 1.0) * rr))
        return float(max(BASE_SHARE + (PAUSE_SHARE - BASE_SHARE) * fall, min(noise, BASE_SHARE)))
    return float(max(share, noise))


@jit
def _peak(s: Any, r: Any, f: float) -> None:
    """Take the block before as a candidate if it is a peak above the threshold."""
    before, top = s.fused[0], s.fused[1]
    if not (top > before and top >= f and top > 0.0):
        return
    curve = before - 2.0 * top + f
    at = s.block - r.half - 1 + (0.5 * (before - f) / curve if curve < 0.0 else 0.0)
    if at - s.last_block < REFRACTORY_S * r.internal_hz:
        return
    strongest = 0.0
    for lead in range(s.leads):
        if not (s.unusable >> lead) & 1:
            strongest = max(strongest, s.envelope[lead])
    if top < _threshold(s, r, at) or strongest < MIN_QRS_MV:
        s.noise_peak += NOISE_GAIN * (min(top, 1.0) - s.noise_peak)
        return
    if top > s.candidate:
        s.candidate = top
        s.candidate_block = at
        s.candidate_envelope[:] = s.envelope


@jit
def _is_strange(s: Any, r: Any, at: float) -> bool:
    """Return whether a peak is low, comes in time, and looks like no beat that was there before."""
    if s.candidate >= FAMILIAR_SHARE or s.run <= FAMILIAR_BEATS or np.isnan(s.rr_blocks):
        return False
    if at - s.last_block >= OVERDUE * s.rr_blocks:
        return False
    return bool(likeness(s, r, at) < FAMILIAR)


@jit
def _is_t_wave(s: Any, r: Any, at: float) -> bool:
    """Return whether a peak comes when a T wave may, and is far wider than the beat before it."""
    if np.isnan(s.last_block) or at - s.last_block >= T_WAVE_S * r.internal_hz or s.candidate >= T_HIGHEST:
        return False
    return bool(width_at(s, r, at) > T_WIDER * width_at(s, r, s.last_block))


@jit
def _is_pulse(s: Any, r: Any, at: float) -> bool:
    """Return whether a weak peak is too narrow for a QRS: what a filter has left of a pacing pulse."""
    for lead in range(s.leads):
        if s.candidate_envelope[lead] >= WEAK_MV and not (s.unusable >> lead) & 1:
            return False
    return bool(width_at(s, r, at) < NARROW_S)


@jit
def accept(d: Any, s: Any, r: Any, out: Any) -> None:
    """Make the candidate a beat, or leave it where it is low and looks like none."""
    at = s.candidate_block
    if _is_t_wave(s, r, at) or _is_pulse(s, r, at):
        s.candidate = 0.0
        return
    if _is_strange(s, r, at):
        s.noise_peak += NOISE_GAIN * (min(s.candidate, 1.0) - s.noise_peak)
        s.candidate = 0.0
        return
    if not np.isnan(s.last_block):
        rr = at - s.last_block
        s.rr_blocks = rr if np.isnan(s.rr_blocks) else s.rr_blocks + RR_GAIN * (rr - s.rr_blocks)
    for lead in range(s.leads):
        note_beat(s, lead)
        e = min(s.candidate_envelope[lead], MAX_JUMP * s.level[lead])
        if e > 0.0 and s.level[lead] > 0.0 and not (s.unusable >> lead) & 1:
            s.level[lead] = max(MIN_QRS_MV, s.level[lead] + LEVEL_GAIN * (e - s.level[lead]))
    s.candidate = 0.0
    s.t_top = 0.0
    s.t_open = 1
    decide_beat(d, s, r, out, at)
    s.last_block = at


@jit
def _fall(s: Any, r: Any) -> None:
    """Let the levels fall in a long pause."""
    quiet = float(s.clear) if np.isnan(s.last_block) else s.block - s.last_block
    if quiet > LEVEL_PAUSE_S * r.internal_hz:
        for lead in range(s.leads):
            s.level[lead] = max(MIN_QRS_MV, s.level[lead] * (1.0 - 1.0 / (LEVEL_FALL_S * r.internal_hz)))


@jit
def qrs_step(s: Any, r: Any) -> bool:
    """Take one block of envelopes; return whether the candidate's time has come: for ``accept``."""
    f = _fuse(s, r)
    if f < 0.0:
        s.blind += 1
        if s.blind > BLIND_S * r.internal_hz:
            s.clear = 0
            s.steady = 0
            s.analysable = 0
            s.run = 0
            s.last_block = np.nan
            s.rr_blocks = np.nan
            s.candidate = 0.0
        f = 0.0
    else:
        s.blind = 0
        s.clear += 1
        everything = (1 << s.leads) - 1
        s.steady = s.steady + 1 if (s.moving | s.unusable) != everything else 0
        s.analysable = 1
        _follow_t(s, r, f)
        _peak(s, r, f)
        _fall(s, r)
    s.fused[0] = s.fused[1]
    s.fused[1] = f
    return bool(s.candidate > 0.0 and s.block - r.half - s.candidate_block >= CONFIRM_S * r.internal_hz)
