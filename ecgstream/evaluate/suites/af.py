"""Atrial fibrillation in short recordings of one lead.

G. D. Clifford et al., "AF classification from a short single lead ECG recording: the PhysioNet/Computing in
Cardiology Challenge 2017", Computers in Cardiology 44 (2017). A recording counts as fibrillation if the
detectors say so at any time of it. Of those that people found too noisy nothing is asked.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ecgstream.evaluate import played
from ecgstream.evaluate.statistics import exact, rounded, share
from ecgstream.evaluate.suite import Suite, wfdb_records
from schemas import wfdb

AF, ASKED = "A", "ANO"
REFERENCE = "REFERENCE.csv"


class OfRecord(NamedTuple):
    """A recording: what people call it, and whether the detectors say fibrillation."""

    record: str
    label: str
    told: bool


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
    told = bool((found.rhythms["rhythm"] == wfdb.AFIB).any())
    return OfRecord(path.stem, said(path.parent)[path.stem], told)


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
        }
    )
    return told


SUITE = Suite(
    "af", "recordings and a file REFERENCE.csv, as of the PhysioNet/CinC Challenge 2017", paths, look, sum_up
)
