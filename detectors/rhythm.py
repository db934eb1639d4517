"""The rhythm in force, as a WFDB rhythm mark, once a second: first form.

Deviation from the WFDB tables: sinus rhythm is any rhythm that is neither slow, fast, ventricular, paced
nor atrial fibrillation. Slow is below the default limit of the kind of patient
(adult: 50 a minute, AHA/ACC/HRS guideline 2018), fast is what is extreme for it.
"""

from typing import Any

import numpy as np

from detectors.classes import PACED
from detectors.compiled import jit
from detectors.control import LOW
from detectors.extremes import EXTREMES
from detectors.output import write_rhythm
from schemas import mdc, wfdb
from schemas.conditions import Code
from schemas.limits import LIMITED_CODES

VFL_HZ = 4.0  # flutter: 240 a minute and less
DEBOUNCE_S = 2
PACED_SHARE = 0.5
_HEART_RATE = LIMITED_CODES.index(mdc.HEART_RATE)
_ASYSTOLE = int(Code.ASYSTOLE)
_VF = int(Code.VENTRICULAR_FIBRILLATION)
_VT = int(Code.VENTRICULAR_TACHYCARDIA)
R_UNKNOWN, R_SINUS, R_SBR, R_SVTA, R_AFIB = (
    wfdb.UNKNOWN,
    wfdb.SINUS,
    wfdb.BRADYCARDIA,
    wfdb.SUPRAVENTRICULAR_TACHYCARDIA,
    wfdb.AFIB,
)
R_VT, R_VFL, R_VF, R_ASYSTOLE, R_PACED, R_NOISE = (
    wfdb.VT, wfdb.VFL, wfdb.VF, wfdb.ASYSTOLE, wfdb.PACED, wfdb.NOISE,
)  # fmt: skip


@jit
def _rhythm(d: Any, s: Any) -> int:
    if s.blind > 0:
        return R_NOISE
    if d.open[_ASYSTOLE]:
        return R_ASYSTOLE
    if d.open[_VF]:
        return R_VFL if s.slow_hz < VFL_HZ else R_VF
    if d.open[_VT]:
        return R_VT
    if s.run < 4 or np.isnan(s.hr_bpm):
        return s.rhythm if s.rhythm != R_NOISE else R_UNKNOWN
    paced = 0
    for i in range(4):
        paced += s.code[(s.beats - 1 - i) % len(s.code)] == PACED
    if paced > 4 * PACED_SHARE:
        return R_PACED
    if s.atrial:
        return R_AFIB
    if s.hr_bpm < LOW[d.category, _HEART_RATE]:
        return R_SBR
    return R_SVTA if s.hr_bpm > EXTREMES[d.category].fast_bpm else R_SINUS


@jit
def rhythm_second(d: Any, s: Any, r: Any, out: Any) -> None:
    """Look at the rhythm; write it once it has been another for two seconds."""
    found = _rhythm(d, s)
    now = s.origin + s.block * r.step
    if found == s.rhythm:
        s.next_rhythm = found
        return
    if found != s.next_rhythm:
        s.next_rhythm = found
        s.next_since = now
    decided = found in (R_ASYSTOLE, R_VF, R_VFL, R_VT, R_AFIB)  # these have waited already
    if decided or now - s.next_since >= (DEBOUNCE_S - 1) * s.rate_hz:
        s.rhythm = found
        write_rhythm(d, s, out, s.next_since, found)
