"""Pauses, and of what kind they are."""

import numpy as np
import pytest

from schemas import mdc
from schemas.conditions import Code
from schemas.records import Category, Control, Limit, Limits, Settings
from tests.detectors import synthetic as syn

FS = 250
PACED = Settings(Category.ADULT, paced=True)
P_ALONE = syn.NORMAL[:1]


def events_of(mv, *changes, pace=()):
    bank = syn.Bank()
    for change in changes:
        bank.control(Control("c", "d", 0, 0, 0, "ward", change))
    signal = syn.counts(mv)
    return syn.run(syn.packets(signal, FS, range(0, signal.shape[1], 60), pace=pace), bank)[1]


def with_beats(at, seconds):
    return syn.beats(at, seconds, FS) + syn.noise(int(seconds * FS))


def paused(pause_s, bpm=75, begin_s=20):
    at = [*syn.regular(bpm, 0.5, begin_s)]
    return [*at, *syn.regular(bpm, at[-1] + pause_s, at[-1] + pause_s + 15)]


@pytest.mark.parametrize(("pause_s", "told"), [(2.8, False), (3.5, True), (3.9, True)])
def test_a_pause_is_told_while_it_lasts_and_ends_with_the_next_beat(pause_s, told):
    at = paused(pause_s)
    events = events_of(with_beats(at, 35))
    found = syn.phases(events, Code.PAUSE, 0)
    assert (found.size > 0) == told
    if told:
        last = max(t for t in at if t < 20)
        assert found["onset_sample"][0] / FS == pytest.approx(last, abs=0.05)
        assert 3.0 <= found["delay_s"][0] < 3.3
        (end,) = syn.phases(events, Code.PAUSE, 2)
        assert 0 < end["sample"] / FS - (last + pause_s) < 0.6
    assert Code.ASYSTOLE not in syn.codes(events)


def test_the_longest_pause_is_the_patients():
    at = paused(2.5)
    shorter = Limits((Limit(mdc.RR, None, 2.0),))
    assert Code.PAUSE in syn.codes(events_of(with_beats(at, 35), shorter))
    off = Limits((Limit(mdc.RR, None, None),))
    assert Code.PAUSE not in syn.codes(events_of(with_beats(paused(3.8), 35), off))


@pytest.mark.parametrize(
    ("pulses", "code"), [(True, Code.PACER_NOT_CAPTURING), (False, Code.PACER_NOT_PACING)]
)
def test_a_pacemaker_that_fails(pulses, code):
    at = [*syn.regular(60, 0.5, 20), *syn.regular(60, 22.4, 35)]
    marks = [t - 0.15 for t in at]
    if pulses:
        marks = sorted([*marks, max(t for t in at if t < 20) + 0.85])
    events = events_of(with_beats(at, 35), PACED, pace=[round(t * FS) for t in marks])
    (onset,) = syn.phases(events, code, 0)
    assert onset["delay_s"] == pytest.approx(1.75, abs=0.3)
    assert len(syn.phases(events, code, 2)) == 1
    other = {Code.PACER_NOT_CAPTURING, Code.PACER_NOT_PACING} - {code}
    assert not other & set(syn.codes(events))


def test_a_patient_without_a_pacemaker_has_none_that_fails():
    at = [*syn.regular(60, 0.5, 20), *syn.regular(60, 22.4, 35)]
    events = events_of(with_beats(at, 35))
    assert not {Code.PACER_NOT_CAPTURING, Code.PACER_NOT_PACING} & set(syn.codes(events))


def dropping(seconds, every, bpm=75, p_waves=True):
    """Every so many-th beat is dropped; its P wave stays."""
    due = syn.regular(bpm, 0.5, seconds - 1)
    learnt = due < 20
    dropped = ~learnt & (np.arange(due.size) % every == 0)
    mv = with_beats(due[~dropped], seconds)
    if p_waves:
        mv = mv + syn.beats(due[dropped], seconds, FS, P_ALONE)[: mv.size]
    return mv, due[dropped]


@pytest.mark.parametrize("every", [2, 3, 4])
def test_p_waves_without_a_qrs_are_suspected_to_be_a_block(every):
    mv, dropped = dropping(50, every, bpm=75)
    events = events_of(mv)
    (onset,) = syn.phases(events, Code.AV_BLOCK, 0)
    assert onset["sample"] / FS <= dropped[3] + 2.0
    assert onset["onset_sample"] / FS == pytest.approx(dropped[0] - 0.8, abs=0.1)


@pytest.mark.parametrize("every", [2, 3, 4])
def test_beats_that_are_missing_with_their_p_waves_are_no_block(every):
    mv, _ = dropping(50, every, p_waves=False)
    assert Code.AV_BLOCK not in syn.codes(events_of(mv))


def test_a_block_is_over_when_beats_come_as_they_should():
    mv, _ = dropping(40, 3)
    mv = np.concatenate([mv, with_beats(syn.regular(75, 0.3, 40), 40)])
    (end,) = syn.phases(events_of(mv), Code.AV_BLOCK, 2)
    assert end["sample"] / FS < 40 + 17 * 0.8 + 2


def test_a_slow_rhythm_is_no_block():
    events = events_of(with_beats(syn.regular(42, 0.5, 90), 90))
    assert Code.AV_BLOCK not in syn.codes(events)
