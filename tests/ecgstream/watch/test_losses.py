"""When the watch says that a gateway loses what its devices gave: timelines."""

from __future__ import annotations

import pytest

from ecgstream.watch.rules.limits import GATEWAY_LOST_S
from ecgstream.watch.sight import Gateway
from tests.ecgstream.watch.world import World

RAISED = ("RAISED", "GATEWAY_LOSES")


def says(world: World, lost_s: float | None = None, **lost: float) -> None:
    """The gateway says how it is; ``lost_s``: how long ago it has lost something, by its own clock."""
    figures = {"numbers": 0.0, "wave_s": 0.0, "ecg_s": 0.0, "records": 0.0} | lost
    world.gateways["gw"] = Gateway(world.now_s, lost=figures, lost_s=lost_s)


@pytest.fixture
def world() -> World:
    made = World()
    says(made)
    return made


@pytest.mark.parametrize("figure", ["numbers", "wave_s", "ecg_s", "records"])
def test_what_a_gateway_loses_is_told_and_for_how_long(world: World, figure: str) -> None:
    world.go_on(30, world.all_is_well, lambda: says(world))
    mark = world.now_s
    world.go_on(1, world.all_is_well, lambda: says(world, 4 * 86_400.0, **{figure: 17.0}))
    assert [told[1:] for told in world.since(mark)] == [RAISED]
    assert world.pages[0].priority == "MEDIUM"
    assert "Gateway gw has lost data of its devices, since it began: " in world.pages[0].text
    assert "17 " in world.pages[0].text
    world.go_on(GATEWAY_LOST_S - 10, world.all_is_well, lambda: says(world, 4 * 86_400.0, **{figure: 17.0}))
    assert len(world.told) == 1
    world.go_on(60, world.all_is_well, lambda: says(world, 4 * 86_400.0, **{figure: 17.0}))
    assert [told[1:] for told in world.told[1:]] == [("ENDED", "GATEWAY_LOSES")]


def test_a_loss_that_goes_on_is_one_alarm(world: World) -> None:
    world.go_on(30, world.all_is_well, lambda: says(world))
    world.go_on(1800, world.all_is_well, lambda: says(world, 1.0, ecg_s=world.now_s))
    assert [told[1:] for told in world.told] == [RAISED]


@pytest.mark.parametrize(("lost_s", "told"), [(60.0, [RAISED]), (7200.0, [])])
def test_of_a_gateway_that_is_heard_for_the_first_time_only_what_is_new(
    lost_s: float, told: list[tuple[str, str]]
) -> None:
    world = World()
    world.go_on(60, world.all_is_well, lambda: says(world, lost_s, numbers=9.0))
    assert [found[1:] for found in world.told] == told


def test_a_new_spool_that_has_lost_nothing_is_no_loss() -> None:
    world = World()
    world.go_on(30, world.all_is_well, lambda: says(world, 1e5, numbers=9.0))
    world.go_on(60, world.all_is_well, lambda: says(world))
    assert world.told == []
