"""Writes the made files and what must come out of each: ``python -m tests.devices.files.make_fixtures``.

What must come out is written from what went in; no reader has a part in it.
"""

import hashlib
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from schemas.mdc import LEADS
from tests.devices.files import binary, markup
from tests.devices.files.ecg import START_NS, Ecg, twelve_leads
from tests.devices.files.scp import scp

FOLDER = Path(__file__).resolve().parents[3] / "fixtures" / "devices" / "files"
_EIGHT = ("I", "II", "V1", "V2", "V3", "V4", "V5", "V6")
_MEDIAN = "12 derived leads: median beats, or computed by the device"
_NO_ZONE = "its start: the file's clock has no zone, and none is given, or it is no time"


class Made(NamedTuple):
    """A file, and what it holds beside the samples that went in."""

    content: bytes
    format: str
    ecg: Ecg
    filters: tuple[float | None, float | None, float | None] = (0.05, 150.0, 50.0)
    left_out: tuple[str, ...] = ()
    start_ns: int | None = START_NS


def made() -> dict[str, Made]:
    """Return all made files by name."""
    ecg = twelve_leads()
    eight = replace(ecg, leads={name: ecg.leads[name] for name in _EIGHT})
    holter = twelve_leads(rate=200, seconds=20.0, step_uv=10)
    holter = replace(holter, leads={name: holter.leads[name] for name in ("II", "V1", "V5")})
    return {
        "twelve-lead.dcm": Made(binary.dicom(ecg), "DICOM", ecg, left_out=(_MEDIAN,)),
        "aecg.xml": Made(markup.aecg(ecg), "HL7 aECG", ecg),
        "muse-like.xml": Made(
            markup.muse(ecg), "GE MUSE XML", eight, (0.16, 150.0, 50.0), ("8 median beats", _NO_ZONE), None
        ),
        "sierra-like.xml": Made(
            markup.sierra(ecg), "Philips Sierra XML", ecg, left_out=(_NO_ZONE,), start_ns=None
        ),
        "holter.ecg": Made(
            binary.ishne(holter), "ISHNE Holter", holter, (None, None, None), (_NO_ZONE,), None
        ),
        "plain.scp": Made(scp(ecg), "SCP-ECG", ecg),
        "huffman.scp": Made(scp(ecg, huffman=True), "SCP-ECG", ecg),
        "twelve-lead.mwf": Made(binary.mfer(ecg), "MFER", ecg, (0.05, 150.0, None), (_NO_ZONE,), None),
    }


def expected(file: Made) -> dict[str, Any]:
    """Return what must come out of a file, as its JSON says it."""
    high, low, notch = file.filters
    return {
        "label": f"File: {file.format}, {' '.join(file.ecg.leads)}",
        "start_ns": file.start_ns,
        "left_out": list(file.left_out),
        "waves": [
            {
                "name": name,
                "code": LEADS[name],
                "rate": float(file.ecg.rate),
                "gain": 1000 / file.ecg.step_uv,
                "offset": 0.0,
                "high_pass": high,
                "low_pass": low,
                "notch": notch,
                "samples": samples.size,
                "sha256": hashlib.sha256(samples.astype("<i2").tobytes()).hexdigest(),
                "mv_at_320": int(samples[320]) * file.ecg.step_uv / 1000,
            }
            for name, samples in file.ecg.leads.items()
        ],
    }


def write(folder: Path) -> None:
    """Write all of them."""
    for name, file in made().items():
        (folder / name).write_bytes(file.content)
        (folder / f"{name}.json").write_text(json.dumps(expected(file), indent=1) + "\n")


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
