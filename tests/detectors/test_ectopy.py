"""Patterns of beats, on rhythms that are made of them."""

import numpy as np
import pytest

from schemas import mdc
from schemas.conditions import Code
from schemas.records import Category, Control, Limit, Limits, Settings
from tests.detectors import synthetic as syn

FS = 250
RR_S = 0.8
EARLY_S = 0.5


def laid(beats, rr_s=RR_S):
    """Where each beat of a text of N and V lies, s: V early, and a full pause behind the last of them."""
    at, due = [], 0.5
    for i, beat in enumerate(beats):
        if beat == "V":
            at.append(at[-1] + EARLY_S)
            due = at[-1] + 2 * rr_s - EARLY_S
        else:
            at.append(due)
            due += rr_s
        if beat == "V" and beats[i + 1 : i + 2] == "N" and beats[i - 1] == "V":
            due = at[-1] + rr_s
    return at


def signal_of(beats, rr_s=RR_S):
    at = laid(beats, rr_s)
    seconds = at[-1] + 2
    mv = syn.noise(int(seconds * FS))
    for kind, shape in (("N", syn.NORMAL), ("V", syn.VENTRICULAR)):
        mv = (
            mv
            + syn.beats([t for t, b in zip(at, beats, strict=True) if b == kind], seconds, FS, shape)[
                : mv.size
            ]
        )
    return mv, at


def run(mv, bank=None, pace=()):
    signal = syn.counts(mv)
    return syn.run(syn.packets(signal, FS, range(0, signal.shape[1], 60), pace=pace), bank)[1]


def events_of(beats):
    mv, at = signal_of(beats)
    return run(mv), at


def onsets_s(events, code):
    return syn.phases(events, code, 0)["onset_sample"] / FS


LEARN = "N" * 20


def test_a_couplet_is_told_once_with_the_beat_behind_it():
    events, at = events_of(LEARN + "VV" + "N" * 10)
    (onset,) = onsets_s(events, Code.VENTRICULAR_COUPLET)
    assert onset == pytest.approx(at[20], abs=0.06)
    (end,) = syn.phases(events, Code.VENTRICULAR_COUPLET, 2)
    assert end["sample"] / FS - at[22] < 0.6
    assert not {Code.VENTRICULAR_RUN, Code.VENTRICULAR_BIGEMINY} & set(syn.codes(events))


def test_a_run_begins_with_its_first_beat_and_ends_with_the_next_normal_one():
    events, at = events_of(LEARN + "VVVV" + "N" * 10)
    (onset,) = onsets_s(events, Code.VENTRICULAR_RUN)
    assert onset == pytest.approx(at[20], abs=0.06)
    (end,) = syn.phases(events, Code.VENTRICULAR_RUN, 2)
    assert at[24] < end["sample"] / FS < at[24] + 0.6
    assert Code.VENTRICULAR_COUPLET not in syn.codes(events)


def test_single_ventricular_beats_are_no_pattern():
    events, _ = events_of(LEARN + ("V" + "N" * 5) * 5)
    assert syn.codes(events) == []


@pytest.mark.parametrize(
    ("unit", "code", "other"),
    [
        ("VN", Code.VENTRICULAR_BIGEMINY, Code.VENTRICULAR_TRIGEMINY),
        ("VNN", Code.VENTRICULAR_TRIGEMINY, Code.VENTRICULAR_BIGEMINY),
    ],
)
def test_bigeminy_and_trigeminy_take_three_cycles_and_outlast_one_that_is_broken(unit, code, other):
    two, _ = events_of(LEARN + unit * 2 + "N" * 10)
    assert code not in syn.codes(two)
    many, at = events_of(LEARN + unit * 6 + "N" + unit * 6 + "N" * 12)
    (onset,) = onsets_s(many, code)
    assert onset == pytest.approx(at[20], abs=0.06)
    assert len(syn.phases(many, code, 2)) == 1
    assert other not in syn.codes(many)


def test_a_ventricular_beat_on_the_t_wave():
    mv, at = signal_of(LEARN)
    early = at[-1] + 0.31
    seconds = mv.size / FS
    shape = ((1.6, 0.0, 0.03), (-1.2, 0.09, 0.04))
    mv = mv + syn.beats([early], seconds, FS, shape)[: mv.size]
    assert onsets_s(run(mv), Code.R_ON_T) == pytest.approx([early], abs=0.06)


def test_more_ventricular_beats_than_the_limit_are_told_until_they_are_fewer():
    beats = LEARN + ("V" + "N" * 4) * 14 + "N" * 90
    mv, at = signal_of(beats)
    events = run(mv)
    (onset,) = syn.phases(events, Code.VPC_RATE_HIGH, 0)
    v = [t for t, b in zip(at, beats, strict=True) if b == "V"]
    assert v[10] < onset["sample"] / FS < v[11] + 1  # the eleventh is more than ten
    evidence = dict(zip(_names(Code.VPC_RATE_HIGH), onset["evidence"], strict=False))
    assert (evidence["limit_per_min"], evidence["ventricular_per_min"]) == (10, 11)
    (end,) = syn.phases(events, Code.VPC_RATE_HIGH, 2)
    assert 60 < end["sample"] / FS - v[-11] < 85


def test_the_limit_of_ventricular_beats_is_the_patients():
    mv, _ = signal_of(LEARN + ("V" + "N" * 4) * 14)
    bank = syn.Bank()
    bank.control(Control("c", "d", 0, 0, 0, "ward", Limits((Limit(mdc.VPC_RATE, None, 30.0),))))
    assert Code.VPC_RATE_HIGH not in syn.codes(run(mv, bank))


def test_a_tachycardia_of_early_narrow_beats_lasts_until_the_rate_falls_well_below():
    at = [*syn.regular(70, 0.5, 25), *syn.regular(160, 25.2, 55), *syn.regular(70, 56, 75)]
    mv = syn.beats(at, 75, FS) + syn.noise(75 * FS)
    events = run(mv)
    (onset,) = onsets_s(events, Code.SUPRAVENTRICULAR_TACHYCARDIA)
    assert onset == pytest.approx(25.2, abs=0.5)
    (end,) = syn.phases(events, Code.SUPRAVENTRICULAR_TACHYCARDIA, 2)
    assert 56 < end["sample"] / FS < 64


def test_a_rate_that_rises_slowly_is_no_supraventricular_tachycardia():
    rr = 60.0 / np.linspace(70, 150, 200)
    at = 0.5 + np.cumsum(rr)
    seconds = int(at[-1] + 2)
    events = run(syn.beats(at, seconds, FS) + syn.noise(seconds * FS))
    assert Code.SUPRAVENTRICULAR_TACHYCARDIA not in syn.codes(events)


@pytest.mark.parametrize(("category", "told"), [(Category.ADULT, True), (Category.NEONATE, False)])
def test_how_fast_depends_on_the_kind_of_patient(category, told):
    bank = syn.Bank()
    bank.control(Control("c", "d", 0, 0, 0, "ward", Settings(category, paced=False)))
    at = [*syn.regular(90, 0.5, 25), *syn.regular(190, 25.2, 40)]
    events = run(syn.beats(at, 40, FS) + syn.noise(40 * FS), bank)
    assert (Code.SUPRAVENTRICULAR_TACHYCARDIA in syn.codes(events)) == told


@pytest.mark.parametrize(("seconds", "told"), [(25, False), (40, True)])
def test_a_ventricular_tachycardia_is_sustained_after_30_s(seconds, told):
    normal = [*syn.regular(75, 0.5, 20), *syn.regular(75, 21 + seconds, 40 + seconds)]
    whole = 40 + seconds
    fast = syn.regular(160, 20.4, 20 + seconds)
    mv = syn.beats(normal, whole, FS) + syn.beats(fast, whole, FS, syn.VENTRICULAR) + syn.noise(whole * FS)
    events = run(mv)
    assert Code.VENTRICULAR_TACHYCARDIA in syn.codes(events)
    found = syn.phases(events, Code.SUSTAINED_VENTRICULAR_TACHYCARDIA, 0)
    assert (found.size > 0) == told
    if told:
        begun = syn.phases(events, Code.VENTRICULAR_TACHYCARDIA, 0)
        assert abs(int(found["onset_sample"][0]) - int(begun["onset_sample"][0])) <= 1
        assert 30.0 <= found["delay_s"][0] <= 30.5


def test_a_missed_beat_is_told_once():
    at = [t for i, t in enumerate(syn.regular(75, 0.5, 40)) if i != 30]
    events = run(syn.beats(at, 40, FS) + syn.noise(40 * FS))
    assert onsets_s(events, Code.MISSED_BEAT) == pytest.approx([at[29]], abs=0.06)
    assert syn.codes(events) == [Code.MISSED_BEAT]


def test_a_pause_behind_a_ventricular_beat_is_no_missed_beat():
    events, _ = events_of(LEARN + "V" + "N" * 10)
    assert Code.MISSED_BEAT not in syn.codes(events)


def _names(code):
    from detectors.evidence import NAMES

    return NAMES[code]
