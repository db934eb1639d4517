"""Other limits in place of those that there were."""

from __future__ import annotations

from ecgstream.replay.settings import in_force, with_limits
from ecgstream.replay.stored import Placed
from schemas import mdc
from schemas.records import Association, Category, Change, Control, Limit, Limits, Settings

ADULT, CHILD = (Settings(kind, paced=False) for kind in (Category.ADULT, Category.PAEDIATRIC))
WORN = Association("P-ONE")
RATE, OXYGEN = Limit(mdc.HEART_RATE, 40.0, 150.0), Limit(mdc.SPO2, 90.0, None)
OTHER = Limit(mdc.SPO2, 86.0, None)


def placed(*changes: Change, first: int = 10) -> list[Placed]:
    return [Placed(first + n, -1, Control("c", "d", 0, 0, 1, "li", what)) for n, what in enumerate(changes)]


def changes(found: list[Placed]) -> list[Change]:
    ordered = sorted(found, key=lambda one: (one.offset, one.place))
    return [one.item.change for one in ordered if isinstance(one.item, Control)]


def test_what_is_in_force_now_holds_from_the_begin_on_and_wearers_stay() -> None:
    was = placed(ADULT, WORN, Limits((RATE,)))
    now = in_force(placed(CHILD, WORN, Limits((OTHER,)), first=90))
    assert changes(now(was)) == [CHILD, Limits((OTHER,)), WORN]


def test_a_limit_holds_whatever_else_is_set() -> None:
    was = placed(ADULT, Limits((RATE, OXYGEN)), WORN, CHILD, Limits((OXYGEN,)))
    other = Limits((OTHER,))
    found = changes(with_limits("d", [OTHER])(was))
    assert found == [other, ADULT, other, Limits((RATE,)), WORN, CHILD, other, Limits(())]


def test_who_has_no_limits_told_gets_them_too() -> None:
    assert changes(with_limits("d", [OTHER])([])) == [Limits((OTHER,))]
