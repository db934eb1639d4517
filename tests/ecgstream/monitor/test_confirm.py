"""Who is logged in says once more who they are: by a password, or by a provider just now."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from ecgstream.monitor.confirm import Confirm
from ecgstream.monitor.guard import Asked, Guard
from ecgstream.monitor.sessions import FRESH_S, Sessions
from ecgstream.monitor.stored import Stored
from ecgstream.tries import TRIES, Tries


class World:
    """A session of an account, and a clock."""

    def __init__(self, *, has_password: bool) -> None:
        self.now_s = 0.0
        sessions = Sessions(lambda: self.now_s)
        cookie = sessions.begin("li", "UTC")
        guard = SimpleNamespace(
            sessions=sessions, session_of=lambda _: sessions.look(cookie, used=True) if cookie else None
        )
        stored = SimpleNamespace(
            has_password=lambda _: has_password,
            check_password=lambda account, password: has_password and password == f"{account}'s",
        )
        tries = Tries(lambda: self.now_s)
        self.confirm = Confirm(cast(Guard, guard), cast(Stored, stored), tries, "login.example")

    def fault(self, password: str = "") -> str:
        asked = SimpleNamespace(
            request=None, viewer=SimpleNamespace(account="li"), form={"password": password}
        )
        return self.confirm.fault(cast(Asked, cast(Any, asked)))


def test_a_password_is_asked_for_however_fresh_the_session_is() -> None:
    world = World(has_password=True)
    assert world.fault() == "confirm.wrong"
    assert world.fault("li's") == ""
    assert [world.fault("x") for _ in range(TRIES + 1)] == ["confirm.wrong"] * TRIES + ["login.too_many"]
    assert world.fault("li's") == "login.too_many"  # as at the login


@pytest.mark.parametrize(("after_s", "fault"), [(0.0, ""), (FRESH_S - 1, ""), (FRESH_S, "confirm.provider")])
def test_without_a_password_a_login_at_the_provider_counts_for_some_minutes(
    after_s: float, fault: str
) -> None:
    world = World(has_password=False)
    world.now_s = after_s
    assert world.fault("anything") == fault
