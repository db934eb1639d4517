"""What a lead is worth: its signal-to-noise ratio, and whether it shows the beats by itself."""

from typing import Any

from detectors.compiled import jit

GOOD, OFF, SATURATED, FLAT, MAINS, MUSCLE, MOTION = range(7)
"""What a lead's second was (``quality``)."""
LEAST_MV = 1e-6  # of background
FULL_SNR = 10.0  # QRS level to background of a lead that counts in full
UNKNOWN = 0.5  # quality of a readable lead that has shown no beat yet
AGREES_SHARE = 0.5  # of a lead's own QRS level: less is a T wave's height, or none (qrs.EARLY_SHARE)
AGREES_SNR = 4.0  # times its background: a quarter is where noise and signal part (Pan 1985)
LAST_BEATS = 4  # "the last seconds"
AGREES_BEATS = 3  # of these


@jit
def snr(s: Any, lead: int) -> float:
    """Return QRS level over background of a lead."""
    return float(s.level[lead] / max(s.noise[lead], LEAST_MV))


@jit
def lead_quality(s: Any, lead: int) -> float:
    """Return 0 (cannot be read) to 1 (clean)."""
    if (s.unusable >> lead) & 1:
        return 0.0
    return min(1.0, snr(s, lead) / FULL_SNR) if s.level[lead] > 0.0 else UNKNOWN


@jit
def note_beat(s: Any, lead: int) -> None:
    """Note whether a lead shows the beat that was found in all of them; before its level follows."""
    e = s.candidate_envelope[lead]
    shows = e >= AGREES_SHARE * s.level[lead] and e >= AGREES_SNR * s.noise[lead] and e > 0.0
    s.shown[lead] = (s.shown[lead] << 1 | int(shows)) & ((1 << LAST_BEATS) - 1)


@jit
def leads_agreeing(s: Any) -> int:
    """Return how many usable leads by themselves show the last beats."""
    n = 0
    for lead in range(s.leads):
        beats = s.shown[lead]
        shown = 0
        for i in range(LAST_BEATS):
            shown += (beats >> i) & 1
        n += shown >= AGREES_BEATS and not (s.unusable >> lead) & 1
    return n
