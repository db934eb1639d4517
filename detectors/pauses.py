"""Pauses: how long they are, and of what kind: pacemaker, atrioventricular block.

- Pause: no beat for longer than the patient's limit. Over with the next beat.
- Pacemaker: in a patient who has one, no beat for 1.75 running RR intervals, and at least 1.5 s. Where a
  pulse came meanwhile it did not capture, else the pacemaker did not pace.
- Block: a P wave at its place that no QRS follows. In a pause the P wave is looked for where the next beat
  was due; in a slow regular rhythm half-way between two beats (2:1 block). A wave is a P wave if it looks
  like those before the patient's own beats, and is about as high. Suspected after three such intervals
  among the last sixteen; over when there were none among these.

References: B. J. Drew et al., "Practice standards for electrocardiographic monitoring in hospital settings",
Circulation 110 (2004) 2721-2746 (pacemaker failures, block); M. Glikson et al., "2021 ESC guidelines on
cardiac pacing and cardiac resynchronization therapy", Eur. Heart J. 42 (2021) 3427-3520 (second-degree and
2:1 block); the 1.75 intervals as bedside monitors commonly ask.
Deviations: P waves are not delineated but compared with their running mean (``atrial``); complete block,
whose P waves stand in no relation to the beats, is found by its slow rate alone.
"""

import math
from typing import Any

import numpy as np

from detectors.atrial import P_BEGIN_S, P_LEAST, P_STEP_S, without_trend
from detectors.classes import NORMAL
from detectors.compiled import jit
from detectors.evidence import bits, pause_s
from detectors.fibrillation import slow_hz
from detectors.output import beat_back, code_back
from detectors.phases import DECIDED_S, follow, now_of
from detectors.state import P_POINTS, SHAPE_LEADS, SLOW_RING
from schemas import mdc
from schemas.conditions import Code
from schemas.limits import LIMITED_CODES

PACED_RR = 1.75  # running RR intervals
PACED_S = 1.5  # the lower rate of a pacemaker with hysteresis: 40 a minute
CAPTURE_S = 0.3  # behind a beat: a pulse that comes sooner belongs to it; and a beat behind a pulse
LONG_RR = 1.4  # times the shortest of the last intervals, from which a beat may have been dropped
RECENT_BEATS = 9  # that it is the shortest of
SLOW_S = 1.3  # from which a beat of two may be dropped; where they come faster, the T wave is half-way
DUE_S = 0.12  # around where the beat was due
P_ALIKE = 0.85  # correlation with the mean P wave
P_LOW, P_HIGH = 0.5, 2.0  # times its height
HISTORY = 0xFFFF  # bit an interval
SUSPECTED = 3
_PAUSE = int(Code.PAUSE)
_NOT_CAPTURING = int(Code.PACER_NOT_CAPTURING)
_NOT_PACING = int(Code.PACER_NOT_PACING)
_BLOCK = int(Code.AV_BLOCK)
_VF = int(Code.VENTRICULAR_FIBRILLATION)
_RR_LIMIT = LIMITED_CODES.index(mdc.RR)
_WRAP = SLOW_RING - 1


@jit
def _compared(s: Any, first: float, step: float) -> tuple[float, float]:
    """Return likeness and height, in shares of the mean P wave, of the slow signal from a point on."""
    ab = 0.0
    aa = 1e-9
    bb = 1e-9
    stretch = np.empty(P_POINTS)
    for slot in range(SHAPE_LEADS):
        for p in range(P_POINTS):
            stretch[p] = s.slow[slot, round(first + p * step) & _WRAP]
        without_trend(stretch)
        for p in range(P_POINTS):
            a, b = stretch[p], s.p_mean[slot, p]
            ab += a * b
            aa += a * a
            bb += b * b
    return ab / math.sqrt(aa * bb), math.sqrt(aa / bb)


@jit
def _has_p_wave(s: Any, r: Any, due: float) -> bool:
    """Return whether there is a P wave before where a beat was due, an ECG sample."""
    hz = slow_hz(r)
    behind = s.slow_n - (now_of(s) - due) / s.rate_hz * hz
    reach = round(DUE_S * hz)
    for shift in range(-reach, reach + 1):
        first = behind + shift + P_BEGIN_S * hz
        last = first + P_POINTS * P_STEP_S * hz
        if first < max(0, s.slow_n - SLOW_RING) or last >= s.slow_n:
            continue
        alike, height = _compared(s, first, P_STEP_S * hz)
        if alike > P_ALIKE and P_LOW < height < P_HIGH:
            return True
    return False


@jit
def _shortest_s(s: Any) -> float:
    """Return the shortest of the last intervals between normal beats, in s."""
    shortest = np.inf
    for n in range(1, RECENT_BEATS):
        if code_back(s, n) == NORMAL and code_back(s, n + 1) == NORMAL:
            shortest = min(shortest, beat_back(s, n) - beat_back(s, n + 1))
    return float(shortest / s.rate_hz)


@jit
def blocked_beat(s: Any, r: Any, rr_s: float) -> None:
    """Note whether a P wave in the interval before the last beat had no QRS of its own."""
    dropped = False
    known = s.p_beats > P_LEAST and s.atrial == 0 and s.run > RECENT_BEATS
    # Early beats bring pauses of their own.
    known = known and code_back(s, 1) == NORMAL and code_back(s, 2) == NORMAL
    shortest_s = _shortest_s(s)
    if known and rr_s > LONG_RR * shortest_s:
        dropped = _has_p_wave(s, r, beat_back(s, 2) + shortest_s * s.rate_hz)
    elif known and rr_s > SLOW_S:
        dropped = _has_p_wave(s, r, beat_back(s, 2) + 0.5 * rr_s * s.rate_hz)
    s.dropped = ((s.dropped << 1) | dropped) & HISTORY


@jit
def _since(s: Any) -> int:
    """Return how many intervals ago the first of those that are remembered had a blocked P wave."""
    n = 1
    while s.dropped >> n:
        n += 1
    return n


@jit
def pauses(d: Any, s: Any, seen: bool, blind: bool) -> None:
    """Look at the pause that lasts, and at those that were."""
    now = now_of(s)
    pause = pause_s(s)
    last = now - pause * s.rate_hz
    still = seen and s.run > 0 and s.candidate == 0.0 and not d.open[_VF]
    limit = d.high[_RR_LIMIT]
    follow(d, s, _PAUSE, still and pause >= limit, blind or not pause >= limit, 0.0, 0.0, last)
    overdue = still and d.paced == 1 and pause > max(PACED_S, PACED_RR * s.normal_rr)
    since_s = (s.block - s.paced_block) / s.internal_hz
    overdue = overdue and since_s > CAPTURE_S + DECIDED_S
    pulsed = since_s < pause - CAPTURE_S
    over = blind or pause < PACED_S
    follow(d, s, _NOT_CAPTURING, overdue and pulsed, over, 0.0, 0.0, last)
    follow(d, s, _NOT_PACING, overdue and not pulsed and not d.open[_NOT_CAPTURING], over, 0.0, 0.0, last)
    suspected = seen and bits(s.dropped) >= SUSPECTED
    follow(d, s, _BLOCK, suspected, blind or s.dropped == 0, 0.0, 0.0, beat_back(s, _since(s) + 1))
