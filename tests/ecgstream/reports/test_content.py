"""Figures of reports against what is computed by hand, by NeuroKit2, and as properties."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgstream.reports import document
from ecgstream.reports.content import compute
from ecgstream.reports.document import Document
from ecgstream.reports.material import MINUTE_NS, NS, Beats, Minutes, RhythmSpan
from tests.ecgstream.reports.made import BEGIN, beats, joined, material

NOTHING = Beats(*(np.empty(0, kind) for kind in (np.int64, np.uint8, np.float64, np.int64)))


def test_time_domain_as_by_hand() -> None:
    """Intervals of 800, 860, 800, 700, 800 ms: differences 60, -60, -100, 100; two groups of ten seconds."""
    report = compute(material(beats([0.8, 0.86, 0.8, 0.7, 0.8]), 1))
    found = report.variability
    # The first beat has no interval; it is normal, so that the first interval is NN.
    assert (found.intervals, found.of_intervals, found.successive) == (5, 5, 4)
    mean = (800 + 860 + 800 + 700 + 800) / 5
    assert found.sdnn_ms == pytest.approx(
        math.sqrt(sum((x - mean) ** 2 for x in (800, 860, 800, 700, 800)) / 4)
    )
    assert found.rmssd_ms == pytest.approx(math.sqrt((60**2 + 60**2 + 100**2 + 100**2) / 4))
    assert found.pnn50_percent == pytest.approx(80)
    assert (found.sdann_ms, found.lf_hf, found.left_out) == (None, None, 1)


def test_sdann_and_sdnn_index_as_by_hand() -> None:
    """Two five-minute segments, of 1,000 ± 20 ms by turns and of 800 ms throughout."""
    first = np.resize([0.98, 1.02], 299)
    found = compute(
        material(joined(beats(first), beats([0.8] * 374, begin_ns=BEGIN + 300 * NS, source=1)), 10)
    ).variability
    assert [one.intervals for one in found.segments] == [299, 374]
    m = found.segments[0].mean_nn_ms
    assert m == pytest.approx(1000, abs=0.1)
    assert found.sdann_ms == pytest.approx((m - 800) / math.sqrt(2))
    assert found.sdnn_index_ms == pytest.approx(np.std(first * 1000, ddof=1) / 2)


def test_what_is_not_nn_is_left_out() -> None:
    rr_s = [0.8, 0.8, 0.5, 1.1, 0.8, 0.8]
    found = compute(material(beats(rr_s, "NNNVNNN"), 1)).variability
    assert (found.intervals, found.of_intervals, found.sdnn_ms) == (4, 6, pytest.approx(0.0, abs=1e-9))
    fibrillating = [RhythmSpan("AFIB", BEGIN, BEGIN + MINUTE_NS)]
    assert compute(material(beats(rr_s), 1, fibrillating)).variability.intervals == 0


def test_frequencies_of_a_known_breath() -> None:
    """A sine of 50 ms at 0.25 Hz has 1,250 ms² in HF, one of 30 ms at 0.1 Hz has 450 ms² in LF."""
    at, rr_s = 0.0, []
    while at < 299:
        rr = 0.8 + 0.05 * math.sin(2 * math.pi * 0.25 * at) + 0.03 * math.sin(2 * math.pi * 0.1 * at)
        rr_s.append(rr)
        at += rr
    found = compute(material(beats(rr_s), 5)).variability
    assert found.lf_ms2 == pytest.approx(450, rel=0.1)
    assert found.hf_ms2 == pytest.approx(1250, rel=0.1)
    assert found.lf_hf == pytest.approx(found.lf_ms2 / found.hf_ms2)


def test_ectopy_as_by_hand() -> None:
    codes = "NNVNNVVNNVVVVNNSNNNN"
    report = compute(material(beats([0.5] * 19, codes), 1))
    v, s = report.ventricular, report.supraventricular
    assert (v.beats, v.share, v.isolated, v.couplets, v.runs, v.longest_run) == (7, 7 / 20, 1, 1, 1, 4)
    assert (v.longest_run_bpm, v.longest_run_from_ns) == (120.0, BEGIN + 9 * NS // 2)
    assert (s.beats, s.isolated, s.runs) == (1, 1, 0)
    assert report.beats == {"N": 12, "S": 1, "V": 7}


def test_a_run_does_not_go_on_behind_a_gap() -> None:
    v = compute(material(joined(beats([0.5] * 2, "VVV"), beats([0.5] * 2, "VVV", source=1)), 1)).ventricular
    assert (v.runs, v.longest_run) == (2, 3)


def test_pauses_but_none_of_a_gap_or_within_noise_or_fibrillation() -> None:
    rr_s = [1.0, 2.0, 1.0, 3.5, 1.0]
    report = compute(material(beats(rr_s), 1))
    assert [pause.length_s for pause in report.pauses] == [2.0, 3.5]
    assert report.longest_pause is not None
    assert report.longest_pause.from_ns == BEGIN + 4 * NS
    for rhythm in ("NOISE", "VF"):
        seen = compute(material(beats(rr_s), 1, [RhythmSpan(rhythm, BEGIN + 5 * NS, BEGIN + 6 * NS)]))
        assert [pause.length_s for pause in seen.pauses] == [2.0]
    apart = joined(beats([1.0] * 3), beats([1.0] * 3, begin_ns=BEGIN + 10 * NS, source=1))
    assert compute(material(apart, 1)).pauses == ()


def test_rates_are_means_of_minutes() -> None:
    report = compute(material(beats([1.0] * 60 + [0.5] * 120), 3))
    assert report.rates.slowest is not None
    assert report.rates.fastest is not None
    assert (report.rates.slowest.bpm, report.rates.slowest.from_ns) == (60.0, BEGIN)
    assert report.rates.fastest.bpm == pytest.approx(120, rel=0.01)
    assert report.rates.mean_bpm == 60 * 180 / 120


def test_burden_of_fibrillation_is_a_share_of_what_could_be_analysed() -> None:
    rhythms = [RhythmSpan("N", BEGIN, BEGIN + 90 * NS), RhythmSpan("AFIB", BEGIN + 90 * NS, BEGIN + 120 * NS)]
    af = compute(material(beats([1.0] * 119), 2, rhythms)).rhythm("AFIB")
    assert af is not None
    assert (af.episodes, af.total_s, af.share) == (1, 30.0, 0.25)
    half = compute(material(beats([1.0] * 119), 2, rhythms, analysed_s=30.0)).rhythm("AFIB")
    assert half is not None
    assert half.share == 0.25


def test_a_rhythm_does_not_go_on_where_nothing_was_recorded() -> None:
    """AF from the first minute on; of ten minutes the fourth to eighth are missing."""
    found = material(beats([1.0] * 100), 10, [RhythmSpan("AFIB", BEGIN + 30 * NS, BEGIN + 600 * NS)])
    kept = np.r_[0:3, 8:10]
    minutes = Minutes(*(getattr(found.minutes, name)[kept] for name in Minutes.__slots__))
    af = compute(replace(found, minutes=minutes)).rhythm("AFIB")
    assert af is not None
    assert (af.episodes, af.total_s, af.share) == (2, 270.0, 0.9)
    assert (af.longest.from_ns, af.longest.to_ns) == (BEGIN + 30 * NS, BEGIN + 180 * NS)


def test_without_beats_and_with_noise_only_nothing_is_made_up() -> None:
    noise = [RhythmSpan("NOISE", BEGIN, BEGIN + 10 * MINUTE_NS)]
    report = compute(material(NOTHING, 10, noise, analysed_s=0.0))
    assert (report.beats, report.rhythms, report.pauses) == ({}, (), ())
    assert (report.rates.mean_bpm, report.rates.slowest, report.ventricular.share) == (None, None, None)
    assert (report.variability.sdnn_ms, report.variability.left_out) == (None, 0)
    assert report.coverage.analysable_share == 0.0
    assert json.loads(document.written(Document(report, [])))["status"] == "preliminary"


@pytest.mark.parametrize(
    ("high_pass", "assessable", "reason"),
    [
        ((0.05, 0.5), True, ""),
        ((0.5,), False, "the high-pass filter is 0.5 Hz, above 0.05 Hz"),
        ((None,), False, "the high-pass filter is not stated"),
        ((), False, "no ECG is stored"),
    ],
)
def test_st_is_assessable_only_where_the_filter_lets_it(
    high_pass: tuple[float | None, ...], assessable: bool, reason: str
) -> None:
    found = compute(material(beats([1.0]), 1, high_pass=high_pass)).st
    assert (found.assessable, found.reason) == (assessable, reason)


def test_a_heart_that_never_varies_has_no_ratio_and_no_warning() -> None:
    found = compute(material(beats([0.8] * 374), 5)).variability
    assert (found.sdnn_ms, found.rmssd_ms, found.lf_ms2) == pytest.approx((0, 0, 0), abs=1e-9)
    assert len(found.segments) == 1


def breathing(end_s: float) -> list[float]:
    """Return intervals, s, of a heart that follows breath (0.22 Hz, 40 ms) and pressure (0.09 Hz, 30 ms)."""
    rng = np.random.default_rng(7)
    at, rr_s = 0.0, []
    while at < end_s:
        breath, slow = math.sin(2 * math.pi * 0.22 * at), math.sin(2 * math.pi * 0.09 * at)
        rr_s.append(0.8 + 0.04 * breath + 0.03 * slow + rng.normal(0, 0.005))
        at += rr_s[-1]
    return rr_s


def test_ectopic_beats_part_the_intervals_around_them() -> None:
    """Differences are of neighbours only, as by hand; the spline of the powers bridges what is missing."""
    rr_s = breathing(300)
    codes = "".join("V" if n % 20 == 10 else "N" for n in range(len(rr_s) + 1))
    found = compute(material(beats(rr_s, codes), 6)).variability
    steps = [1000 * (rr_s[n] - rr_s[n - 1]) for n in range(1, len(rr_s)) if "V" not in codes[n - 1 : n + 2]]
    assert found.successive == len(steps)
    assert found.rmssd_ms == pytest.approx(np.sqrt(np.mean(np.square(steps))))
    assert found.pnn50_percent == pytest.approx(100 * np.sum(np.abs(steps) > 50) / (len(steps) + 1))
    assert found.lf_ms2 == pytest.approx(450, rel=0.2)
    assert found.hf_ms2 == pytest.approx(800, rel=0.2)


def test_in_bigeminy_no_two_intervals_are_neighbours() -> None:
    rr_s = breathing(300)
    codes = "".join("NNV"[n % 3] for n in range(len(rr_s) + 1))
    found = compute(material(beats(rr_s, codes), 6)).variability
    assert found.intervals > 100
    assert found.sdnn_ms is not None
    assert (found.successive, found.rmssd_ms, found.pnn50_percent) == (0, None, None)


RHYTHM = st.tuples(
    st.sampled_from(["N", "AFIB", "VT", "VF", "NOISE", "?"]), st.integers(-60, 700), st.integers(1, 300)
)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.lists(st.floats(0.25, 6.0), max_size=60), min_size=1, max_size=4),
    st.lists(RHYTHM, max_size=6),
    st.sampled_from([0.0, 12.0, 60.0]),
    st.data(),
)
def test_shares_are_shares_and_nothing_breaks(
    sessions: list[list[float]], marks: list[tuple[str, int, int]], analysed_s: float, data: st.DataObject
) -> None:
    several = []
    for n, rr_s in enumerate(sessions):
        codes = data.draw(st.text("NSVFQ/", min_size=len(rr_s) + 1, max_size=len(rr_s) + 1))
        several.append(beats(rr_s, codes, source=n, begin_ns=BEGIN + n * 400 * NS))
    rhythms = [RhythmSpan(name, BEGIN + at * NS, BEGIN + (at + n) * NS) for name, at, n in marks]
    report = compute(material(joined(*several), 30, rhythms, analysed_s=analysed_s))
    shares = [one.share for one in report.rhythms if one.share is not None]
    assert all(0 <= share <= 1 for share in shares)
    assert sum(shares) <= 1 + 1e-9
    assert 0 <= report.coverage.analysable_share <= 1
    for kind in (report.ventricular, report.supraventricular):
        assert 0 <= (kind.share or 0) <= 1
        assert kind.isolated + 2 * kind.couplets + 3 * kind.runs <= kind.beats
    assert report.variability.intervals <= report.variability.of_intervals
    assert sum(hour.beats for hour in report.hours) == sum(report.beats.values())
    assert sum(hour.pauses for hour in report.hours) == len(report.pauses)
    json.loads(document.written(Document(report, [])))
