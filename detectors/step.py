"""One internal sample on its way through the chain.

The mean of some samples of every lead enters the ring, the QRS band's envelope leaves it; at ticks (eight
a second) conditions are looked at, each second the quality.

What is held in the ring is the difference to the lead's first value, so that a constant offset of volts
costs no precision. A lead that is off or lacks samples holds its last value, and goes on from there.
"""

import math
from typing import Any

from detectors.atrial import atrial_second
from detectors.compiled import jit
from detectors.conditions import assess
from detectors.ectopy import ectopy_second
from detectors.fibrillation import look, slow_step
from detectors.phases import tell
from detectors.qrs import qrs_step
from detectors.quality import each_second
from detectors.rhythm import rhythm_second
from detectors.runs import look_at_run
from detectors.st import st_second
from detectors.state import RING
from detectors.trends import trend_second

TICKS_PER_S = 8
NOTHING, TICK, SECOND = range(3)
HOLD_REJOIN_BLOCKS = 12  # held this long (about 0.1 s), a lead goes on from the held value
MAX_COUNT = 255
ROUGH_CAP_MV = 1.0  # a single jump does not make a second rough
TAIL_S = 0.100  # EC13, 4.1.4.2: an overshoot decays with 4 to 100 ms; a shorter one is over with the pulse
TAIL_MV = 5.0  # EC13, 4.1.4.2: overshoots of up to 2 mV; what is far higher is noise
PULSE_REST_S = 0.100  # behind a pulse without a mark: what comes sooner is noise (A-V pulses: 0.15 s)
PULSE_S = 0.040  # how long what a front end makes of a pulse of 700 mV and 2 ms rings on
_WRAP = RING - 1


@jit
def _without_pulse(s: Any, r: Any, lead: int, x: float, before: float) -> float:
    """Return the value, or the one from before a pacing pulse while that lasts.

    In a lead that cannot be read nothing is taken for a pulse: what noise leaves would outlast it.
    """
    if (s.unusable >> lead) & 1:
        s.pulse[lead] = 0
        s.tail[lead] = 0.0
        s.jump[lead] = 0
        return x
    s.tail[lead] -= s.tail[lead] / (TAIL_S * r.internal_hz)
    x -= s.tail[lead]
    if s.pulse[lead] == 0 and s.jump[lead] and s.block > 2:
        s.pulse[lead] = 1
        s.paced_block = s.block
        before = s.x[lead, (s.block - 2) & _WRAP]  # its foot may lie in the block before
        s.x[lead, (s.block - 1) & _WRAP] = before
    s.jump[lead] = 0
    if s.pulse[lead] < 0:
        s.pulse[lead] += 1
        return x
    if s.pulse[lead] == 0:
        return x
    s.pulse[lead] += 1
    if s.pulse[lead] > PULSE_S * r.internal_hz + 1.0:
        s.pulse[lead] = -int(PULSE_REST_S * r.internal_hz)
        s.tail[lead] += max(-TAIL_MV, min(TAIL_MV, x - before))
    return before


@jit
def _enter(s: Any, r: Any, lead: int) -> bool:
    """Take the block's mean of a lead into the ring; return whether there was a sample."""
    step, half = r.step, r.half
    k = s.block
    before = s.x[lead, (k - 1) & _WRAP]
    n = s.count[lead]
    present = 2 * n > step
    masked = (s.mask >> lead) & 1
    s.masked[lead] += masked
    if present and s.clipped[lead] > 0:
        s.rail[lead] += 1
    if not present:
        s.absent[lead] += 1
    if masked or not present:
        s.x[lead, k & _WRAP] = before
        s.fresh[lead] = min(MAX_COUNT, s.fresh[lead] + 1)
        s.settle[lead] = 2 * half + 1
    else:
        value = (s.sum[lead] / n - s.offset[lead]) / s.gain[lead]
        if s.fresh[lead] >= HOLD_REJOIN_BLOCKS:
            s.zero[lead] = value - before
        s.fresh[lead] = 0
        if s.settle[lead] > 0:
            s.settle[lead] -= 1
        x = _without_pulse(s, r, lead, value - s.zero[lead], before)
        s.x[lead, k & _WRAP] = x
        s.least[lead] = min(s.least[lead], x)
        s.most[lead] = max(s.most[lead], x)
        s.level_sum[lead] += x
        s.rough[lead] += min(ROUGH_CAP_MV, abs(x - 2.0 * before + s.x[lead, (k - 2) & _WRAP]))
    s.sum[lead] = 0
    s.count[lead] = 0
    s.clipped[lead] = 0
    return bool(present)


@jit
def _envelope(s: Any, r: Any, lead: int) -> float:
    """Return the envelope of the QRS band, in mV, ``half`` blocks ago."""
    taps = 2 * r.half + 1
    start = (s.block - taps + 1) & _WRAP
    first = min(taps, RING - start)
    even = 0.0
    odd = 0.0
    for i in range(first):
        x = s.x[lead, start + i]
        even += r.even[i] * x
        odd += r.odd[i] * x
    for i in range(first, taps):
        x = s.x[lead, start + i - RING]
        even += r.even[i] * x
        odd += r.odd[i] * x
    return math.sqrt(even * even + odd * odd)


@jit
def take_block(s: Any, r: Any) -> bool:
    """Take one finished block of all leads through filter and detection; return whether a QRS is due."""
    present = False
    for lead in range(s.leads):
        if _enter(s, r, lead):
            present = True
        s.envelope[lead] = 0.0 if s.settle[lead] > 0 else _envelope(s, r, lead)
    s.gap = 0 if present else s.gap + 1
    decided = qrs_step(s, r)
    slow_step(s, r)
    return bool(decided)


@jit
def end_block(s: Any, r: Any) -> int:
    """Go on to the next block; return NOTHING, or whether a TICK or a SECOND is over."""
    s.block += 1
    s.tick_blocks += 1
    s.second_blocks += 1
    if s.second_blocks >= round(r.internal_hz):
        s.tick_blocks = 0
        return SECOND
    if s.tick_blocks * TICKS_PER_S >= r.internal_hz:
        s.tick_blocks = 0
        return TICK
    return NOTHING


@jit
def look_around(d: Any, s: Any, r: Any, out: Any, over: int) -> None:
    """Judge the second that is over, and all conditions."""
    if over == SECOND:
        each_second(s)
        look(d, s, r)
        look_at_run(s, r)
        atrial_second(d, s, r)
        ectopy_second(s)
        trend_second(d, s, r, out)
        st_second(d, s)
    assess(d, s, r)
    if s.decided > 0:
        tell(d, s, out)
    if over == SECOND:
        rhythm_second(d, s, r, out)
        s.second_blocks = 0
