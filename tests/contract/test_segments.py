"""Segments: where one begins and ends, what is kept before a gap, and that a backlog fills it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.bank import Bank
from detectors.output import OPEN
from schemas import mdc
from schemas.conditions import Code
from schemas.records import Association, Category, Control, News2, Settings, Vital
from tests.detectors import synthetic as syn

FS = 250
SECONDS = 160
GAP = (20, 110)
"""s: a backlog of 90 s."""


@pytest.fixture(scope="module")
def signal():
    at = [t for t in syn.regular(80, 0.4, SECONDS) if not 50.0 < t < 58.0]
    return syn.counts(np.stack([syn.beats(at, SECONDS, FS) + syn.noise(SECONDS * FS, 0.01, 5)]))


@pytest.fixture(scope="module")
def made(signal):
    return syn.packets(signal, FS)


def bounds(events):
    return [tuple(map(int, row)) for row in events.segments[["from_sample", "to_sample", "restored"]]]


def test_a_segment_begins_with_the_signal_and_goes_on(made):
    _, events = syn.run(made)
    assert bounds(events) == [(0, OPEN, 0)]
    assert len(events.gaps) == 0


def test_settings_of_its_beginning_go_with_a_segment(made):
    bank = Bank()
    bank.control(Control("c", "d", 0, 0, 0, "ward", Settings(Category.NEONATE, paced=True)))
    (row,) = syn.run(made[:5], bank)[1].segments
    assert row["category"] == list(Category).index(Category.NEONATE)
    assert row["paced"] == 1
    assert row["high"][0] > 150
    bank.control(
        Control("c", "d", 0, 0, 0, "ward", Settings(Category.ADULT, paced=True, news2=News2.SCALE_2))
    )
    bank.split(0)
    (row,) = syn.run(made[5:8], bank)[1].segments
    assert row["news2"] == list(News2).index(News2.SCALE_2)


def test_a_gap_of_more_than_a_minute_ends_a_segment_and_keeps_what_was_before(made):
    bank, events = syn.run(made[: GAP[0]] + made[GAP[1] :])
    assert bounds(events) == [(0, OPEN, 0), (0, GAP[0] * FS, 0), (GAP[1] * FS, OPEN, 0)]
    (gap,) = events.gaps
    assert (gap["session"], gap["sample"]) == (1, GAP[0] * FS)
    assert bank.stands(0) == (SECONDS * FS, syn.START_NS + SECONDS * 10**9)


def test_a_shorter_gap_is_within_its_segment(made):
    _, events = syn.run(made[:20] + made[50:])
    assert bounds(events) == [(0, OPEN, 0)]
    assert len(events.gaps) == 0


def test_a_change_of_rate_is_another_segment_and_no_gap(signal):
    later = syn.packets(signal[:, : 10 * FS], 2 * FS, first=40 * FS)
    _, events = syn.run(syn.packets(signal[:, : 20 * FS], FS) + later)
    assert [b[1] == OPEN for b in bounds(events)] == [True, False, True]
    assert len(events.gaps) == 0


def test_a_new_session_is_another_segment_and_may_hide_a_gap(signal):
    first = syn.packets(signal[:, : 20 * FS], FS, session=1)
    second = syn.packets(signal[:, : 5 * FS], FS, session=2, start_ns=syn.START_NS + 60 * 10**9)
    _, events = syn.run(first + second)
    assert bounds(events) == [(0, OPEN, 0), (0, 20 * FS, 0), (0, OPEN, 0)]
    assert events.gaps["session"].tolist() == [1]


@settings(max_examples=10, deadline=None)
@given(st.lists(st.integers(GAP[0] * FS + 1, GAP[1] * FS - 1), max_size=8))
def test_a_backlog_gives_the_beats_that_an_undisturbed_run_gives(made, signal, cuts):
    """Bit for bit, but for what a beat at the very end would have learnt from the signal behind it."""
    _, whole = syn.run(made)
    _, live = syn.run(made[: GAP[0]] + made[GAP[1] :])
    second = Bank()
    row = second.resume("d", live.gaps["state"][0])
    missing = signal[:, GAP[0] * FS : GAP[1] * FS]
    at = sorted({0, *(c - GAP[0] * FS for c in cuts), *range(0, missing.shape[1], 2 * FS)})
    _, filled = syn.run(syn.packets(missing, FS, at, first=GAP[0] * FS), second)
    ended = second.stop(np.array([row]))
    assert bounds(filled) == [(GAP[0] * FS, OPEN, 1)]
    assert bounds(ended) == [(GAP[0] * FS, GAP[1] * FS, 1)]

    def between(found, after, before):
        return found[(found["sample"] >= after * FS) & (found["sample"] < before * FS)]

    lived = live.beats[live.beats["sample"] < GAP[0] * FS]
    last = lived["sample"].max() / FS + 0.1
    expected = between(whole.beats, last, GAP[1] - 1)
    assert len(expected) > 100
    assert syn.same([expected], [between(filled.beats, last, GAP[1] - 1)])
    assert Code.ASYSTOLE in syn.codes(filled)
    assert len(syn.phases(filled, Code.ASYSTOLE, 2)) == 1


def test_what_is_open_at_a_backlogs_end_ends_there(made):
    _, live = syn.run(made[: GAP[0]] + made[GAP[1] :])
    second = Bank()
    row = second.resume("d", live.gaps["state"][0])
    _, filled = syn.run(made[GAP[0] : 56], second)
    assert len(syn.phases(filled, Code.ASYSTOLE, 0)) == 1
    assert len(syn.phases(filled, Code.ASYSTOLE, 2)) == 0
    ended = second.stop(np.array([row]))
    assert syn.phases(ended, Code.ASYSTOLE, 2)["sample"].tolist() == [56 * FS]
    assert second.stands(row) == (0, 0)


def test_minutes_of_both_lanes_make_the_minute(made):
    """Rows of one minute and number, summed up, are that of an undisturbed run."""

    def seconds(*found):
        total: dict[int, int] = {}
        for events in found:
            for row in events.trends[events.trends["code"] == mdc.ECG_ANALYSED]:
                total[int(row["minute_ns"])] = total.get(int(row["minute_ns"]), 0) + int(row["n"])
        return total

    whole_bank, whole = syn.run(made)
    live_bank, live = syn.run(made[: GAP[0]] + made[GAP[1] :])
    second = Bank()
    row = second.resume("d", live.gaps["state"][0])
    _, filled = syn.run(made[GAP[0] : GAP[1]], second)
    parts = (live, filled, second.stop(np.array([row])), live_bank.stop(np.array([0])))
    assert seconds(*parts) == seconds(whole, whole_bank.stop(np.array([0])))


def test_vital_signs_go_on_where_the_device_went_on(made):
    low = [Vital("d", 1, syn.START_NS + i * 10**9, mdc.SPO2, 80.0) for i in range(20)]
    bank = Bank()
    bank.push(syn.bundle(made[:20], low))
    (state,) = syn.run(made[GAP[1] :], bank)[1].gaps["state"]
    second = Bank()
    second.resume("d", state)
    later = [Vital("d", 1, syn.START_NS + i * 10**9, mdc.SPO2, 97.0) for i in range(20, 40)]
    events = second.push(syn.bundle(made[20:40], later))
    assert Code.SPO2_LOW not in events.conditions["code"]


def test_who_wears_the_device_outlives_forgetting(made):
    bank, _ = syn.run(made[:20])
    bank.control(Control("p", "d", 0, 0, 0, "nurse", Association("patient-1")))
    bank.forget(0)
    assert bank.patient(0) == "patient-1"
    assert bank.stands(0) == (0, 0)
    assert syn.same(syn.run(made, bank)[1][:1], syn.run(made)[1][:1])
