"""What the pulse wave says against a condition of the ECG, from the condition's own evidence.

An arrest or a slow heart that the ECG shows is refuted where blood is seen to be pumped all the while: by
good pulses that ran for some time before it began, run on without a break, and came last just now. So a pulse
that begins afterwards refutes nothing, however regular it is: chest compressions make one of 80 to 140 a
minute. Nor does one that is there after a break: what it shows is that the heart beats again.

It never speaks against a fast rhythm, since beats that eject nothing have no pulse, nor against ventricular
tachycardia and fibrillation, which may have one for a while.

What it cannot see: that a pump beats in place of the heart (intra-aortic balloon), or that compressions have
gone on for longer than ``BEFORE_S`` before an asystole is told anew, behind a fibrillation or an ECG that
they made look like beats. Whoever decides must know what else was told of the patient before.
"""

import math

from schemas.conditions import Code
from schemas.records import Condition

BEFORE_S = 5.0
"""How long good pulses must have run before the onset: about as many beats as a bradycardia is told by. A
first value; on the development recordings 3 to 10 s decide alike of what is true."""
STALE_S = 2.0
"""Age of the last pulse from which a wave says nothing: the detector ends its run then. The last beat before
an arrest has its pulse at most 0.6 s later, and an asystole is told after 3 s at the soonest."""
ERROR_BPM, ERROR_SHARE = 5.0, 0.1
"""How far a heart rate may be off (ANSI/AAMI EC13:2002: the greater of the two). The pulse must be faster by
that than the limit and than the ECG's own rate: where both are alike, it confirms what it might refute."""

_PAUSES = frozenset({Code.ASYSTOLE.name})
_SLOW = frozenset({Code.EXTREME_BRADYCARDIA.name, Code.HEART_RATE_LOW.name})


def refutes(condition: Condition) -> bool:
    """Return whether the pulse wave shows that a condition, as it stands in this record, is not there.

    Args:
        condition: ``evidence`` holds, where they are known, ``pulse_bpm``, ``hr_bpm`` and ``limit_bpm`` in
            beats a minute, and ``pulse_age_s``, ``pulse_unbroken_s`` and ``pulse_before_onset_s`` in s.

    >>> from schemas.records import Phase
    >>> running = {"pulse_age_s": 0.5, "pulse_unbroken_s": 24.0, "pulse_before_onset_s": 20.0}
    >>> def told(code, **changed):
    ...     evidence = running | {"pulse_bpm": 72.0} | changed
    ...     times = (0, 0, 1000, 4_000_000_000, 4.0)
    ...     return Condition("", "", "", 0, code, Phase.ONSET, *times, evidence, 0, 0, 0, 0, "")
    >>> slow = {"hr_bpm": 38.0, "limit_bpm": 42.0}
    >>> refutes(told("ASYSTOLE")), refutes(told("EXTREME_BRADYCARDIA", **slow))
    (True, True)
    >>> refutes(told("ASYSTOLE", pulse_before_onset_s=-3.0)), refutes(told("ASYSTOLE", pulse_age_s=2.5))
    (False, False)
    >>> refutes(told("HEART_RATE_LOW", hr_bpm=66.0, limit_bpm=70.0)), refutes(told("EXTREME_TACHYCARDIA"))
    (False, False)
    """
    if condition.code not in _PAUSES | _SLOW or not _runs_on(condition):
        return False
    pulse_bpm = condition.evidence.get("pulse_bpm", math.nan)
    if condition.code in _PAUSES:
        return pulse_bpm > 0.0
    rates_bpm = (condition.evidence.get(name, math.nan) for name in ("limit_bpm", "hr_bpm"))
    return all(pulse_bpm >= rate_bpm + max(ERROR_BPM, ERROR_SHARE * rate_bpm) for rate_bpm in rates_bpm)


def _runs_on(condition: Condition) -> bool:
    """Return whether good pulses have run from before the onset up to the record; unknown is no."""
    names = ("pulse_age_s", "pulse_unbroken_s", "pulse_before_onset_s")
    age_s, unbroken_s, before_s = (condition.evidence.get(name, math.nan) for name in names)
    # Told in samples and, beside them, in the device's time, whose clock may have been set in between.
    lasted_s = (condition.time_ns - condition.onset_ns) * 1e-9
    return age_s < STALE_S and before_s >= BEFORE_S and unbroken_s - lasted_s >= BEFORE_S - STALE_S
