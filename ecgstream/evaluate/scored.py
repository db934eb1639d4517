"""QRS complexes scored: the same for the detectors here and for those they are compared with."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ecgstream.evaluate import beatwise
from ecgstream.evaluate.statistics import figures, total
from ecgstream.evaluate.truth import Span, Truth

NARROW_S = 0.05


class Scored(NamedTuple):
    """The found beats of a record against the annotated ones: ``beatwise.confusion`` within 150 and 50 ms."""

    table: NDArray[np.int64]
    narrow: NDArray[np.int64]


def score(said: Truth, sample: NDArray[np.int64], aami: NDArray[np.str_], counted: list[Span]) -> Scored:
    """Compare beats.

    Args:
        said: what is annotated.
        sample: where beats were found, at the annotations' rate, ascending.
        aami: their classes; where nobody asks for classes, all ``N``.
        counted: what counts.
    """
    both = said.sample, said.aami
    within = (
        beatwise.confusion(both, (sample, aami), window_s * said.rate, counted)
        for window_s in (beatwise.WINDOW_S, NARROW_S)
    )
    return Scored(*within)


def unclassed(sample: NDArray[np.int64]) -> NDArray[np.str_]:
    """Return a class for each beat where nobody asks for classes."""
    return np.full(sample.size, "N")


def qrs(each: Sequence[Scored]) -> dict[str, Any]:
    """Return gross figures of QRS complexes, those within 50 ms beside those within 150 ms."""
    narrow = figures(total([beatwise.qrs(one.narrow) for one in each]))
    return {
        **figures(total([beatwise.qrs(one.table) for one in each])),
        **{f"{name}_50ms": narrow[name] for name in ("se", "ppv")},
    }
