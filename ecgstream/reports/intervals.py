"""From beats to the intervals between them: which are true neighbours, and which are NN."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from ecgstream.reports.material import NS, Beats, RhythmSpan

_OFF_S = 0.1
"""By so much the times of two neighbours may differ from their interval: more, and a row is missing."""
NOT_READ = frozenset({"NOISE", "VF", "VFL"})
"""Rhythms in which no interval is believed: no beats are told apart in them."""
NOT_SINUS = NOT_READ | {"AFIB", "SVTA", "VT", "ASYS", "P"}
"""Rhythms in which an interval between normal beats says nothing of the sinus node."""


def neighbours(beats: Beats, rhythms: Iterable[RhythmSpan]) -> NDArray[np.bool_]:
    """Return for each beat whether its ``rr_s`` is an interval to the beat before it; shape (n,).

    It is one where both are of one session and part, the detectors say so (no gap, no cold start), times
    agree with it, and nothing of it lies in noise or fibrillation.
    """
    ok = np.zeros(beats.time_ns.size, np.bool_)
    if ok.size < 2:
        return ok
    apart_s = np.diff(beats.time_ns) / NS
    rr_s = beats.rr_s[1:]
    same = beats.source[1:] == beats.source[:-1]
    with np.errstate(invalid="ignore"):
        ok[1:] = same & (rr_s > 0) & (np.abs(apart_s - rr_s) <= _OFF_S)
    return ok & ~_touched(beats, rhythms, NOT_READ)


def normal(beats: Beats, rhythms: Iterable[RhythmSpan], known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which intervals are NN: neighbours, both normal, in sinus rhythm or one that is not told.

    Source: Task Force of ESC and NASPE, "Heart rate variability", Circulation 93 (1996) 1043-1065: intervals
    between adjacent QRS complexes that result from sinus node depolarizations.
    """
    is_normal = beats.code == ord("N")
    before = np.concatenate(([False], is_normal[:-1])) if is_normal.size else is_normal
    found: NDArray[np.bool_] = known & is_normal & before & ~_touched(beats, rhythms, NOT_SINUS)
    return found


def _touched(beats: Beats, rhythms: Iterable[RhythmSpan], which: frozenset[str]) -> NDArray[np.bool_]:
    """Return of which beats the interval before them overlaps one of these rhythms."""
    found = np.zeros(beats.time_ns.size, np.bool_)
    for span in rhythms:
        if span.rhythm in which:
            first = int(np.searchsorted(beats.time_ns, span.from_ns, side="right"))
            last = int(np.searchsorted(beats.time_ns, span.to_ns, side="left"))
            found[first : last + 1] = True
    return found
