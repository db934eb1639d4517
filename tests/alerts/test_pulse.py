"""What a pulse wave refutes, and all that it must not."""

import math

import pytest

from alerts.pulse import BEFORE_S, refutes
from schemas.conditions import Code
from schemas.records import Condition, Phase

SECOND = 10**9
RUNNING = {
    "hr_bpm": 0.0,
    "pulse_bpm": 75.0,
    "pulse_age_s": 0.4,
    "pulse_unbroken_s": 34.0,
    "pulse_before_onset_s": 30.0,
}
SLOW = {"hr_bpm": 38.0, "limit_bpm": 42.0}


def told(code: str, lasted_s: float = 4.0, **evidence: float) -> Condition:
    """Return a condition with a pulse that runs from before it on, but for what is told otherwise."""
    return Condition(
        id="c",
        device="d",
        patient="",
        session=0,
        code=code,
        phase=Phase.UPDATE,
        onset_sample=0,
        onset_ns=100 * SECOND,
        sample=round(lasted_s * 250),
        time_ns=100 * SECOND + round(lasted_s * SECOND),
        delay_s=lasted_s,
        evidence=RUNNING | evidence,
        published_ns=0,
        partition=0,
        offset=0,
        generation=0,
        version="",
    )


def test_a_pulse_from_before_the_onset_on_refutes_asystole_and_slow_rates() -> None:
    assert refutes(told("ASYSTOLE"))
    assert refutes(told("EXTREME_BRADYCARDIA", **SLOW))
    assert refutes(told("HEART_RATE_LOW", **SLOW | {"limit_bpm": 50.0}))


@pytest.mark.parametrize("bpm", [80.0, 100.0, 120.0, 140.0])
def test_a_regular_pulse_that_begins_after_the_onset_refutes_nothing(bpm: float) -> None:
    """Chest compressions, however long they go on."""
    for lasted_s in (10.0, 60.0, 600.0):
        run = {"pulse_bpm": bpm, "pulse_unbroken_s": lasted_s - 6.0, "pulse_before_onset_s": -6.0}
        assert not refutes(told("ASYSTOLE", lasted_s, **run))
        assert not refutes(told("EXTREME_BRADYCARDIA", lasted_s, **run | SLOW))


@pytest.mark.parametrize(
    "code", [*(set(Code) - {Code.ASYSTOLE, Code.EXTREME_BRADYCARDIA, Code.HEART_RATE_LOW})]
)
def test_nothing_else_is_refuted(code: Code) -> None:
    assert not refutes(told(code.name, **SLOW))


def test_a_condition_that_this_version_does_not_know_is_not_refuted() -> None:
    assert not refutes(told("NOT_YET_KNOWN", **SLOW))


def test_a_run_that_began_just_before_the_onset_is_too_short() -> None:
    assert not refutes(told("ASYSTOLE", pulse_before_onset_s=BEFORE_S - 0.1, pulse_unbroken_s=BEFORE_S + 3.9))


@pytest.mark.parametrize("age_s", [2.0, 3.6, 60.0])
def test_a_pulse_that_is_over_refutes_nothing(age_s: float) -> None:
    """A true arrest: the last pulse belongs to the last beat."""
    assert not refutes(told("ASYSTOLE", pulse_age_s=age_s))


@pytest.mark.parametrize("name", ["pulse_bpm", "pulse_age_s", "pulse_unbroken_s", "pulse_before_onset_s"])
def test_what_is_not_known_refutes_nothing(name: str) -> None:
    condition = told("ASYSTOLE", **{name: math.nan})
    assert not refutes(condition)
    del condition.evidence[name]
    assert not refutes(condition)


@pytest.mark.parametrize("missing", ["limit_bpm", "hr_bpm"])
def test_a_slow_rate_without_its_numbers_is_not_refuted(missing: str) -> None:
    assert not refutes(told("EXTREME_BRADYCARDIA", **SLOW | {missing: math.nan}))


@pytest.mark.parametrize(("hr_bpm", "pulse_bpm"), [(38.0, 39.0), (38.0, 46.9), (44.0, 48.5), (70.0, 75.0)])
def test_a_pulse_that_is_about_as_slow_confirms(hr_bpm: float, pulse_bpm: float) -> None:
    assert not refutes(told("EXTREME_BRADYCARDIA", hr_bpm=hr_bpm, limit_bpm=42.0, pulse_bpm=pulse_bpm))


def test_a_clock_that_is_set_between_onset_and_record_makes_no_run_longer() -> None:
    assert not refutes(told("ASYSTOLE", lasted_s=-3600.0, pulse_unbroken_s=8.0, pulse_before_onset_s=-1.0))
    assert not refutes(told("ASYSTOLE", lasted_s=3600.0))
