"""ST by lead, against the patient's own baseline."""

import dataclasses

import numpy as np
import pytest

from detectors.bank import Bank
from detectors.evidence import NAMES
from schemas import mdc
from schemas.conditions import Code
from schemas.records import Control, Limit, Limits
from tests.detectors import synthetic as syn

FS = 250


def st_wave(mv):
    """A step behind the QRS complex, as far as the T wave."""
    return ((mv, 0.13, 0.03), (0.9 * mv, 0.19, 0.03))


def st_mv(level):
    """What that is 80 ms behind the end of a QRS complex that ends 50 ms behind its R peak."""
    return sum(mv * np.exp(-0.5 * ((0.13 - shift) / width) ** 2) for mv, shift, width in st_wave(level))


def made(levels, seconds_each, bpm=72, high_pass=0.05, mv=1.0):
    """Two leads; the second has the ST levels, one after the other; the first none."""
    seconds = seconds_each * len(levels)
    at = syn.regular(bpm, 0.5, seconds)
    plain = mv * syn.beats(at, seconds, FS)
    changed = plain.copy()
    for i, level in enumerate(levels):
        within = at[(at >= i * seconds_each) & (at < (i + 1) * seconds_each)]
        changed = changed + syn.beats(within, seconds, FS, st_wave(level))[: changed.size]
    both = np.stack([plain, changed]) + np.stack([syn.noise(plain.size, 0.01, seed) for seed in (1, 2)])
    packets = syn.packets(syn.counts(both), FS)
    for packet in packets:
        packet.channels = [dataclasses.replace(c, high_pass=high_pass) for c in packet.channels]
    return packets


def run(packets, *changes):
    bank = Bank()
    for change in changes:
        bank.control(Control("c", "d", 0, 0, 0, "ward", change))
    return syn.run(packets, bank)[1]


@pytest.mark.parametrize(("level", "code"), [(0.25, Code.ST_ELEVATION), (-0.25, Code.ST_DEPRESSION)])
def test_a_change_that_lasts_a_minute_is_told_of_its_lead_and_ends(level, code):
    events = run(made([0.0, level, 0.0], 120))
    assert syn.codes(events) == [code]
    (onset,) = syn.phases(events, code, 0)
    assert onset["onset_sample"] / FS == pytest.approx(125, abs=12)
    assert onset["delay_s"] == pytest.approx(60, abs=1)
    evidence = dict(zip(NAMES[code], onset["evidence"], strict=False))
    assert evidence["lead"] == 2
    assert evidence["st_mv"] - evidence["baseline_mv"] == pytest.approx(st_mv(level), abs=0.03)
    (end,) = syn.phases(events, code, 2)
    assert 260 < end["sample"] / FS < 285


def test_what_was_there_from_the_beginning_is_the_baseline():
    assert syn.codes(run(made([0.3], 200))) == []


def test_a_change_of_half_a_minute_is_not_told():
    assert syn.codes(run(made([0.0, 0.0, 0.0, 0.3, 0.0, 0.0], 40))) == []


@pytest.mark.parametrize("high_pass", [0.5, float("nan")])
def test_a_lead_whose_high_pass_is_higher_or_not_known_is_not_assessed(high_pass):
    assert syn.codes(run(made([0.0, 0.3], 120, high_pass=high_pass))) == []


def test_the_limits_are_the_patients():
    wider = Limits((Limit(mdc.ST, -0.4, 0.4),))
    assert syn.codes(run(made([0.0, 0.25], 120), wider)) == []
    off = Limits((Limit(mdc.ST, None, None),))
    assert syn.codes(run(made([0.0, -0.25], 120), off)) == []
