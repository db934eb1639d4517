"""Patterns of ventricular and early beats: couplets, runs, bigeminy, trigeminy, supraventricular tachycardia.

Couplets and runs are counted in the annotated beats, as ANSI/AAMI EC57:2012, 4.4 and the WFDB application
``rxr`` do; bigeminy, trigeminy and supraventricular tachycardia are what people have marked as rhythms. What
is marked but shorter than what the detectors ask for (three cycles, five beats) is neither missed nor false.
Records of paced patients are left out.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from detectors.ectopy import BIGEMINY_BEATS, FAST_BEATS, RUN_BEATS, TRIGEMINY_BEATS
from detectors.output import ONSET
from ecgstream.evaluate import played, truth
from ecgstream.evaluate.episodes import Episodes, compare
from ecgstream.evaluate.statistics import rounded
from ecgstream.evaluate.suite import Suite, annotated
from ecgstream.evaluate.suites.rhythm import condition_spans, figures
from ecgstream.evaluate.truth import Span, Truth
from schemas.conditions import Code

NEAR_S = 0.15
"""Of an annotated beat: ANSI/AAMI EC57:2012."""
MARKED = {
    "bigeminy": ("B", BIGEMINY_BEATS, Code.VENTRICULAR_BIGEMINY),
    "trigeminy": ("T", TRIGEMINY_BEATS, Code.VENTRICULAR_TRIGEMINY),
    "svt": ("SVTA", FAST_BEATS, Code.SUPRAVENTRICULAR_TACHYCARDIA),
}


class OfRecord(NamedTuple):
    """What was found in one record; ``kinds``: by pattern, how annotated and found ones agree."""

    record: str
    paced: bool
    kinds: dict[str, Episodes]


def look(path: Path) -> OfRecord:
    """Play a record, and compare."""
    said, found = truth.read(path), played.play(path)
    kinds = {
        "couplet": compare(_couplets(said), _told_couplets(found, said), said.rate),
        "run": compare(_runs(said), condition_spans(found, (Code.VENTRICULAR_RUN,), said), said.rate),
    }
    for name, (mark, beats, code) in MARKED.items():
        marked = truth.spans(said, mark)
        kept = [span for span in marked if _beats_in(said, span) >= beats]
        short = [span for span in marked if span not in kept]
        kinds[name] = compare(kept, condition_spans(found, (code,), said), said.rate, short)
    return OfRecord(path.stem, said.paced, kinds)


def _in_a_row(said: Truth) -> Iterator[list[int]]:
    """Go through the beats, those of a row of ventricular ones together: their numbers."""
    for ventricular, row in groupby(range(said.sample.size), key=lambda i: said.aami[i] == "V"):
        if ventricular:
            yield list(row)


def _couplets(said: Truth) -> list[Span]:
    return [_around(said, int(said.sample[row[0]])) for row in _in_a_row(said) if len(row) == 2]


def _runs(said: Truth) -> list[Span]:
    rows = [row for row in _in_a_row(said) if len(row) >= RUN_BEATS]
    return [(int(said.sample[row[0]]), int(said.sample[row[-1]])) for row in rows]


def _told_couplets(found: played.Played, said: Truth) -> list[Span]:
    of = found.conditions
    told = of[(of["code"] == Code.VENTRICULAR_COUPLET) & (of["phase"] == ONSET)]
    scale = said.rate / found.rate
    return [_around(said, round(int(at) * scale)) for at in told["onset_sample"]]


def _around(said: Truth, at: int) -> Span:
    reach = round(0.5 * NEAR_S * said.rate)
    return at - reach, at + reach


def _beats_in(said: Truth, span: Span) -> int:
    return int(np.count_nonzero((said.sample >= span[0]) & (said.sample < span[1])))


def sum_up(found: Sequence[OfRecord]) -> dict[str, Any]:
    """Return figures by pattern, and of every record."""
    kept = [one for one in found if not one.paced]
    names = found[0].kinds.keys()
    told: dict[str, Any] = rounded(
        {
            **{name: figures([one.kinds[name] for one in kept]) for name in names},
            "left_out": [one.record for one in found if one.paced],
            "by_record": [
                {"record": one.record, **{name: figures([of]) for name, of in one.kinds.items()}}
                for one in kept
            ],
        }
    )
    return told


SUITE = Suite("patterns", "WFDB records with beats and rhythm marks in .atr", annotated, look, sum_up)
