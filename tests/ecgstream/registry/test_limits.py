"""Which limits can be meant."""

from __future__ import annotations

import math

import pytest

from ecgstream.registry.errors import RegistryError
from ecgstream.registry.limits import NUMBERS, check
from schemas import mdc
from schemas.limits import DEFAULTS, LIMITED_CODES
from schemas.records import Category, Limit


def limit(name: str, low: float | None, high: float | None) -> Limit:
    return Limit(NUMBERS[name].code, low, high)


def test_each_number_with_limits_has_a_name_and_a_unit() -> None:
    assert tuple(number.code for number in NUMBERS.values()) == LIMITED_CODES
    units = ["/min", "/min", "%", "/min", "mm[Hg]", "Cel", "/min", "s", "mV"]
    assert [number.unit for number in NUMBERS.values()] == units
    assert NUMBERS["hr"].code == mdc.HEART_RATE


@pytest.mark.parametrize("category", Category)
def test_the_defaults_can_be_meant(category: Category) -> None:
    for name, default in zip(NUMBERS, DEFAULTS[category], strict=True):
        check(name, default)


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("hr", 40, 150),
        ("hr", None, None),
        ("hr", 40, None),
        ("spo2", None, 100),
        ("temp", 34.5, 39.9),
        ("pause", None, 2),
        ("st", -0.2, 0.2),
    ],
)
def test_what_can_be_meant_is_taken(name: str, low: float | None, high: float | None) -> None:
    check(name, limit(name, low, high))


@pytest.mark.parametrize(
    ("name", "low", "high", "why"),
    [
        ("hr", 40, 900, "hr: high 900 /min cannot be meant: limits are 15 to 300 /min"),
        ("hr", -1, 150, "hr: low -1 /min cannot be meant"),
        ("hr", 0, 150, "hr: low 0 /min cannot be meant"),
        ("spo2", 150, None, "spo2: low 150 % cannot be meant: limits are 50 to 100 %"),
        ("spo2", 0.9, None, "spo2: low 0.9 % cannot be meant"),
        ("temp", 95, 102, "temp: low 95 Cel cannot be meant"),
        ("hr", math.nan, None, "hr: low nan /min cannot be meant"),
        ("hr", None, math.inf, "hr: high inf /min cannot be meant"),
        ("hr", None, -math.inf, "hr: high -inf /min cannot be meant"),
        ("hr", 1e308, None, r"hr: low 1e\+308 /min cannot be meant"),
        ("hr", 150, 40, "hr: low 150 is not below high 40 /min"),
        ("vpc", 5, 10, "vpc: has no low limit"),
        ("pause", 0.5, 3, "pause: has no low limit"),
        ("hr", 80, 80, "hr: low 80 is not below high 80 /min"),
    ],
)
def test_what_cannot_be_meant_is_refused(name: str, low: float | None, high: float | None, why: str) -> None:
    with pytest.raises(RegistryError, match=why):
        check(name, limit(name, low, high))
