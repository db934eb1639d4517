"""Beat by beat: which found beat is which annotated one, and what is said of that.

After ANSI/AAMI EC57:2012, 4.3, and the WFDB application ``bxb``: two beats are one if they are within the
match window and neither has a nearer partner; what is left over is missed (of the annotated) or extra.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ecgstream.evaluate.truth import CLASSES, Span

WINDOW_S = 0.15
"""EC57:2012, 4.3.2: the match window."""
NONE = len(CLASSES)


def pair(
    annotated: NDArray[np.int64], found: NDArray[np.int64], window: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return indices into both, shape (n,) each; -1: that one has no partner.

    Args:
        annotated: samples, ascending.
        found: the same.
        window: how far apart partners may be, samples.

    >>> import numpy as np
    >>> pair(np.array([100, 200, 300]), np.array([104, 250, 299]), 36)
    (array([ 0,  1, -1,  2]), array([ 0, -1,  1,  2]))
    """
    pairs: list[tuple[int, int]] = []
    ref, test = annotated.tolist(), found.tolist()
    i = j = 0
    while i < len(ref) and j < len(test):
        apart = abs(ref[i] - test[j])
        if test[j] < ref[i]:
            nearer = j + 1 < len(test) and abs(ref[i] - test[j + 1]) < apart
        else:
            nearer = i + 1 < len(ref) and abs(ref[i + 1] - test[j]) < apart
        if apart <= window and not nearer:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif test[j] < ref[i]:
            pairs.append((-1, j))
            j += 1
        else:
            pairs.append((i, -1))
            i += 1
    pairs += [(k, -1) for k in range(i, len(ref))] + [(-1, k) for k in range(j, len(test))]
    both = np.array(pairs, np.int64).reshape(-1, 2)
    return both[:, 0], both[:, 1]


def confusion(
    annotated: tuple[NDArray[np.int64], NDArray[np.str_]],
    found: tuple[NDArray[np.int64], NDArray[np.str_]],
    window: float,
    counted: list[Span],
) -> NDArray[np.int64]:
    """Return how many beats of each class were called what; shape (6, 6).

    Rows: the annotated class in the order of ``CLASSES``, last: no annotated beat (extra). Columns: the class
    that was found, last: none was found (missed).

    Args:
        annotated: samples, ascending, and classes.
        found: the same.
        window: as of ``pair``.
        counted: only what lies in these spans counts; a pair lies where its annotated beat does.
    """
    left, right = pair(annotated[0], found[0], window)
    at = np.where(left >= 0, annotated[0].take(left, mode="clip"), 0) if annotated[0].size else 0
    where = np.where(left >= 0, at, found[0].take(right, mode="clip") if found[0].size else 0)
    kept = within(where, counted)
    table = np.zeros((NONE + 1, NONE + 1), np.int64)
    np.add.at(table, (_class(annotated[1], left)[kept], _class(found[1], right)[kept]), 1)
    return table


def _class(classes: NDArray[np.str_], index: NDArray[np.int64]) -> NDArray[np.int64]:
    of = np.array([CLASSES.index(c) for c in classes.tolist()] + [NONE], np.int64)
    return of[index]  # -1 is the last: none


def within(sample: NDArray[np.int64], counted: list[Span]) -> NDArray[np.bool_]:
    """Return which samples lie in one of some spans."""
    inside = np.zeros(sample.shape, bool)
    for begin, end in counted:
        inside |= (sample >= begin) & (sample < end)
    return inside


class Counts(NamedTuple):
    """True positives, false negatives and false positives; ``tn``: where it means something, else 0."""

    tp: int
    fn: int
    fp: int
    tn: int = 0

    def __add__(self, other: "Counts") -> "Counts":  # type: ignore[override] # sums, not a longer tuple
        return Counts(*(a + b for a, b in zip(self, other, strict=True)))


def qrs(table: NDArray[np.int64]) -> Counts:
    """Return the counts of beats, whatever their class."""
    return Counts(
        int(table[:NONE, :NONE].sum()), int(table[:NONE, NONE].sum()), int(table[NONE, :NONE].sum())
    )


def veb(table: NDArray[np.int64]) -> Counts:
    """Return the counts of ventricular ectopic beats.

    EC57:2012, 4.3.3.3: a fusion beat or one that nobody could classify is no false positive.
    """
    return _of(table, "V", excused="FQ")


def sveb(table: NDArray[np.int64]) -> Counts:
    """Return the counts of supraventricular ectopic beats; EC57:2012, 4.3.3.3: Q is no false positive."""
    return _of(table, "S", excused="Q")


def _of(table: NDArray[np.int64], wanted: str, excused: str) -> Counts:
    k = CLASSES.index(wanted)
    others = [i for i in range(NONE + 1) if i != k and (i == NONE or CLASSES[i] not in excused)]
    tp = int(table[k, k])
    fp = int(table[others, k].sum())
    tn = int(table[others].sum()) - fp
    return Counts(tp, int(table[k].sum()) - tp, fp, tn)
