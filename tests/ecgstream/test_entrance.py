"""How many connections there may be, and that who says nothing keeps no device out."""

from __future__ import annotations

import resource
import socket
from collections.abc import Iterator

import anyio
import pytest
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from ecgstream import entrance as module
from ecgstream.entrance import Answering, Entrance, connections_for


class Place:
    """An entrance for three on loopback, whoever has come in, and a clock that moves as it is told."""

    def __init__(self, silent_s: float) -> None:
        self.now_s = 100.0
        listening = socket.create_server(("127.0.0.1", 0))
        self.entrance = Entrance(listening, 3, silent_s=silent_s, now_s=lambda: self.now_s)
        self.clients: list[socket.socket] = []
        self.visitors: list[socket.socket] = []

    def come(self) -> socket.socket:
        client = socket.create_connection(self.entrance.getsockname(), 30)
        self.clients.append(client)
        visitor, address = self.entrance.accept()
        assert address == client.getsockname()
        self.visitors.append(visitor)
        return client

    def are_connected(self) -> list[bool]:
        return [self._is_connected(client) for client in self.clients]

    @staticmethod
    def _is_connected(client: socket.socket) -> bool:
        client.settimeout(0.0)
        try:
            return client.recv(1) != b""
        except BlockingIOError:
            return True
        except ConnectionError:
            return False


@pytest.fixture
def place() -> Iterator[Place]:
    made = Place(silent_s=60.0)
    yield made
    for one in (*made.clients, *made.visitors, made.entrance):
        one.close()


def test_the_stranger_who_has_waited_the_longest_gives_way(place: Place) -> None:
    for _ in range(5):
        place.come()
    assert place.are_connected() == [False, False, True, True, True]
    assert place.entrance.visitors == 3


def test_who_was_admitted_stays(place: Place) -> None:
    place.entrance.admit(place.come().getsockname())
    for _ in range(5):
        place.come()
    assert place.are_connected() == [True, False, False, False, True, True]


def test_who_was_not_admitted_after_all_gives_way_behind_those_who_waited(place: Place) -> None:
    first = place.come().getsockname()
    place.entrance.admit(first)
    place.come()
    place.entrance.doubt(first)
    for _ in range(2):
        place.come()
    assert place.are_connected() == [True, False, True, True]


def test_where_there_are_devices_only_who_comes_next_is_turned_away(place: Place) -> None:
    for _ in range(3):
        place.entrance.admit(place.come().getsockname())
    with pytest.raises(ConnectionAbortedError):
        place.come()
    assert place.are_connected() == [True, True, True, False]
    place.visitors[0].close()
    place.come()
    assert place.entrance.visitors == 3


def test_who_goes_makes_room(place: Place) -> None:
    for _ in range(10):
        place.come()
        place.visitors[-1].close()
        assert place.entrance.visitors == 0


def test_what_was_of_no_use_for_long_is_closed_and_that_is_said(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[dict[str, int]] = []
    monkeypatch.setattr(module.log, "warning", lambda _event, **said: told.append(said), raising=False)
    place.come()
    second = place.come().getsockname()
    place.now_s += 50
    place.entrance.admit(second)
    place.now_s += 11
    for _ in range(3):
        place.entrance.look()
    assert place.are_connected() == [False, True]
    assert told == [{"port": place.entrance.getsockname()[1], "silent": 1}]


@pytest.mark.parametrize(
    ("method", "status", "stays"), [("POST", 200, True), ("POST", 401, False), ("GET", 200, False)]
)
def test_who_is_answered_as_a_device_stays_and_others_only_meanwhile(
    place: Place, method: str, status: int, stays: bool
) -> None:
    host, port = place.come().getsockname()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        place.come()
        place.come()
        place.come()
        assert place.are_connected()[0]
        await Response(status_code=status)(scope, receive, send)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(_: Message) -> None:
        pass

    scope = {"type": "http", "method": method, "client": (host, port)}
    anyio.run(Answering(app, place.entrance), scope, receive, send)
    for _ in range(3):
        place.come()
    assert place.are_connected()[0] is stays


def test_a_process_may_open_as_many_files_as_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 100_000))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: asked.append(limits))
    assert connections_for(2) == module.MOST
    assert asked == [(2 * (module.MOST + 4 * module.BACKLOG) + 256, 100_000)]
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 2048))
    assert connections_for(1) == 2048 - 256 - 4 * module.BACKLOG
    assert asked[1:] == [(2048, 2048)]
