"""Other detectors find what is there, and what breaks them is counted and named."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ecgstream.evaluate import others
from ecgstream.evaluate.truth import Span, Truth
from tests.ecgstream.evaluate.recorded import FS, normal, regular, write


def everything(said: Truth) -> list[Span]:
    return [(0, said.length)]


@pytest.mark.parametrize("name", others.DETECTORS)
def test_each_finds_regular_beats(tmp_path: Path, name: str) -> None:
    mv, at = regular(60.0)
    found = others.look(name, everything, write(tmp_path, "r1", mv - 5.12, normal(at)))
    assert found.record == "r1"
    assert found.gave_up == ""
    assert found.ns_a_sample > 1
    missed, extra = found.scored.narrow[:-1, -1].sum(), found.scored.narrow[-1].sum()
    assert (missed, extra) == (0, 0)
    assert found.scored.table.sum() == len(at)


@pytest.mark.parametrize("name", others.DETECTORS)
def test_missing_samples_cost_only_what_is_missing(tmp_path: Path, name: str) -> None:
    mv, at = regular(60.0)
    mv[:100] = mv[30 * FS : 33 * FS] = np.nan
    found = others.look(name, everything, write(tmp_path, "r1", mv, normal(at)))
    gone = sum(30 * FS <= k < 33 * FS for k in at)
    missed = found.scored.table[:-1, -1].sum()
    assert found.gave_up == ""
    assert gone <= missed <= gone + 3


@pytest.mark.parametrize("name", others.DETECTORS)
@pytest.mark.parametrize("samples", [FS // 5, 20 * FS])
def test_nothing_to_be_found_is_nothing_found(tmp_path: Path, name: str, samples: int) -> None:
    path = write(tmp_path, "r1", np.full(samples, np.nan), [(10, "N", "")])
    found = others.look(name, everything, path)
    assert found.scored.table[0, -1] == found.scored.table.sum() == 1


def test_an_error_of_a_detector_is_told_and_counts_as_nothing_found(tmp_path: Path) -> None:
    path = write(tmp_path, "r1", np.zeros(10), [(5, "N", "")])  # shorter than NeuroKit2's filters
    found = others.look("neurokit", everything, path)
    assert found.gave_up.startswith("ValueError: ")
    assert found.scored.table[0, -1] == found.scored.table.sum() == 1


def test_their_libraries_are_not_loaded_before_they_are_used() -> None:
    code = (
        "import sys, ecgstream.evaluate.suite\n"
        "print([name for name in ('neurokit2', 'wfdb', 'pandas', 'sklearn') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"
