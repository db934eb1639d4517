"""Names and units as files write them."""

import math

import pytest

from devices.waves import Meaning, filters, meaning
from schemas import mdc
from schemas.records import ECG_KIND, PLETH_KIND, PRESSURE_KIND, RESPIRATION_KIND
from schemas.units import COUNTS, MILLIVOLT, MM_HG, OHM


@pytest.mark.parametrize(
    ("name", "unit", "means"),
    [
        ("MLII", "mV", (mdc.LEADS["II"], ECG_KIND, MILLIVOLT, 1.0)),
        ("ECG V1", "uV", (mdc.LEADS["V1"], ECG_KIND, MILLIVOLT, 1e3)),
        ("ecg", "V", (mdc.ECG, ECG_KIND, MILLIVOLT, 1e-3)),
        ("V", "mV", (mdc.ECG, ECG_KIND, MILLIVOLT, 1.0)),
        ("PLETH", "NU", (mdc.PLETH, PLETH_KIND, COUNTS, 1.0)),
        ("ABP", "mmHg", (mdc.ABP, PRESSURE_KIND, MM_HG, 1.0)),
        ("RESP", "Ohm", (mdc.RESP, RESPIRATION_KIND, OHM, 1.0)),
        ("RESP", "mV", (mdc.RESP, RESPIRATION_KIND, MILLIVOLT, 1.0)),
    ],
)
def test_known_waves(name: str, unit: str, means: tuple[int, int, int, float]) -> None:
    assert meaning(name, unit) == Meaning(*means)


@pytest.mark.parametrize(
    ("name", "unit"), [("EEG Cz", "uV"), ("CVP", "mmHg"), ("noise1", "mV"), ("II", "furlong")]
)
def test_others_are_left_out_with_a_reason(name: str, unit: str) -> None:
    assert isinstance(meaning(name, unit), str)


def test_filters_that_are_not_stated_are_unknown() -> None:
    assert all(math.isnan(f) for f in filters(""))
    high, low, notch = filters("HP:DC LP: 40 Hz")
    assert math.isnan(high)
    assert low == 40
    assert math.isnan(notch)
