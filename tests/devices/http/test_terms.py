"""Codes and units of the web."""

from __future__ import annotations

import pytest

from devices.errors import MessageError
from devices.http import terms
from schemas import mdc
from schemas.records import ECG_KIND, PLETH_KIND, PRESSURE_KIND, RESPIRATION_KIND
from schemas.units import COUNTS, MILLIVOLT, MM_HG, OHM, PERCENT


@pytest.mark.parametrize(
    ("code", "unit", "means"),
    [
        (mdc.LEADS["V1"], "mV", (ECG_KIND, MILLIVOLT, 1.0)),
        (mdc.ECG, "uV", (ECG_KIND, MILLIVOLT, 1e3)),
        (mdc.ECG + 66, "V", (ECG_KIND, MILLIVOLT, 1e-3)),  # a lead that has no name here
        (mdc.PLETH, "{counts}", (PLETH_KIND, COUNTS, 1.0)),
        (mdc.PLETH, "%", (PLETH_KIND, PERCENT, 1.0)),
        (mdc.ABP, "mm[Hg]", (PRESSURE_KIND, MM_HG, 1.0)),
        (mdc.RESP, "Ohm", (RESPIRATION_KIND, OHM, 1.0)),
    ],
)
def test_known_waves(code: int, unit: str, means: tuple[int, int, float]) -> None:
    found = terms.wave(code, unit)
    assert (found.code, found.kind, found.unit, found.per_unit) == (code, *means)


@pytest.mark.parametrize(
    ("code", "unit"), [(mdc.ECG, "mm[Hg]"), (mdc.ABP, "mV"), (mdc.ECG, "mv"), (mdc.SPO2, "%"), (0, "mV")]
)
def test_a_wave_in_a_unit_that_it_cannot_have_is_refused(code: int, unit: str) -> None:
    with pytest.raises(MessageError):
        terms.wave(code, unit)


def test_16_kilopascal_are_120_millimetres_of_mercury() -> None:
    assert terms.number(mdc.NIBP_SYS, 16, "kPa") == pytest.approx(120.0099, abs=1e-4)
    per_unit = terms.wave(mdc.ABP, "kPa").per_unit
    assert 16 / per_unit == pytest.approx(120.0099, abs=1e-4)


@pytest.mark.parametrize("code", terms.NUMBERS)
def test_every_number_is_taken_in_its_own_unit_as_it_is(code: int) -> None:
    assert terms.number(code, 12.5, mdc.UNITS[code]) == 12.5


@pytest.mark.parametrize(
    ("code", "value", "unit", "is_ours"),
    [
        (mdc.TEMPERATURE, 98.6, "[degF]", 37.0),
        (mdc.RR, 850, "ms", 0.85),
        (mdc.ST, -150, "uV", -0.15),
        (mdc.RESP_RATE, 14, "{breaths}/min", 14),
        (mdc.PULSE_RATE, 60, "1/min", 60),
    ],
)
def test_units_that_can_be_converted(code: int, value: float, unit: str, is_ours: float) -> None:
    assert terms.number(code, value, unit) == pytest.approx(is_ours)


@pytest.mark.parametrize(
    ("code", "unit"),
    [
        (mdc.SPO2, "1"),  # 0.97 or 97?
        (mdc.TEMPERATURE, "K"),
        (mdc.HEART_RATE, "Hz"),
        (mdc.HEART_RATE, ""),
        (mdc.NEWS2, "{score}"),  # computed here
        (mdc.ECG_ANALYSED, "%"),
        (12345, "%"),
    ],
)
def test_what_may_mean_something_else_is_refused(code: int, unit: str) -> None:
    with pytest.raises(MessageError):
        terms.number(code, 1.0, unit)
