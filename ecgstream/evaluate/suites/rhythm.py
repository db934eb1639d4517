"""Rhythms: episodes of ventricular fibrillation, flutter and tachycardia, of atrial fibrillation, and pauses.

ANSI/AAMI EC57:2012, 4.5. Ventricular episodes that follow each other are one, since where tachycardia becomes
flutter is a matter of taste; those of less than 4 s are told apart. Where people have written HGEA,
high-grade ventricular ectopic activity, there are runs of ventricular beats that nobody has marked one by
one: how it is if what is found there is not false is told beside it (``ventricular_but_hgea``).
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from detectors.output import END, ONSET
from ecgstream.evaluate import played, truth
from ecgstream.evaluate.episodes import Episodes, compare, merged, overlap
from ecgstream.evaluate.statistics import rounded, share
from ecgstream.evaluate.suite import Suite, annotated
from ecgstream.evaluate.truth import Span
from schemas import wfdb
from schemas.conditions import Code

LEAST_S = 4.0
PAUSE_S = 3.0
"""The default limit of an adult: ``schemas.limits``."""
JOIN_S = 1.0
VENTRICULAR = ("VT", "VFL", "VF", "VFIB", "VFL/VF")
_FIBRILLATING = ("VFL", "VF", "VFIB", "VFL/VF")
RUNS = ("HGEA",)
_UNSURE = ("NOISE", "NOD", "HGEA")
CODES = {
    "ventricular": (Code.VENTRICULAR_FIBRILLATION, Code.VENTRICULAR_TACHYCARDIA),
    "vf": (Code.VENTRICULAR_FIBRILLATION,),
    "pause": (Code.PAUSE,),
}


class OfRecord(NamedTuple):
    """What was found in one record.

    Attributes:
        record: its name.
        kinds: by kind, how annotated and found episodes agree.
        short: ventricular episodes of less than 4 s: how many are annotated, and of these found.
        hours: how long it is.
    """

    record: str
    kinds: dict[str, Episodes]
    short: tuple[int, int]
    hours: float


def look(path: Path) -> OfRecord:
    """Play a record, and compare."""
    said, found = truth.read(path), played.play(path)
    rate = said.rate
    least, join = LEAST_S * rate, JOIN_S * rate
    all_vt = merged([*truth.spans(said, *VENTRICULAR), *said.fibrillation], join)
    vf = merged([*truth.spans(said, *_FIBRILLATING), *said.fibrillation], join)
    kept = [s for s in all_vt if s[1] - s[0] >= least]
    short = [s for s in all_vt if s[1] - s[0] < least]
    told = {name: merged(condition_spans(found, codes, said), join) for name, codes in CODES.items()}
    af = merged(truth.spans(said, "AFIB"), join)
    kinds = {
        "ventricular": compare(kept, told["ventricular"], rate, excused=short),
        "ventricular_but_hgea": compare(kept, told["ventricular"], rate, [*short, *truth.spans(said, *RUNS)]),
        "vf": compare([s for s in vf if s[1] - s[0] >= least], told["vf"], rate, excused=all_vt),
        "af": compare(af, merged(_rhythm(found, said, wfdb.AFIB), join), rate, truth.spans(said, "AFL")),
        "pause": compare(_pauses(said), told["pause"], rate, excused=truth.spans(said, *_UNSURE, "ASYS")),
    }
    seen = sum(bool(overlap([s], told["ventricular"])) for s in short)
    return OfRecord(path.stem, kinds, (len(short), seen), said.length / rate / 3600)


def condition_spans(found: played.Played, codes: Iterable[Code], said: truth.Truth) -> list[Span]:
    """Return from when to when conditions lasted, in the annotations' samples."""
    scale = said.rate / found.rate
    spans: list[Span] = []
    for code in codes:
        begun: int | None = None
        for row in found.conditions[found.conditions["code"] == code]:
            if row["phase"] == ONSET:
                begun = round(int(row["onset_sample"]) * scale)
            elif row["phase"] == END and begun is not None:
                spans.append((begun, round(int(row["sample"]) * scale)))
                begun = None
        if begun is not None:
            spans.append((begun, said.length))
    return spans


def _rhythm(found: played.Played, said: truth.Truth, wanted: int) -> list[Span]:
    """Return in which spans a rhythm was in force."""
    scale = said.rate / found.rate
    marks = [(round(int(row["sample"]) * scale), int(row["rhythm"])) for row in found.rhythms]
    return [(a, b) for (a, rhythm), (b, _) in pairwise([*marks, (said.length, -1)]) if rhythm == wanted]


def _pauses(said: truth.Truth) -> list[Span]:
    """Return where annotated beats are too far apart, outside of fibrillation."""
    if said.sample.size < 2:
        return []
    gaps = np.flatnonzero(np.diff(said.sample) >= PAUSE_S * said.rate)
    spans = [(int(said.sample[i]), int(said.sample[i + 1])) for i in gaps]
    fibrillating = [*said.fibrillation, *truth.spans(said, *_FIBRILLATING)]
    return [span for span in spans if not overlap([span], fibrillating)]


def sum_up(found: Sequence[OfRecord]) -> dict[str, Any]:
    """Return episode and duration figures by kind, and of every record."""
    names = found[0].kinds.keys()
    told: dict[str, Any] = rounded(
        {
            **{name: figures([one.kinds[name] for one in found]) for name in names},
            "ventricular_below_4s": {
                "annotated": sum(one.short[0] for one in found),
                "found": sum(one.short[1] for one in found),
            },
            "hours": sum(one.hours for one in found),
            "by_record": [
                {"record": one.record, **{name: figures([of]) for name, of in one.kinds.items()}}
                for one in found
            ],
        }
    )
    return told


def figures(each: Sequence[Episodes]) -> dict[str, Any]:
    """Return sensitivity, positive predictivity and counts of episodes, and of their durations."""
    e = sum(each, Episodes(0, 0, 0, 0, 0.0, 0.0, 0.0))
    return {
        "episode_se": share(e.hit, e.missed),
        "episode_ppv": share(e.right, e.false),
        "duration_se": share(e.both, e.annotated - e.both),
        "duration_ppv": share(e.both, e.found - e.both),
        "hit": e.hit,
        "missed": e.missed,
        "right": e.right,
        "false": e.false,
    }


SUITE = Suite("rhythm", "WFDB records with rhythm marks in .atr", annotated, look, sum_up)
