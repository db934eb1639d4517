"""Default limits: each kind of patient has one for each number, that can be set as they stand."""

import pytest

from schemas import codec, mdc
from schemas.limits import DEFAULTS, LIMITED_CODES
from schemas.records import Category, Control, Limits


@pytest.mark.parametrize("category", Category)
def test_each_category_has_one_limit_for_each_number_in_the_same_order(category: Category) -> None:
    assert tuple(limit.code for limit in DEFAULTS[category]) == LIMITED_CODES
    assert set(LIMITED_CODES) <= set(mdc.UNITS)


@pytest.mark.parametrize("category", Category)
def test_defaults_can_be_sent_as_a_change_of_limits(category: Category) -> None:
    control = Control("c", "dev-1", 0, 0, 0, "registry", Limits(DEFAULTS[category]))
    assert codec.decode(codec.encode(control)) == control


def test_the_younger_the_patient_the_faster_the_heart_and_the_lower_the_pressure() -> None:
    adult, child, neonate = ({limit.code: limit for limit in DEFAULTS[c]} for c in Category)
    rates, pressures = mdc.HEART_RATE, mdc.NIBP_SYS
    assert (adult[rates].low, adult[rates].high) < (child[rates].low, child[rates].high)
    assert (child[rates].low, child[rates].high) < (neonate[rates].low, neonate[rates].high)
    assert adult[pressures].high > child[pressures].high > neonate[pressures].high
