"""Files of standard formats, read by other code than wrote them: what a test compares.

WFDB and EDF by ecgdatakit's own readers, which know neither wfdb nor edfio; aECG by the same, a sequence set
at a time, and its annotations by the standard library; DICOM, of which the repository has one library alone,
by the bytes of its waveform as PS3.5 has them. WFDB's annotations are read by annot(5), here.
"""

from __future__ import annotations

import struct
import tempfile
import warnings
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree.ElementTree import ElementTree

import numpy as np
from defusedxml.ElementTree import parse
from ecgdatakit.parsing.parsers.edf import EDFParser
from ecgdatakit.parsing.parsers.hl7_aecg import HL7aECGParser
from ecgdatakit.parsing.parsers.wfdb import WFDBParser

HL7 = "{urn:hl7-org:v3}"
_CODES = {1: "N", 5: "V", 6: "F", 9: "S", 12: "/", 13: "Q", 14: "~", 22: '"', 28: "+"}
_SKIP, _NUM, _SUB, _CHN, _AUX = 59, 60, 61, 62, 63


class Annotation(NamedTuple):
    sample: int
    symbol: str
    text: str = ""
    subtype: int = 0


def parsed(path: Path) -> Any:
    parser = {".hea": WFDBParser, ".edf": EDFParser, ".xml": HL7aECGParser}[path.suffix]()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # it says that EDF+D has gaps
        return parser.parse(path)


def ns_of(stamp: str) -> int:
    """A time as HL7 writes it, UTC ns."""
    at = datetime.strptime(stamp, "%Y%m%d%H%M%S.%f%z")
    return int(at.replace(microsecond=0).timestamp()) * 10**9 + at.microsecond * 1000


def sequence_sets(path: Path) -> list[tuple[int, dict[str, np.ndarray]]]:
    """When each sequence set of an aECG begins, UTC ns, and its leads: ecgdatakit gets it as the only one."""
    root = parse(path).getroot()
    series = root.find(f".//{HL7}series")
    sets = [component for component in series if component.find(f"{HL7}sequenceSet") is not None]
    found = []
    for component in sets:
        series.remove(component)
    for component in sets:
        series.append(component)
        with tempfile.NamedTemporaryFile(suffix=".xml") as alone:
            ElementTree(root).write(alone.name, "UTF-8")
            record = parsed(Path(alone.name))
        series.remove(component)
        leads = {lead.label.upper(): lead.samples for lead in record.leads}
        found.append((ns_of(record.raw_metadata["rhythm_time"]["head"]), leads))
    return found


def aecg_samples(path: Path, rate: float) -> tuple[int, dict[str, np.ndarray]]:
    """When an aECG begins, UTC ns, and its leads from there on: NaN where no sequence set has a sample."""
    sets = sequence_sets(path)
    begin = min(ns for ns, _ in sets)
    placed = [
        (round((ns - begin) / 1e9 * rate), label, samples)
        for ns, leads in sets
        for label, samples in leads.items()
    ]
    size = max(at + samples.size for at, _, samples in placed)
    found = {label: np.full(size, np.nan) for _, label, _ in placed}
    for at, label, samples in placed:
        assert np.isnan(found[label][at : at + samples.size]).all()
        found[label][at : at + samples.size] = samples
    return begin, found


def annotations(path: Path) -> list[Annotation]:
    """annot(5): pairs of bytes, of which the upper six bits are a code and the rest a distance."""
    content = path.read_bytes()
    at = now = 0
    found: list[Annotation] = []
    while True:
        (word,) = struct.unpack_from("<H", content, at)
        at += 2
        code, rest = word >> 10, word & 0x3FF
        if word == 0:
            return found
        if code == _SKIP:
            high, low = struct.unpack_from("<HH", content, at)
            now += int(np.array((high << 16) + low, np.uint32).astype(np.int32))
            at += 4
        elif code == _AUX:
            text = content[at : at + rest].rstrip(b"\0").decode("ascii")
            at += rest + rest % 2
            found[-1] = found[-1]._replace(text=text)
        elif code == _SUB:
            found[-1] = found[-1]._replace(subtype=int(np.array(rest & 0xFF, np.uint8).astype(np.int8)))
        elif code not in (_NUM, _CHN):
            now += rest
            if code:  # 0 takes back what a skip of -1 took, behind the words about the file
                found.append(Annotation(now, _CODES[code]))


def dicom_samples(path: Path, leads: int) -> np.ndarray:
    """The value of Waveform Data (5400,1010): explicit VR, OW, a length of four bytes; little-endian."""
    content = path.read_bytes()
    at = content.rindex(b"\x00\x54\x10\x10OW\0\0")
    (length,) = struct.unpack_from("<I", content, at + 8)
    return np.frombuffer(content, "<i2", length // 2, at + 12).reshape(-1, leads)
