"""Who does the same again and again is told of now and then."""

from __future__ import annotations

from devices import seldom as module
from devices.seldom import EVERY_S, MOST, Seldom


def test_each_is_said_once_in_a_while_with_how_often_it_was() -> None:
    now = [0.0]
    seldom = Seldom(now_s=lambda: now[0])
    assert [seldom.times(who) for who in ("a", "b", "a", "a")] == [1, 1, 0, 0]
    now[0] = EVERY_S
    assert [seldom.times(who) for who in ("a", "a", "b")] == [3, 0, 1]


def test_many_share_a_line_and_no_more_memory() -> None:
    now = [0.0]
    seldom = Seldom(now_s=lambda: now[0])
    told = [seldom.times(f"host-{n}") for n in range(3 * MOST)]
    assert sum(bool(times) for times in told) <= MOST + 2
    assert len(seldom._said) <= MOST + 2
    now[0] = EVERY_S
    assert seldom.times("host-0") > 0
    assert [seldom.times(f"new-{n}") for n in range(5)] == [1] * 5
    assert module._OTHERS in seldom._said
