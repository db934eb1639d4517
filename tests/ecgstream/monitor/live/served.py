"""The wall on loopback for a test, with people and rights that a test says."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import uvicorn
from starlette.applications import Starlette
from starlette.requests import HTTPConnection
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from websockets.sync.client import ClientConnection, connect

import ecgstream.monitor
from alerts.page import condition_text
from ecgstream.monitor.live import frames
from ecgstream.monitor.live.hub import Hub
from ecgstream.monitor.live.routes import routes
from ecgstream.monitor.live.socket import UVICORN, bound
from ecgstream.monitor.live.view import Bed
from ecgstream.monitor.reads import Reads
from ecgstream.monitor.viewer import Viewer

HERE = Path(ecgstream.monitor.__file__).parent
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


class World:
    """Who is logged in, and what they see; a test changes it as it goes."""

    def __init__(self, beds: Mapping[str, Bed], language: str = "en") -> None:
        self.beds = dict(beds)
        self.viewer: Viewer | None = Viewer("li", language)
        self.is_away = False
        self.noted: list[tuple[object, ...]] = []

    def note(self, *entry: object) -> None:
        if self.is_away:
            raise psycopg.OperationalError("the database is away")
        self.noted.append(entry)

    def viewer_of(self, _connection: HTTPConnection) -> Viewer | None:
        return self.viewer

    def beds_of(self, _viewer: Viewer) -> Mapping[str, Bed]:
        if self.is_away:
            raise psycopg.OperationalError("the database is away")
        return dict(self.beds)


class Site:
    """An address that is served, and screens of it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    def screen(self, origin: str = "", **more: Any) -> ClientConnection:
        address = f"ws://127.0.0.1:{self.port}/live"
        return connect(address, origin=origin or self.url, proxy=None, compression=None, **more)  # type: ignore[arg-type]


def app_of(hub: Hub, world: World) -> ASGIApp:
    """Return the wall as the monitor serves it, but for the login."""
    templates = Jinja2Templates(HERE / "templates")
    reads = Reads(world.note)
    words = lambda _, code: condition_text(code)  # noqa: E731
    wall = routes(hub, world.viewer_of, world.beds_of, templates, words, reads)
    app = Starlette(routes=[*wall, Mount("/static", StaticFiles(directory=HERE / "static"))])

    async def with_policy(scope: Scope, receive: Receive, send: Send) -> None:
        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"].append((b"content-security-policy", POLICY.encode()))
            await send(message)

        await app(scope, receive, sent)

    return with_policy


@contextmanager
def served(hub: Hub, world: World, port: int = 0) -> Iterator[Site]:
    listening = socket.create_server(("127.0.0.1", port))
    bound(listening)
    config = uvicorn.Config(app_of(hub, world), log_config=None, lifespan="off", **UVICORN)
    config.timeout_graceful_shutdown = 1
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        yield Site(listening.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


def heard(screen: ClientConnection, kind: type[frames.Frame], timeout_s: float = 10.0) -> list[Any]:
    """Return the frames of a kind of the first message that has any."""
    while True:
        message = screen.recv(timeout_s)
        assert isinstance(message, bytes)
        if found := [frame for frame in frames.decode(message) if isinstance(frame, kind)]:
            return found


def show(screen: ClientConnection, *devices: str) -> None:
    screen.send(json.dumps({"show": devices}))
