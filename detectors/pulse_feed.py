"""Samples of pulse waves on their way to the pulse detector, in step with the ECG.

At every tick of the ECG the waves are followed up to the tick's own time less ``LAG`` points, however packets
are cut: what is beyond waits, averaged, in the row. A channel's samples are counted from where it began, and
all channels of a packet cover the same time, so that its rate may be any. Where the channel is not there, or
off, its samples are missing; a gap is fed in the same way.
"""

import math
from typing import Any

import numpy as np

from detectors.columns import C_AT, C_OFF, C_SAMPLES, C_USE, F_GAIN, F_OFFSET, F_RATE, PLETH, PRESSURE
from detectors.compiled import jit
from detectors.pulse import pulse_rate, pulse_step
from detectors.state import FEET, PULSE_QUEUE, PULSE_WAVE
from schemas import records

MISSING = records.MISSING
RAIL = 32767  # counts
WAVES = PLETH - PRESSURE + 1
LEAST_RATE_HZ, MOST_RATE_HZ = 40.0, 1000.0
POINT_RATE_HZ = 75.0  # the most: Zong 2003 low-passes at 16 Hz
APART_S = 0.03  # as which a packet's channels may be cut: a sample of each on both sides
LAG = 3  # points behind the ECG, so that a packet that is cut so still has what is due: 0.04 s or more
_BLANK = np.zeros(1, PULSE_WAVE)


@jit
def _step(rate_hz: float) -> int:
    """Return how many samples are averaged into a point."""
    return max(1, math.ceil(rate_hz / POINT_RATE_HZ))


@jit
def open_waves(s: Any, channel_i: Any, channel_f: Any, at: int, n: int, waves: Any) -> None:
    """Begin with the pulse waves among a packet's channels; ``s.position`` is the packet's first sample.

    Args:
        s: the signal row.
        channel_i: of all packets.
        channel_f: of all packets.
        at: the first channel of this packet.
        n: how many it has.
        waves: int64, shape (WAVES, 2), filled: next and last (excluded) sample of each wave; 0, 0: none.
    """
    waves[:] = 0
    for c in range(at, at + n):
        i = channel_i[c, C_USE] - PRESSURE
        if i < 0 or waves[i, 1] > 0 or channel_i[c, C_OFF]:
            continue
        rate_hz = channel_f[c, F_RATE]
        if LEAST_RATE_HZ <= rate_hz <= MOST_RATE_HZ:
            _align(s, i, rate_hz)
            s.flow[i].gain = channel_f[c, F_GAIN]
            s.flow[i].offset = channel_f[c, F_OFFSET]
            waves[i, 0] = channel_i[c, C_AT]
            waves[i, 1] = channel_i[c, C_AT] + channel_i[c, C_SAMPLES]


@jit
def _align(s: Any, i: int, rate_hz: float) -> None:
    """Let a wave go on at the row's position, or begin there."""
    behind = _expected(s, i) - s.flow[i].taken
    apart = max(2.0, APART_S * rate_hz)
    if s.flow[i].rate_hz != rate_hz or behind < -apart:
        s.flow[i] = _BLANK[0]
        s.flow[i].rate_hz = rate_hz
        s.flow[i].origin = s.position
        s.flows |= 1 << i
    elif behind > apart:
        _take_missing(s.flow[i], behind)


@jit
def _expected(s: Any, i: int) -> int:
    """Return how many samples of a wave there are up to the row's position."""
    w = s.flow[i]
    return int(np.rint((s.position - w.origin) * (w.rate_hz / s.rate_hz)))


@jit
def _take(w: Any, samples: Any) -> None:
    """Average samples into points, which wait to be looked at."""
    step = _step(w.rate_hz)
    for count in samples:
        w.lost += count == MISSING or count >= RAIL or count <= -RAIL
        w.sum += count
        w.taken += 1
        if w.taken % step == 0:
            x = np.nan if w.lost > 0 else (w.sum / step - w.offset) / w.gain
            w.queue[(w.taken // step - 1) % PULSE_QUEUE] = x
            w.sum = 0
            w.lost = 0


@jit
def _take_missing(w: Any, n: int) -> None:
    one = np.full(1, MISSING, np.int16)
    for _ in range(n):
        _take(w, one)


@jit
def follow_waves(s: Any, waves: Any, sample: Any) -> None:
    """Look at the waves up to the row's position."""
    for i in range(WAVES):
        w = s.flow[i]
        if w.rate_hz == 0.0:
            continue
        step = _step(w.rate_hz)
        point_hz = w.rate_hz / step
        due = int((s.position - w.origin) * (point_hz / s.rate_hz)) - LAG
        while w.done < due:
            needed = (w.done + 1) * step - w.taken
            if needed > 0 and waves[i, 1] == 0:
                _take_missing(w, needed)
            elif needed > 0:
                needed = min(needed, waves[i, 1] - waves[i, 0])
                _take(w, sample[waves[i, 0] : waves[i, 0] + needed])
                waves[i, 0] += needed
                if w.taken < (w.done + 1) * step:
                    break
            pulse_step(w, point_hz, w.queue[w.done % PULSE_QUEUE], 1.0 / abs(w.gain), i == 0)


@jit
def close_waves(s: Any, waves: Any, sample: Any, least: int) -> None:
    """Let what is left of a packet, or of a gap, up to the row's position wait in the row.

    Args:
        s: the signal row.
        waves: as ``open_waves`` has filled it.
        sample: samples of all packets.
        least: how many samples must be missing: in a packet two, since one that is short may have none.
    """
    for i in range(WAVES):
        w = s.flow[i]
        if w.rate_hz == 0.0:
            continue
        if waves[i, 1] == 0:
            missing = _expected(s, i) - w.taken
            _take_missing(w, missing if missing >= least else 0)
            continue
        room = (w.done + PULSE_QUEUE) * _step(w.rate_hz) - w.taken
        _take(w, sample[waves[i, 0] : min(waves[i, 1], waves[i, 0] + room)])


@jit
def collect_pulse(s: Any, onset: float, into: Any) -> None:
    """Fill in what the pulse waves show, of the one that has run for longest.

    Args:
        s: the signal row.
        onset: of the condition, as ECG sample.
        into: shape (4,): as ``evidence.PULSE``.
    """
    into[:] = np.nan
    for i in range(WAVES):
        w = s.flow[i]
        if w.rate_hz == 0.0 or w.feet == 0:
            continue
        point_hz = w.rate_hz / _step(w.rate_hz)
        now = w.done + LAG
        age_s = (now - w.foot[w.feet % FEET]) / point_hz
        unbroken_s = (now - w.since) / point_hz if w.run > 0 else 0.0
        if unbroken_s > into[2] or (unbroken_s == into[2] and age_s < into[1]) or np.isnan(into[2]):
            into[0] = pulse_rate(w, point_hz)
            into[1] = age_s
            into[2] = unbroken_s
            since = w.origin + w.since / point_hz * s.rate_hz
            into[3] = (onset - since) / s.rate_hz if w.run > 0 else np.nan
