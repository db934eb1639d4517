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
from ecgstream.evaluate.statistics import average, bootstrap, figures, percentiles, rounded, share, total
from ecgstream.evaluate.suite import Suite, annotated
from ecgstream.evaluate.truth import Span

LEARN_S = 300.0
DECIDED_S = 0.6
"""Within so long a beat is to be decided: of the last ones of a recording nothing can be known in time."""
NARROW_S = 0.05
NEAR_MS = 25.0


class OfRecord(NamedTuple):
    """What was found in one record.

    Attributes:
        record: its name.
        paced: see ``truth.Truth``.
        table, narrow: ``beatwise.confusion`` within 150 and 50 ms.
        off_ms: of each beat that is in both, how much later than annotated it was found.
        delay_s: see ``played.Played.beat_delay_s``.
        ns_a_sample: see there.
    """

    record: str
    paced: bool
    table: NDArray[np.int64]
    narrow: NDArray[np.int64]
    off_ms: NDArray[np.floating]
    delay_s: NDArray[np.float64]
    ns_a_sample: float


def look(path: Path) -> OfRecord:
    """Play a record, and compare."""
    said = truth.read(path)
    found = played.play(path)
    counted = _counted(said, round(LEARN_S * said.rate))
    order = np.argsort(found.beats["sample"], kind="stable")
    sample = np.rint(found.beats["sample"][order] * (said.rate / found.rate)).astype(np.int64)
    beats = sample, _classes(found.beats["code"][order])
    both = said.sample, said.aami
    left, right = beatwise.pair(said.sample, sample, beatwise.WINDOW_S * said.rate)
    paired = (left >= 0) & (right >= 0)
    at = said.sample[left[paired]]
    off = (sample[right[paired]] - at)[beatwise.within(at, counted)]
    return OfRecord(
        path.stem,
        said.paced,
        beatwise.confusion(both, beats, beatwise.WINDOW_S * said.rate, counted),
        beatwise.confusion(both, beats, NARROW_S * said.rate, counted),
        off * (1000.0 / said.rate),
        found.beat_delay_s,
        found.ns_a_sample,
    )


def _counted(said: truth.Truth, begin: int) -> list[Span]:
    """Return what counts: all behind ``begin`` but ventricular fibrillation and the end."""
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
        "qrs": [beatwise.qrs(one.table) for one in found],
        "qrs_50ms": [beatwise.qrs(one.narrow) for one in found],
        "veb": [beatwise.veb(one.table) for one in unpaced],
        "sveb": [beatwise.sveb(one.table) for one in unpaced],
    }
    result: dict[str, Any] = {name: _told(of) for name, of in counts.items()}
    narrow = result.pop("qrs_50ms")
    result["qrs"] |= {f"{name}_50ms": narrow[name] for name in ("se", "ppv")}
    off = np.concatenate([one.off_ms for one in found])
    result["position"] = {
        "within_25ms": 100.0 * float(np.mean(np.abs(off) <= NEAR_MS)) if off.size else None,
        "bias_ms": float(np.mean(off)) if off.size else None,
    }
    result["decision_delay_s"] = percentiles(np.concatenate([one.delay_s for one in found]).tolist())
    result["ns_per_sample_lead"] = float(np.median([one.ns_a_sample for one in found]))
    result["left_out_of_classes"] = [one.record for one in found if one.paced]
    result["by_record"] = [_row(one) for one in found]
    told: dict[str, Any] = rounded(result)
    return told


def _told(counts: Sequence[Counts]) -> dict[str, Any]:
    return {
        **figures(total(counts)),
        "average_se": average(counts, _se),
        "average_ppv": average(counts, _ppv),
        "se_interval": bootstrap(counts, _se),
        "ppv_interval": bootstrap(counts, _ppv),
    }


def _row(one: OfRecord) -> dict[str, Any]:
    near = np.abs(one.off_ms) <= NEAR_MS
    return {
        "record": one.record,
        "qrs": figures(beatwise.qrs(one.table)),
        "veb": None if one.paced else figures(beatwise.veb(one.table)),
        "sveb": None if one.paced else figures(beatwise.sveb(one.table)),
        "bias_ms": float(np.mean(one.off_ms)) if one.off_ms.size else None,
        "within_25ms": 100.0 * float(np.mean(near)) if near.size else None,
    }


SUITE = Suite("beats", "WFDB records with beats in .atr", annotated, look, sum_up)
