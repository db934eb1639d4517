"""Trials: signals that are made, sent through the detectors, and what was asked of them.

Every run of a trial goes through in short packets and in long ones. An alarm counts as told when the packet
that brings its onset has ended. A page counts as sent when the alert pipeline calls somebody for it.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from detectors.output import ONSET
from ecgstream.evaluate.paged import Told, paged
from ecgstream.evaluate.played import Played, play_source
from ecgstream.evaluate.waveforms.signal import Signal
from schemas.conditions import Code
from schemas.records import Change

PACKETS_S = (0.25, 1.0)
PAGE_HIGH_S, PAGE_S = 10.0, 3.0
"""Within which somebody is called: where priority is high, after the onset; else after the decision."""
RATE_ERROR_BPM = 1.0
"""How far a heart rate may be off."""
NEVER = math.inf


class Alarm(NamedTuple):
    """What must be told, and how soon.

    Attributes:
        code: of the condition, ``schemas.conditions.Code``.
        median_s, worst_s: how long after the onset at most, by packet length; NEVER: nothing is asked.
        like: conditions that call somebody to the bed for the same reason.
    """

    code: int
    median_s: Mapping[float, float]
    worst_s: Mapping[float, float]
    like: tuple[int, ...] = ()


class Rate(NamedTuple):
    """Which heart rate must be told at the end of each packet from the onset on; 0: none, no beat counts."""

    bpm: float


class Page(NamedTuple):
    """A call: when, in s of signal, and for what."""

    at_s: float
    told: Told

    def is_in_time(self, onset_s: float) -> bool:
        """Return whether it came as soon as was asked."""
        since_s, most_s = (onset_s, PAGE_HIGH_S) if self.told.high else (self.told.decided_s, PAGE_S)
        return self.at_s - since_s <= most_s


class Trial(NamedTuple):
    """One thing that is asked.

    Attributes:
        name: what it is called.
        table: among which figures its own stand.
        make: of a run's number, the signal.
        runs: how many.
        wanted: what must be told.
        changes: what holds from the first sample on, such as alarm limits.
    """

    name: str
    table: str
    make: Callable[[int], Signal]
    runs: int
    wanted: Alarm | Rate
    changes: tuple[Change, ...] = ()


class Outcome(NamedTuple):
    """What came of a trial: its name and table, and its row of figures by packet length."""

    name: str
    table: str
    rows: dict[str, dict[str, Any]]


def look(trial: Trial) -> Outcome:
    """Play all runs of a trial in packets of either length."""
    played: dict[float, list[tuple[float, Played]]] = {packet_s: [] for packet_s in PACKETS_S}
    for run in range(trial.runs):
        signal = trial.make(run)
        source = signal.source()
        for packet_s in PACKETS_S:
            found = play_source(source, packet_s=packet_s, changes=trial.changes)
            played[packet_s].append((signal.onset_s, found))
    wanted = trial.wanted
    return Outcome(
        trial.name,
        trial.table,
        {
            f"{packet_s:g}_s": alarm_row(wanted, packet_s, runs) | page_row(wanted, runs)
            if isinstance(wanted, Alarm)
            else rate_row(wanted, runs)
            for packet_s, runs in played.items()
        },
    )


def told_after_s(found: Played, onset_s: float, codes: Sequence[int]) -> float:
    """Return how long after an onset one of some conditions began to be told, s; NEVER if none was."""
    begins = (found.conditions["phase"] == ONSET) & np.isin(found.conditions["code"], codes)
    after = found.condition_s[begins] - onset_s
    return float(after[after > 0.0].min(initial=NEVER))


def alarm_row(wanted: Alarm, packet_s: float, runs: Sequence[tuple[float, Played]]) -> dict[str, Any]:
    """Return how soon an alarm was told: median and worst of the runs, None where it never was.

    Args:
        wanted: the alarm.
        packet_s: how long the packets were.
        runs: each run's onset, s, and what was found.
    """
    after = [told_after_s(found, onset_s, (wanted.code,)) for onset_s, found in runs]
    median, worst = float(np.median(after)), max(after)
    most_median, most_worst = wanted.median_s[packet_s], wanted.worst_s[packet_s]
    row: dict[str, Any] = {
        "median_s": _told(median),
        "worst_s": _told(worst),
        "missed": sum(one == NEVER for one in after),
        "runs": len(after),
        "met": worst < NEVER and median <= most_median and worst <= most_worst,
    }
    asked = {"median_at_most_s": most_median, "worst_at_most_s": most_worst}
    row |= {name: most for name, most in asked.items() if most < NEVER}
    if wanted.like:
        either = [told_after_s(found, onset_s, (wanted.code, *wanted.like)) for onset_s, found in runs]
        row |= {
            "first_alarm_median_s": _told(float(np.median(either))),
            "first_alarm_worst_s": _told(max(either)),
        }
    return row


def page_row(wanted: Alarm, runs: Sequence[tuple[float, Played]]) -> dict[str, Any]:
    """Return how soon somebody was called for an alarm, or one like it: of each run the first call.

    Args:
        wanted: the alarm.
        runs: each run's onset, s, and what was found.
    """
    firsts = [(onset_s, first_page(paged(found)[0], onset_s, wanted)) for onset_s, found in runs]
    after = [NEVER if page is None else page.at_s - onset_s for onset_s, page in firsts]
    return {
        "page_median_s": _told(float(np.median(after))),
        "page_worst_s": _told(max(after)),
        "paged_in_time": all(page is not None and page.is_in_time(onset_s) for onset_s, page in firsts),
    }


def first_page(told: Sequence[Told], onset_s: float, wanted: Alarm) -> Page | None:
    """Return the first call for an alarm, or one like it, that came after its onset."""
    names = {Code(code).name for code in (wanted.code, *wanted.like)}
    called = [Page(one.paged_s, one) for one in told if one.condition in names and one.paged_s is not None]
    return min((page for page in called if page.at_s > onset_s), key=lambda page: page.at_s, default=None)


def rate_row(wanted: Rate, runs: Sequence[tuple[float, Played]]) -> dict[str, Any]:
    """Return which heart rates were told, and how far off the worst was; where none is told it counts as 0.

    Args:
        wanted: the rate.
        runs: from when on each run counts, s, and what was found.
    """
    each = [np.nan_to_num(found.hr_bpm[found.packet_s > onset_s]) for onset_s, found in runs]
    told = np.concatenate(each)
    worst = float(np.abs(told - wanted.bpm).max())
    return {
        "wanted_bpm": wanted.bpm,
        "lowest_bpm": float(told.min()),
        "highest_bpm": float(told.max()),
        "error_bpm": worst,
        "runs": len(runs),
        "met": worst <= RATE_ERROR_BPM,
    }


def _told(seconds: float) -> float | None:
    return seconds if seconds < NEVER else None
