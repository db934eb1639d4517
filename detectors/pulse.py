"""The pulse in a pleth or arterial pressure wave: when each begins, which are good, how long they run on.

A pulse is where the sum of upward slopes passes a share of its own running peak. It is judged once its top is
behind it, at most 0.4 s later. A run is good pulses one after the other: whatever casts doubt on one (an
interval or a height unlike those before, a rough or flat line, the rail, a missing sample, no pulse for 2 s)
ends it, and the next good pulse begins another. So a run is told too short rather than too long.

References: W. Zong, T. Heldt, G. B. Moody and R. G. Mark, "An open-source algorithm to detect onset of
arterial blood pressure pulses", Computers in Cardiology 30 (2003) 259-262 (slope sum, adaptive threshold,
refractory time); J. X. Sun, A. T. Reisner and R. G. Mark, "A signal abnormality index for arterial blood
pressure waveforms", Computers in Cardiology 33 (2006) 13-16 (limits of pressures and intervals).
Deviations: 37.5 to 75 samples a second, averaged, instead of 250 and a low pass; the onset is where a line
through a fifth and a half of the upstroke meets its foot, since the foot of a pleth is flat and noisy; one
threshold follows the peaks of the slope sum from the first three seconds on; intervals and heights are
compared with their own running means, so that pleth, which has no unit, is judged as pressure is. Shares
without a source are first values, tried on development recordings (docs/evaluation.md).
"""

import math
from typing import Any

import numpy as np

from detectors.compiled import jit
from detectors.state import FEET, PULSE_RING

NOT_ARMED, ARMED, RISING = range(3)

SLOPE_S = 0.128  # Zong 2003
SLOPE_SHARE = 0.5  # of the running peak of the slope sum; Zong 2003: 0.6, which loses pulses of deep breaths
REFRACTORY_S = 0.25  # Zong 2003
LEARN_S = 3.0  # the slowest pulse of Sun 2006 (20 a minute) comes once
LOOK_BACK_S = 0.20  # from where the threshold is passed to the foot
RISE_S = 0.40  # an upstroke that lasts longer is judged as it is
TOP_SHARE = 0.1  # of the height, now or usual, by which the wave falls once its top is behind it
LEAST_SHARE = 0.25  # of the usual height: less is no pulse but noise, or a dicrotic wave
LEVEL_GAIN = 0.125  # Zong 2003: a running mean of some pulses
LEVEL_PAUSE_S = 2.0  # Zong 2003: 2.5 s without a pulse, and the threshold falls
LEVEL_FALL_S = 1.5
GAIN = 0.25  # share of a new pulse in running interval and height
CAP = 4.0  # times, as which a pulse counts there at most: twice as high, and a run goes on

SHORTEST_S = 0.3  # Sun 2006: 200 a minute
GONE_S = 2.0  # a run is over: 30 a minute; Sun 2006: 3 s
LEAST_INTERVAL, MOST_INTERVAL = 0.6, 1.8  # of the running one, and of the one before
# So no slow pulse is told as twice as fast: its dicrotic waves, if they pass for pulses, alternate with it.
LEAST_HEIGHT, MOST_HEIGHT = 0.5, 2.0  # of the running one
ROUGHEST = 2.0  # all that the wave rises from top to top, in heights: 1 without noise and dicrotic wave
LEAST_COUNTS = 10.0  # height: below it steps of the converter make the shape
FLAT_S = 0.25  # the same value again and again: the rail of some converter, or nothing measured
LEAST_PRESSURE, MOST_PRESSURE = 20.0, 300.0  # mmHg; Sun 2006
LEAST_PULSE_PRESSURE = 20.0  # mmHg; Sun 2006


@jit
def pulse_step(w: Any, low_hz: float, x: float, resolution: float, pressure: bool) -> None:
    """Take one sample of the averaged wave.

    Args:
        w: the wave's state, of ``state.PULSE_WAVE``.
        low_hz: samples a second.
        x: the value, in its unit; NaN: missing.
        resolution: a step of the converter, in the same unit.
        pressure: the unit is mmHg.
    """
    k = w.done
    w.done += 1
    if np.isnan(x):
        w.valid = 0
        _lose(w)
        return
    before = w.ring[(k - 1) % PULSE_RING]
    w.ring[k % PULSE_RING] = x
    w.valid += 1
    if w.valid == 1:
        return
    w.rise += max(0.0, x - before)
    w.flat = w.flat + 1 if x == before else 0
    if w.flat > FLAT_S * low_hz:
        _lose(w)
    if w.run > 0 and k - w.foot[w.feet % FEET] > GONE_S * low_hz:
        w.run = 0
    if w.valid <= LOOK_BACK_S * low_hz + 2.0:
        return
    slopes = _slope_sum(w, k, round(SLOPE_S * low_hz))
    if w.learnt < LEARN_S * low_hz:
        w.learnt += 1
        w.level = max(w.level, slopes)
        return
    _follow(w, low_hz, k, x, slopes, resolution, pressure)


@jit
def _lose(w: Any) -> None:
    """Forget where the last pulse was: nothing connects it with the next."""
    w.run = 0
    w.known = 0
    w.phase = NOT_ARMED


@jit
def _slope_sum(w: Any, k: int, n: int) -> float:
    """Return the sum of the last ``n`` slopes that go up."""
    total = 0.0
    for i in range(k - n, k):
        total += max(0.0, w.ring[(i + 1) % PULSE_RING] - w.ring[i % PULSE_RING])
    return total


@jit
def _follow(
    w: Any, low_hz: float, k: int, x: float, slopes: float, resolution: float, pressure: bool
) -> None:
    """Go on with the upstroke at hand, or look for the next."""
    limit = SLOPE_SHARE * w.level
    if w.phase == RISING:
        w.steepest = max(w.steepest, slopes)
        if x > w.top:
            w.top = x
            w.top_at = k
        height = w.top - w.bottom
        if x < w.top - TOP_SHARE * max(height, w.height) or k - w.crossed > RISE_S * low_hz:
            w.phase = NOT_ARMED
            if height >= LEAST_SHARE * w.height:
                w.passed = w.crossed
                _decide(w, low_hz, height, resolution, pressure)
        return
    if slopes <= limit:
        w.phase = ARMED
        if k - w.passed > LEVEL_PAUSE_S * low_hz:
            fall = 1.0 - 1.0 / (LEVEL_FALL_S * low_hz)
            w.level = max(resolution, w.level * fall)
            w.height *= fall
        return
    if w.phase == ARMED and k - w.passed > REFRACTORY_S * low_hz:
        w.phase = RISING
        w.crossed = k
        w.steepest = slopes
        w.top = x
        w.top_at = k
        w.bottom = x
        for i in range(k - round(LOOK_BACK_S * low_hz), k):
            w.bottom = min(w.bottom, w.ring[i % PULSE_RING])


@jit
def _onset(w: Any, height: float) -> float:
    """Return where the upstroke begins, in samples; a sample stands for the middle of its time."""
    i = w.top_at
    end = max(w.done - PULSE_RING + 1, 1)
    half = fifth = float(i)
    for share in (0.5, 0.2):
        limit = w.bottom + share * height
        while i > end and w.ring[(i - 1) % PULSE_RING] > limit:
            i -= 1
        a, b = w.ring[(i - 1) % PULSE_RING], w.ring[i % PULSE_RING]
        at = i - 1 + (limit - a) / (b - a) if b > a else float(i)
        if share == 0.5:
            half = at
        else:
            fifth = at
    return fifth - (half - fifth) * (0.2 / 0.3) + 0.5


@jit
def _decide(w: Any, low_hz: float, height: float, resolution: float, pressure: bool) -> None:
    """Judge the pulse whose top is behind: it goes on with the run, begins one, or ends it."""
    at = _onset(w, height)
    interval = at - w.foot[w.feet % FEET] if w.known > 0 else np.nan
    good = _is_good(w, low_hz, interval, height, resolution)
    if pressure:
        good = good and height >= LEAST_PULSE_PRESSURE
        good = good and w.bottom >= LEAST_PRESSURE and w.top <= MOST_PRESSURE
    if not np.isnan(interval):
        w.interval = _mean(w.interval, interval)
    w.height = _mean(w.height, height)
    w.level += LEVEL_GAIN * (min(w.steepest, CAP * w.level) - w.level)
    w.rise = 0.0
    w.known += 1
    w.feet += 1
    w.foot[w.feet % FEET] = at
    w.run = w.run + 1 if good else 0
    if w.run == 1:
        w.since = at


@jit
def _is_good(w: Any, low_hz: float, interval: float, height: float, resolution: float) -> bool:
    """Return whether a pulse is like those before it, and clean."""
    if np.isnan(interval) or not SHORTEST_S * low_hz <= interval <= GONE_S * low_hz:
        return False
    if not LEAST_INTERVAL * w.interval <= interval <= MOST_INTERVAL * w.interval:
        return False
    before = w.foot[w.feet % FEET] - w.foot[(w.feet - 1) % FEET] if w.known > 1 else interval
    if not LEAST_INTERVAL * before <= interval <= MOST_INTERVAL * before:
        return False
    if height < LEAST_COUNTS * resolution or w.rise > ROUGHEST * height:
        return False
    return bool(LEAST_HEIGHT * w.height <= height <= MOST_HEIGHT * w.height)


@jit
def _mean(running: float, new: float) -> float:
    """Return the running mean with a new value, which counts no more than ``CAP`` times."""
    if running == 0.0:
        return new
    return float(running + GAIN * (min(max(new, running / CAP), CAP * running) - running))


@jit
def pulse_rate(w: Any, low_hz: float) -> float:
    """Return the pulse rate a minute of the last good pulses, NaN without three in a run."""
    n = min(w.run, FEET) - 1
    if n < 2:
        return math.nan
    return float(60.0 * low_hz * n / (w.foot[w.feet % FEET] - w.foot[(w.feet - n) % FEET]))
