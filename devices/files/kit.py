"""HL7 aECG, GE MUSE XML, Philips Sierra XML, ISHNE Holter, SCP-ECG and MFER by ecgdatakit.

It is asked for samples as they are stored, with their scale. What else it finds, the patient above all, stays
behind here; its warnings and errors, which may hold a file's text, too: they are told in words of ours.
"""

import math
import re
import warnings
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from devices.errors import RecordingError
from devices.files.content import Content, ecg_lead, hertz
from devices.source import Wave
from schemas.checks import MAX_CHANNELS
from schemas.records import MISSING

_THEIRS = "ecgdatakit.parsing.parsers"
# Name -> module and parser, in the order in which they are asked: MFER, which has no magic, is last.
_PARSERS = {
    "ISHNE Holter": (f"{_THEIRS}.ishne_holter", "ISHNEHolterParser"),
    "HL7 aECG": ("devices.files.aecg", "AnnotatedECGParser"),
    "Philips Sierra XML": (f"{_THEIRS}.sierra_xml", "SierraXMLParser"),
    "GE MUSE XML": (f"{_THEIRS}.ge_muse_xml", "GEMuseXMLParser"),
    "SCP-ECG": (f"{_THEIRS}.scp_ecg", "SCPECGParser"),
    "MFER": (f"{_THEIRS}.mfer", "MFERParser"),
}
_DOMINANT_BEAT = 9  # MFER's type of a waveform that is a median beat
_FAULTS_MARKED = "ishne_holter"  # its specification has the lowest sample stand for a lead's fault
_UNDOCUMENTED_START = "LeadTimeOffset"  # MUSE's; ecgdatakit notes it beside a lead

# What ecgdatakit warns of -> what it means here; whatever else it warns of is told as such.
_WARNINGS = (
    (re.compile(r"representative beat|the median series|Additional median"), ""),
    (re.compile(r"Sampling rate .* rounded"), ""),  # here it is not
    (
        re.compile(r"amplitude unit|LeadAmplitudeUnits|no signal resolution|left unscaled"),
        "",
    ),  # each lead says so
    (re.compile(r"rhythm series found"), "rhythm series behind the first"),
    (re.compile(r"sequence sets in the rhythm"), "sequence sets that do not fit the first"),
    (re.compile(r"Additional rhythm waveform"), "rhythm waveforms behind the first"),
    (re.compile(r"Unrecognised sequences"), "sequences that are no lead"),
    (re.compile(r"redefine the channels"), "frames that redefine the channels"),
    (re.compile(r"shorter than the frame definition"), "the file ends early: the rest is missing"),
    (re.compile(r"Section 12"), "SCP-ECG's long-term rhythm data (section 12)"),
    (
        re.compile(r"is non-zero for .*not applied"),
        "a baseline that the format does not explain is not applied",
    ),
)


def format_of(path: Path, head: bytes) -> str | None:
    """Return the name of the format that the file's first 4,096 bytes show; None: none of these."""
    return next((name for name in _PARSERS if _parser(name).can_parse(path, head)), None)


def reader(name: str) -> Callable[[Path], Content]:
    """Return what reads files of this format."""
    return lambda path: _read(name, path)


def _parser(name: str) -> Any:
    module, parser = _PARSERS[name]
    return getattr(import_module(module), parser)


def _read(name: str, path: Path) -> Content:
    """Return the leads of the rhythm.

    Raises:
        RecordingError: a checksum does not fit, or parts are missing. Whatever ecgdatakit raises.
    """
    from ecgdatakit.exceptions import ChecksumWarning

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        record = _parser(name)().parse(path)
    if any(issubclass(w.category, ChecksumWarning) for w in told):
        raise RecordingError("a checksum does not fit: the file is damaged")
    _refuse_holes(record)
    content = Content([], _meant([str(w.message) for w in told]), record.recording.date)
    if len(record.leads) > MAX_CHANNELS:
        raise RecordingError(f"more than {MAX_CHANNELS} leads")
    begun: list[tuple[Wave, float]] = []
    for i, (lead, rate) in enumerate(zip(record.leads, _rates(record), strict=True)):
        wave = _wave(record, lead, i + 1, rate)
        if isinstance(wave, str):
            content.left_out.append(f"lead {i + 1}: {wave}")
        else:
            begun.append((wave, (int(lead.annotations.get("start_sample", 1)) - 1) / rate))
    if record.median_beats:
        content.left_out.append(f"{len(record.median_beats)} median beats")
    content.take(begun)
    return content


def _wave(record: Any, lead: Any, number: int, rate: float) -> Wave | str:
    if _UNDOCUMENTED_START in lead.annotations:
        return "it begins at a time of its own, which the format does not explain"
    if record.source_format == _FAULTS_MARKED:
        lead.samples[lead.samples == MISSING] = math.nan
    filters = record.recording.acquisition.filters
    return ecg_lead(
        lead.label,
        number,
        lead.samples,
        unit=lead.resolution_unit,
        step=lead.resolution,
        zero=lead.offset,
        rate=rate,
        filters=(
            hertz(filters.highpass),
            hertz(filters.lowpass),
            math.nan if filters.notch_active is False else hertz(filters.notch),
        ),
        off="LeadOff" in lead.annotations,
    )


def _rates(record: Any) -> list[float]:
    """Return each lead's rate as the file states it; ecgdatakit's own is rounded to whole Hz."""
    facts = record.raw_metadata
    if "sampling_rates" in facts:  # MFER
        return [float(rate) for rate in facts["sampling_rates"]]
    exact = facts.get("rhythm_time", {}).get("sampling_rate_exact")  # aECG
    if "rhythm_sample_interval_us" in facts:  # SCP-ECG
        exact = 1e6 / facts["rhythm_sample_interval_us"]
    return [float(exact or lead.sampling_rate) for lead in record.leads]


def _refuse_holes(record: Any) -> None:
    """MFER's frames say at which sample they begin; ecgdatakit joins them whatever lies between."""
    frames = [f for f in record.raw_metadata.get("frames", ()) if f["waveform_type"] != _DOMINANT_BEAT]
    at = frames[0]["pointer"] if frames else 0
    for frame in frames:
        if frame["pointer"] != at:
            raise RecordingError("frames with time between them are not played; cut it into continuous files")
        at += frame["samples"]


def _meant(told: list[str]) -> list[str]:
    found: list[str] = []
    for message in told:
        said = next((said for pattern, said in _WARNINGS if pattern.search(message)), None)
        if said is None:
            said = "something that ecgdatakit warns of"
        if said and said not in found:
            found.append(said)
    return found
