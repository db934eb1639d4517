"""Who has seen what is noted once, before it is shown; what waits is noted when it can be."""

from __future__ import annotations

from uuid import UUID

import psycopg
import pytest

from ecgstream.monitor.reads import AGAIN_S, MOST_WAITING, Reads
from ecgstream.monitor.viewer import Viewer, Wall

LI = Viewer("li")


class World:
    """A log that a test takes away."""

    def __init__(self) -> None:
        self.is_away = False
        self.now_s = 0.0
        self.noted: list[tuple[object, ...]] = []
        self.reads = Reads(self.note, lambda: self.now_s)

    def note(self, *entry: object) -> None:
        if self.is_away:
            raise psycopg.OperationalError("away")
        self.noted.append(entry)

    def page(self, object_: str = "p-1", *, by_itself: bool = False, **query: str) -> None:
        self.reads.page("li", "patient", object_, "/ecg/{patient:path}", query, by_itself=by_itself)


@pytest.fixture
def world() -> World:
    return World()


def test_a_page_that_somebody_opens_is_noted_each_time(world: World) -> None:
    world.page()
    world.page()
    assert len(world.noted) == 2
    assert world.noted[0][:4] == ("li", "read", "patient", "p-1")


def test_what_a_page_fetches_by_itself_is_noted_once_an_hour(world: World) -> None:
    for _ in range(3):
        world.page(by_itself=True)
    world.page("p-2", by_itself=True)
    assert [entry[3] for entry in world.noted] == ["p-1", "p-2"]
    world.now_s = AGAIN_S
    world.page(by_itself=True)
    assert len(world.noted) == 3


def test_each_hour_of_signal_that_is_looked_at_is_noted(world: World) -> None:
    for minute in range(0, 180, 2):
        since = str(minute * 60_000)
        world.page(by_itself=True, since=since, device="d")
    assert len(world.noted) == 3


def test_of_an_address_only_what_says_which_stretch_goes_along(world: World) -> None:
    world.page(device="d" * 500, note="a name that somebody typed")
    assert world.noted[0][4] == {"page": "/ecg/{patient:path}", "by_itself": False, "device": "d" * 100}


def test_a_page_that_cannot_be_noted_is_not_shown(world: World) -> None:
    world.is_away = True
    with pytest.raises(psycopg.OperationalError):
        world.page()


def test_a_screen_is_never_held_back_and_is_noted_when_it_can_be(world: World) -> None:
    world.is_away = True
    world.reads.screen(LI, {"d-2", "d-1"}, {"d-1"})
    wall = Wall(UUID(int=1), "wang", "Ward", "R.A", 4)
    world.reads.screen(Viewer("wang", wall=wall), {"d-3"}, set())
    assert world.noted == []
    world.is_away = False
    world.reads.catch_up()
    assert world.noted == [
        ("li", "read", "screen", "", {"devices": ["d-1", "d-2"], "whole": ["d-1"]}),
        ("wang", "read", "screen", str(UUID(int=1)), {"devices": ["d-3"], "whole": []}),
    ]


def test_what_waits_is_bounded_and_what_is_left_out_is_counted(world: World) -> None:
    world.is_away = True
    for n in range(MOST_WAITING + 5):
        world.reads.screen(LI, {f"d-{n}"}, set())
    world.is_away = False
    world.reads.catch_up()
    assert len(world.noted) == MOST_WAITING


def test_what_no_database_keeps_is_left_out_of_a_query(world: World) -> None:
    world.page(at="1\0")
    (*_, detail) = world.noted[0]
    assert isinstance(detail, dict)
    assert detail["at"] == "1"
