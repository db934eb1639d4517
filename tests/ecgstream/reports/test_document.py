"""A document is all that a report is: what was written is read, and written again in the same bytes."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.sheet import Lead
from ecgstream.reports import document, sheet
from ecgstream.reports.content import compute
from ecgstream.reports.document import Document
from ecgstream.reports.material import NS, RhythmSpan
from ecgstream.reports.strips import Chosen, Strip
from tests.ecgstream.reports.made import BEGIN, beats, material
from tests.ecgstream.reports.test_sheet import a_day, strips_of

PIECE = st.tuples(
    st.sampled_from([125.0, 250.0, 500.0]),
    st.floats(0.0, 1.0),
    st.lists(st.one_of(st.just(float("nan")), st.floats(-30.0, 30.0)), min_size=1, max_size=40),
)


def lead_of(pieces: list[tuple[float, float, list[float]]]) -> Lead:
    """As ``printed.leads`` joins waves: behind a break, a missing sample at the time of the next one."""
    times, values, end_s = [], [], 0.0
    for rate_hz, gap_s, mv in pieces:
        time_s = end_s + gap_s + np.arange(len(mv)) / rate_hz
        if times:
            times.append(time_s[:1])
            values.append(np.array([np.nan]))
        times.append(time_s)
        values.append(np.array(mv))
        end_s = float(time_s[-1]) + 1 / rate_hz
    return Lead("II", np.concatenate(times), np.concatenate(values))


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.floats(0.25, 6.0), min_size=1, max_size=60),
    st.integers(0, 59),
    st.lists(PIECE, min_size=1, max_size=4),
    st.data(),
)
def test_what_is_read_is_written_in_the_same_bytes(
    rr_s: list[float], af_s: int, pieces: list[tuple[float, float, list[float]]], data: st.DataObject
) -> None:
    codes = data.draw(st.text("NSVFQ/", min_size=len(rr_s) + 1, max_size=len(rr_s) + 1))
    af = RhythmSpan("AFIB", BEGIN + af_s * NS, BEGIN + 60 * NS)
    found = compute(material(beats(rr_s, codes), 2, [af]))
    lead = lead_of(pieces)
    written = document.written(Document(found, [Strip(Chosen("longest AF", BEGIN), [lead])], "ecgstream 0.0"))
    read = document.read(written)
    assert document.written(read) == written
    assert read.report.ventricular.longest_run == found.ventricular.longest_run
    known = np.isfinite(lead.mv)
    again = read.strips[0].leads[0]
    assert np.allclose(again.mv[np.isfinite(again.mv)], lead.mv[known], atol=0.0006)
    assert np.allclose(again.time_s[np.isfinite(again.mv)], lead.time_s[known], atol=1e-5)


def test_what_is_drawn_of_it_is_what_was_drawn_of_the_report() -> None:
    whole = Document(a_day(30), strips_of(a_day(30)))
    again = document.read(document.written(whole))
    assert again.report.ventricular.longest_run == 6
    assert again.report.rates.minutes == whole.report.rates.minutes
    assert len(sheet.written(again, "en")) == pytest.approx(len(sheet.written(whole, "en")), rel=0.02)


def test_a_run_has_its_length_and_its_time() -> None:
    said = document.told(Document(compute(material(beats([0.5] * 4, "NVVVN"), 1)), []))
    assert (said["ventricular"]["longest_run"], said["ventricular"]["longest_run_from"]) == (
        3,
        document.iso(BEGIN + NS // 2),
    )


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"strips": 3}', b'{"strips": [], "software": "x"}'])
def test_what_is_no_report_is_said(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"no report|Expecting"):
        document.read(content)
    whole = json.loads(document.written(Document(a_day(30), [])))
    del whole["rates"]
    with pytest.raises(ValueError, match="no report"):
        document.read(json.dumps(whole).encode())
