"""The area under the ROC curve: by hand, and as scipy's rank test has it."""

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from ecgstream.evaluate.auc import STRETCH_S, Seconds, auc, interval


def seconds(bad: list[int], score: list[float]) -> Seconds:
    return Seconds(np.array(bad, bool), np.array(score))


def drawn(n: int, seed: int, apart: float) -> Seconds:
    random = np.random.default_rng(seed)
    bad = random.random(n) < 0.2
    return Seconds(bad, np.round(random.normal(0, 1, n) - apart * bad, 1))


def test_by_hand() -> None:
    assert auc([seconds([1, 1, 0, 0], [0.1, 0.2, 0.3, 0.4])]) == 1.0
    assert auc([seconds([1, 1, 0, 0], [0.3, 0.4, 0.1, 0.2])]) == 0.0
    assert auc([seconds([1, 1, 0, 0], [0.5, 0.5, 0.5, 0.5])]) == 0.5
    assert auc([seconds([1, 0], [0.1, 0.4]), seconds([1, 0], [0.3, 0.2])]) == 0.75


@pytest.mark.parametrize("bad", [[0, 0], [1, 1], []])
def test_without_both_kinds_there_is_nothing_to_tell(bad: list[int]) -> None:
    assert auc([seconds(bad, [0.5] * len(bad))]) is None
    assert interval([seconds(bad, [0.5] * len(bad))]) is None


@pytest.mark.parametrize("seed", range(5))
def test_it_is_the_rank_statistic_with_ties(seed: int) -> None:
    one, other = drawn(300, seed, 1.0), drawn(200, seed + 100, 0.3)
    bad, score = (np.concatenate(pair) for pair in zip(one, other, strict=True))
    expected = mannwhitneyu(score[~bad], score[bad]).statistic / (bad.sum() * (~bad).sum())
    assert auc([one, other]) == pytest.approx(expected)


def test_the_interval_holds_the_area_and_more_seconds_make_it_narrower() -> None:
    short, long = drawn(10 * STRETCH_S, 1, 1.0), drawn(100 * STRETCH_S, 1, 1.0)
    low, high = interval([short]) or (0.0, 0.0)
    assert low < (auc([short]) or 0.0) < high
    narrow = interval([long]) or (0.0, 0.0)
    assert narrow[1] - narrow[0] < 0.5 * (high - low)
    assert interval([short]) == (low, high)  # the same each time


def test_a_stretch_is_drawn_as_one() -> None:
    each = drawn(20 * STRETCH_S, 2, 1.0)
    alike = Seconds(np.repeat(each.bad[:20], STRETCH_S), np.repeat(each.score[:20], STRETCH_S))
    of_each, of_alike = interval([each]) or (0.0, 0.0), interval([alike]) or (0.0, 0.0)
    assert of_alike[1] - of_alike[0] > 2 * (of_each[1] - of_each[0])
