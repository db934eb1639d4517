"""A device whose connection has ended is told of, unless it is heard again in a moment."""

from __future__ import annotations

from devices.farewells import HOLD_S, LATEST_S, Farewells, Gone


class World:
    def __init__(self) -> None:
        self.s = 100.0
        self.farewells = Farewells(lambda: self.s)

    def take(self, *held_up: int) -> list[Gone]:
        return self.farewells.take(lambda shard: shard not in held_up)


def test_one_that_is_gone_is_told_of_once_a_moment_later() -> None:
    world = World()
    world.farewells.gone("a", 7)
    assert world.take() == []
    world.s += HOLD_S
    assert world.take() == [("a", 7)]
    assert world.take() == []


def test_one_that_is_back_in_a_moment_is_not_told_of() -> None:
    world = World()
    world.farewells.gone("a", 7)
    world.s += HOLD_S - 0.1
    world.farewells.heard("a", 7)
    world.farewells.heard("b", 7)
    world.s += HOLD_S
    assert world.take() == []


def test_one_that_goes_again_and_again_is_told_of_when_it_stays_away() -> None:
    world = World()
    for _ in range(5):
        world.farewells.gone("a", 7)
        world.s += 1.0
    assert world.take() == []
    world.s += HOLD_S
    assert world.take() == [("a", 7)]


def test_one_whose_signal_waits_its_turn_waits_too_but_not_longer_than_it_is_of_use() -> None:
    world = World()
    world.farewells.gone("a", 7)
    world.farewells.gone("b", 8)
    world.s += HOLD_S
    assert world.take(7) == [("b", 8)]
    world.s += 1.0
    world.farewells.gone("c", 8)
    assert world.take(7) == []
    world.s += LATEST_S
    assert world.take() == [("c", 8)]  # and a, who was gone for longer, is told of by silence
    assert world.take() == []
