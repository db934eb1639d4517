"""What the monitor's bench measures: the live wall without its login, and what it is compared with.

``python -m ecgstream.bench.walls kafka|flood|bundles|echo DEVICES`` serves on a free port of loopback,
says which, and goes on until it is ended.

* ``kafka``: the wall of devices ``bench-…`` as they arrive in Kafka;
* ``flood``: the same devices from memory, what the hub holds of them again and again, as fast as a screen
  takes it: the socket alone, since frames are made once for all screens;
* ``bundles``: the same, but each frame is made of a bundle as it comes from Kafka;
* ``echo``: a bare WebSocket that sends back what it gets.
"""

import asyncio
import itertools
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates
from websockets.asyncio.server import ServerConnection, serve

from alerts.page import condition_text
from ecgstream import clients, monitor
from ecgstream.bench.load import FLUSHES_A_SECOND, NS, Load
from ecgstream.bench.measure import CannotMeasureError
from ecgstream.embedded.process import end, spawn
from ecgstream.monitor.live import socket as live
from ecgstream.monitor.live.hub import Hub
from ecgstream.monitor.live.routes import routes
from ecgstream.monitor.live.view import MOST_BYTES, Bed, View, Watch
from ecgstream.monitor.reads import Reads
from ecgstream.monitor.viewer import Viewer
from ecgstream.serving import listening as listen_on
from ecgstream.settings import Settings
from schemas import topics

_LOOP_S = 30
_RING_FLUSHES = 20
_IDLE_S = 0.0002


class _Record(NamedTuple):
    topic: str
    value: bytes


def main() -> None:
    """Serve one of the ways."""
    way, devices = sys.argv[1], int(sys.argv[2])
    listening = listen_on("127.0.0.1", 0)
    print(listening.getsockname()[1], flush=True)  # noqa: T201 - the answer
    if way == "echo":
        asyncio.run(_echo(listening))
    settings = Settings()
    hub = Hub(lambda: clients.reader(settings), settings.partitions)
    if way != "kafka":
        live.PACE_S = 0.0  # else who takes faster than it is filled is measured by how long it rests
    fill: dict[str, Callable[[], None]] = {
        "kafka": lambda: hub.run(threading.Event()),
        "flood": lambda: _flood(hub, devices),
        "bundles": lambda: _bundles(hub, devices),
    }
    threading.Thread(target=fill[way], daemon=True).start()
    live.bound(listening)
    config = uvicorn.Config(_app(hub, devices), log_config=None, lifespan="off", **live.UVICORN)
    uvicorn.Server(config).run([listening])


@contextmanager
def serving(way: str, devices: int, settings: Settings) -> Iterator[tuple[int, int]]:
    """Give port and process of a server of one of the ways.

    Raises:
        CannotMeasureError: it does not start.
    """
    argv = [sys.executable, "-m", "ecgstream.bench.walls", way, str(devices)]
    process = spawn(argv, env={**os.environ, **settings.environment()}, stdout=subprocess.PIPE)
    try:
        line = process.stdout.readline() if process.stdout else b""
        if not line.strip():
            raise CannotMeasureError(f"the wall ({way}) does not start")
        yield int(line), process.pid
    finally:
        end(process)


def _app(hub: Hub, devices: int) -> Starlette:
    beds: Mapping[str, Bed] = {name: Bed("bench", "p", "root") for name in names(devices)}
    here = Path(monitor.__file__).parent
    viewer = Viewer("bench")
    wall = routes(
        hub,
        lambda _: viewer,
        lambda _: beds,
        Jinja2Templates(here / "templates"),
        lambda _, code: condition_text(code),
        Reads(lambda *_: None),
    )
    return Starlette(routes=[*wall, Mount("/static", StaticFiles(directory=here / "static"))])


def names(devices: int) -> list[str]:
    """Return what the bench's devices are called."""
    return Load(devices, 1, 0).names


def _flood(hub: Hub, devices: int) -> None:
    """Let the screen have the rings anew whenever it has room for them."""
    hub.take(itertools.islice(_seconds(devices), _RING_FLUSHES))
    named = names(devices)
    while True:
        view = _with_room(hub)
        hub.show(view, ())
        hub.show(view, map(Watch, named))


def _bundles(hub: Hub, devices: int) -> None:
    """Give the hub one second after the other, whenever its screen has room for it."""
    for record in itertools.cycle(list(_seconds(devices))):
        _with_room(hub)
        hub.take([record])


def _with_room(hub: Hub) -> View:
    """Return a screen that shows something, as soon as it has room."""
    while True:
        for view in list(hub._views):
            if view.shown and view.waiting() < MOST_BYTES / 2:
                return view
        time.sleep(_IDLE_S)


def _seconds(devices: int) -> Iterator[_Record]:
    for session in (1, 2):  # a device that begins anew may count from 0 again
        load = Load(devices, 1, session * NS)
        for flush in range(_LOOP_S * FLUSHES_A_SECOND):
            for bundle in load.bundles(flush):
                yield _Record(topics.INGEST.name, bundle.encode())


async def _echo(listening: socket.socket) -> None:
    async def answer(line: ServerConnection) -> None:
        async for message in line:
            await line.send(message)

    async with serve(answer, sock=listening, compression=None, max_size=None) as server:
        await server.serve_forever()


if __name__ == "__main__":
    main()
