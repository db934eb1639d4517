"""HL7 aECG: sequence sets where leads have samples, and what was found, by other code and by our import."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np
import pytest
from defusedxml.ElementTree import parse
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.files.read import read
from ecgstream.exchange import aecg
from ecgstream.exchange.errors import ExchangeError
from ecgstream.exchange.recording import NS, Segment
from schemas.records import MISSING
from tests.ecgstream.exchange import made
from tests.ecgstream.exchange.readers import HL7, aecg_samples, ns_of, parsed, sequence_sets

FINDINGS = ("MDC_ECG_BEAT", "MDC_ECG_RHY", "MDC_ECG_INTERPRETATION_STATEMENT")
CHILDREN = {
    "AnnotatedECG": "id code text effectiveTime confidentialityCode componentOf component",
    "series": "id code effectiveTime author controlVariable component subjectOf",
    "sequence": "code value",
    "annotationSet": "activityTime author component",
    "annotation": "code value support",
    "supportingROI": "code component",
    "boundary": "code value",
}
"""The order that PORT_MT020001 has for the children of an element."""


def written(folder: Path, *segments: Segment) -> Path:
    (path,) = aecg.write(made.recording(*segments), folder)
    return path


def whole(begin_ns: int, leads: dict[str, np.ndarray], segment: Segment) -> np.ndarray:
    """Leads that begin at a time, as the samples of a segment: ``MISSING`` where they have none."""
    found = np.full_like(segment.samples, MISSING)
    at = round((begin_ns - segment.start_ns) / NS * segment.rate_hz)
    for number, lead in enumerate(segment.leads):
        samples = leads.get(lead.name, np.zeros(0))
        found[at : at + samples.size, number] = np.nan_to_num(samples, nan=MISSING)
    return found


def imported(path: Path) -> tuple[int, dict[str, np.ndarray]]:
    source = read(path, device="d", shard=0, zone=UTC)
    assert source.left_out == ()
    assert source.start_ns is not None
    return source.start_ns, {wave.name: wave.samples for wave in source.sessions[0].waves}


def test_a_sequence_set_begins_wherever_a_lead_falls_away_or_comes_back(tmp_path: Path) -> None:
    segment = made.segment(tuple(made.lead(name) for name in ("I", "II", "V1")))
    segment.samples[:50, 2] = MISSING  # V1 is put on later
    segment.samples[500:750, 1] = MISSING  # II is off for a second
    segment.samples[1000:1250] = MISSING  # a second was lost
    segment.samples[2000:, 0] = MISSING  # I is taken off
    path = written(tmp_path, segment)
    expected = [
        (0, 50, "I II"),
        (50, 500, "I II V1"),
        (500, 750, "I V1"),
        (750, 1000, "I II V1"),
        (1250, 2000, "I II V1"),
        (2000, segment.frames, "II V1"),
    ]
    found = sequence_sets(path)
    assert [(at, " ".join(leads)) for at, leads in found] == [
        (segment.ns_of(first), leads) for first, _, leads in expected
    ]
    for (_, leads), (first, end, names) in zip(found, expected, strict=True):
        for name in names.split():
            number = ["I", "II", "V1"].index(name)
            np.testing.assert_array_equal(leads[name], segment.samples[first:end, number])
    assert (whole(*imported(path), segment) == segment.samples).all()


@settings(max_examples=40, deadline=None)
@given(
    rate=st.sampled_from([100.0, 128.0, 250.0, 360.0, 62.5, 500.0]),
    frames=st.integers(1, 1500),
    runs=st.lists(st.tuples(st.integers(0, 1499), st.integers(1, 300), st.integers(0, 2)), max_size=6),
)
def test_whatever_is_missing_it_comes_back_by_both(
    tmp_path_factory: pytest.TempPathFactory, rate: float, frames: int, runs: list[tuple[int, int, int]]
) -> None:
    leads = tuple(made.lead(name, rate) for name in ("II", "V2", "V5"))
    segment = made.segment(leads, seconds=frames / rate, rate_hz=rate)
    for first, count, column in runs:
        segment.samples[first : first + count, column] = MISSING
    if (segment.samples == MISSING).all():
        segment.samples[0, 0] = 7
    path = written(tmp_path_factory.mktemp("aecg"), segment)
    for found in (aecg_samples(path, rate), imported(path)):
        np.testing.assert_array_equal(whole(*found, segment), segment.samples)


def test_leads_that_are_not_named_further_are_told_apart_in_every_sequence_set(tmp_path: Path) -> None:
    leads = tuple(replace(made.lead("ECG"), name=name) for name in ("ECG", "ECG_2"))
    segment = made.segment(leads)
    segment.samples[:100, 0] = MISSING
    segment.samples[500:600, 1] = MISSING
    _, found = imported(written(tmp_path, segment))
    second, first = found.values()  # in the order in which the first sample of each comes
    np.testing.assert_array_equal(first, segment.samples[:, 0])
    np.testing.assert_array_equal(second, segment.samples[:, 1])


def annotations(path: Path) -> list[tuple[str, int, int]]:
    """What each is, and its time, UTC ns."""
    found = []
    for one in parse(path).iter(f"{HL7}annotation"):
        code, value = one.find(f"{HL7}code"), one.find(f"{HL7}value")
        assert code.get("code") in FINDINGS
        low, high = (ns_of(one.find(f".//{HL7}{edge}").get("value")) for edge in ("low", "high"))
        found.append((value.get("code") or value.text, low, high))
    return found


def test_findings_are_at_their_time_on_both_sides_of_a_gap(tmp_path: Path) -> None:
    one, other = made.segment(), made.segment(seed=2, start_ns=made.START_NS + 100 * NS)
    one.samples[300:700] = MISSING
    path = written(tmp_path, one, other)
    found = annotations(path)
    for segment in (one, other):
        beats = [at for what, at, _ in found if what.startswith("MDC_ECG_BEAT") and at >= segment.start_ns]
        assert beats[: segment.beat_sample.size] == [segment.ns_of(s) for s in segment.beat_sample.tolist()]
        second = 250
        assert ("AFIB", segment.ns_of(5 * second), segment.ns_of(8 * second)) in found
        assert ("ATRIAL_FIBRILLATION", segment.ns_of(5 * second), segment.ns_of(8 * second)) in found
        assert ("N", segment.ns_of(9.5 * second), segment.end_ns) in found
    assert found[2][:2] == ("MDC_ECG_BEAT_V_P_C", one.ns_of(600))
    assert len(found) == 2 * (one.beat_sample.size + len(one.rhythms) + 1)


def test_the_time_of_the_document_is_that_of_its_samples(tmp_path: Path) -> None:
    """Of a part that begins with other waves alone; a part with no ECG at all is not in it."""
    leads = (made.lead("II"), made.pleth(250.0))
    later, without = made.segment(leads), made.segment(leads, start_ns=made.START_NS + 100 * NS)
    later.samples[:500, 0] = later.samples[3000:, 0] = without.samples[:, 0] = MISSING
    path = written(tmp_path, later, without)
    time = parse(path).getroot().find(f"{HL7}effectiveTime")
    edges = [ns_of(time.find(f"{HL7}{edge}").get("value")) for edge in ("low", "high")]
    assert edges == [later.ns_of(500), later.ns_of(3000)]
    assert imported(path)[0] == later.ns_of(500)
    with pytest.raises(ExchangeError, match="no ECG lead has a sample then"):
        aecg.write(made.recording(without), tmp_path, "none")


def test_elements_stand_in_the_order_of_the_schema(tmp_path: Path) -> None:
    segment = made.segment()
    segment.samples[300:700] = MISSING
    path = written(tmp_path, segment)
    root = parse(path).getroot()
    for name, order in CHILDREN.items():
        elements: list[Element] = [root] if name == "AnnotatedECG" else list(root.iter(f"{HL7}{name}"))
        assert elements
        for element in elements:
            places = [order.split().index(child.tag.removeprefix(HL7)) for child in element]
            assert places == sorted(places)
    assert parsed(path).annotations["rhythm"] == "N"


def test_a_document_is_of_what_is_exported(tmp_path: Path) -> None:
    """The same again is the same bytes; with another part behind, its ids are others."""
    one, other = made.segment(), made.segment(seed=2, start_ns=made.START_NS + 100 * NS)
    (first,), (again,), (both,) = (
        aecg.write(made.recording(*segments), tmp_path, name)
        for name, segments in (("first", [one]), ("again", [one]), ("both", [one, other]))
    )
    assert first.read_bytes() == again.read_bytes()
    ids = {parse(path).getroot().find(f"{HL7}id").get("root") for path in (first, both)}
    assert len(ids) == 2


def test_what_is_too_much_as_text_is_refused_and_says_what_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(segment: Segment, said: str) -> None:
        with pytest.raises(ExchangeError, match=f"{said}.*use\\s+wfdb, edf or dicom"):
            aecg.write(made.recording(segment), tmp_path)
        assert not list(tmp_path.iterdir())

    segment = made.segment()
    many = np.broadcast_to(segment.samples[:1], (aecg.MOST_SAMPLES, 2))
    refused(replace(segment, samples=many), "takes 833 minutes")
    segment.samples[1:-1:2, 0] = MISSING
    monkeypatch.setattr(aecg, "MOST_SEQUENCES", 4000)
    refused(segment, "too many gaps")
