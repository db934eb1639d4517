"""Ventricular waves and runs: what is told, and what merely looks like it."""

import numpy as np
import pytest

from detectors import fibrillation, runs
from detectors.state import REFERENCES, RUN_FEATURES, WINDOW_FEATURES
from detectors.weights import weights
from schemas.conditions import Code
from tests.detectors import synthetic as syn

FS = 250
SECONDS = 60
VENTRICULAR = {Code.VENTRICULAR_TACHYCARDIA, Code.VENTRICULAR_FIBRILLATION}


def told(mv):
    signal = np.atleast_2d(mv)
    signal = signal + np.array([syn.noise(signal.shape[1], seed=k) for k in range(len(signal))])
    return syn.run(syn.packets(syn.counts(signal), FS))[1]


def test_the_state_has_room_for_the_features_and_the_file_their_weights():
    assert len(fibrillation.FEATURES) == WINDOW_FEATURES == fibrillation.LEVEL + 1
    assert fibrillation.LEVEL - fibrillation.NEW == REFERENCES + 1
    assert len(runs.FEATURES) == RUN_FEATURES
    for model, features in (("wave", fibrillation.FEATURES), ("run", runs.FEATURES)):
        assert np.isfinite(weights(model, features)).all()
    with pytest.raises(KeyError):
        weights("wave", ("no such feature",))


def test_a_wide_complex_that_was_always_there_is_no_tachycardia():
    mv = syn.beats(syn.regular(95, 0.5, SECONDS), SECONDS, FS, syn.VENTRICULAR)
    assert not VENTRICULAR & set(syn.codes(told(mv)))


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("bpm", [160, 195, 206])
def test_tachycardia_is_told_within_8_s_at_every_height(bpm, scale):
    normal = syn.beats([*syn.regular(75, 0.5, 30), *syn.regular(75, 45, SECONDS)], SECONDS, FS)
    mv = scale * (normal + syn.beats(syn.regular(bpm, 30.4, 44.5), SECONDS, FS, syn.VENTRICULAR))
    events = told(mv)
    assert VENTRICULAR & set(syn.codes(events))
    onsets = events.conditions[(events.conditions["phase"] == 0)]
    first = onsets[np.isin(onsets["code"], list(VENTRICULAR))]["sample"].min() / FS
    assert 30.4 < first < 38.4


def test_baseline_wander_and_slow_motion_are_no_tachycardia():
    random = np.random.default_rng(8)
    walk = np.cumsum(random.normal(0.0, 0.02, SECONDS * FS))
    walk -= np.convolve(walk, np.ones(500) / 500, "same")
    assert not VENTRICULAR & set(syn.codes(told(syn.ecg(80, SECONDS, FS)[0] + walk)))
