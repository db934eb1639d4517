"""PhysioNet's annotation codes, used everywhere for beats and rhythms.

Source: *WFDB Applications Guide*, "Annotation codes". The rhythm table only ever grows, since its
indices travel.
"""

BEATS = "NSVFQ/"
"""Beat codes after ANSI/AAMI EC57: normal, supraventricular, ventricular, fusion, unclassifiable, paced."""

RHYTHMS = ("?", "N", "SBR", "SVTA", "AFIB", "VT", "VFL", "VF", "ASYS", "P", "NOISE")
"""Auxiliary rhythm strings without their leading parenthesis. ``?``: not known (yet); ``NOISE``: cannot
analyse; ``SBR``: sinus bradycardia; ``SVTA``: supraventricular tachycardia; ``P``: paced."""
UNKNOWN, SINUS, BRADYCARDIA, SUPRAVENTRICULAR_TACHYCARDIA, AFIB, VT, VFL, VF, ASYSTOLE, PACED, NOISE = range(
    len(RHYTHMS)
)
