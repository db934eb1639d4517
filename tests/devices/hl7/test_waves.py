"""Samples with their scale, whichever way a monitor says it; what is not certain is left out."""

from __future__ import annotations

import math
from datetime import UTC

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.hl7 import waves
from devices.hl7.pcd import reading_of
from devices.reading import Reading
from schemas import mdc
from schemas.records import MISSING, Channel

HEAD = "MSH|^~\\&|dev-1||||||ORU^R01|7|P|2.6\rOBR|1||||||20260301120000+0000\r"
II, PLETH, ABP = "131330^^MDC", "150452^^MDC", "150032^^MDC"
MV, UV, PLAIN = "mV^^UCUM", "266419^MDC_DIM_MICRO_VOLT^MDC", "262656^MDC_DIM_DIMLESS^MDC"
RATE = "NM|0^MDC_ATTR_SAMP_RATE^MDC|1.1.1.1.1|250|/s"


def facet(name: str, value: str, unit: str = "", form: str = "NM") -> str:
    return f"{form}|0^{name}^MDC|1.1.1.1.2|{value}|{unit}"


def read(
    samples: str, unit: str, *facets: str, code: str = II, flags: str = "", status: str = "R"
) -> Reading:
    rows = [f"NA|{code}|1.1.1.1|{samples}|{unit}||{flags}|||{status}", *facets]
    text = HEAD + "".join(f"OBX|{i}|{row}\r" for i, row in enumerate(rows, 1))
    return reading_of(text.encode(), UTC)


def channel(
    samples: str, unit: str, *facets: str, code: str = II, flags: str = "", status: str = "R"
) -> Channel:
    reading = read(samples, unit, RATE, *facets, code=code, flags=flags, status=status)
    assert reading.left_out == ()
    return reading.stretches[0].channels[0]


def values(found: Channel) -> list[float | None]:
    return [
        None if s == MISSING else float((s - found.offset) / found.gain) for s in found.samples.astype(float)
    ]


def test_decimals_in_the_unit_come_back_exactly() -> None:
    found = channel("-0.537^0.001^5^.25", MV)
    assert (found.gain, found.offset) == (1000.0, 0.0)
    assert values(found) == [-0.537, 0.001, 5.0, 0.25]


def test_the_gain_follows_from_the_unit_and_never_from_the_samples() -> None:
    assert channel("0^0", MV).gain == channel("0.123^0.1", MV).gain == channel("30^-30", MV).gain
    assert channel("5^-12", UV).gain == 1000.0
    assert channel("80.25^90", "mm[Hg]", code=ABP).gain == 100.0


def test_steps_with_a_resolution_stay_as_they_are() -> None:
    found = channel("-10^0^410", PLAIN, facet("MDC_ATTR_NU_MSMT_RES", "2.44", UV))
    assert found.samples.tolist() == [-10, 0, 410]
    assert found.gain == pytest.approx(1000 / 2.44, rel=1e-11)
    assert found.offset == 0


def test_a_resolution_without_a_unit_is_in_that_of_its_wave() -> None:
    assert channel("1^2", MV, facet("MDC_ATTR_SA_MSMT_RES", "0.005")).gain == 200.0


def test_a_scale_range_maps_on_a_data_range() -> None:
    found = channel(
        "0^2048^4096", MV, facet("MDC_ATTR_DATA_RANGE", "0^4096", form="NR"),
        facet("MDC_ATTR_SCALE_RANGE", "-10.24^10.24", MV, "NR"),
    )  # fmt: skip
    assert values(found) == [-10.24, 0.0, 10.24]
    assert found.samples.tolist() == [0, 2048, 4096]


def test_a_unit_may_be_a_step() -> None:
    assert values(channel("4096^-2048", "10.mV/4096^^UCUM")) == [10.0, -5.0]


def test_a_data_range_of_unsigned_16_bits_is_moved_as_a_whole() -> None:
    found = channel(
        "1^32768^65534", PLAIN, facet("MDC_ATTR_DATA_RANGE", "1^65534", form="NR"),
        facet("MDC_ATTR_NU_MSMT_RES", "0.001", MV),
    )  # fmt: skip
    assert values(found) == [0.001, 32.768, 65.534]


def test_more_than_16_bits_are_rounded_and_that_is_said() -> None:
    wide = facet("MDC_ATTR_DATA_RANGE", "-8388608^8388607", form="NR")
    reading = read("8388607^-12345^0", PLAIN, RATE, wide, facet("MDC_ATTR_NU_MSMT_RES", "0.00001", MV))
    assert values(reading.stretches[0].channels[0]) == [83.89, -0.12, 0.0]
    assert reading.left_out == ("OBX 1: 131330: rounded to steps of 0.01 mV",)


def test_a_data_range_lets_finer_decimals_through() -> None:
    fine = facet("MDC_ATTR_DATA_RANGE", "-3^3", MV, "NR")
    assert values(channel("-0.5371^2.9999", MV, fine)) == [-0.5371, 2.9999]


def test_what_is_finer_is_rounded_and_that_is_said() -> None:
    reading = read("-0.53714565^1", MV, RATE)
    assert values(reading.stretches[0].channels[0]) == [-0.537, 1.0]
    assert reading.left_out == ("OBX 1: 131330: rounded to steps of 0.001 mV",)


def test_samples_that_were_not_measured_are_missing() -> None:
    marks = facet("MDC_EVT_INOP", "32767"), facet("MDC_EVT_DATA_MISSING", "-7")
    found = channel("1^^32767^-7^2", UV, *marks)
    assert values(found) == [0.001, None, None, None, 0.002]
    assert not found.lead_off


def test_samples_outside_of_their_range_are_missing_and_that_is_said() -> None:
    reading = read("1^99^2", UV, RATE, facet("MDC_ATTR_DATA_RANGE", "-50^50", form="NR"))
    assert values(reading.stretches[0].channels[0]) == [0.001, None, 0.002]
    assert reading.left_out == ("OBX 1: 131330: 1 samples outside of what can be measured",)
    assert values(read("40000^1", UV, RATE).stretches[0].channels[0]) == [None, 0.001]


@pytest.mark.parametrize(("flags", "status"), [("INV", "X"), ("A~OFF", "R"), ("NAV", "")])
def test_a_lead_that_is_off_stays_a_channel_without_samples(flags: str, status: str) -> None:
    found = channel("1^2^3", UV, flags=flags, status=status)
    assert found.lead_off
    assert found.samples.tolist() == [MISSING] * 3


def test_a_lead_all_of_whose_samples_are_marked_is_off() -> None:
    assert channel("32767^32767", UV, facet("MDC_EVT_INOP", "32767")).lead_off


def test_filters() -> None:
    found = channel(
        "1",
        UV,
        facet("MDC_ATTR_FILTER_HIGH_PASS", "0.05", "Hz"),
        facet("MDC_ATTR_FILTER_LOW_PASS", "150", "Hz"),
        facet("MDC_ATTR_FILTER_NOTCH", "50"),
    )
    assert (found.high_pass, found.low_pass) == (0.05, 150.0)
    assert math.isnan(found.notch)  # in which unit?


def test_a_pleth_has_no_unit() -> None:
    found = channel("1^2", PLAIN, code=PLETH)
    assert (found.gain, found.code, found.samples.tolist()) == (1.0, mdc.PLETH, [1, 2])


@pytest.mark.parametrize(
    ("samples", "unit", "facets", "why"),
    [
        ("1^2", UV, (), "no MDC_ATTR_SAMP_RATE"),
        ("1^2", UV, (RATE.replace("/s", "s"),), "not in samples per second"),
        ("1^2", UV, (RATE.replace("250", "0"),), "rate that cannot be meant"),
        ("1^2", UV, (RATE, RATE.replace("250", "500")), "MDC_ATTR_SAMP_RATE twice"),
        ("1^2", "", (RATE,), "not in mV"),
        ("1^2", "furlong^^UCUM", (RATE,), "unit that is not known"),
        ("1^2", "mm[Hg]^^UCUM", (RATE,), "not in mV"),
        ("1^2~3^4", UV, (RATE,), "more than one series"),
        ("1^two", UV, (RATE,), "no numbers"),
        ("1^nan", UV, (RATE,), "no numbers"),
        ("1^2e3", UV, (RATE,), "no numbers"),
        ("1^--2", UV, (RATE,), "no numbers"),
        ("9" * 400, UV, (RATE,), "no numbers"),
        ("", UV, (RATE,), "no samples"),
        ("1.5^2", PLAIN, (RATE, facet("MDC_ATTR_NU_MSMT_RES", "0.005", MV)), "decimals beside a scale"),
        ("1", PLAIN, (RATE, facet("MDC_ATTR_NU_MSMT_RES", "0", MV)), "scale that cannot be meant"),
        ("1", PLAIN, (RATE, facet("MDC_ATTR_NU_MSMT_RES", "-1", MV)), "scale that cannot be meant"),
        ("1", PLAIN, (RATE, facet("MDC_ATTR_NU_MSMT_RES", "1", "acre")), "unit that is not known"),
        ("1", UV, (RATE, facet("MDC_ATTR_DATA_RANGE", "5^5", form="NR")), "is no range"),
        ("1", UV, (RATE, facet("MDC_EVT_INOP", "off")), "no number"),
    ],
)  # fmt: skip
def test_what_is_not_certain_is_left_out(samples: str, unit: str, facets: tuple[str, ...], why: str) -> None:
    reading = read(samples, unit, *facets)
    assert reading.stretches == ()
    (reason,) = reading.left_out
    assert reason.startswith("OBX 1: 131330: ")
    assert why in reason


@given(st.lists(st.integers(-32767, 32767), min_size=1), st.integers(0, 3))
def test_every_decimal_of_the_step_comes_back(samples: list[int], decimals: int) -> None:
    written = [f"{s / 10**decimals:.{decimals}f}" for s in samples]
    fits = [abs(float(w)) <= 32.767 for w in written]
    reading = read("^".join(written), MV, RATE)
    found = values(reading.stretches[0].channels[0])
    assert found == [float(w) if fit else None for w, fit in zip(written, fits, strict=True)]


@given(
    st.lists(st.floats(allow_nan=False).map(lambda x: f"{x:.6f}"), min_size=1, max_size=5),
    st.lists(
        st.sampled_from(("0", "-1", "1", "1e5", "0.000001", "999999999999999", "^", "-9^9", "")), max_size=6
    ),
)
def test_whatever_is_said_a_sample_is_its_value_or_missing(samples: list[str], said: list[str]) -> None:
    names = ("MDC_ATTR_NU_MSMT_RES", "MDC_ATTR_DATA_RANGE", "MDC_ATTR_SCALE_RANGE", "MDC_EVT_INOP")
    facets = [facet(names[i % 4], value, MV) for i, value in enumerate(said)]
    for stretch in read("^".join(samples), MV, RATE, *facets).stretches:
        for found in stretch.channels:
            assert found.samples.dtype == np.int16
            assert math.isfinite(found.gain)
            assert math.isfinite(found.offset)


@given(
    st.lists(
        st.from_regex(r"[+-]?([0-9]{0,20}[.]?[0-9]{0,20}|[0-9]{1,3})", fullmatch=True), max_size=8
    ).filter(any),
    st.sampled_from("^,["),
)
def test_samples_are_the_numbers_that_are_written_or_none_at_all(parts: list[str], separator: str) -> None:
    try:
        wanted = [float(part or "nan") for part in parts]
    except ValueError:
        wanted = []
    try:
        found = waves._numbers(separator.join(parts), separator)
    except ValueError:
        found = []
    assert repr(found).replace("-0.0", "0.0") == repr(wanted).replace("-0.0", "0.0")
