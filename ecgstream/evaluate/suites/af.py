"""Atrial fibrillation in short recordings of one lead.

G. D. Clifford et al., "AF classification from a short single lead ECG recording: the PhysioNet/Computing in
Cardiology Challenge 2017", Computers in Cardiology 44 (2017). The label is of the whole recording, and
a detector that listens has heard the whole at its end: a recording counts as fibrillation if that is the last
rhythm it calls, ventricular runs and noise apart, which say nothing of the atria. How many were called so at
any time is told beside it. Of those that people found too noisy nothing is asked.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ecgstream.evaluate import played
from ecgstream.evaluate.statistics import exact, rounded, share
from ecgstream.evaluate.suite import Suite, wfdb_records
from schemas import wfdb

AF, ASKED = "A", "ANO"
REFERENCE = "REFERENCE.csv"
OF_THE_ATRIA = (wfdb.SINUS, wfdb.BRADYCARDIA, wfdb.SUPRAVENTRICULAR_TACHYCARDIA, wfdb.AFIB, wfdb.PACED)


class OfRecord(NamedTuple):
    """A recording.

    Attributes:
        record, label: its name, and what people call it.
        told, ever: whether the detectors say fibrillation at its end, and at any time.
    """

    record: str
    label: str
    told: bool
    ever: bool


def paths(folder: Path) -> list[Path]:
    """Return the recordings that the file ``REFERENCE.csv`` of a folder gives one of the labels asked."""
    if not (folder / REFERENCE).exists():
        return []
    labels = said(folder)
    return [path for path in wfdb_records(folder) if labels.get(path.stem, "~") in ASKED]


def said(folder: Path) -> dict[str, str]:
    """Return the label of each recording."""
    lines = (folder / REFERENCE).read_text().split()
    return dict(line.split(",", 1) for line in lines)


def look(path: Path) -> OfRecord:
    """Play a recording."""
    found = played.play(path)
    marks = found.rhythms["rhythm"]
    fibrillates = marks[np.isin(marks, OF_THE_ATRIA)] == wfdb.AFIB
    label = said(path.parent)[path.stem]
    return OfRecord(path.stem, label, bool(fibrillates[-1:].any()), bool(fibrillates.any()))


def sum_up(found: Sequence[OfRecord]) -> dict[str, Any]:
    """Return sensitivity, specificity and F1 of fibrillation against the others."""
    af = [one for one in found if one.label == AF]
    others = [one for one in found if one.label != AF]
    tp, tn = sum(one.told for one in af), sum(not one.told for one in others)
    fn, fp = len(af) - tp, len(others) - tn
    told: dict[str, Any] = rounded(
        {
            "af": {
                "se": share(tp, fn),
                "se_interval": exact(tp, len(af)),
                "sp": share(tn, fp),
                "sp_interval": exact(tn, len(others)),
                "f1": share(2 * tp, fn + fp),
                "tp": tp,
                "fn": fn,
                "tn": tn,
                "fp": fp,
            },
            "false_by_label": {
                label: sum(one.told for one in others if one.label == label) for label in ASKED if label != AF
            },
            "at_any_time": {
                "se": share(sum(one.ever for one in af), sum(not one.ever for one in af)),
                "sp": share(sum(not one.ever for one in others), sum(one.ever for one in others)),
            },
        }
    )
    return told


SUITE = Suite(
    "af", "recordings and a file REFERENCE.csv, as of the PhysioNet/CinC Challenge 2017", paths, look, sum_up
)
