"""Signal quality of a lead, a second: off, at the rail, flat, too rough to be read.

The verdict decides which leads count, and whether anything can be said at all. Roughness is the mean
absolute second difference at the internal rate: muscle, mains and motion drive it far above what a QRS
complex does.

References: J. Allen and A. Murray, "Assessing ECG signal quality on a coronary care unit", Physiol.
Meas. 17 (1996) 249-258 (out of range, high-frequency content, low amplitude, a lead a time); G. D.
Clifford et al., "Signal quality indices and data fusion for determining clinical acceptability of
electrocardiograms", Physiol. Meas. 33 (2012) 1419-1433 (flat line).
Deviations: one second instead of ten; roughness instead of counted edges; a line that is flat on every
lead is not "off" but readable, since a heart that stands still looks so and a monitor must say it.
"""

from typing import Any

import numpy as np

from detectors.compiled import jit
from detectors.evidence import bits
from detectors.leads import lead_quality

OFF_SHARE = 0.5  # of the second without samples, masked, or at the rail
FLAT_MV = 0.005  # peak to peak: a least significant bit of the usual devices
RANGE_MV = 20.0  # peak to peak within a second: electrode motion; the largest QRS of EC13 has 5 mV
ROUGH_MV = 0.30  # a first value, not yet fitted on recordings
SHIFT_MV = (
    0.40  # of the mean from one second to the next: an electrode that settles, not a heart that stands still
)


@jit
def _judge(s: Any, lead: int, n: int) -> int:
    """Return 0: good, 1: off, 2: noisy, 3: flat."""
    if s.masked[lead] + s.absent[lead] > OFF_SHARE * n or s.rail[lead] > OFF_SHARE * n:
        return 1
    span = s.most[lead] - s.least[lead]
    if span < FLAT_MV:
        return 3
    if span > RANGE_MV or s.roughness[lead] > ROUGH_MV:
        return 2
    return 0


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
        if verdict == 1:
            off |= 1 << lead
        elif verdict == 2:
            noisy |= 1 << lead
        elif verdict == 3:
            flat |= 1 << lead
        mean = s.level_sum[lead] / n
        if abs(mean - s.mean[lead]) > SHIFT_MV:
            moving |= 1 << lead
        s.mean[lead] = mean
        s.level_sum[lead] = 0.0
        if verdict in (1, 2) and s.level[lead] == 0.0:
            s.learn[lead] = 0
            s.peak[lead] = 0.0
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
