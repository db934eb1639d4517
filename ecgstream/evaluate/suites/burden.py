"""Burden: how often people are called, and to what.

Each recording is a bed: played through the detectors packet by packet, as live, its conditions go through the
alert pipeline (``alerts``) on a clock that runs with the signal. What calls somebody is a page; one alert is
one page, whoever else is called when nobody answers. Nobody acknowledges anything, so that a condition that
comes back soon joins the alert that people have been called for: that is no other page, and people are told.

In folders in the form of CinC 2015 (``alarms``) the monitors' alarms are judged as well: an alarm pages if
people are told of its condition, with an onset in the ten seconds before 5:00 or in force from before and
still then, and were called by 5:10: what is held back may page until then. Of true alarms it is also told how
many page under any name: who is called to a ventricular tachycardia by an alarm of its rate comes as well.
Which alarms are false is told of these alarms alone: of the four minutes before nobody has said.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ecgstream.evaluate import played
from ecgstream.evaluate.paged import Told, paged
from ecgstream.evaluate.statistics import exact, rounded, share
from ecgstream.evaluate.suite import Suite, wfdb_records
from ecgstream.evaluate.suites import alarms
from schemas.conditions import Code

_HEART = frozenset(code.name for code in alarms.CODES.values())


class OfRecord(NamedTuple):
    """A bed.

    Attributes:
        record: its name.
        hours: how long it is.
        told: what people are told.
        held: how many alerts were held back for good.
        alarm: the monitor's alarm and whether it is true; None: there is none.
    """

    record: str
    hours: float
    told: tuple[Told, ...]
    held: int
    alarm: tuple[str, bool] | None


def look(path: Path) -> OfRecord:
    """Play a recording through detectors and pipeline."""
    listed = (path.parent / "ALARMS").exists()
    alarm = alarms.said(path.parent)[path.stem] if listed else None
    found = played.play(path, limit_s=alarms.ALARM_S if listed else None)
    return OfRecord(path.stem, found.duration_s / 3600.0, *paged(found), alarm)


def of_alarm(one: OfRecord, *, any_name: bool = False) -> list[Told]:
    """Return what people are told of a monitor's alarm."""
    if one.alarm is None:
        return []
    wanted = _HEART if any_name else {alarms.CODES[one.alarm[0]].name}
    return [
        told
        for told in one.told
        if told.condition in wanted
        and (told.onset_s >= alarms.ALARM_S - alarms.BEFORE_S or told.over_s >= alarms.ALARM_S)
    ]


def sum_up(found: Sequence[OfRecord]) -> dict[str, Any]:
    """Return how often people are called, to what, and of the monitors' alarms which page."""
    days = sum(one.hours for one in found) / 24.0
    pages = [told for one in found for told in one.told if told.paged_s is not None]
    names = sorted({page.condition for page in pages}, key=lambda name: Code[name])
    told: dict[str, Any] = {
        "bed_days": days,
        "pages_per_bed_day": len(pages) / days,
        "high_pages_per_bed_day": sum(page.high for page in pages) / days,
        "held_back": {"alerts": sum(one.held for one in found)},
        "joined": {"alerts": sum(told.paged_s is None for one in found for told in one.told)},
        "pages_by_condition": {name.lower(): sum(p.condition == name for p in pages) for name in names},
        "beds_with_high_pages": {
            "beds": sum(any(t.high for t in one.told) for one in found),
            "of": len(found),
        },
        "onset_to_page_s": _delays(pages, lambda page: page.onset_s),
        "decided_to_page_s": _delays(pages, lambda page: page.decided_s),
    }
    if any(one.alarm for one in found):
        told |= _of_alarms([one for one in found if one.alarm])
    result: dict[str, Any] = rounded(told)
    return result


def _of_alarms(found: Sequence[OfRecord]) -> dict[str, Any]:
    true = [one for one in found if one.alarm and one.alarm[1]]
    false = [one for one in found if one.alarm and not one.alarm[1]]
    paging = sum(bool(of_alarm(one)) for one in false)
    kinds = [kind for kind in alarms.CODES if any(one.alarm and one.alarm[0] == kind for one in true)]
    told = [each for one in true for each in of_alarm(one)]
    return {
        "false_paged_share": share(paging, len(false) - paging),
        "false_paged": _share_of(paging, len(false)),
        "true_paged": {kind: _of_kind(true, kind) for kind in kinds},
        "true_onset_to_page_s": _delays(told, lambda page: page.onset_s),
    }


def _of_kind(true: Sequence[OfRecord], kind: str) -> dict[str, Any]:
    of = [one for one in true if one.alarm and one.alarm[0] == kind]
    named = _share_of(sum(bool(of_alarm(one)) for one in of), len(of))
    by_any_name = sum(bool(of_alarm(one, any_name=True)) for one in of)
    return named | {"by_any_name": share(by_any_name, len(of) - by_any_name)}


def _share_of(n: int, of: int) -> dict[str, Any]:
    return {"share": share(n, of - n), "share_interval": exact(n, of), "paged": n, "n": of}


def _delays(told: Sequence[Told], since: Callable[[Told], float]) -> dict[str, float | None]:
    """Return how long pages of high priority took, s; what joined others had been paged for."""
    seconds = [one.paged_s - since(one) for one in told if one.high and one.paged_s is not None]
    if not seconds:
        return {"p50": None, "p99": None, "max": None}
    return {"p50": float(np.median(seconds)), "p99": float(np.quantile(seconds, 0.99)), "max": max(seconds)}


SUITE = Suite("burden", "recordings, each a bed; a file ALARMS is judged, too", wfdb_records, look, sum_up)
