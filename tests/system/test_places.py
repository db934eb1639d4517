"""Where people stand, while two sessions change it at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import psycopg
import pytest

from ecgstream.registry import people
from ecgstream.registry.people import Position
from ecgstream.registry.roles import Kind
from ecgstream.store.connection import connect
from ecgstream.store.migrate import migrate
from tests.system.access_world import World

AT_C = Position(Kind.EXPERT, "C")


@pytest.fixture
def world(database_url: str) -> Iterator[World]:
    migrate(database_url)
    found = World(database_url)
    yield found
    found.drop_roles()


def begun(url: str, work: Callable[[psycopg.Connection], None]) -> threading.Thread:
    """Begin in another session what has to wait for ours; return when it waits."""

    def run() -> None:
        with connect(url, role="ecg_registry", name="waits") as connection:
            work(connection)

    thread = threading.Thread(target=run)
    thread.start()
    deadline = time.monotonic() + 180
    with connect(url, autocommit=True) as owner:
        waits = "SELECT FROM pg_stat_activity WHERE application_name = 'waits' AND wait_event_type = 'Lock'"
        while not owner.execute(waits).rowcount:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    return thread


def places(world: World, account: str) -> list[tuple[str, str]]:
    with connect(world.url) as owner:
        return owner.execute(
            "SELECT kind, path::text FROM ecg.place WHERE role = %s ORDER BY 1", (f"person_{account}",)
        ).fetchall()


def test_a_position_given_while_the_account_is_disabled_opens_nothing(world: World) -> None:
    account = world.account(Kind.CLINIC)
    assert places(world, account) == [("clinic", "W.P.H")]
    with connect(world.url, role="ecg_registry") as registry:
        people.disable(registry, account, "test")
        thread = begun(world.url, lambda other: people.place(other, [(account, AT_C)], "test"))
    thread.join(30)
    with connect(world.url, role="ecg_registry") as registry:
        assert AT_C in people.get(registry, account).positions
    assert places(world, account) == []
    with connect(world.url) as owner:
        groups = owner.execute(
            "SELECT FROM pg_auth_members WHERE member = %s::regrole", (f"person_{account}",)
        )
        assert groups.rowcount == 0


def test_a_position_given_while_its_facility_moves_reaches_to_where_it_moved(world: World) -> None:
    account = world.account(Kind.CLINIC)
    with connect(world.url, role="ecg_registry") as registry:
        registry.execute("UPDATE ecg.facility SET parent = 'S', path = 'W.P.S.C' WHERE code = 'C'")
        thread = begun(world.url, lambda other: people.place(other, [(account, AT_C)], "test"))
    thread.join(30)
    assert places(world, account) == [("clinic", "W.P.H"), ("expert", "W.P.S.C")]
