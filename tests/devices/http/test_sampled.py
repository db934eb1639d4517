"""SampledData: steps stay steps, values become steps of their unit, tokens become gaps."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.errors import MessageError
from devices.http.sampled import SampledData, channel
from schemas import mdc
from schemas.records import MISSING, Channel
from tests.devices.http.made import UCUM, lead_component


def said(data: str = "0 1", **more: Any) -> SampledData:
    """Steps of 2.5 µV at 250 Hz, unless said otherwise; what is None is not said."""
    form = lead_component("I", data, **more)["valueSampledData"]
    return msgspec.convert({k: v for k, v in form.items() if v is not None}, SampledData)


def lead(data: str = "0 1", **more: Any) -> Channel:
    return channel(mdc.LEADS["I"], said(data, **more))[0]


def millivolts(found: Channel) -> list[float]:
    values = (found.samples - found.offset) / found.gain
    return [float(v) for v in values]


@given(
    st.lists(st.integers(-32767, 32767), min_size=1, max_size=30),
    (st.floats(1e-3, 10) | st.floats(-10, -1e-3)).filter(lambda factor: factor != 1),
    st.floats(-5000, 5000),
)
def test_steps_stay_as_they_are_and_mean_data_times_factor_plus_origin(
    steps: list[int], factor: float, origin: float
) -> None:
    unit = {"value": origin, "system": UCUM, "code": "uV"}
    found = lead(" ".join(map(str, steps)), factor=factor, origin=unit)
    assert np.abs(found.samples).tolist() == np.abs(steps).tolist()
    assert found.gain > 0
    assert millivolts(found) == pytest.approx([(s * factor + origin) / 1000 for s in steps])


@given(st.lists(st.integers(-32767, 32767), min_size=1, max_size=30), st.sampled_from([None, 1]))
def test_values_without_a_factor_are_kept_to_the_microvolt_with_one_gain(
    microvolts: list[int], factor: int | None
) -> None:
    found = lead(" ".join(f"{v / 1000:.3f}" for v in microvolts), factor=factor)
    assert (found.gain, found.offset) == (1000.0, 0.0)
    assert found.samples.tolist() == microvolts


def test_the_gain_of_a_device_does_not_depend_on_its_samples() -> None:
    assert {lead(data, factor=None).gain for data in ("0", "0.5", "12.3456789 -1e-3")} == {1000.0}


def test_errors_and_what_is_beyond_the_limits_are_missing() -> None:
    assert lead("1 E 2 U L 3").samples.tolist() == [1, MISSING, 2, MISSING, MISSING, 3]
    assert lead("E", factor=None).samples.tolist() == [MISSING]


def test_a_sample_that_does_not_fit_costs_itself_alone_and_is_counted() -> None:
    found, lost = channel(mdc.LEADS["I"], said("1 40000 -40000 2 E"))
    assert (found.samples.tolist(), lost) == ([1, MISSING, MISSING, 2, MISSING], 2)


@pytest.mark.parametrize(
    ("interval", "unit", "period", "rate"),
    [(4, "ms", None, 250), (0.002, "s", None, 500), (3906.25, "us", None, 256), (None, None, 8, 125)],
)
def test_intervals(interval: float | None, unit: str | None, period: float | None, rate: float) -> None:
    assert lead(interval=interval, intervalUnit=unit, period=period).rate == pytest.approx(rate)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"data": ""}, "decimal numbers"),
        ({"data": "1  2"}, "decimal numbers"),
        ({"data": "1 x"}, "decimal numbers"),
        ({"data": "nan"}, "decimal numbers"),
        ({"data": "1_0"}, "decimal numbers"),
        ({"data": "1" * 41}, "decimal numbers"),
        ({"data": "1e999"}, "out of range"),
        ({"data": "32768 -32768 E"}, "all samples are beyond 16 bits"),
        ({"data": "33", "factor": None}, "all samples are beyond 16 bits"),
        ({"data": "0.5"}, "whole numbers"),
        ({"factor": 0}, "a factor of 0"),
        ({"factor": 1e-300}, "out of range"),
        ({"origin": {"value": 1e300, "system": UCUM, "code": "mV"}}, "an origin out of range"),
        ({"origin": {"value": 2048}}, "a unit is wanted"),
        ({"origin": {"value": 0, "system": UCUM, "code": "mm[Hg]"}}, "such a wave is in mV"),
        ({"dimensions": 2}, "one dimension"),
        ({"offsets": "0 4 9"}, "a steady interval"),
        ({"interval": 0}, "above 0"),
        ({"interval": -4}, "above 0"),
        ({"interval": None}, "above 0"),
        ({"interval": 1e-9}, "rate out of range"),
        ({"intervalUnit": "fortnight"}, "above 0"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_a_reason(more: dict[str, Any], says: str) -> None:
    with pytest.raises(MessageError, match=says):
        lead(**more)


@given(
    st.text(st.sampled_from("0123456789+-.eEUL _"), max_size=60),
    st.none() | st.floats(allow_nan=False, allow_infinity=False),
    st.floats(allow_nan=False, allow_infinity=False),
)
def test_any_data_are_a_channel_or_the_one_error(data: str, factor: float | None, origin: float) -> None:
    with suppress(MessageError):
        found = lead(data, factor=factor, origin={"value": origin, "system": UCUM, "code": "mV"})
        assert found.samples.dtype == np.int16
