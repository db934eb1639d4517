"""What DICOM's ECGs may hold (PS3.3, A.34.3 to A.34.5), and which of them a segment becomes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest

from ecgstream.exchange import dicom
from ecgstream.exchange.errors import ExchangeError
from ecgstream.exchange.recording import Lead, Mark, Segment
from schemas.records import PLETH_KIND
from schemas.wfdb import BEATS
from tests.ecgstream.exchange import made

TWELVE_LEAD, GENERAL, AMBULATORY = (
    f"{name} Waveform Storage" for name in ("12-lead ECG", "General ECG", "Ambulatory ECG")
)
CHANNEL_CODES = {
    "I": "2:1", "II": "2:2", "III": "2:61", "aVR": "2:62", "aVL": "2:63", "aVF": "2:64",
    "V1": "2:3", "V2": "2:4", "V3": "2:5", "V4": "2:6", "V5": "2:7", "V6": "2:8", "ECG": "2:0",
}  # fmt: skip
"""PS3.16, CID 3001."""


def written(segment: Segment, folder: Path) -> pydicom.Dataset:
    (path,) = dicom.write(made.recording(segment), folder)
    return pydicom.dcmread(path)


def silent(leads: int, rate: float, frames: int) -> Segment:
    """So many leads of no finding, without the memory that they would take."""
    names = [f"ECG{n}" for n in range(leads)]
    segment = made.segment(tuple(replace(made.lead("ECG", rate), name=n) for n in names), rate_hz=rate)
    samples = np.broadcast_to(segment.samples[:1], (frames, leads))
    nothing = np.zeros(0, np.int64)
    return replace(
        segment,
        samples=samples,
        beat_sample=nothing,
        beat_code=nothing.astype(np.uint8),
        rhythms=(),
        conditions=(),
    )


def test_beats_are_said_by_mdc_and_nothing_of_who_it_is(tmp_path: Path) -> None:
    segment = made.segment()
    found = written(segment, tmp_path)
    assert (found.PatientID, found.PatientName, found.PatientBirthDate) == ("P-ABCDEFGHIJ", "", "")
    assert found.PatientIdentityRemoved == "YES"
    items = list(found.WaveformAnnotationSequence)
    ventricular = next(i for i in items if "ConceptNameCodeSequence" in i and _value(i) == "10:8336")
    assert list(ventricular.ReferencedSamplePositions) == [601, 2101]
    assert list(ventricular.ReferencedWaveformChannels) == [1, 0]
    texts = {
        i.UnformattedTextValue: i.get("ReferencedSamplePositions")
        for i in items
        if "UnformattedTextValue" in i
    }
    assert texts["Rhythm AFIB"] == 1251
    assert list(texts["Condition ATRIAL_FIBRILLATION"]) == [1251, 2000]
    again = tmp_path / "again"
    again.mkdir()
    dicom.write(made.recording(segment), again)
    assert (again / "ecg.dcm").read_bytes() == (tmp_path / "ecg.dcm").read_bytes()


def _value(item: pydicom.Dataset) -> str:
    return str(item.ConceptNameCodeSequence[0].CodeValue)


@pytest.mark.parametrize(
    ("leads", "rate", "seconds", "name"),
    [
        (made.TWELVE, 500.0, 10.0, TWELVE_LEAD),
        (made.TWELVE, 500.0, 16384 / 500, TWELVE_LEAD),
        (made.TWELVE, 500.0, 16385 / 500, GENERAL),
        (made.TWELVE, 1000.0, 10.0, TWELVE_LEAD),
        (made.TWELVE, 200.0, 10.0, TWELVE_LEAD),
        (made.TWELVE, 199.0, 10.0, AMBULATORY),
        (("II",), 250.0, 10.0, GENERAL),
        (("II",), 125.0, 10.0, AMBULATORY),
        (("II",), 50.0, 10.0, AMBULATORY),
        (("II",), 250.0, 600.0, GENERAL),
        (("II",), 250.0, 600.004, AMBULATORY),
    ],
)
def test_the_class_of_a_file(
    leads: tuple[str, ...], rate: float, seconds: float, name: str, tmp_path: Path
) -> None:
    segment = made.segment(tuple(made.lead(x, rate) for x in leads), seconds=seconds, rate_hz=rate)
    assert written(segment, tmp_path).SOPClassUID.name == name


@pytest.mark.parametrize(
    ("leads", "rate", "seconds", "name"),
    [
        (12, 100.0, 700, AMBULATORY),
        (12, 200.0, 700, AMBULATORY),
        (13, 200.0, 5, GENERAL),
        (13, 200.0, 700, GENERAL),
        (24, 1000.0, 601, GENERAL),
    ],
)
def test_of_many_leads_any_length_is_a_general_ecg(
    leads: int, rate: float, seconds: int, name: str, tmp_path: Path
) -> None:
    found = written(silent(leads, rate, round(seconds * rate)), tmp_path)
    assert found.SOPClassUID.name == name
    group = found.WaveformSequence[0]
    assert (group.NumberOfWaveformChannels, group.NumberOfWaveformSamples) == (leads, seconds * rate)


@pytest.mark.parametrize(
    ("leads", "rate", "frames", "said"),
    [
        (1, 49.9, 100, "ECGs of 50 to 1000 Hz, this is of 49.9 Hz: use wfdb or edf"),
        (1, 1000.5, 100, "ECGs of 50 to 1000 Hz"),
        (25, 250.0, 100, "up to 24 leads from 200 Hz on, else of up to 12: use wfdb or edf"),
        (13, 199.0, 100, "13 leads at 199 Hz"),
        (12, 500.0, 2**32 // 24 + 1, "more than 4 GB"),
    ],
)
def test_what_no_class_holds_is_refused(
    leads: int, rate: float, frames: int, said: str, tmp_path: Path
) -> None:
    with pytest.raises(ExchangeError, match=said):
        dicom.write(made.recording(silent(leads, rate, frames)), tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_file_says_of_its_one_group_what_the_classes_ask_for(tmp_path: Path) -> None:
    names = (*made.TWELVE, "ECG")
    found = written(made.segment(tuple(made.lead(name) for name in names)), tmp_path)
    assert found.Modality == "ECG"
    (group,) = found.WaveformSequence
    assert group.WaveformOriginality == "ORIGINAL"
    assert (group.WaveformBitsAllocated, group.WaveformSampleInterpretation) == (16, "SS")
    assert group.WaveformPaddingValue == b"\x00\x80"
    for channel, name in zip(group.ChannelDefinitionSequence, names, strict=True):
        (source,) = channel.ChannelSourceSequence
        assert (source.CodingSchemeDesignator, source.CodeValue) == ("MDC", CHANNEL_CODES[name])
        assert (channel.FilterLowFrequency, channel.FilterHighFrequency) == (0.05, 40)
        assert channel.NotchFilterFrequency == 50
        (unit,) = channel.ChannelSensitivityUnitsSequence
        assert (unit.CodingSchemeDesignator, unit.CodeValue) == ("UCUM", "uV")
        assert channel.WaveformBitsStored == 16


def test_annotations_point_at_samples_that_there_are(tmp_path: Path) -> None:
    """Also where the ECG is slower than the wave by whose samples findings are counted."""
    pleth = Lead("PLETH", made.pleth().code, PLETH_KIND, "%", 500.0, 100.0)
    segment = made.segment((pleth, made.lead("II")), rate_hz=250.0, seconds=4.0)
    at_the_end = replace(
        segment,
        beat_sample=np.array([3, 1999]),
        beat_code=np.frombuffer(b"NN", np.uint8),
        rhythms=(Mark(1999, "N"),),
        conditions=(Mark(1999, "ASYSTOLE", 2010),),
    )
    found = written(at_the_end, tmp_path)
    size = found.WaveformSequence[0].NumberOfWaveformSamples
    positions = [
        np.atleast_1d(item.ReferencedSamplePositions).tolist()
        for item in found.WaveformAnnotationSequence
        if "ReferencedSamplePositions" in item
    ]
    assert size == 1000
    assert positions == [[3, 1000], [1000], [1000]]


def test_more_beats_than_one_annotation_holds_are_several(tmp_path: Path) -> None:
    segment = made.segment(seconds=100.0)
    many = replace(segment, beat_sample=np.arange(20_000), beat_code=np.full(20_000, ord("N"), np.uint8))
    items = [i for i in written(many, tmp_path).WaveformAnnotationSequence if "ConceptNameCodeSequence" in i]
    assert [len(item.ReferencedSamplePositions) for item in items] == [16_000, 4_000]
    assert items[1].ReferencedSamplePositions[-1] == 20_000


def test_each_kind_of_beat_has_a_code_of_cid_3335(tmp_path: Path) -> None:
    codes = {
        "N": "10:8208",  # normal
        "S": "10:8256",  # supraventricular premature contraction
        "V": "10:8336",  # ventricular premature contraction
        "F": "10:8352",  # fusion of ventricular and normal
        "Q": "10:8736",  # unclassifiable
        "/": "10:8704",  # paced
    }
    assert (
        set(codes) == {chr(letter) for letter in BEATS} if isinstance(next(iter(BEATS)), int) else set(BEATS)
    )
    segment = made.segment()
    for letter, value in codes.items():
        one = replace(segment, beat_sample=np.array([7]), beat_code=np.array([ord(letter)], np.uint8))
        item = written(one, tmp_path).WaveformAnnotationSequence[0]
        assert (_value(item), item.TemporalRangeType, item.ReferencedSamplePositions) == (value, "POINT", 8)
