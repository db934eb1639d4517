"""Recordings as HL7 annotated ECGs: ANSI/HL7 V3 ECG, R1-2004 (PORT_MT020001), of ECG leads alone.

A list of digits (SLIST_PQ) has no sign for a missing sample. A rhythm series has: each of its sequence sets
is a table, of which one column is the time (GLIST_TS), the others are leads, and every row is complete (Brown
and Badilini, HL7 aECG Implementation Guide, 2005, "SequenceSet": where a cart takes twelve leads three at a
time, there are four). So one begins wherever a lead falls away or comes back, and what is in none was not
measured. Leads of a series are comparable ("Series"): others, or another scale, are another document.

Samples are text, so that there may not be very many.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple
from xml.etree.ElementTree import Element, ElementTree, SubElement

import numpy as np
from numpy.typing import NDArray

from ecgstream.exchange.codes import BEATS, lead_term
from ecgstream.exchange.ecg import ecg_only
from ecgstream.exchange.errors import ExchangeError
from ecgstream.exchange.recording import (
    Lead,
    Mark,
    Recording,
    Segment,
    joined,
    missing,
    moment,
    numbered,
)
from ecgstream.exchange.uids import of_segment, uid

SUFFIX = ".xml"
MOST_SAMPLES = 25_000_000
"""Of all leads: 70 minutes of twelve at 500 Hz, some 120 MB of text."""
MOST_SEQUENCES = 100_000
"""Each takes 500 bytes beside its samples: more gaps than these are no recording that is read as text."""
_MDC, _ACT, _CPT, _XSI = (
    "2.16.840.1.113883.6.24",
    "2.16.840.1.113883.5.4",
    "2.16.840.1.113883.6.12",
    "http://www.w3.org/2001/XMLSchema-instance",
)
_TYPE = f"{{{_XSI}}}type"
_FILTERS = (
    ("HIGH_PASS", "CUTOFF_FREQ", "high_pass"),
    ("LOW_PASS", "CUTOFF_FREQ", "low_pass"),
    ("NOTCH", "NOTCH_FREQ", "notch"),
)


class _Table(NamedTuple):
    """Samples from one to before another, which the leads of these numbers have without a gap."""

    first: int
    end: int
    leads: tuple[int, ...]


class _Series(NamedTuple):
    """Segments of the same leads in one scale, in order, and the tables of each: at least one."""

    segments: list[Segment]
    tables: list[list[_Table]]

    @property
    def begin_ns(self) -> int:
        return self.segments[0].ns_of(self.tables[0][0].first)

    @property
    def end_ns(self) -> int:
        return self.segments[-1].ns_of(self.tables[-1][-1].end)

    @property
    def leads(self) -> tuple[Lead, ...]:
        return self.segments[0].leads


def write(recording: Recording, folder: Path, name: str = "ecg") -> list[Path]:
    """Write the ECG leads of a recording, a document as long as leads and scale stay; return the files.

    Args:
        recording: what.
        folder: of the files.
        name: of the file without its suffix; of several, each with its number.

    Raises:
        ExchangeError: there are too many samples, or gaps.
        OSError: it cannot be written.
    """
    found = _series([ecg_only(segment, folder) for segment in recording.segments])
    for series in found:
        _check(series)
    files = [folder / file for file in numbered(name, SUFFIX, len(found))]
    for file, series in zip(files, found, strict=True):
        with file.open("wb") as out:
            ElementTree(_document(recording, series)).write(out, "UTF-8", xml_declaration=True)
    return files


def _series(segments: Sequence[Segment]) -> list[_Series]:
    parts = [(segment, tables) for segment in segments if (tables := _tables(segment))]
    if not parts:
        raise ExchangeError(
            "no ECG lead has a sample then, and this format holds nothing else: use wfdb or edf"
        )
    rest = iter([tables for _, tables in parts])
    return [_Series(group, [next(rest) for _ in group]) for group in joined([one for one, _ in parts])]


def _tables(segment: Segment) -> list[_Table]:
    """Return what a segment has, in order of time: a table begins where a lead falls away or comes back."""
    gaps = [np.array(runs, np.int64).reshape(-1, 2) for runs in missing(segment)]
    edges = np.unique(np.concatenate([np.array([0, segment.frames]), *(runs.reshape(-1) for runs in gaps)]))
    is_there = np.ones((edges.size - 1, len(gaps)), np.bool_)
    for number, runs in enumerate(gaps):
        for first, end in np.searchsorted(edges, runs).tolist():
            is_there[first:end, number] = False
    return [
        _Table(first, end, tuple(np.flatnonzero(there).tolist()))
        for first, end, there in zip(edges[:-1].tolist(), edges[1:].tolist(), is_there, strict=True)
        if there.any()
    ]


def _check(series: _Series) -> None:
    tables = [table for of_one in series.tables for table in of_one]
    if sum((table.end - table.first) * len(table.leads) for table in tables) > MOST_SAMPLES:
        minutes = MOST_SAMPLES / len(series.leads) / series.segments[0].rate_hz / 60
        raise ExchangeError(
            f"as text that is too long: of these leads, aECG takes {minutes:.0f} minutes. Export a shorter"
            " stretch, or use wfdb, edf or dicom"
        )
    if sum(len(table.leads) for table in tables) > MOST_SEQUENCES:
        raise ExchangeError(
            "as text there are too many gaps, of which each begins every lead anew. Export a shorter stretch,"
            " or use wfdb, edf or dicom"
        )


def _document(recording: Recording, series: _Series) -> Element:
    root = Element("AnnotatedECG", {"xmlns": "urn:hl7-org:v3", "type": "Observation"})
    SubElement(root, "id", root=_id("aecg", recording, series))
    SubElement(root, "code", code="93000", codeSystem=_CPT)
    SubElement(root, "text").text = "\n".join(recording.notes())
    _interval(SubElement(root, "effectiveTime"), series.begin_ns, series.end_ns)
    SubElement(root, "confidentialityCode", code="S", codeSystem="2.16.840.1.113883.5.25")
    event = SubElement(SubElement(root, "componentOf"), "timepointEvent")
    assignment = SubElement(SubElement(event, "componentOf"), "subjectAssignment")
    subject = SubElement(SubElement(assignment, "subject"), "trialSubject")
    SubElement(subject, "id", root=uid("subjects"), extension=recording.subject)
    trial = SubElement(SubElement(assignment, "componentOf"), "clinicalTrial")
    SubElement(trial, "id", root=uid("no trial"))
    _rhythm(SubElement(SubElement(root, "component"), "series"), recording, series)
    return root


def _rhythm(found: Element, recording: Recording, series: _Series) -> None:
    SubElement(found, "id", root=_id("series", recording, series))
    SubElement(found, "code", code="RHYTHM", codeSystem=_ACT)
    _interval(SubElement(found, "effectiveTime"), series.begin_ns, series.end_ns)
    author = SubElement(SubElement(found, "author"), "seriesAuthor")
    device = SubElement(author, "manufacturedSeriesDevice")
    SubElement(device, "id", root=uid("devices"), extension=", ".join(recording.devices))
    SubElement(device, "manufacturerModelName").text = "ecgstream"
    SubElement(device, "softwareName").text = recording.software
    for kind, what, field in _FILTERS:
        known = {getattr(lead, field) for lead in series.leads}
        if len(known) == 1 and (hz := known.pop()) is not None:
            _filter(found, kind, what, hz)
    for segment, tables in zip(*series, strict=True):
        for table in tables:
            _sequence_set(SubElement(SubElement(found, "component"), "sequenceSet"), segment, table)
    _annotations(SubElement(SubElement(found, "subjectOf"), "annotationSet"), recording, series)


def _id(what: str, recording: Recording, series: _Series) -> str:
    return uid(what, *(of_segment(what, recording, segment) for segment in series.segments))


def _filter(series: Element, kind: str, what: str, hz: float) -> None:
    outer = SubElement(SubElement(series, "controlVariable"), "controlVariable")
    SubElement(outer, "code", code=f"MDC_ECG_CTL_VBL_ATTR_FILTER_{kind}", codeSystem=_MDC)
    inner = SubElement(SubElement(outer, "component"), "controlVariable")
    SubElement(inner, "code", code=f"MDC_ECG_CTL_VBL_ATTR_FILTER_{what}", codeSystem=_MDC)
    SubElement(inner, "value", {_TYPE: "PQ", "value": repr(hz), "unit": "Hz"})


def _sequence_set(found: Element, segment: Segment, table: _Table) -> None:
    sequence = SubElement(SubElement(found, "component"), "sequence")
    SubElement(sequence, "code", code="TIME_ABSOLUTE", codeSystem=_ACT)
    value = SubElement(sequence, "value", {_TYPE: "GLIST_TS"})
    SubElement(value, "head", value=_stamp(segment.ns_of(table.first)))
    SubElement(value, "increment", value=repr(1 / segment.rate_hz), unit="s")
    for number in table.leads:
        _lead(found, segment.leads[number], segment.samples[table.first : table.end, number])


def _lead(found: Element, lead: Lead, samples: NDArray[np.int16]) -> None:
    sequence = SubElement(SubElement(found, "component"), "sequence")
    SubElement(sequence, "code", code=lead_term(lead), codeSystem=_MDC, displayName=lead.name)
    value = SubElement(sequence, "value", {_TYPE: "SLIST_PQ"})
    SubElement(value, "origin", value=repr(0.0 - lead.offset / lead.gain * 1000), unit="uV")
    SubElement(value, "scale", value=repr(1000 / lead.gain), unit="uV")
    SubElement(value, "digits").text = " ".join(map(str, samples.tolist()))


def _annotations(found: Element, recording: Recording, series: _Series) -> None:
    SubElement(found, "activityTime", value=_stamp(series.end_ns))
    entity = SubElement(SubElement(found, "author"), "assignedEntity")
    author = SubElement(SubElement(entity, "assignedAuthorType"), "assignedDevice")
    SubElement(author, "id", root=uid("detectors", recording.detectors))
    SubElement(author, "softwareName").text = f"detectors {', '.join(recording.detectors) or '-'}"
    for segment in series.segments:
        letters = segment.beat_code.tobytes().decode("ascii")
        for sample, letter in zip(segment.beat_sample.tolist(), letters, strict=True):
            kind = {_TYPE: "CE", "code": BEATS[letter].term, "codeSystem": _MDC}
            _annotate(found, "MDC_ECG_BEAT", kind, "", segment.ns_of(sample), segment.ns_of(sample))
        for mark, end in zip(segment.rhythms, _ends(segment), strict=True):
            _annotate(found, "MDC_ECG_RHY", {_TYPE: "ST"}, mark.text, segment.ns_of(mark.sample), end)
        for mark in segment.conditions:
            end = segment.end_ns if mark.end is None else min(segment.ns_of(mark.end), segment.end_ns)
            code, begin = "MDC_ECG_INTERPRETATION_STATEMENT", segment.ns_of(mark.sample)
            _annotate(found, code, {_TYPE: "ST"}, mark.text, begin, end)


def _ends(segment: Segment) -> list[int]:
    """Return when each rhythm ends: as the next one begins."""
    marks: tuple[Mark, ...] = segment.rhythms
    return [segment.ns_of(mark.sample) for mark in marks[1:]] + ([segment.end_ns] if marks else [])


def _annotate(found: Element, code: str, kind: dict[str, str], text: str, begin_ns: int, end_ns: int) -> None:
    """Add an annotation of a time, in all leads: its value, then where it holds, as the schema has it."""
    annotation = SubElement(SubElement(found, "component"), "annotation")
    SubElement(annotation, "code", code=code, codeSystem=_MDC)
    SubElement(annotation, "value", kind).text = text or None
    region = SubElement(SubElement(annotation, "support"), "supportingROI")
    SubElement(region, "code", code="ROIPS", codeSystem=_ACT)
    boundary = SubElement(SubElement(region, "component"), "boundary")
    SubElement(boundary, "code", code="TIME_ABSOLUTE", codeSystem=_ACT)
    _interval(SubElement(boundary, "value", {_TYPE: "IVL_TS"}), begin_ns, end_ns)


def _interval(element: Element, begin_ns: int, end_ns: int) -> None:
    SubElement(element, "low", value=_stamp(begin_ns))
    SubElement(element, "high", value=_stamp(end_ns))


def _stamp(ns: int) -> str:
    """Return a time as HL7 writes it, to the microsecond.

    >>> _stamp(1_500_000_000)
    '19700101000001.500000+0000'
    """
    return moment(ns).strftime("%Y%m%d%H%M%S.%f+0000")
