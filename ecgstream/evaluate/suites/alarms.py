"""Alarms: which alarms of bedside monitors the detectors confirm, and which they keep silent on.

G. D. Clifford et al., "The PhysioNet/Computing in Cardiology Challenge 2015: reducing false arrhythmia
alarms in the ICU", Computers in Cardiology 42 (2015) 273-276. The alarm came at 5:00; what came before is
played, as live, and no more. It is confirmed if the detectors raise that condition: if it was told by then,
with an onset in the ten seconds before, or if it has been in force from before and still is at 5:00. For
who has told a condition and not its end does not keep silent: a bedside monitor may repeat its alarm in the
fourth minute of a tachycardia. How it would be with the onset alone is told beside it, and how it would be
if conditions that the pulse wave refutes (``alerts.pulse``) were taken away.
"""

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.output import END, ONSET
from ecgstream.evaluate import played, refuted
from ecgstream.evaluate.statistics import exact, rounded, share
from ecgstream.evaluate.suite import Suite, wfdb_records
from schemas.conditions import Code

ALARM_S, BEFORE_S = 300.0, 10.0
MISS_WEIGHT = 5
CODES = {
    "Asystole": Code.ASYSTOLE,
    "Bradycardia": Code.EXTREME_BRADYCARDIA,
    "Tachycardia": Code.EXTREME_TACHYCARDIA,
    "Ventricular_Flutter_Fib": Code.VENTRICULAR_FIBRILLATION,
    "Ventricular_Tachycardia": Code.VENTRICULAR_TACHYCARDIA,
}


class OfRecord(NamedTuple):
    """An alarm.

    Attributes:
        record, type: which.
        true: whether people say that it is true.
        told: whether the detectors raise it.
        begun: whether its onset lies in the ten seconds before.
        told_with_pulse: whether they raise it, if what the pulse wave refutes is taken away.
        slow: of each asystole and bradycardia in the five minutes, its name and whether it is refuted.
    """

    record: str
    type: str
    true: bool
    told: bool
    begun: bool
    told_with_pulse: bool = False
    slow: tuple[tuple[str, bool], ...] = ()


def paths(folder: Path) -> list[Path]:
    """Return the records that the file ``ALARMS`` of a folder names."""
    if not (folder / "ALARMS").exists():
        return []
    named = said(folder)
    return [path for path in wfdb_records(folder) if path.stem in named]


def said(folder: Path) -> dict[str, tuple[str, bool]]:
    """Return what people say: type, and whether it is true, by record."""
    lines = (folder / "ALARMS").read_text().split()
    return {record: (kind, true == "1") for record, kind, true in (line.split(",") for line in lines)}


def look(path: Path) -> OfRecord:
    """Play what came before the alarm."""
    kind, true = said(path.parent)[path.stem]
    found = played.play(path, limit_s=ALARM_S)
    standing = refuted.standing(found.conditions)
    told, begun = _raised(found.conditions, CODES[kind], found.rate)
    told_with_pulse, _ = _raised(standing, CODES[kind], found.rate)
    return OfRecord(path.stem, kind, true, told, begun, told_with_pulse, _slow(found.conditions, standing))


def _raised(conditions: NDArray[np.void], code: Code, rate: float) -> tuple[bool, bool]:
    """Return whether a condition is told at 5:00, and whether with an onset in the ten seconds before."""
    of_type = conditions[conditions["code"] == code]
    onsets = of_type[of_type["phase"] == ONSET]["onset_sample"]
    begun = bool((onsets >= (ALARM_S - BEFORE_S) * rate).any())
    in_force = bool(of_type.size) and bool(of_type["phase"][-1] != END)
    return begun or in_force, begun


def _slow(conditions: NDArray[np.void], standing: NDArray[np.void]) -> tuple[tuple[str, bool], ...]:
    found = []
    for code in (Code.ASYSTOLE, Code.EXTREME_BRADYCARDIA):
        onsets, stand = (
            rows[(rows["code"] == code) & (rows["phase"] == ONSET)]["onset_sample"]
            for rows in (conditions, standing)
        )
        found += [(code.name, onset not in stand) for onset in onsets]
    return tuple(found)


def score(found: Sequence[OfRecord]) -> float | None:
    """Return the challenge's score, 0 to 100: a true alarm that is missed weighs five times."""
    hits = sum(one.true == one.told for one in found)
    missed = sum(one.true and not one.told for one in found)
    false = len(found) - hits - missed
    return share(hits, false + MISS_WEIGHT * missed)


def sum_up(found: Sequence[OfRecord]) -> dict[str, Any]:
    """Return the score, and true positive and true negative rates by type with exact intervals."""
    types = [kind for kind in CODES if any(one.type == kind for one in found)]
    told: dict[str, Any] = rounded(
        {
            "score": score(found),
            "score_onset_within_10s": score([one._replace(told=one.begun) for one in found]),
            "all": _rates(found),
            "by_type": {kind: _rates([one for one in found if one.type == kind]) for kind in types},
            "with_pulse": _with_pulse(found, types),
            "in_five_minutes": _in_five_minutes(found),
            "missed": [one.record for one in found if one.true and not one.told],
            "false": [one.record for one in found if one.told and not one.true],
            "refuted_true": [one.record for one in found if one.true and one.told > one.told_with_pulse],
            "refuted_false": [one.record for one in found if not one.true and one.told > one.told_with_pulse],
        }
    )
    return told


def _with_pulse(found: Sequence[OfRecord], types: Sequence[str]) -> dict[str, Any]:
    """Return the rates, of all and by type, if what the pulse wave refutes is taken away."""
    taken = [one._replace(told=one.told_with_pulse) for one in found]
    return {"all": _rates(taken)} | {
        kind: _rates([one for one in taken if one.type == kind]) for kind in types
    }


def _in_five_minutes(found: Sequence[OfRecord]) -> dict[str, int]:
    """Return how many asystoles and bradycardias were told in the whole signal, and how many refuted."""
    slow = list(chain.from_iterable(one.slow for one in found))
    counted = {}
    for name in sorted(dict(slow)):
        counted[name.lower()] = sum(told == name for told, _ in slow)
        counted[f"{name.lower()}_refuted"] = sum(taken for told, taken in slow if told == name)
    return counted


def _rates(found: Sequence[OfRecord]) -> dict[str, Any]:
    true = [one for one in found if one.true]
    false = [one for one in found if not one.true]
    tp, tn = sum(one.told for one in true), sum(not one.told for one in false)
    return {
        "tpr": share(tp, len(true) - tp),
        "tpr_interval": exact(tp, len(true)),
        "tnr": share(tn, len(false) - tn),
        "tnr_interval": exact(tn, len(false)),
        "tp": tp,
        "fn": len(true) - tp,
        "tn": tn,
        "fp": len(false) - tn,
        "score": score(found),
    }


SUITE = Suite(
    "alarms", "records and a file ALARMS, as of the PhysioNet/CinC Challenge 2015", paths, look, sum_up
)
