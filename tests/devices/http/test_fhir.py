"""Observations: what is read of them, what is left out, and what is never kept."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from fhir.resources.observation import Observation
from fhir.resources.operationoutcome import OperationOutcome
from hypothesis import given
from hypothesis import strategies as st

from devices.errors import MessageError
from devices.http.fhir import Issue, outcome, reading
from devices.reading import Measured, Reading
from schemas import mdc
from schemas.records import MISSING
from tests.devices.http.made import (
    FIXTURES,
    MDC,
    START_NS,
    UCUM,
    ecg,
    lead_component,
    number_component,
    observation,
)

LOINC = "http://loinc.org"
NAME = "Jane Doe (made up)"
HEART_RATE = number_component(MDC, str(mdc.HEART_RATE), 71, "/min")


def read(said: Any) -> Reading:
    return reading(json.dumps(said).encode())


def fixture(name: str) -> Reading:
    return reading((FIXTURES / "fhir" / name).read_bytes())


def test_the_r5_fixture() -> None:
    found = fixture("ecg-r5.json")
    (stretch,) = found.stretches
    one, two = stretch.channels
    assert (found.device, found.left_out, found.numbers) == ("dev-1", (), ())
    assert found.sent_ns == START_NS + 1_250_000_000
    assert stretch.start_ns == START_NS
    assert [(c.code, c.rate, c.gain, c.offset) for c in stretch.channels] == [
        (mdc.LEADS["I"], 250, 400, 0),
        (mdc.LEADS["II"], 250, 400, 0),
    ]
    assert one.samples.tolist() == ecg(0, 0, 250).tolist()
    assert two.samples.tolist() == [MISSING, *ecg(1, 0, 250)[1:].tolist()]


def test_the_r4_fixture() -> None:
    (stretch,) = fixture("ecg-r4.json").stretches
    assert stretch.channels[0].rate == 250
    assert stretch.channels[0].samples.tolist() == ecg(1, 0, 250).tolist()


def test_the_blood_pressure() -> None:
    systolic, diastolic = fixture("blood-pressure.json").numbers
    assert systolic == Measured(START_NS, mdc.NIBP_SYS, 121)
    assert (diastolic.code, diastolic.value) == (mdc.NIBP_DIA, pytest.approx(77.256, abs=1e-3))


@pytest.mark.parametrize("name", ["ecg-r5.json", "blood-pressure.json"])
def test_the_fixtures_are_observations_to_others_too(name: str) -> None:
    found = Observation.model_validate_json((FIXTURES / "fhir" / name).read_bytes())
    assert found.status == "final"


def test_an_outcome_is_one_to_others_too() -> None:
    issues = [
        Issue("error", "invalid", "an Observation is wanted"),
        Issue("information", "informational", "taken"),
    ]
    found = OperationOutcome.model_validate_json(outcome(issues))
    assert [issue.diagnostics for issue in found.issue] == ["an Observation is wanted", "taken"]


def test_no_name_comes_out_anywhere() -> None:
    person = {"reference": f"Patient/{NAME}", "display": NAME, "identifier": {"value": NAME}}
    told = {
        "id": NAME,
        "identifier": [{"value": NAME}],
        "text": {"status": "generated", "div": f"<div>{NAME}</div>"},
        "contained": [{"resourceType": "Patient", "name": [{"text": NAME}]}],
        "subject": person,
        "performer": [person],
        "note": [{"text": NAME}],
        "extension": [{"url": "urn:x", "valueString": NAME}],
        NAME: NAME,
    }
    wrong = number_component(LOINC, NAME, 1, NAME) | {"code": {"text": NAME, "coding": [{"display": NAME}]}}
    found = read(observation(HEART_RATE, wrong, **told))
    assert "Jane" not in repr(found)
    assert len(found.left_out) == 1


@pytest.mark.parametrize(
    "more",
    [
        {"resourceType": NAME},
        {"status": NAME},
        {"device": {"display": NAME}},
        {"device": {"identifier": {"value": NAME}}},
        {"effectivePeriod": {"start": NAME}},
        {"issued": NAME},
        {"component": NAME},
        {"component": [{"code": {"text": NAME}, "valueQuantity": {"value": NAME}}]},
        {"component": [{"code": {"text": NAME}, "valueString": NAME}]},
        {"implicitRules": NAME},
    ],
    ids=range(10),
)
def test_no_error_shows_a_name(more: dict[str, Any]) -> None:
    with pytest.raises(MessageError) as error:
        read(observation(HEART_RATE) | more)
    assert "Jane" not in str(error.value)


def test_the_id_follows_from_what_is_kept_alone() -> None:
    one = read(observation(HEART_RATE))
    assert read(observation(HEART_RATE, subject={"display": NAME}, id="x")).message == one.message
    others = [
        observation(HEART_RATE, device={"reference": "Device/dev-2"}),
        observation(HEART_RATE, effectivePeriod={"start": "2026-11-28T10:00:02Z"}),
        observation(number_component(MDC, str(mdc.HEART_RATE), 72, "/min")),
        observation(lead_component("I", "1 2")),
        observation(lead_component("I", "1 3")),
    ]
    assert len({one.message, *(read(other).message for other in others)}) == 6


@pytest.mark.parametrize(
    "device",
    [
        {"reference": "Device/dev-1"},
        {"reference": "https://fhir.example/r5/Device/dev-1"},
        {"reference": "Device/other", "identifier": {"value": "dev-1"}},
    ],
)
def test_devices(device: dict[str, Any]) -> None:
    assert read(observation(HEART_RATE, device=device)).device == "dev-1"


@pytest.mark.parametrize(
    "effective",
    [
        {"effectivePeriod": {"start": "2026-11-28T18:00:00+08:00"}},
        {"effectiveInstant": "2026-11-28T10:00:00Z"},
        {"effectiveDateTime": "2026-11-28T10:00:00.000Z"},
    ],
)
def test_when(effective: dict[str, Any]) -> None:
    said = observation(HEART_RATE)
    del said["effectivePeriod"], said["issued"]
    found = read(said | effective)
    assert found.numbers[0].time_ns == START_NS
    assert found.sent_ns is None


def test_a_value_of_its_own_and_an_mdc_code_goes_before_loinc() -> None:
    codes = [{"system": LOINC, "code": "8867-4"}, {"system": MDC, "code": str(mdc.PULSE_RATE)}]
    said = observation(code={"coding": codes}, valueQuantity=HEART_RATE["valueQuantity"])
    assert read(said).numbers[0].code == mdc.PULSE_RATE
    wave = lead_component("II", "1 2")
    assert read(observation(**wave)).stretches[0].channels[0].code == mdc.LEADS["II"]


def test_leads_come_before_other_waves() -> None:
    pleth = lead_component("I", "1 2", factor=1, origin={"system": UCUM, "code": "{counts}"})
    pleth["code"] = {"coding": [{"system": MDC, "code": str(mdc.PLETH)}]}
    (stretch,) = read(observation(pleth, lead_component("II", "1 2"))).stretches
    assert [c.code for c in stretch.channels] == [mdc.LEADS["II"], mdc.PLETH]


@pytest.mark.parametrize(
    ("part", "says"),
    [
        (number_component(LOINC, "2339-0", 5, "mmol/L"), "component[1]: no code of MDC"),
        (number_component(MDC, "MDC_ECG_HEART_RATE", 5, "/min"), "component[1]: no code of MDC"),
        (number_component(MDC, "9" * 30, 5, "/min"), "component[1]: no code of MDC"),
        (number_component(MDC, str(mdc.SPO2), 0.97, "1"), "component[1]: such a number is in %"),
        (number_component(MDC, str(mdc.SPO2), 97, ""), "component[1]: a unit is wanted"),
        (lead_component("I", "1 2", dimensions=2), "component[1]: one dimension"),
        ({**HEART_RATE, "valueQuantity": {"value": 9, "comparator": "<"}}, "component[1]: a value without"),
    ],
)
def test_what_cannot_be_taken_is_left_out_and_said(part: dict[str, Any], says: str) -> None:
    found = read(observation(HEART_RATE, part))
    assert len(found.numbers) == 1
    (why,) = found.left_out
    assert why.startswith(says)


def test_samples_that_do_not_fit_are_said() -> None:
    found = read(observation(lead_component("I", "1 40000 2")))
    assert found.left_out == ("component[0]: 1 samples beyond 16 bits",)
    assert found.stretches[0].channels[0].samples.tolist() == [1, MISSING, 2]


def test_a_wave_of_another_length_is_left_out() -> None:
    found = read(observation(lead_component("I", "1 2 3"), lead_component("II", "1 2 3 4 5 6")))
    assert [c.code for c in found.stretches[0].channels] == [mdc.LEADS["I"]]
    assert found.left_out == (f"a wave of code {mdc.LEADS['II']}: it covers another time than the first",)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"resourceType": "Bundle"}, "an Observation is wanted"),
        ({"status": "entered-in-error"}, "status is one of"),
        ({"implicitRules": "urn:x"}, "nothing here understands"),
        ({"modifierExtension": [{"url": "urn:x"}]}, "nothing here understands"),
        ({"component": [{**HEART_RATE, "modifierExtension": [{}]}]}, "nothing here understands"),
        ({"device": {}}, "device is wanted"),
        ({"device": {"reference": "#contained"}}, "device is wanted"),
        ({"device": {"reference": "Patient/dev-1"}}, "device is wanted"),
        ({"effectivePeriod": {}}, "is wanted"),
        ({"effectivePeriod": {"start": "2026-11-28"}}, "a moment has the form"),
        ({"component": []}, "nothing that is known here"),
        ({"component": [{}] * 257}, "length <= 256"),
    ],
)
def test_what_may_not_be_read_is_refused(more: dict[str, Any], says: str) -> None:
    with pytest.raises(MessageError, match=says):
        read(observation(HEART_RATE) | more)


BODIES = [path.read_bytes() for path in sorted((FIXTURES / "fhir").glob("*.json"))]


@given(st.sampled_from(BODIES), st.integers(0, 2500), st.integers(0, 200), st.binary(max_size=20))
def test_damaged_observations_are_read_or_the_one_error(body: bytes, at: int, cut: int, put: bytes) -> None:
    with suppress(MessageError):
        reading(body[:at] + put + body[at + cut :])


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"{" * 100_000, b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}"],
    ids=range(5),
)
def test_what_is_no_observation_is_the_one_error(body: bytes) -> None:
    with pytest.raises(MessageError):
        reading(body)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(
    anything, st.sampled_from(["code", "device", "component", "effectivePeriod", "valueQuantity", "issued"])
)
def test_any_value_anywhere_is_read_or_the_one_error(value: Any, name: str) -> None:
    with suppress(MessageError):
        read(observation(HEART_RATE) | {name: value})
