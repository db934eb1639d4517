"""Extremes by kind of patient: told a little beyond the threshold, not told a little before it."""

import numpy as np
import pytest

from detectors.bank import Bank
from detectors.extremes import EXTREMES
from schemas.conditions import Code
from schemas.records import Category, Control, Settings
from tests.detectors import synthetic as syn

FS = 500
QRS = ((1.0, 0.0, 0.008), (-0.25, 0.025, 0.008))
"""Narrow, and without P and T waves, which at 250 beats a minute lie on each other."""


def codes(at, seconds, category):
    bank = Bank()
    bank.control(Control("c", "d", 0, 0, 0, "ward", Settings(category, paced=False)))
    signal = syn.counts(syn.beats(at, seconds, FS, QRS) + syn.noise(seconds * FS))
    return syn.codes(syn.run(syn.packets(signal, FS), bank)[1])


@pytest.mark.parametrize("category", Category)
def test_thresholds_are_those_of_the_category(category):
    extreme = EXTREMES[list(Category).index(category)]
    for bpm, code in (
        (extreme["slow_bpm"] - 2, Code.EXTREME_BRADYCARDIA),
        (extreme["fast_bpm"] + 6, Code.EXTREME_TACHYCARDIA),
    ):
        assert code in codes(syn.regular(bpm, 0.5, 30), 30, category)
    for bpm in (extreme["slow_bpm"] + 2, extreme["fast_bpm"] - 6):
        found = codes(syn.regular(bpm, 0.5, 30), 30, category)
        assert not {Code.EXTREME_BRADYCARDIA, Code.EXTREME_TACHYCARDIA, Code.ASYSTOLE} & set(found)


@pytest.mark.parametrize("category", Category)
def test_a_pause_is_an_asystole_from_the_categorys_length_on(category):
    length_s = EXTREMES[list(Category).index(category)]["asystole_s"]
    for pause_s, told in ((length_s - 0.2, False), (length_s + 0.5, True)):
        at = [*syn.regular(120, 0.5, 12.1), *syn.regular(120, 12 + pause_s, 25)]
        assert (Code.ASYSTOLE in codes(at, 25, category)) == told


def test_what_ends_an_extreme_is_weaker_than_what_begins_it():
    assert np.all(EXTREMES["slow_end_bpm"] > EXTREMES["slow_bpm"])
    assert np.all(EXTREMES["fast_back_bpm"] < EXTREMES["fast_end_bpm"])
    assert np.all(EXTREMES["fast_end_bpm"] < EXTREMES["fast_bpm"])
    share = EXTREMES["fast_end_bpm"] / EXTREMES["fast_bpm"]
    assert np.allclose(share, share[0], atol=0.005)
