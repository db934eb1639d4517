"""Recordings as HL7 annotated ECGs: ANSI/HL7 V3 ECG, R1-2004 (PORT_MT020001).

A document a segment, of ECG leads alone: a rhythm series with one set of sequences, the time as GLIST_TS and
each lead as SLIST_PQ. A list of digits has no sign for a sample that is missing, so that there must be none;
and samples are text, so that there may not be very many.
"""

from collections.abc import Sequence
from pathlib import Path
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
    missing,
    moment,
    numbered,
)
from ecgstream.exchange.uids import of_segment, uid

SUFFIX = ".xml"
MOST_SAMPLES = 25_000_000
"""Of all leads: 70 minutes of twelve at 500 Hz, some 120 MB of text."""
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


def write(recording: Recording, folder: Path, name: str = "ecg") -> list[Path]:
    """Write the ECG leads of a recording, a document a segment; return the files.

    Args:
        recording: what.
        folder: of the files.
        name: of the file without its suffix; of several, each with its number.

    Raises:
        ExchangeError: samples are missing, or there are too many.
        OSError: it cannot be written.
    """
    segments = [ecg_only(segment, folder) for segment in recording.segments]
    for segment in segments:
        _check(segment)
    found = []
    for file, segment in zip(numbered(name, SUFFIX, len(segments)), segments, strict=True):
        with (folder / file).open("wb") as out:
            ElementTree(_document(recording, segment)).write(out, "UTF-8", xml_declaration=True)
        found.append(folder / file)
    return found


def _check(segment: Segment) -> None:
    if segment.samples.size > MOST_SAMPLES:
        minutes = MOST_SAMPLES / len(segment.leads) / segment.rate_hz / 60
        raise ExchangeError(
            f"as text that is too long: of these leads, aECG takes {minutes:.0f} minutes. Export a shorter"
            " stretch, or use wfdb, edf or dicom"
        )
    gaps = sorted(run for runs in missing(segment) for run in runs)
    if gaps:
        first, end = _longest(gaps, segment.frames)
        times = (f"{moment(segment.ns_of(edge)).isoformat(timespec='seconds')}" for edge in (first, end))
        raise ExchangeError(
            "samples are missing, which aECG cannot say. The longest stretch that has all is from"
            f" {' to '.join(times)}; with gaps use wfdb, edf or dicom"
        )


def _longest(gaps: Sequence[tuple[int, int]], frames: int) -> tuple[int, int]:
    """Return the longest stretch between gaps, which are in order of their begin.

    >>> _longest([(10, 20), (12, 15), (60, 61)], 80)
    (20, 60)
    """
    found, at = (0, 0), 0
    for first, end in [*gaps, (frames, frames)]:
        found = max(found, (at, first), key=lambda one: one[1] - one[0])
        at = max(at, end)
    return found


def _document(recording: Recording, segment: Segment) -> Element:
    root = Element("AnnotatedECG", {"xmlns": "urn:hl7-org:v3", "type": "Observation"})
    SubElement(root, "id", root=of_segment("aecg", recording, segment))
    SubElement(root, "code", code="93000", codeSystem=_CPT)
    SubElement(root, "text").text = "\n".join(recording.notes())
    _interval(SubElement(root, "effectiveTime"), segment.start_ns, segment.end_ns)
    SubElement(root, "confidentialityCode", code="S", codeSystem="2.16.840.1.113883.5.25")
    event = SubElement(SubElement(root, "componentOf"), "timepointEvent")
    assignment = SubElement(SubElement(event, "componentOf"), "subjectAssignment")
    subject = SubElement(SubElement(assignment, "subject"), "trialSubject")
    SubElement(subject, "id", root=uid("subjects"), extension=recording.subject)
    trial = SubElement(SubElement(assignment, "componentOf"), "clinicalTrial")
    SubElement(trial, "id", root=uid("no trial"))
    _series(SubElement(SubElement(root, "component"), "series"), recording, segment)
    return root


def _series(series: Element, recording: Recording, segment: Segment) -> None:
    SubElement(series, "id", root=of_segment("series", recording, segment))
    SubElement(series, "code", code="RHYTHM", codeSystem=_ACT)
    _interval(SubElement(series, "effectiveTime"), segment.start_ns, segment.end_ns)
    author = SubElement(SubElement(series, "author"), "seriesAuthor")
    device = SubElement(author, "manufacturedSeriesDevice")
    SubElement(device, "id", root=uid("devices"), extension=", ".join(recording.devices))
    SubElement(device, "manufacturerModelName").text = "ecgstream"
    SubElement(device, "softwareName").text = recording.software
    for kind, what, field in _FILTERS:
        known = {getattr(lead, field) for lead in segment.leads}
        if len(known) == 1 and (hz := known.pop()) is not None:
            _filter(series, kind, what, hz)
    sequences = SubElement(SubElement(series, "component"), "sequenceSet")
    _time(sequences, segment)
    for number, lead in enumerate(segment.leads):
        _lead(sequences, lead, segment.lead(number))
    _annotations(SubElement(SubElement(series, "subjectOf"), "annotationSet"), recording, segment)


def _filter(series: Element, kind: str, what: str, hz: float) -> None:
    outer = SubElement(SubElement(series, "controlVariable"), "controlVariable")
    SubElement(outer, "code", code=f"MDC_ECG_CTL_VBL_ATTR_FILTER_{kind}", codeSystem=_MDC)
    inner = SubElement(SubElement(outer, "component"), "controlVariable")
    SubElement(inner, "code", code=f"MDC_ECG_CTL_VBL_ATTR_FILTER_{what}", codeSystem=_MDC)
    SubElement(inner, "value", {_TYPE: "PQ", "value": repr(hz), "unit": "Hz"})


def _time(sequences: Element, segment: Segment) -> None:
    sequence = SubElement(SubElement(sequences, "component"), "sequence")
    SubElement(sequence, "code", code="TIME_ABSOLUTE", codeSystem=_ACT)
    value = SubElement(sequence, "value", {_TYPE: "GLIST_TS"})
    SubElement(value, "head", value=_stamp(segment.start_ns))
    SubElement(value, "increment", value=repr(1 / segment.rate_hz), unit="s")


def _lead(sequences: Element, lead: Lead, samples: NDArray[np.int16]) -> None:
    sequence = SubElement(SubElement(sequences, "component"), "sequence")
    SubElement(sequence, "code", code=lead_term(lead), codeSystem=_MDC, displayName=lead.name)
    value = SubElement(sequence, "value", {_TYPE: "SLIST_PQ"})
    SubElement(value, "origin", value=repr(0.0 - lead.offset / lead.gain * 1000), unit="uV")
    SubElement(value, "scale", value=repr(1000 / lead.gain), unit="uV")
    SubElement(value, "digits").text = " ".join(map(str, samples.tolist()))


def _annotations(found: Element, recording: Recording, segment: Segment) -> None:
    SubElement(found, "activityTime", value=_stamp(segment.end_ns))
    entity = SubElement(SubElement(found, "author"), "assignedEntity")
    author = SubElement(SubElement(entity, "assignedAuthorType"), "assignedDevice")
    SubElement(author, "id", root=uid("detectors", recording.detectors))
    SubElement(author, "softwareName").text = f"detectors {', '.join(recording.detectors) or '-'}"
    letters = segment.beat_code.tobytes().decode("ascii")
    for sample, letter in zip(segment.beat_sample.tolist(), letters, strict=True):
        beat = _annotation(found, "MDC_ECG_BEAT", segment.ns_of(sample), segment.ns_of(sample))
        SubElement(beat, "value", {_TYPE: "CE", "code": BEATS[letter].term, "codeSystem": _MDC})
    for mark, end in zip(segment.rhythms, _ends(segment), strict=True):
        rhythm = _annotation(found, "MDC_ECG_RHY", segment.ns_of(mark.sample), end)
        SubElement(rhythm, "value", {_TYPE: "ST"}).text = mark.text
    for mark in segment.conditions:
        end = segment.end_ns if mark.end is None else segment.ns_of(mark.end)
        condition = _annotation(
            found, "MDC_ECG_INTERPRETATION_STATEMENT", segment.ns_of(mark.sample), min(end, segment.end_ns)
        )
        SubElement(condition, "value", {_TYPE: "ST"}).text = mark.text


def _ends(segment: Segment) -> list[int]:
    """Return when each rhythm ends: as the next one begins."""
    marks: tuple[Mark, ...] = segment.rhythms
    return [segment.ns_of(mark.sample) for mark in marks[1:]] + ([segment.end_ns] if marks else [])


def _annotation(found: Element, code: str, begin_ns: int, end_ns: int) -> Element:
    """Add an annotation of a time, in all leads; return it, still without its value."""
    annotation = SubElement(SubElement(found, "component"), "annotation")
    SubElement(annotation, "code", code=code, codeSystem=_MDC)
    region = SubElement(SubElement(annotation, "support"), "supportingROI")
    SubElement(region, "code", code="ROIPS", codeSystem=_ACT)
    boundary = SubElement(SubElement(region, "component"), "boundary")
    SubElement(boundary, "code", code="TIME_ABSOLUTE", codeSystem=_ACT)
    value = SubElement(boundary, "value", {_TYPE: "IVL_TS"})
    _interval(value, begin_ns, end_ns)
    return annotation


def _interval(element: Element, begin_ns: int, end_ns: int) -> None:
    SubElement(element, "low", value=_stamp(begin_ns))
    SubElement(element, "high", value=_stamp(end_ns))


def _stamp(ns: int) -> str:
    """Return a time as HL7 writes it, to the microsecond.

    >>> _stamp(1_500_000_000)
    '19700101000001.500000+0000'
    """
    return moment(ns).strftime("%Y%m%d%H%M%S.%f+0000")
