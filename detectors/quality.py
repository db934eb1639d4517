"""Signal quality of a lead, a second: off, at the rail, flat, mains, muscle, motion.

The verdict decides which leads count, and whether anything can be said at all. Roughness is the mean
absolute second difference at the internal rate: muscle, mains and motion drive it far above what a QRS
complex does. Mains it is where most of the second's power lies at 50 or 60 Hz, motion where it goes further
than any heart's. A baseline that wanders leaves a lead readable; only an asystole is not believed then.

References: J. Allen and A. Murray, "Assessing ECG signal quality on a coronary care unit", Physiol.
Meas. 17 (1996) 249-258 (out of range, high-frequency content, low amplitude, a lead a time); G. D.
Clifford et al., "Signal quality indices and data fusion for determining clinical acceptability of
electrocardiograms", Physiol. Meas. 33 (2012) 1419-1433 (flat line).
Deviations: one second instead of ten; roughness instead of counted edges; a line that is flat on every
lead is not "off" but readable, since a heart that stands still looks so and a monitor must say it.
"""

import math
from typing import Any

import numpy as np

from detectors.compiled import jit
from detectors.evidence import bits
from detectors.leads import FLAT, GOOD, MAINS, MOTION, MUSCLE, OFF, SATURATED, lead_quality
from detectors.state import RING

OFF_SHARE = 0.5  # of the second without samples, masked, or at the rail
FLAT_MV = 0.005  # peak to peak: a least significant bit of the usual devices
RANGE_MV = 20.0  # peak to peak within a second: electrode motion; the largest QRS of EC13 has 5 mV
ROUGH_MV = 0.30  # a first value, not yet fitted on recordings
MAINS_SHARE = 0.5  # of a rough second's power at 50 or 60 Hz
SHIFT_MV = (
    0.40  # of the mean from one second to the next: an electrode that settles, not a heart that stands still
)
_WRAP = RING - 1


@jit
def _share_at(s: Any, lead: int, hz: float) -> float:
    """Return the share of a lead's power that lies at a frequency, over what is held of its last second."""
    n = min(s.second_blocks, RING)
    mean = 0.0
    for i in range(n):
        mean += s.x[lead, (s.block - 1 - i) & _WRAP] / n
    even = 0.0
    odd = 0.0
    power = 1e-9
    for i in range(n):
        x = s.x[lead, (s.block - 1 - i) & _WRAP] - mean
        angle = 2.0 * math.pi * hz * i / s.internal_hz
        even += x * math.cos(angle)
        odd += x * math.sin(angle)
        power += x * x
    return float(2.0 * (even * even + odd * odd) / (n * power))


@jit
def _judge(s: Any, lead: int, n: int) -> int:
    """Return what a lead's second was."""
    if s.masked[lead] + s.absent[lead] > OFF_SHARE * n:
        return OFF
    if s.rail[lead] > OFF_SHARE * n:
        return SATURATED
    span = s.most[lead] - s.least[lead]
    if span < FLAT_MV:
        return FLAT
    if s.roughness[lead] > ROUGH_MV:
        mains = max(_share_at(s, lead, 50.0), _share_at(s, lead, 60.0))
        return MAINS if mains > MAINS_SHARE else MUSCLE
    return MOTION if span > RANGE_MV else GOOD


@jit
def each_second(s: Any) -> None:
    """Judge every lead by the second behind."""
    n = s.second_blocks
    off = 0
    noisy = 0
    flat = 0
    moving = 0
    for lead in range(s.leads):
        s.roughness[lead] = s.rough[lead] / n
        verdict = _judge(s, lead, n)
        s.verdict[lead] = verdict
        if verdict in (OFF, SATURATED):
            off |= 1 << lead
        elif verdict == FLAT:
            flat |= 1 << lead
        elif verdict != GOOD:
            noisy |= 1 << lead
        mean = s.level_sum[lead] / n
        if abs(mean - s.mean[lead]) > SHIFT_MV:
            moving |= 1 << lead
        s.mean[lead] = mean
        s.level_sum[lead] = 0.0
        s.absent[lead] = 0
        s.masked[lead] = 0
        s.rail[lead] = 0
        s.least[lead] = np.inf
        s.most[lead] = -np.inf
        s.rough[lead] = 0.0
    everything = (1 << s.leads) - 1
    if flat and (off | flat) != everything:
        off |= flat
    s.flat = flat
    s.moving = moving
    s.off = off
    s.unusable = off | noisy
    for lead in range(s.leads):
        if (s.unusable >> lead) & 1 and s.level[lead] == 0.0:
            s.learn[lead] = 0
            s.peak[lead] = 0.0
    s.quality = _overall(s)
    _choose_leads(s)


@jit
def _overall(s: Any) -> float:
    """Return 0 (nothing to be read) to 1 (all leads clean)."""
    total = 0.0
    for lead in range(s.leads):
        total += lead_quality(s, lead)
    return float(total / max(1, s.leads))


@jit
def _choose_leads(s: Any) -> None:
    """Keep the leads whose shapes are compared as long as one of them can be read."""
    for slot in range(len(s.shape_lead)):
        lead = s.shape_lead[slot]
        if lead >= 0 and not (s.unusable >> lead) & 1:
            return
    slot = 0
    for lead in range(s.leads):
        if slot < len(s.shape_lead) and not (s.unusable >> lead) & 1:
            s.shape_lead[slot] = lead
            slot += 1
    if slot == 0:
        return
    for rest in range(slot, len(s.shape_lead)):
        s.shape_lead[rest] = -1
    s.members[:] = 0.0
    s.shape[:] = 0.0
    s.slow[:] = 0.0
    s.slow_n = 0
    s.reference_n[:] = 0
    s.waving = 0
    s.unruly = 0


@jit
def usable_leads(s: Any) -> int:
    """Return how many leads can be read."""
    return int(s.leads - bits(s.unusable))
