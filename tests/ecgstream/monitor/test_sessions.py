"""Sessions: they end by themselves, and open nothing once they have."""

from __future__ import annotations

import pytest

from ecgstream.monitor.sessions import IDLE_S, MOST_OF_ACCOUNT, WHOLE_S, Sessions


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sessions(clock: Clock) -> Sessions:
    return Sessions(clock)


def test_a_session_is_known_by_its_cookie_and_by_nothing_else(sessions: Sessions) -> None:
    cookie = sessions.begin("li", "Asia/Shanghai")
    found = sessions.look(cookie, used=True)
    assert found is not None
    assert (found.account, found.zone) == ("li", "Asia/Shanghai")
    assert cookie not in repr(vars(sessions))  # what is kept opens nothing
    for other in ("", "li", cookie[:-1], cookie.swapcase(), found.csrf):
        assert sessions.look(other, used=True) is None


def test_without_a_sign_of_a_person_a_session_ends(sessions: Sessions, clock: Clock) -> None:
    cookie = sessions.begin("li", "UTC")
    clock.now_s += IDLE_S - 1
    assert sessions.look(cookie, used=False) is not None  # what a page fetches by itself is no sign
    clock.now_s += 1
    assert sessions.look(cookie, used=False) is None
    assert sessions.look(cookie, used=True) is None


def test_use_carries_a_session_on_and_a_shift_ends_it_all_the_same(sessions: Sessions, clock: Clock) -> None:
    cookie, begun_s = sessions.begin("li", "UTC"), clock.now_s
    while clock.now_s + IDLE_S / 2 < begun_s + WHOLE_S:
        clock.now_s += IDLE_S / 2
        assert sessions.look(cookie, used=True) is not None
    clock.now_s = begun_s + WHOLE_S
    assert sessions.look(cookie, used=True) is None


def test_of_too_many_sessions_the_one_used_longest_ago_ends(sessions: Sessions, clock: Clock) -> None:
    cookies = []
    for _ in range(MOST_OF_ACCOUNT):
        clock.now_s += 1
        cookies.append(sessions.begin("li", "UTC"))
    other = sessions.begin("wang", "UTC")
    clock.now_s += 1
    sessions.look(cookies[0], used=True)
    newest = sessions.begin("li", "UTC")
    known = [sessions.look(cookie, used=False) is not None for cookie in (*cookies, newest, other)]
    assert known == [True, False] + [True] * (MOST_OF_ACCOUNT - 2) + [True, True]


def test_logging_out_ends_one_session_only(sessions: Sessions) -> None:
    one, other = sessions.begin("li", "UTC"), sessions.begin("li", "UTC")
    sessions.end(one)
    sessions.end(one)
    assert sessions.look(one, used=True) is None
    assert sessions.look(other, used=True) is not None


def test_every_session_has_a_number_of_its_own_for_its_forms(sessions: Sessions) -> None:
    found = [sessions.look(sessions.begin("li", "UTC"), used=True) for _ in range(3)]
    assert len({one.csrf for one in found if one}) == 3
