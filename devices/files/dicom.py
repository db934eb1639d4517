"""ECGs as DICOM files by pydicom: PS3.3, A.34 (classes) and C.10.9 (waveforms); PS3.16, CID 3001 (leads).

Only the elements that are named here are read; the patient's are passed over.
"""

import math
import re
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from devices.errors import RecordingError
from devices.files.content import Content, ecg_lead, hertz
from devices.source import Wave
from schemas import mdc
from schemas.checks import MAX_CHANNELS

_CLASSES = frozenset(
    f"1.2.840.10008.5.1.4.1.1.9.1.{i}" for i in (1, 2, 3, 4)
)  # 12-lead, General, Ambulatory, General 32-bit
_SYNTAXES = {"1.2.840.10008.1.2": "<", "1.2.840.10008.1.2.1": "<", "1.2.840.10008.1.2.2": ">"}
"""Transfer syntaxes and their order of bytes; none that is deflated, which may be a bomb."""
_ELEMENTS = ("SOPClassUID", "AcquisitionDateTime", "TimezoneOffsetFromUTC", "WaveformSequence")
_SAMPLES = {
    (8, "SB"): "i1", (8, "UB"): "u1", (16, "SS"): "i2", (16, "US"): "u2", (32, "SL"): "i4", (32, "UL"): "u4",
}  # fmt: skip
_NO_SIGNAL = frozenset({"TEST DATA", "INVALID", "UNCALIBRATED"})
# A lead's code: MDC (partition and term, or both in one), or SCP-ECG's, whose numbers are MDC's terms.
_LEAD_CODE = re.compile(r"2:(\d{1,3})|5\.6\.3-9-(\d{1,3})|MDC_ECG_(?:LEAD|ELEC_POTL)_(\w{1,8})")


def read_dicom(path: Path) -> Content:
    """Return the leads of all multiplex groups that are original; derived ones hold median beats.

    Raises:
        RecordingError: no ECG, compressed, or groups that cannot be meant. Whatever pydicom raises.
    """
    import pydicom

    pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE  # else it logs values
    syntax = str(pydicom.filereader.read_file_meta_info(path).get("TransferSyntaxUID"))
    if syntax not in _SYNTAXES:
        raise RecordingError("a transfer syntax that is not read: deflated, or not of waveforms")
    # from memory, which gives what is there, where a file makes room for whatever length is asked for
    found = pydicom.dcmread(BytesIO(path.read_bytes()), specific_tags=list(_ELEMENTS))
    if found.get("SOPClassUID") not in _CLASSES:
        raise RecordingError("no ECG: its SOP class is another")
    content = Content([], [], _start(found))
    begun: list[tuple[Wave, float]] = []
    derived = 0
    for group in found.get("WaveformSequence") or ():
        if group.get("WaveformOriginality") == "DERIVED":
            derived += int(group.get("NumberOfWaveformChannels", 0))
            continue
        begun += _leads(group, _SYNTAXES[syntax], content.left_out, len(begun) + len(content.left_out))
    if derived:
        content.left_out.append(f"{derived} derived leads: median beats, or computed by the device")
    content.take(begun)
    return content


def _start(found: Any) -> datetime | None:
    """Return the acquisition's time, which groups' offsets count from; None without an hour and minute."""
    from pydicom.valuerep import DT

    text = str(found.get("AcquisitionDateTime") or "")
    if not re.match(r"\d{12}", text):
        return None
    zone = str(found.get("TimezoneOffsetFromUTC") or "")
    start = DT(text)
    if start is not None and start.tzinfo is None and re.fullmatch(r"[+-]\d{4}", zone):
        start = DT(text + zone)
    # a plain datetime: sums of DT are not supported
    return None if start is None else datetime.fromisoformat(start.isoformat())


def _leads(group: Any, order: str, left_out: list[str], before: int) -> list[tuple[Wave, float]]:
    count, size = int(group.NumberOfWaveformChannels), int(group.NumberOfWaveformSamples)
    kind = _SAMPLES.get((int(group.WaveformBitsAllocated), str(group.WaveformSampleInterpretation)))
    if kind is None:
        raise RecordingError("samples of a kind that is not read")
    dtype = np.dtype(order + kind)
    definitions = list(group.ChannelDefinitionSequence)
    if not (0 < count == len(definitions) <= MAX_CHANNELS and size > 0):
        raise RecordingError("a multiplex group whose channels cannot be meant")
    data = group.WaveformData
    if not 0 <= len(data) - count * size * dtype.itemsize <= 1:  # values are padded to an even length
        raise RecordingError("other samples than it says")
    stored = np.frombuffer(data, dtype, count * size).reshape(size, count)
    padding = bytes(group.get("WaveformPaddingValue") or b"")[: dtype.itemsize]
    fill = np.frombuffer(padding, dtype)[0] if len(padding) == dtype.itemsize else None
    rate = float(group.SamplingFrequency)
    offset_s = float(group.get("MultiplexGroupTimeOffset") or 0) / 1000
    begun = []
    for i, definition in enumerate(definitions):
        values = stored[:, i].astype(np.float64)
        if fill is not None:
            values[stored[:, i] == fill] = math.nan
        lead = _lead(definition, before + i + 1, values, rate)
        if isinstance(lead, str):
            left_out.append(f"lead {before + i + 1}: {lead}")
        else:
            begun.append((lead, offset_s + _skew_s(definition, rate)))
    return begun


def _lead(definition: Any, number: int, values: Any, rate: float) -> Wave | str:
    status = {str(s) for s in _listed(definition.get("ChannelStatus"))}
    if status & _NO_SIGNAL:
        return "the device says that it is no signal to be used"
    units = definition.get("ChannelSensitivityUnitsSequence")
    filters = (definition.get(f"{f}Frequency") for f in ("FilterLow", "FilterHigh", "NotchFilter"))
    high_pass, low_pass, notch = (hertz(float(f)) if f is not None else math.nan for f in filters)
    return ecg_lead(
        _name(definition),
        number,
        values,
        unit=str(units[0].CodeValue) if units else "",
        step=float(definition.get("ChannelSensitivity") or 0)
        * float(definition.get("ChannelSensitivityCorrectionFactor") or 1),
        zero=float(definition.get("ChannelBaseline") or 0),
        rate=rate,
        filters=(high_pass, low_pass, notch),
        off="DISCONNECTED" in status,
    )


def _name(definition: Any) -> str:
    """Return the lead's name by its code, else by the words beside it."""
    sources = definition.get("ChannelSourceSequence")
    source = sources[0] if sources else {}
    value = str(source.get("CodeValue") or "")
    if value.isdigit() and len(value) <= 6:  # a context-free code, or the term alone
        return mdc.lead_name(int(value) if int(value) > mdc.ECG else mdc.ECG + int(value))
    code = _LEAD_CODE.fullmatch(value)
    if code and (code[1] or code[2]):
        return mdc.lead_name(mdc.ECG + int(code[1] or code[2]))
    words = code[3] if code else str(source.get("CodeMeaning") or definition.get("ChannelLabel") or "")
    return re.split(r"[,(]", words)[0].strip().removeprefix("Lead ").strip()


def _skew_s(definition: Any, rate: float) -> float:
    """Return how much later than its group a channel begins, s."""
    seconds = definition.get("ChannelTimeSkew")
    return float(seconds) if seconds is not None else float(definition.get("ChannelSampleSkew") or 0) / rate


def _listed(value: Any) -> list[Any]:
    return [] if value is None else [value] if isinstance(value, str) else list(value)
