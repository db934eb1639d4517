"""Pairing and counting, against cases made by hand, wfdb's own comparison, and what must always hold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wfdb.processing import compare_annotations

from ecgstream.evaluate.beatwise import NONE, Counts, confusion, pair, qrs, sveb, veb, within
from ecgstream.evaluate.truth import CLASSES

WINDOW = 54  # 150 ms at 360 Hz
samples = st.lists(st.integers(0, 5000), max_size=60, unique=True).map(sorted)


def paired(annotated: list[int], found: list[int]) -> list[tuple[int, int]]:
    left, right = pair(np.array(annotated, int), np.array(found, int), WINDOW)
    return [(int(i), int(j)) for i, j in zip(left, right, strict=True)]


def test_the_nearer_of_two_is_the_partner() -> None:
    assert paired([100], [70, 105]) == [(-1, 0), (0, 1)]
    assert paired([100], [95, 130]) == [(0, 0), (-1, 1)]
    assert paired([100, 140], [135]) == [(0, -1), (1, 0)]


def test_the_window_includes_its_edge() -> None:
    assert paired([100], [100 + WINDOW]) == [(0, 0)]
    assert paired([100], [100 + WINDOW + 1]) == [(0, -1), (-1, 0)]


def test_nothing_is_missed_or_extra_of_nothing() -> None:
    assert paired([], []) == []
    assert paired([5], []) == [(0, -1)]
    assert paired([], [5]) == [(-1, 0)]


@given(annotated=samples, found=samples)
def test_every_beat_is_counted_once_and_partners_are_near(annotated: list[int], found: list[int]) -> None:
    pairs = paired(annotated, found)
    assert sorted(i for i, _ in pairs if i >= 0) == list(range(len(annotated)))
    assert sorted(j for _, j in pairs if j >= 0) == list(range(len(found)))
    assert all(abs(annotated[i] - found[j]) <= WINDOW for i, j in pairs if i >= 0 and j >= 0)


@given(annotated=samples, found=samples)
def test_who_is_compared_with_whom_does_not_matter(annotated: list[int], found: list[int]) -> None:
    both = {(i, j) for i, j in paired(annotated, found) if i >= 0 and j >= 0}
    back = {(j, i) for i, j in paired(found, annotated) if i >= 0 and j >= 0}
    # Where two are equally near, either order may win; otherwise they agree.
    assert len(both) == len(back)


@given(
    gaps=st.lists(st.integers(2 * WINDOW + 2, 900), min_size=1, max_size=40),
    moves=st.lists(st.integers(-WINDOW, WINDOW), min_size=40, max_size=40),
    lost=st.sets(st.integers(0, 39)),
)
def test_beats_that_are_apart_are_compared_as_wfdb_does(
    gaps: list[int], moves: list[int], lost: set[int]
) -> None:
    annotated = np.cumsum(gaps)
    found = np.array([a + m for k, (a, m) in enumerate(zip(annotated, moves, strict=False)) if k not in lost])
    if not found.size or np.any(np.diff(found) <= 0):
        return
    theirs = compare_annotations(annotated, found, WINDOW + 1)  # theirs is an open interval
    left, right = pair(annotated, found, WINDOW)
    assert int(((left >= 0) & (right >= 0)).sum()) == theirs.tp
    assert (int((right < 0).sum()), int((left < 0).sum())) == (theirs.fn, theirs.fp)


def table(**cells: int) -> np.ndarray:
    """Return a confusion table: ``NV=3`` are three normal beats called ventricular, ``O`` none."""
    found = np.zeros((NONE + 1, NONE + 1), np.int64)
    names = CLASSES + "O"
    for cell, n in cells.items():
        found[names.index(cell[0]), names.index(cell[1])] = n
    return found


def test_counts_are_those_of_ec57() -> None:
    counted = table(
        NN=900, VV=80, NV=7, SV=3, FV=11, QV=5, OV=2, VN=6, VO=4, SS=20, VS=1, FS=2, QS=9, ON=3, NO=8
    )
    assert qrs(counted) == Counts(900 + 80 + 7 + 3 + 11 + 5 + 6 + 20 + 1 + 2 + 9, 12, 5)
    assert veb(counted)[:3] == (80, 6 + 4 + 1, 7 + 3 + 2)  # of F and Q none is a false positive
    assert sveb(counted)[:3] == (20, 3, 1 + 2)  # of Q none is


def test_what_does_not_count_does_not_count() -> None:
    annotated = np.array([100, 500, 900]), np.array(["N", "V", "N"])
    found = np.array([101, 505, 700, 905]), np.array(["N", "V", "N", "V"])
    assert confusion(annotated, found, WINDOW, [(0, 2000)]).tolist() == table(NN=1, VV=1, NV=1, ON=1).tolist()
    assert confusion(annotated, found, WINDOW, [(400, 600)]).tolist() == table(VV=1).tolist()
    assert confusion(annotated, found, WINDOW, []).sum() == 0


def test_a_pair_lies_where_its_annotated_beat_does() -> None:
    annotated, found = (np.array([100]), np.array(["N"])), (np.array([95]), np.array(["N"]))
    assert confusion(annotated, found, WINDOW, [(98, 200)]).tolist() == table(NN=1).tolist()


@pytest.mark.parametrize("sides", [(0, 3), (3, 0), (0, 0)])
def test_a_record_without_beats_on_a_side_is_counted(sides: tuple[int, int]) -> None:
    annotated, found = ((np.arange(n) * 300, np.full(n, "N")) for n in sides)
    counts = qrs(confusion(annotated, found, WINDOW, [(0, 2000)]))
    assert counts == Counts(0, *sides)


def test_within_takes_the_first_and_not_the_last() -> None:
    assert within(np.array([9, 10, 19, 20]), [(10, 20)]).tolist() == [False, True, True, False]
