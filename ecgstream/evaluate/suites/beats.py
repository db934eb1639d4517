"""Beats: QRS complexes and their classes, against annotated ones.

ANSI/AAMI EC57:2012, 4.3: the first five minutes are for learning, what lies in ventricular fibrillation does
not count, and records of paced patients are left out of what is said of classes.
Deviation: the last 0.6 s of a record do not count either. A live stream has no end, and a beat is decided by
what follows.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ecgstream.evaluate import beatwise, played, truth
from ecgstream.evaluate.beatwise import Counts
from ecgstream.evaluate.others import Comparison, OfOther
from ecgstream.evaluate.scored import Scored, qrs, score
from ecgstream.evaluate.statistics import average, bootstrap, figures, percentiles, rounded, share, total
from ecgstream.evaluate.suite import Suite, annotated
from ecgstream.evaluate.truth import Span

LEARN_S = 300.0
DECIDED_S = 0.6
"""Within so long a beat is to be decided: of the last ones of a recording nothing can be known in time."""
NEAR_MS = 25.0


class OfRecord(NamedTuple):
    """What was found in one record.

    Attributes:
        record: its name.
        paced: see ``truth.Truth``.
        scored: see there.
        off_ms: of each beat that is in both, how much later than annotated it was found.
        delay_s: see ``played.Played.beat_delay_s``.
    """

    record: str
    paced: bool
    scored: Scored
    off_ms: NDArray[np.floating]
    delay_s: NDArray[np.float64]


def look(path: Path) -> OfRecord:
    """Play a record, and compare."""
    said = truth.read(path)
    found = played.play(path)
    counted = behind_learning(said)
    order = np.argsort(found.beats["sample"], kind="stable")
    sample = np.rint(found.beats["sample"][order] * (said.rate / found.rate)).astype(np.int64)
    left, right = beatwise.pair(said.sample, sample, beatwise.WINDOW_S * said.rate)
    paired = (left >= 0) & (right >= 0)
    at = said.sample[left[paired]]
    off = (sample[right[paired]] - at)[beatwise.within(at, counted)]
    return OfRecord(
        path.stem,
        said.paced,
        score(said, sample, _classes(found.beats["code"][order]), counted),
        off * (1000.0 / said.rate),
        found.beat_delay_s,
    )


def behind_learning(said: truth.Truth) -> list[Span]:
    """Return what counts: all behind the first five minutes but ventricular fibrillation and the end."""
    begin = round(LEARN_S * said.rate)
    spans: list[Span] = []
    end = said.length - round(DECIDED_S * said.rate)
    for a, b in [*said.fibrillation, (end, said.length)]:
        if a > begin:
            spans.append((begin, a))
        begin = max(begin, b)
    return spans


def _classes(codes: NDArray[np.uint8]) -> NDArray[np.str_]:
    return np.array([truth.AAMI[chr(code)] for code in codes.tolist()], dtype="U1")


def _se(counts: Counts) -> float | None:
    return share(counts.tp, counts.fn)


def _ppv(counts: Counts) -> float | None:
    return share(counts.tp, counts.fp)


def sum_up(found: Sequence[OfRecord]) -> dict[str, Any]:
    """Return gross and average figures with their intervals, and those of every record."""
    unpaced = [one for one in found if not one.paced]
    counts = {
        "veb": [beatwise.veb(one.scored.table) for one in unpaced],
        "sveb": [beatwise.sveb(one.scored.table) for one in unpaced],
    }
    result: dict[str, Any] = {"qrs": _qrs([one.scored for one in found])}
    result |= {name: figures(total(of)) | _beside(of) for name, of in counts.items()}
    off = np.concatenate([one.off_ms for one in found])
    result["position"] = {
        "within_25ms": 100.0 * float(np.mean(np.abs(off) <= NEAR_MS)) if off.size else None,
        "bias_ms": float(np.mean(off)) if off.size else None,
    }
    result["decision_delay_s"] = percentiles(np.concatenate([one.delay_s for one in found]).tolist())
    result["left_out_of_classes"] = [one.record for one in found if one.paced]
    result["by_record"] = [_row(one) for one in found]
    told: dict[str, Any] = rounded(result)
    return told


def sum_up_other(found: Sequence[OfOther]) -> dict[str, Any]:
    """Return the same figures of QRS complexes for another detector."""
    return {"qrs": _qrs([one.scored for one in found])}


def _qrs(each: Sequence[Scored]) -> dict[str, Any]:
    return qrs(each) | _beside([beatwise.qrs(one.table) for one in each])


def _beside(counts: Sequence[Counts]) -> dict[str, Any]:
    """Return what stands beside gross figures: averages over records, and intervals."""
    return {
        "average_se": average(counts, _se),
        "average_ppv": average(counts, _ppv),
        "se_interval": bootstrap(counts, _se),
        "ppv_interval": bootstrap(counts, _ppv),
    }


def _row(one: OfRecord) -> dict[str, Any]:
    near = np.abs(one.off_ms) <= NEAR_MS
    return {
        "record": one.record,
        "qrs": figures(beatwise.qrs(one.scored.table)),
        "veb": None if one.paced else figures(beatwise.veb(one.scored.table)),
        "sveb": None if one.paced else figures(beatwise.sveb(one.scored.table)),
        "bias_ms": float(np.mean(one.off_ms)) if one.off_ms.size else None,
        "within_25ms": 100.0 * float(np.mean(near)) if near.size else None,
    }


SUITE = Suite(
    "beats",
    "WFDB records with beats in .atr",
    annotated,
    look,
    sum_up,
    Comparison(behind_learning, sum_up_other),
)
