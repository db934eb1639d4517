"""Binary files of ECG devices, laid out from the published formats: see fixtures/devices/files/README.md."""

import binascii
import struct
from io import BytesIO

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from schemas.mdc import ECG, LEADS
from tests.devices.files.ecg import FAMILY, GIVEN, PATIENT_ID, Ecg

_TWELVE_LEAD = "1.2.840.10008.5.1.4.1.1.9.1.1"
_ROOT = "2.25.1234567890"
_ISHNE_LEADS = {
    "I": 5,
    "II": 6,
    "III": 7,
    "aVR": 8,
    "aVL": 9,
    "aVF": 10,
    **{f"V{n}": 10 + n for n in range(1, 7)},
}
_HOLTER_NAME = 40


def dicom(
    ecg: Ecg, *, sop_class: str = _TWELVE_LEAD, zone: str = "+0200", syntax: str = ExplicitVRLittleEndian
) -> bytes:
    """PS3.3: a rhythm group, and a derived one that is the first second, inverted, as if a median beat."""
    file = Dataset()
    file.file_meta = FileMetaDataset()
    file.file_meta.MediaStorageSOPClassUID = sop_class
    file.file_meta.MediaStorageSOPInstanceUID = f"{_ROOT}.1"
    file.file_meta.TransferSyntaxUID = syntax
    file.file_meta.ImplementationClassUID = f"{_ROOT}.2"
    file.file_meta.ImplementationVersionName = "MADE"
    file.SOPClassUID, file.SOPInstanceUID = sop_class, f"{_ROOT}.1"
    file.AcquisitionDateTime = ecg.start.strftime("%Y%m%d%H%M%S.%f")
    if zone:
        file.TimezoneOffsetFromUTC = zone
    file.PatientName, file.PatientID, file.PatientBirthDate = f"{FAMILY}^{GIVEN}", PATIENT_ID, "19010203"
    derived = Ecg({k: -v[: ecg.rate] for k, v in ecg.leads.items()}, ecg.rate, ecg.step_uv, ecg.start)
    file.WaveformSequence = [dicom_group(ecg), dicom_group(derived, "DERIVED")]
    out = BytesIO()
    pydicom.dcmwrite(out, file, enforce_file_format=True)
    return out.getvalue()


def dicom_group(ecg: Ecg, originality: str = "ORIGINAL", offset_ms: int = 0) -> Dataset:
    group = Dataset()
    group.MultiplexGroupTimeOffset = str(offset_ms)
    group.WaveformOriginality = originality
    group.NumberOfWaveformChannels, group.NumberOfWaveformSamples = len(ecg.leads), ecg.size
    group.SamplingFrequency = str(ecg.rate)
    group.ChannelDefinitionSequence = [_dicom_channel(name, ecg.step_uv) for name in ecg.leads]
    group.WaveformBitsAllocated, group.WaveformSampleInterpretation = 16, "SS"
    group.add_new(0x5400100A, "OW", struct.pack("<h", -32768))  # Waveform Padding Value
    group.add_new(0x54001010, "OW", _interleaved(ecg))
    return group


def _dicom_channel(name: str, step_uv: int) -> Dataset:
    channel = Dataset()
    channel.ChannelSourceSequence = [_code(f"2:{LEADS[name] - ECG}", "MDC", f"Lead {name}")]
    channel.ChannelSensitivity = str(step_uv)
    channel.ChannelSensitivityUnitsSequence = [_code("uV", "UCUM", "microvolt")]
    channel.ChannelSensitivityCorrectionFactor, channel.ChannelBaseline = "1", "0"
    channel.ChannelSampleSkew, channel.WaveformBitsStored = "0", 16
    channel.FilterLowFrequency, channel.FilterHighFrequency = "0.05", "150"
    channel.NotchFilterFrequency = "50"
    return channel


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code


def _interleaved(ecg: Ecg) -> bytes:
    return np.stack(list(ecg.leads.values()), axis=1).astype("<i2").tobytes()


def ishne(ecg: Ecg) -> bytes:
    """Badilini 1998: a header of 522 bytes, a comment, samples of all leads in turn; steps in nV."""
    start, leads = ecg.start, len(ecg.leads)
    comment = f"of {GIVEN} {FAMILY}".encode()

    def by_lead(values: list[int]) -> bytes:
        return struct.pack("<12h", *values, *([-9] * (12 - leads)))

    header = struct.pack(
        "<iiiih40s40s20shh3h3h3h3hh",
        len(comment), ecg.size, 522, 522 + len(comment), 1,
        GIVEN.encode(), FAMILY.encode(), PATIENT_ID.encode(), 2, 0,
        3, 2, 1901, start.day, start.month, start.year, start.day, start.month, start.year,
        start.hour, start.minute, start.second, leads,
    )  # fmt: skip
    header += by_lead([_ISHNE_LEADS[name] for name in ecg.leads]) + by_lead([1] * leads)
    header += by_lead([ecg.step_uv * 1000] * leads)
    header += struct.pack("<h40sh80s80s88s", 0, b"digital", ecg.rate, b"", b"", b"")
    checked = header + comment
    crc = binascii.crc_hqx(checked, 0xFFFF)
    return b"ISHNE1.0" + struct.pack("<H", crc) + checked + _interleaved(ecg)


def mfer(ecg: Ecg, *, little: bool = True) -> bytes:
    """ISO 22077-1: tag, length, content; one sequence of blocks, one for each channel; time in 1/rate s."""
    order = "<" if little else ">"
    count, size = len(ecg.leads), ecg.size
    start = ecg.start

    def number(value: int, length: int) -> bytes:
        return value.to_bytes(length, "little" if little else "big", signed=True)

    items = [
        _tlv(0x40, b"MFR Standard 12 leads ECG       "),
        _tlv(0x01, b"\x01" if little else b"\x00"),
        _tlv(0x81, f"{FAMILY}^{GIVEN}".encode()),
        _tlv(0x82, PATIENT_ID.encode()),
        _tlv(0x85, struct.pack(f"{order}H5BHH", start.year, *start.timetuple()[1:6], 0, 0)),
        _tlv(0x08, number(1, 2)),  # a standard 12-lead ECG
        _tlv(0x0B, b"\x00\x00" + number(ecg.rate, 4)),  # Hz
        _tlv(0x0C, b"\x00\xfa" + number(ecg.step_uv, 2)),  # V, times 10 ** -6
        _tlv(0x11, b"HPF=0.05"),
        _tlv(0x11, b"LPF=150"),
        _tlv(0x0A, b"\x00"),  # int16
        _tlv(0x12, number(-32768, 2)),  # stands for no value
        _tlv(0x05, number(count, 1)),
        _tlv(0x04, number(size, 4)),
        _tlv(0x06, number(1, 2)),
    ]
    for i, name in enumerate(ecg.leads):
        lead = _tlv(0x09, number(LEADS[name] - ECG, 2))
        items.append(b"\x3f" + bytes([i, len(lead)]) + lead)
    data = b"".join(samples.astype(f"{order}i2").tobytes() for samples in ecg.leads.values())
    return b"".join([*items, _tlv(0x1E, data), b"\x80\x00"])


def _tlv(tag: int, content: bytes) -> bytes:
    if len(content) < 0x80:
        return bytes([tag, len(content)]) + content
    return bytes([tag, 0x84]) + len(content).to_bytes(4, "big") + content
