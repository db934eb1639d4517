"""Shares, and how sure they are."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ecgstream.evaluate.beatwise import Counts

BOOTSTRAPS = 2000
LEVEL = 0.95


def share(part: float, rest: float) -> float | None:
    """Return part / (part + rest) in %; None of nothing.

    >>> share(99, 1), share(0, 0)
    (99.0, None)
    """
    return 100.0 * part / (part + rest) if part + rest else None


def figures(counts: Counts) -> dict[str, Any]:
    """Return sensitivity, positive predictivity and F1 in %, and the counts; FPR where it means something."""
    found: dict[str, Any] = {
        "se": share(counts.tp, counts.fn),
        "ppv": share(counts.tp, counts.fp),
        "f1": share(2 * counts.tp, counts.fn + counts.fp),
    }
    if counts.tn:
        found["fpr"] = share(counts.fp, counts.tn)
    return {**found, "tp": counts.tp, "fn": counts.fn, "fp": counts.fp}


def total(counts: Sequence[Counts]) -> Counts:
    """Return the sum: *gross* statistics, in which every beat weighs the same."""
    return sum(counts, Counts(0, 0, 0))


def average(counts: Sequence[Counts], of: Callable[[Counts], float | None]) -> float | None:
    """Return the mean over the records that have any: *average* statistics: every record weighs the same."""
    each = [value for one in counts if (value := of(one)) is not None]
    return float(np.mean(each)) if each else None


def bootstrap(counts: Sequence[Counts], of: Callable[[Counts], float | None]) -> tuple[float, float] | None:
    """Return the 95 % interval of a gross statistic, with records (patients) drawn anew; the seed is fixed.

    B. Efron and R. J. Tibshirani, "An introduction to the bootstrap" (1993), 13.3: percentiles.
    """
    if len(counts) < 2:
        return None
    random = np.random.default_rng(57)
    table = np.array(counts, np.int64)
    drawn = table[random.integers(0, len(table), (BOOTSTRAPS, len(table)))].sum(axis=1)
    each = [value for one in drawn.tolist() if (value := of(Counts(*one))) is not None]
    if not each:
        return None
    low, high = np.percentile(each, [50 * (1 - LEVEL), 50 * (1 + LEVEL)])
    return float(low), float(high)


def exact(hits: int, of: int) -> tuple[float, float] | None:
    """Return the 95 % interval of a share, in %.

    C. J. Clopper and E. S. Pearson, "The use of confidence or fiducial limits", Biometrika 26 (1934) 404-413.

    >>> low, high = exact(2, 2)
    >>> round(low, 1), high
    (15.8, 100.0)
    """
    from scipy.stats import beta

    if not of:
        return None
    tail = (1 - LEVEL) / 2
    low = float(beta.ppf(tail, hits, of - hits + 1)) if hits else 0.0
    high = float(beta.ppf(1 - tail, hits + 1, of - hits)) if hits < of else 1.0
    return 100 * low, 100 * high


def percentiles(values: Sequence[float]) -> dict[str, float | None]:
    """Return median, 99th percentile and the greatest."""
    if not len(values):
        return {"p50": None, "p99": None, "max": None}
    p50, p99 = np.percentile(values, [50, 99])
    return {"p50": float(p50), "p99": float(p99), "max": float(np.max(values))}


def rounded(value: Any, digits: int = 3) -> Any:
    """Return the same with its floats rounded, NaN as None, for JSON."""
    if isinstance(value, dict):
        return {key: rounded(one, digits) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(one, digits) for one in value]
    if isinstance(value, float):
        return None if math.isnan(value) else round(value, digits)
    return value
