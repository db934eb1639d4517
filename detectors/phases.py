"""The phases of a condition of the ECG: it begins, goes on and ends; some are over as they are seen.

What is decided at a tick is written by ``tell``, so that the output is not handed to what runs at every tick.
"""

from typing import Any

import numpy as np

from detectors.compiled import jit
from detectors.evidence import OF_VITALS
from detectors.output import END, ONSET, UPDATE, outer, time_of, write_condition
from detectors.state import CONDITIONS
from schemas.conditions import Code

TICKS = 8  # a second
UPDATE_S = np.ones(CONDITIONS)
"""How often a condition that lasts is told of: what may have to be verified, every second."""
UPDATE_S[
    [
        Code.ATRIAL_FIBRILLATION,
        Code.VENTRICULAR_BIGEMINY,
        Code.VENTRICULAR_TRIGEMINY,
        Code.VPC_RATE_HIGH,
        Code.AV_BLOCK,
        Code.ST_ELEVATION,
        Code.ST_DEPRESSION,
    ]
] = 10.0  # they last for hours, in many patients; nothing is decided by their evidence second by second
DECIDED_S = 0.4  # a beat is decided within so long of its R peak (qrs): until then nothing is missing


@jit
def begin(d: Any, s: Any, out: Any, code: int, onset: float, sample: float) -> None:
    """Open a condition of the ECG; ``onset`` and ``sample`` are ECG samples."""
    _open(d, s, code, onset, sample)
    write_condition(d, s, out, d.session, code, ONSET, outer(s, sample), time_of(s, sample), np.nan)


@jit
def end(d: Any, s: Any, out: Any, code: int, sample: float) -> None:
    """Close a condition of the ECG."""
    _close(d, code)
    write_condition(d, s, out, d.session, code, END, outer(s, sample), time_of(s, sample), np.nan)


@jit
def tell(d: Any, s: Any, out: Any) -> None:
    """Write what ``assess`` has decided."""
    now = now_of(s)
    for i in range(s.decided):
        code, phase = s.decided_code[i], s.decided_phase[i]
        write_condition(d, s, out, d.session, code, phase, outer(s, now), time_of(s, now), np.nan)
    s.decided = 0


@jit
def now_of(s: Any) -> float:
    """Return the ECG sample that the present block begins with."""
    return float(s.origin + s.block * (s.rate_hz / s.internal_hz))


@jit
def _open(d: Any, s: Any, code: int, onset: float, sample: float) -> None:
    d.open[code] = 1
    d.held[code] = 0
    d.onset[code] = outer(s, onset)
    d.onset_ns[code] = time_of(s, onset)
    d.told[code] = int(sample)


@jit
def _close(d: Any, code: int) -> None:
    d.open[code] = 0
    d.held[code] = 0


@jit
def _decide(s: Any, code: int, phase: int) -> None:
    s.decided_code[s.decided] = code
    s.decided_phase[s.decided] = phase
    s.decided += 1


@jit
def follow(
    d: Any, s: Any, code: int, begins: bool, ends: bool, hold_s: float, end_s: float, onset: float
) -> None:
    """Open, update or close a condition; ``onset`` is where it began if it begins now.

    What begins anew begins behind its last end, however far back its reason reaches: else it would be told
    under the old one's id, and taken for what has long been answered.
    """
    if d.open[code]:
        d.held[code] = d.held[code] + 1 if ends else 0
        now = now_of(s)
        if ends and d.held[code] > end_s * TICKS:
            _close(d, code)
            d.told[code] = int(now)
            _decide(s, code, END)
        elif now - d.told[code] >= UPDATE_S[code] * s.rate_hz:
            d.told[code] = int(now)
            _decide(s, code, UPDATE)
        return
    if not begins:
        d.held[code] = 0
        return
    if d.held[code] == 0:
        d.since[code] = int(onset)
    d.held[code] += 1
    if d.held[code] > hold_s * TICKS:
        _open(d, s, code, float(max(d.since[code], d.told[code])), now_of(s))
        _decide(s, code, ONSET)


@jit
def moment(d: Any, s: Any, code: int, onset: float) -> None:
    """Tell of what has just happened and is over; ``onset`` is the ECG sample where it began."""
    _open(d, s, code, onset, now_of(s))
    _close(d, code)
    _decide(s, code, ONSET)
    _decide(s, code, END)


@jit
def end_all(d: Any, s: Any, out: Any, sample: float) -> None:
    """Close every condition of the ECG: the session or the stretch is over."""
    for code in range(len(d.open)):
        if OF_VITALS[code]:
            continue
        if d.open[code]:
            end(d, s, out, code, sample)
        d.held[code] = 0
        d.told[code] = 0  # another session counts from 0
