"""From log odds to told conditions, as ``detectors.conditions`` does it: for figures out of fold.

The kernel holds one set of weights; what the detectors would tell with weights that a record has not taught
is worked out here, from the same features.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors import conditions, fibrillation
from ecgstream.documents import table
from ecgstream.evaluate import truth
from ecgstream.evaluate.episodes import Episodes, compare, merged
from ecgstream.evaluate.statistics import share
from ecgstream.evaluate.suites import alarms, rhythm
from ecgstream.evaluate.truth import Span

VT, VF = "Ventricular_Tachycardia", "Ventricular_Flutter_Fib"


class Odds(NamedTuple):
    """Log odds by second (``second``: its end, s), whether the wave is organised, how clean; shape (n,)."""

    path: Path
    second: NDArray[np.float64]
    wave: NDArray[np.float64]
    run: NDArray[np.float64]
    organised: NDArray[np.bool_]
    quality: NDArray[np.float64]


def told(one: Odds) -> dict[str, list[tuple[float, float]]]:
    """Return from when to when tachycardia and fibrillation are told, s: first the onset that is stated."""
    found: dict[str, list[tuple[float, float]]] = {VT: [], VF: []}
    begun: dict[str, float | None] = {VT: None, VF: None}
    quiet = {VT: 0, VF: 0}
    waving = unruly = 0
    for now, wave, run_odds, organised, quality in zip(*(a.tolist() for a in one[1:]), strict=True):
        waving = waving + 1 if wave > fibrillation.BEGIN_ODDS else 0
        unruly = unruly + 1 if waving and not organised else 0
        run, over = run_odds > conditions.RUN_ODDS, wave < fibrillation.END_ODDS
        burst = wave > fibrillation.CLEAN_ODDS and quality > fibrillation.CLEAN
        since = now - fibrillation.WINDOW_S - max(0, waving - 1)
        begins = {
            VT: run or burst or (waving > 0 and organised),
            VF: waving >= conditions.VF_WINDOWS and unruly >= conditions.UNRULY_WINDOWS,
        }
        ends = {VT: over and not run, VF: over or organised}
        for kind in (VT, VF):
            at = begun[kind]
            if at is None:
                begun[kind] = (min(since, now - fibrillation.WINDOW_S)) if begins[kind] else None
                quiet[kind] = 0
            elif not ends[kind]:
                quiet[kind] = 0
            else:
                quiet[kind] += 1
                if quiet[kind] > conditions.VENTRICULAR_END_S:
                    found[kind].append((at, now))
                    begun[kind] = None
    for kind, at in begun.items():
        if at is not None:
            found[kind].append((at, float(one.second[-1])))
    return found


def _alarm(one: Odds) -> alarms.OfRecord | None:
    kind, true = alarms.said(one.path.parent)[one.path.stem]
    if kind not in (VT, VF):
        return None
    spans = told(one)[kind]
    last = float(one.second[-1])
    raised = any(onset >= alarms.ALARM_S - alarms.BEFORE_S or end >= last for onset, end in spans)
    return alarms.OfRecord(one.path.stem, kind, true, raised, raised)


def _episodes(one: Odds, also_excused: Sequence[str] = ()) -> Episodes:
    said = truth.read(one.path)
    least, join = rhythm.LEAST_S * said.rate, rhythm.JOIN_S * said.rate
    marked = merged([*truth.spans(said, *rhythm.VENTRICULAR), *said.fibrillation], join)
    spans: list[Span] = [
        (round(a * said.rate), round(b * said.rate)) for each in told(one).values() for a, b in each
    ]
    return compare(
        [s for s in marked if s[1] - s[0] >= least],
        merged(spans, join),
        said.rate,
        excused=[*(s for s in marked if s[1] - s[0] < least), *truth.spans(said, *also_excused)],
    )


def judge(out_of_fold: Sequence[Odds], taught: Sequence[Odds]) -> str:
    """Return a table: what records tell that have not taught the weights, and what they tell that have."""
    rows = []
    for name, records in (("out of fold", out_of_fold), ("all have taught", taught)):
        for title, folder, excused in (
            ("vfdb", "vfdb", ()),
            ("vfdb but HGEA", "vfdb", rhythm.RUNS),
            ("mitdb", "mitdb", ()),
        ):
            of = (_episodes(one, excused) for one in records if one.path.parent.name == folder)
            e = sum(of, Episodes(0, 0, 0, 0, 0.0, 0.0, 0.0))
            figures = (share(e.hit, e.missed), share(e.right, e.false))
            rows.append(_row(f"{title}, {name}", e.hit, e.missed, e.false, figures))
        found = [a for one in records if one.path.parent.name == "cinc2015" and (a := _alarm(one))]
        for kind in (VT, VF):
            alarmed = [a for a in found if a.type == kind]
            tp = sum(a.true and a.told for a in alarmed)
            fn, fp = sum(a.true for a in alarmed) - tp, sum(a.told for a in alarmed) - tp
            figures = (share(tp, fn), share(len(alarmed) - tp - fn - fp, fp))
            rows.append(_row(f"{kind.replace('_', ' ')} alarms, {name}", tp, fn, fp, figures))
    head = ["", "found", "missed", "false", "Se, TPR", "+P, TNR"]
    return table(head, rows)


def _row(title: str, found: int, missed: int, false: int, figures: Sequence[float | None]) -> list[str]:
    return [
        title,
        *(str(n) for n in (found, missed, false)),
        *("-" if f is None else f"{f:.1f}" for f in figures),
    ]
