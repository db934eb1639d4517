"""How a recording is parted and joined."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecgstream.exchange.errors import ExchangeError
from ecgstream.exchange.plain import ascii_of
from ecgstream.exchange.recording import NS, Mark, Run, frame_rate, joined, missing, parted
from schemas.records import MISSING
from tests.ecgstream.exchange import made


def test_long_gaps_part_a_segment_and_short_ones_do_not() -> None:
    whole = made.segment(seconds=60.0)
    whole.samples[:100] = MISSING  # before the first
    whole.samples[2500:4999] = MISSING  # less than ten seconds
    whole.samples[7500:10_000] = MISSING  # ten
    whole.samples[11_000:12_000, 0] = MISSING  # of one lead
    first, second = parted(whole, lambda frame: frame * 4_000_000)
    assert (first.start_ns, first.frames) == (100 * 4_000_000, 7400)
    assert (second.start_ns, second.frames) == (10_000 * 4_000_000, 5000)
    assert np.array_equal(second.samples, whole.samples[10_000:])
    assert first.beat_sample[0] == whole.beat_sample[whole.beat_sample >= 100][0] - 100
    assert second.rhythms == (Mark(0, "N"),)  # in force, by the last mark before
    assert [mark.text for mark in first.rhythms] == ["N", "AFIB", "NOISE", "N"]
    assert missing(second)[0] == [Run(1000, 2000)]


def test_nothing_is_left_of_what_has_no_sample() -> None:
    whole = made.segment()
    whole.samples[:] = MISSING
    assert parted(whole, lambda _: 0) == []


@given(st.lists(st.booleans(), min_size=1, max_size=200), st.integers(1, 7))
def test_missing_runs_are_what_is_missing_however_it_is_cut(is_missing: list[bool], step: int) -> None:
    samples = np.where(is_missing, MISSING, 5).astype(np.int16)
    segment = replace(made.segment((made.lead("II"),)), samples=samples.reshape(-1, 1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ecgstream.exchange.recording._CHUNK", step)
        (runs,) = missing(segment)
    again = np.zeros(samples.size, bool)
    for run in runs:
        assert not again[run.first : run.end].any()
        again[run.first : run.end] = True
    assert again.tolist() == is_missing
    assert all(one.end < other.first for one, other in pairwise(runs))


def test_what_overlaps_or_differs_is_not_joined() -> None:
    one = made.segment()  # 12.4 s
    assert len(joined([one, made.later(one, 12.4)])) == 1
    assert len(joined([one, made.later(one, 12.0)])) == 2  # a clock was set back
    assert len(joined([one, made.later(one, 13.0)], least_s=1.0)) == 2
    other = replace(made.later(one, 20), leads=(made.lead("II", gain=100.0), made.lead("V1")))
    assert [len(group) for group in joined([one, other])] == [1, 1]


def test_rates_that_fit_no_frame_are_refused() -> None:
    assert frame_rate([500.0, 250.0, 125.0]) == 125.0
    with pytest.raises(ExchangeError, match="fit no frame"):
        frame_rate([250.0, 249.999])


@given(st.text())
def test_whatever_is_said_is_one_line_of_ascii(text: str) -> None:
    found = ascii_of(text)
    assert found.isascii()
    assert not found or found.isprintable()


def test_times_of_samples() -> None:
    segment = made.segment()
    assert segment.ns_of(250) == made.START_NS + NS
    assert segment.end_ns == made.START_NS + 12_400_000_000
