"""A minute of fuzz over all codecs, and that it finds what was planted."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.target import NAMES

pytest.importorskip("atheris", reason="there is no atheris for this machine")
TOP = Path(__file__).resolve().parents[2]


def fuzzed(folder: Path, *words: str) -> tuple[int, str]:
    """Run the fuzz; return its status, and all that it said."""
    argv = [sys.executable, "-m", "tests.fuzz", "--offenders", str(folder), *words]
    done = subprocess.run(argv, cwd=TOP, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_a_minute_over_all_codecs_finds_no_fault(tmp_path: Path) -> None:
    status, said = fuzzed(tmp_path, "--seconds", "60", "--jobs", "1")
    assert status == 0, said
    rows = re.findall(r"^(\S+) +([\d,]+) +[\d,]+/s +([\d,]+) ", said, re.MULTILINE)
    assert {name for name, _, _ in rows} == {*NAMES}, said
    for name, tried, reached in rows:
        assert int(tried.replace(",", "")) > 5, name
        assert int(reached.replace(",", "")) > 5, name


def test_faults_are_found_and_their_inputs_kept(tmp_path: Path) -> None:
    status, said = fuzzed(tmp_path, "--frames", "1000000", "raises", "hangs", "grows")
    assert status == 1, said
    found = dict(re.findall(r"^FAULT of (\w+): (.+?)(?:; the input is in .+)?$", said, re.MULTILINE))
    assert found["raises"] == "KeyError: 'planted'", said
    assert found["hangs"] == "an input that hangs", said
    assert "memory has grown by" in found["grows"], said
    kept = {path.name.partition("-")[0]: path.read_bytes() for path in tmp_path.iterdir()}
    assert b"Z" in kept["raises"]
    assert b"Z" in kept["hangs"]
