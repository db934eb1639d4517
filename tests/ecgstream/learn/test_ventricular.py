"""Learning: the fit is the optimum it claims to be, and log odds become conditions as the detectors do it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detectors import fibrillation, trees, weights
from detectors.bank import Bank
from ecgstream.learn import ventricular as learn
from ecgstream.learn.judge import VF, VT, Odds, told
from tests.detectors import synthetic as syn

FS = 250


def test_the_fit_is_the_optimum_of_the_weighted_ridge() -> None:
    random = np.random.default_rng(3)
    x = random.normal([2.0, -7.0], [1.0, 5.0], (400, 2))
    y = (x[:, 0] - 2.0 + random.normal(0.0, 1.0, 400) > 0.0).astype(float)
    weight = random.uniform(0.2, 1.0, 400)
    model = learn.fit(x, y, weight).weights
    p = 1.0 / (1.0 + np.exp(-(x @ model[:-1] + model[-1])))
    scale = np.sqrt(np.average((x - np.average(x, axis=0, weights=weight)) ** 2, axis=0, weights=weight))
    gradient = x.T @ (weight * (p - y)) + learn.RIDGE * model[:-1] * scale**2
    centred = gradient - np.average(x, axis=0, weights=weight) * (weight * (p - y)).sum()
    assert np.abs(centred / scale).max() < 1e-6
    assert abs((weight * (p - y)).sum()) < 1e-6
    assert model[0] > 10 * abs(model[1])


def test_a_lead_that_cannot_be_read_does_not_vote() -> None:
    model = learn.Logistic(np.array([1.0, 0.0]))
    x = np.array([[[2.0], [np.nan]], [[2.0], [4.0]], [[np.nan], [np.nan]]])
    assert learn.odds(model, x).tolist() == [2.0, 3.0, fibrillation.NO_ODDS]


class FromFile:
    """The trees that the kernel walks through, asked as scikit-learn's model is."""

    def __init__(self, nodes: Any) -> None:
        self.nodes = nodes

    def decision_function(self, x: Any) -> Any:
        return np.array([trees.log_odds_of.py_func(self.nodes, row) for row in x])


def test_features_and_weights_give_the_log_odds_of_the_kernel() -> None:
    signal = syn.counts(np.stack([syn.ecg(90, 20, FS)[0], 0.7 * syn.ecg(90, 20, FS, seed=5)[0]]))
    bank = Bank()
    logistic = learn.Logistic(weights.weights("wave", fibrillation.FEATURES))
    model = learn.Wave(logistic, FromFile(trees.trees("wave", fibrillation.FEATURES)))
    compared = 0
    for packet in syn.packets(signal, FS):
        bank.push(syn.bundle([packet]))
        s = bank.signal(0).view(np.recarray)[0]
        if s.wave_odds > fibrillation.NO_ODDS:
            assert learn.odds(model, s.window[None])[0] == pytest.approx(s.wave_odds)
            is_clean = learn.quality(s, s.shape_lead) > fibrillation.CLEAN
            assert s.burst == (s.wave_odds > fibrillation.CLEAN_ODDS and is_clean)
            compared += 1
    assert compared > 5


def of(wave: list[float], run: list[float], organised: bool, quality: float = 0.3) -> Odds:
    n = len(wave)
    same = np.full(n, organised), np.full(n, quality)
    return Odds(Path("r"), np.arange(1.0, n + 1), np.array(wave), np.array(run), *same)


def test_odds_become_conditions() -> None:
    none = [-15.0] * 20
    wave = [-5.0] * 5 + [3.0] * 6 + [-5.0] * 9
    assert told(of(wave, none, organised=False)) == {VT: [], VF: [(3.5, 18.0)]}
    assert told(of(wave, none, organised=True)) == {VT: [(3.5, 18.0)], VF: []}
    assert told(of([-5.0] * 20, none, organised=True)) == {VT: [], VF: []}
    burst = [-5.0] * 5 + [0.7] + [-5.0] * 14
    assert told(of(burst, none, organised=True)) == {VT: [], VF: []}
    assert told(of(burst, none, organised=False, quality=0.9)) == {VT: [(3.5, 13.0)], VF: []}
    run = [-15.0] * 8 + [2.0] + [-15.0] * 11
    assert [len(spans) for spans in told(of([-5.0] * 20, run, organised=False)).values()] == [1, 0]


def test_a_record_stays_in_its_part() -> None:
    empty = np.zeros(0)
    one = learn.Seen(Path("cinc2015/v100s.hea"), empty, empty, empty, empty, np.zeros(0, np.int64))
    assert learn.fold(one) == learn.fold(one._replace(path=Path("elsewhere/v100s")))
