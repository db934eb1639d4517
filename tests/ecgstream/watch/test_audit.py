"""When the watch says that the audit log is not signed: timelines."""

from __future__ import annotations

import pytest

from ecgstream.watch.rules.limits import AUDIT_S
from schemas import topics
from tests.ecgstream.watch.world import World

HEADS = (topics.AUDIT_HEADS.name, 3)


@pytest.fixture
def world() -> World:
    made = World()
    made.ends[HEADS] = 0
    return made


def test_a_log_that_is_signed_each_minute_is_well(world: World) -> None:
    for _ in range(10):
        world.go_on(60, world.all_is_well)
        world.ends[HEADS] += 1
    assert world.told == []


def test_heads_that_do_not_come_are_told_once_and_that_they_come_again(world: World) -> None:
    world.go_on(60, world.all_is_well)
    world.ends[HEADS] += 1
    world.go_on(int(AUDIT_S) - 5, world.all_is_well)
    assert world.told == []
    world.go_on(60, world.all_is_well)
    assert [told[1:] for told in world.told] == [("RAISED", "AUDIT_STALLED")]
    assert "was not signed for 180 s" in world.pages[0].text
    world.ends[HEADS] += 1
    world.go_on(60, world.all_is_well)
    assert [told[1:] for told in world.told[1:]] == [("ENDED", "AUDIT_STALLED")]


def test_a_cluster_in_which_no_sealer_ever_was_is_told_too(world: World) -> None:
    world.go_on(int(AUDIT_S) + 10, world.all_is_well)
    assert [told[1:] for told in world.told] == [("RAISED", "AUDIT_STALLED")]
