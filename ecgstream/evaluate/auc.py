"""How well a score tells bad seconds from good ones: the area under the ROC curve.

J. A. Hanley and B. J. McNeil, "The meaning and use of the area under a receiver operating characteristic
(ROC) curve", Radiology 143 (1982) 29-36: the share of pairs of a bad and a good second in which the bad one
has the lower score, equal ones counting half.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ecgstream.evaluate.statistics import BOOTSTRAPS, LEVEL

STRETCH_S = 60
"""Drawn anew as one, since neighbouring seconds are alike: half a block of the noise stress test."""


class Seconds(NamedTuple):
    """Seconds of a record, in order; shape (n,) each: whether it is bad, and its score, high where good."""

    bad: NDArray[np.bool_]
    score: NDArray[np.floating]


def auc(records: Sequence[Seconds]) -> float | None:
    """Return the area over the seconds of all records, 0 to 1; None where all are bad or none is.

    >>> auc([Seconds(np.array([True, True, False, False]), np.array([0.1, 0.7, 0.7, 0.9]))])
    0.875
    """
    bad, rank = _pooled(records)
    return _area(bad, rank, np.ones(bad.size))


def interval(records: Sequence[Seconds]) -> tuple[float, float] | None:
    """Return the area's 95 % interval, with stretches of each record drawn anew; the seed is fixed.

    Records are not drawn: the noise stress test has two patients, from which nothing follows for others.
    """
    if auc(records) is None:
        return None
    random = np.random.default_rng(57)
    bad, rank = _pooled(records)
    stretches = [np.arange(one.bad.size) // STRETCH_S for one in records]
    areas = []
    for _ in range(BOOTSTRAPS):
        times = [_drawn(random, int(own[-1]) + 1)[own] for own in stretches if own.size]
        area = _area(bad, rank, np.concatenate(times))
        if area is not None:
            areas.append(area)
    low, high = np.percentile(areas, [50 * (1 - LEVEL), 50 * (1 + LEVEL)])
    return float(low), float(high)


def _drawn(random: np.random.Generator, n: int) -> NDArray[np.int64]:
    """Return how often each of n is among n that are drawn."""
    return np.bincount(random.integers(0, n, n), minlength=n)


def _pooled(records: Sequence[Seconds]) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Return the seconds of all records, with the rank of each score among all that occur."""
    bad = np.concatenate([one.bad for one in records])
    return bad, np.unique(np.concatenate([one.score for one in records]), return_inverse=True)[1]


def _area(bad: NDArray[np.bool_], rank: NDArray[np.int64], times: NDArray[np.number]) -> float | None:
    """Return the area if each second is there so many times."""
    n = int(rank.max(initial=0)) + 1
    worse = np.bincount(rank, times * bad, n)
    better = np.bincount(rank, times * ~bad, n)
    pairs = worse.sum() * better.sum()
    above = better.sum() - np.cumsum(better)
    return float(worse @ (above + 0.5 * better) / pairs) if pairs else None
