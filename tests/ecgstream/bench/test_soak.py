"""The soak's slope: what grows is told from what only wavers."""

from __future__ import annotations

import numpy as np
import pytest

from ecgstream.bench import soak
from ecgstream.bench.document import of_soak
from ecgstream.bench.measure import CannotMeasureError
from ecgstream.settings import Settings


def test_the_slope_and_how_sure_it_is() -> None:
    minutes = np.arange(0, 15, 1 / 6)
    rng = np.random.default_rng(1)
    slope, within = soak.line(minutes, 1300 + 12 * minutes + rng.normal(0, 20, minutes.size))
    assert abs(slope - 12) < within < 2
    slope, within = soak.line(minutes, 1300 + rng.normal(0, 20, minutes.size))
    assert abs(slope) < within < 2


def test_what_grows_misses_the_bar() -> None:
    found = {"heap_kb_a_minute": 12.0, "heap_kb_a_minute_within": 1.0, "frames_a_second": 40.0}
    assert [met for *_, met in soak.bars(found)] == [False, True]


def test_the_document_tells_of_each_memory() -> None:
    found = {"run": {"machine": "x86_64"}, "minutes": 15.0, "sectors": 64, "frames_a_second": 29.0}
    for name, slope in (("heap", 0.3), ("browser", -30.0), ("server", 17.0)):
        found |= {f"{name}_mb": 110.3, f"{name}_kb_a_minute": slope, f"{name}_kb_a_minute_within": 0.5}
    told = of_soak(found)
    assert "| frames | ≥ 30/s | 29.0/s | **missed** |" in told
    assert "| monitor | 110.3 MB | 17.0 ± 0.5 kB |" in told


def test_a_moment_has_no_slope() -> None:
    with pytest.raises(CannotMeasureError, match="at least 2"):
        soak.run(Settings(), 0.5)
