"""Recordings as DICOM ECG waveforms by pydicom: PS3.3, A.34 (classes), C.10.8 to C.10.10 (modules).

A file a segment, all of one series, of one multiplex group. What the classes hold, as PS3.3 has it:

=============== ========================== ========== ========== =================== =======
class           clauses                    groups     channels   samples             Hz
=============== ========================== ========== ========== =================== =======
12-lead ECG     A.34.3.4.3, .4, .5, .6     1 to 5     13 in all  16384 of a channel  200-1000
General ECG     A.34.4.4.2, .3, .4         1 to 4     24 a group any number          200-1000
Ambulatory ECG  A.34.5.4.2, .3, .5         1          12         any number          50-1000
=============== ========================== ========== ========== =================== =======

All hold signed 16 bits (SS), and name leads by CID 3001 (PS3.16). A segment is a 12-lead ECG if it can be one
and has the leads of a resting ECG. Beyond ten minutes it is an Ambulatory ECG if it can be one, which the
standard leaves to us. Missing samples are the Waveform Padding Value (C.10.9) rather than further groups, of
which an Ambulatory ECG has none.

A subject's code is the PatientID; there is no name.
"""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from ecgstream.exchange.codes import BEATS, TWELVE, lead_value
from ecgstream.exchange.ecg import ecg_only
from ecgstream.exchange.errors import ExchangeError
from ecgstream.exchange.recording import Lead, Mark, Recording, Segment, moment, numbered
from ecgstream.exchange.uids import of_segment, uid
from schemas.records import MISSING

SUFFIX = ".dcm"
_CLASS = "1.2.840.10008.5.1.4.1.1.9.1."
_TWELVE_LEAD, _GENERAL, _AMBULATORY = f"{_CLASS}1", f"{_CLASS}2", f"{_CLASS}3"
_SLOWEST_HZ, _FASTEST_HZ = 50, 1000
_SLOWEST_RESTING_HZ = 200
_MOST_RESTING = 16384
"""Samples of a channel of a 12-lead ECG."""
_LONG_S = 600
"""What is longer is called ambulatory where it can be."""
_MOST_GENERAL, _MOST_AMBULATORY = 24, 12
_MOST_BYTES = 2**32 - 2
"""The length of Waveform Data has 32 bits, and is even (PS3.5, 7.1)."""
_MOST_POSITIONS = 16_000
"""Of one annotation: the length of its value has 16 bits."""
_LONGEST_TEXT = 1024
_LENGTH = 4
_AT_THE_END = _LENGTH + 8 + 8
"""Bytes from the length of the samples on, the last element of all: the ends of item and sequence follow."""
_WAVEFORM_DATA, _PADDING = 0x54001010, 0x5400100A


def write(recording: Recording, folder: Path, name: str = "ecg") -> list[Path]:
    """Write the ECG leads of a recording, a file a segment; return the files.

    Args:
        recording: what.
        folder: of the files.
        name: of the file without its suffix; of several, each with its number.

    Raises:
        ExchangeError: no class of ECG waveforms holds it.
        OSError: it cannot be written.
    """
    segments = [ecg_only(segment, folder) for segment in recording.segments]
    found = []
    for number, (file, segment) in enumerate(
        zip(numbered(name, SUFFIX, len(segments)), segments, strict=True), 1
    ):
        _write(recording, segment, number, folder / file)
        found.append(folder / file)
    return found


def _write(recording: Recording, segment: Segment, number: int, path: Path) -> None:
    """Write a file by pydicom, and its samples into it: pydicom would take them into memory as a whole."""
    import pydicom

    made = _instance(recording, segment, number)
    made.WaveformSequence = [_group(segment)]
    made["WaveformSequence"].is_undefined_length = True
    made.WaveformSequence[0].is_undefined_length_sequence_item = True
    head = BytesIO()
    pydicom.dcmwrite(head, made, enforce_file_format=True)
    content = head.getvalue()
    with path.open("wb") as file:
        file.write(content[:-_AT_THE_END])
        file.write((2 * segment.samples.size).to_bytes(_LENGTH, "little"))
        for _, rows in segment.chunks():
            file.write(rows.astype("<i2").tobytes())
        file.write(content[_LENGTH - _AT_THE_END :])


def _kind(segment: Segment) -> str:
    """Return the class of a segment.

    Raises:
        ExchangeError: there is none.
    """
    rate, count = segment.rate_hz, len(segment.leads)
    if not _SLOWEST_HZ <= rate <= _FASTEST_HZ:
        raise ExchangeError(
            f"DICOM has ECGs of {_SLOWEST_HZ} to {_FASTEST_HZ} Hz, this is of {rate:g} Hz: use wfdb or edf"
        )
    if 2 * segment.samples.size > _MOST_BYTES:
        raise ExchangeError("more than 4 GB, which a DICOM waveform does not hold: export a shorter stretch")
    is_resting = rate >= _SLOWEST_RESTING_HZ
    names = {lead.name for lead in segment.leads}
    if is_resting and names == TWELVE and segment.frames <= _MOST_RESTING:
        return _TWELVE_LEAD
    is_long = segment.frames > _LONG_S * rate
    if count <= _MOST_AMBULATORY and (is_long or not is_resting):
        return _AMBULATORY
    if count <= _MOST_GENERAL and is_resting:
        return _GENERAL
    raise ExchangeError(
        f"{count} leads at {rate:g} Hz: DICOM has ECGs of up to {_MOST_GENERAL} leads from"
        f" {_SLOWEST_RESTING_HZ} Hz on, else of up to {_MOST_AMBULATORY}: use wfdb or edf"
    )


def _instance(recording: Recording, segment: Segment, number: int) -> Any:
    """Return all of a file but its samples."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import UID, ExplicitVRLittleEndian

    begin = moment(segment.start_ns)
    date, time = begin.strftime("%Y%m%d"), begin.strftime("%H%M%S.%f")
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.SpecificCharacterSet = "ISO_IR 192"
    made.SOPClassUID = _kind(segment)
    made.file_meta.MediaStorageSOPClassUID = UID(made.SOPClassUID)
    made.SOPInstanceUID = of_segment("instance", recording, segment)
    made.file_meta.MediaStorageSOPInstanceUID = UID(made.SOPInstanceUID)
    made.PatientID, made.PatientIdentityRemoved = recording.subject, "YES"
    made.DeidentificationMethod = "Written without identity: a pseudonym or code, and no name"
    made.PatientName = made.PatientBirthDate = made.PatientSex = ""
    first = recording.segments[0]
    made.StudyInstanceUID = of_segment("study", recording, first)
    made.SeriesInstanceUID = uid("series", made.StudyInstanceUID)
    study = moment(first.start_ns)
    made.StudyDate, made.StudyTime = study.strftime("%Y%m%d"), study.strftime("%H%M%S.%f")
    made.AccessionNumber = made.ReferringPhysicianName = ""
    made.StudyID = "1"  # a DICOMDIR wants one
    made.Modality, made.SeriesNumber, made.InstanceNumber = "ECG", 1, number
    made.Manufacturer = "ecgstream"
    made.ManufacturerModelName = recording.software
    made.DeviceSerialNumber = ", ".join(recording.devices)[:64]
    made.SoftwareVersions = [recording.software, *(f"detectors {v}" for v in recording.detectors)]
    made.TimezoneOffsetFromUTC = "+0000"
    made.ContentDate, made.ContentTime = date, time
    made.AcquisitionDateTime = date + time
    made.AcquisitionContextSequence = []
    made.WaveformAnnotationSequence = list(_annotations(recording, segment))
    return made


def _group(segment: Segment) -> Any:
    from pydicom.dataset import Dataset
    from pydicom.valuerep import DSfloat

    group = Dataset()
    group.WaveformOriginality = "ORIGINAL"
    group.NumberOfWaveformChannels = len(segment.leads)
    group.NumberOfWaveformSamples = segment.frames
    group.SamplingFrequency = DSfloat(segment.rate_hz, auto_format=True)
    group.ChannelDefinitionSequence = [_channel(lead) for lead in segment.leads]
    group.WaveformBitsAllocated, group.WaveformSampleInterpretation = 16, "SS"
    group.add_new(_PADDING, "OW", np.array(MISSING, "<i2").tobytes())
    group.add_new(_WAVEFORM_DATA, "OW", b"")
    return group


def _channel(lead: Lead) -> Any:
    from pydicom.dataset import Dataset
    from pydicom.valuerep import DSfloat

    channel = Dataset()
    channel.ChannelLabel = lead.name[:16]
    channel.ChannelSourceSequence = [_code(lead_value(lead), "MDC", _meaning(lead))]
    channel.ChannelSensitivity = DSfloat(1000 / lead.gain, auto_format=True)
    channel.ChannelSensitivityUnitsSequence = [_code("uV", "UCUM", "microvolt")]
    channel.ChannelSensitivityCorrectionFactor = "1"
    channel.ChannelBaseline = DSfloat(-lead.offset / lead.gain * 1000, auto_format=True)
    channel.ChannelSampleSkew, channel.WaveformBitsStored = "0", 16
    for name, hz in (
        ("FilterLowFrequency", lead.high_pass),
        ("FilterHighFrequency", lead.low_pass),
        ("NotchFilterFrequency", lead.notch),
    ):
        if hz is not None:
            setattr(channel, name, DSfloat(hz, auto_format=True))
    return channel


def _meaning(lead: Lead) -> str:
    return f"Lead {lead.name}"[:64] if lead_value(lead) != "2:0" else "Unspecified lead"


def _code(value: str, scheme: str, meaning: str) -> Any:
    from pydicom.dataset import Dataset

    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code


def _annotations(recording: Recording, segment: Segment) -> Iterator[Any]:
    """Yield beats, an item a kind, then rhythms, conditions and remarks as text."""
    for letter, beat in BEATS.items():
        positions = segment.beat_sample[segment.beat_code == ord(letter)] + 1
        for first in range(0, positions.size, _MOST_POSITIONS):
            some = positions[first : first + _MOST_POSITIONS].tolist()
            item = _annotation(0, "MULTIPOINT" if len(some) > 1 else "POINT", some)
            item.ConceptNameCodeSequence = [_code(beat.value, "MDC", beat.meaning)]
            yield item
    for group, word, marks in ((1, "Rhythm", segment.rhythms), (2, "Condition", segment.conditions)):
        for mark in marks:
            item = _annotation(group, *_range(mark, segment))
            item.UnformattedTextValue = f"{word} {mark.text}"
            yield item
    for line in recording.notes():
        item = _annotation(3)
        item.UnformattedTextValue = line[:_LONGEST_TEXT]
        yield item


def _range(mark: Mark, segment: Segment) -> tuple[str, list[int]]:
    """Return the kind of a range of time, and its positions, which count from 1."""
    begin = mark.sample + 1
    end = None if mark.end is None else min(mark.end, segment.frames)
    return ("POINT", [begin]) if end is None or end <= begin else ("SEGMENT", [begin, end])


def _annotation(group: int, kind: str = "", positions: list[int] | None = None) -> Any:
    from pydicom.dataset import Dataset

    item = Dataset()
    item.ReferencedWaveformChannels = [1, 0]  # all channels of the group
    item.AnnotationGroupNumber = group
    if positions:
        item.TemporalRangeType = kind
        item.ReferencedSamplePositions = positions
    return item
