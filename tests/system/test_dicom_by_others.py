"""What we write as DICOM, by David Clunie's dicom3tools: a checker and a reader that know no pydicom."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pydicom
import pytest

from ecgstream.exchange import dicom
from schemas.records import MISSING
from tests.ecgstream.exchange import made
from tests.system.tools import tool

ELEMENT = re.compile(r"\) [A-Z]{2} (?P<name>[^\t]+?)\s+VR=<\w\w>\s+VL=<0x\w+>\s+(?P<value>.*)")
"""A line of dcdump: tag, VR, name, length, value."""


def said(program: str, path: Path) -> tuple[int, list[str]]:
    done = subprocess.run([tool(program), path], capture_output=True, text=True, check=False)
    return done.returncode, (done.stdout + done.stderr).splitlines()


def written(folder: Path, leads: tuple[str, ...], rate: float, seconds: float = 12.4) -> Path:
    segment = made.segment(tuple(made.lead(x, rate) for x in leads), seconds=seconds, rate_hz=rate)
    segment.samples[100:200, 0] = MISSING
    (path,) = dicom.write(made.recording(segment), folder)
    return path


@pytest.mark.parametrize(
    ("leads", "rate", "seconds", "kind"),
    [
        (made.TWELVE, 500.0, 10.0, "TwelveLeadECG"),
        (("II", "V1", "ECG"), 250.0, 60.0, "GeneralECG"),
        (("II",), 125.0, 60.0, "AmbulatoryECG"),
        (made.TWELVE, 250.0, 700.0, "AmbulatoryECG"),
    ],
)
def test_each_class_is_as_its_modules_have_it(
    leads: tuple[str, ...], rate: float, seconds: float, kind: str, tmp_path: Path
) -> None:
    """Neither an error nor a warning: all that is said is which class it is."""
    assert said("dciodvfy", written(tmp_path, leads, rate, seconds)) == (0, [kind])


def test_what_is_wrong_would_be_seen(tmp_path: Path) -> None:
    path = written(tmp_path, ("II",), 250.0)
    damaged = pydicom.dcmread(path)
    del damaged.WaveformSequence[0].SamplingFrequency
    damaged.save_as(path)
    status, lines = said("dciodvfy", path)
    assert status == 1
    assert any("Missing attribute Type 1" in line and "SamplingFrequency" in line for line in lines)


def test_the_other_reader_says_the_same_scale_size_and_leads(tmp_path: Path) -> None:
    _, lines = said("dcdump", written(tmp_path, ("II", "aVR"), 250.0))
    values: dict[str, list[str]] = {}
    for line in lines:
        if element := ELEMENT.search(line):
            values.setdefault(element["name"], []).append(element["value"].strip(" <>[]"))
    assert values["Number of Waveform Channels"] == ["0x0002"]
    assert values["Number of Waveform Samples"] == [f"0x{3100:08x}"]
    assert values["Sampling Frequency"] == ["250.0"]
    assert values["Channel Sensitivity"] == ["5.0", "5.0"]
    assert values["Filter Low Frequency"] == ["0.05", "0.05"]
    assert values["Code Value"][-4:] == ["2:2", "uV", "2:62", "uV"]
    assert values["Waveform Padding Value"] == ["0x8000"]
