"""The endpoint ``/live``: one WebSocket a screen, binary to it (``frames``), small JSON from it.

A screen says ``{"show": [device, …]}``, at most ``MOST_SHOWN``; with ``"whole": [device, …]``, at most
``MOST_WHOLE``, all leads and the beats of these; what it may not see is left out. How it ends:

* 1007, 1008: what it said is no JSON, or asks for what there is not; it has not read for ``STALL_S``;
* 1013: there are too many screens;
* 4401: whoever looks is not logged in, or not any more.

A stranger's page is refused before (``Origin``). A screen that does not read loses signals (``view``), then
its place; it slows nobody.
"""

import asyncio
import json
import socket
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import psycopg
import structlog
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection
from starlette.websockets import WebSocket, WebSocketDisconnect

from ecgstream.monitor import metrics
from ecgstream.monitor.live.hub import Hub
from ecgstream.monitor.live.view import Bed, View, Watch
from ecgstream.monitor.reads import Reads
from ecgstream.monitor.viewer import Viewer

MOST_SHOWN = 64
MOST_WHOLE = 4
MOST_SCREENS = 1000
STALL_S = 30.0
CHECK_S, ACCESS_S = 5.0, 20.0
"""How often it is asked whether the viewer is still logged in, and what they may see."""
PACE_S = 0.1
"""So long what arrives is gathered; who is behind is not made to wait."""
_BEHIND_BYTES = 65_536
_WRITTEN_BYTES = 262_144
_LONGEST_WORD = 16_384
_BREATH_S = 0.2
"""Between two wishes of a screen: each may bring the whole ring of 64 devices."""

UVICORN: dict[str, Any] = {
    "ws": "websockets-sansio",
    "ws_max_size": _LONGEST_WORD,
    # int16 of an ECG gets little smaller, and each screen would cost a window and a core's share of its own.
    "ws_per_message_deflate": False,
}
"""How the server must be set for this endpoint."""

INVALID, REFUSED, TRY_LATER, FAILED = 1007, 1008, 1013, 1011
NOT_LOGGED_IN = 4401

log = structlog.get_logger()


def bound(listening: socket.socket) -> None:
    """Bound what the kernel holds for a screen, and for how long.

    It would let megabytes wait, which are old when a slow line brings them. And a connection whose other side
    takes nothing can only be closed behind what was written to it: so the kernel ends it.
    """
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _WRITTEN_BYTES)  # accepted sockets inherit both
    if sys.platform == "linux":
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(STALL_S * 1000))


class LiveSocket:
    """The endpoint.

    Args:
        hub: what is shown.
        viewer_of: who looks; None: nobody who is logged in. It may wait for the database, as ``beds_of``.
        beds_of: what they may see; it may wait for the database, and raises ``psycopg.Error``. While that is
            away, a screen that is open keeps what it had, and says so.
        reads: notes who sees what.
    """

    def __init__(
        self,
        hub: Hub,
        viewer_of: Callable[[HTTPConnection], Viewer | None],
        beds_of: Callable[[Viewer], Mapping[str, Bed]],
        reads: Reads,
    ) -> None:
        self._reads = reads
        self._hub = hub
        self._viewer_of = viewer_of
        self._beds_of = beds_of
        self._screens = 0

    async def serve(self, websocket: WebSocket) -> None:
        """Serve one screen until it goes, or must go."""
        if not is_of_this_site(websocket):
            await websocket.close(REFUSED)  # before it is accepted: 403
            return
        await websocket.accept()
        code = await self._serve(websocket)
        if code is not None:
            try:
                async with asyncio.timeout(1.0):  # one that does not read does not hear this either
                    await websocket.close(code)
            except (TimeoutError, RuntimeError, WebSocketDisconnect):
                return

    async def _serve(self, websocket: WebSocket) -> int | None:
        """Return by which code to close; None: it has gone by itself."""
        try:
            viewer = await run_in_threadpool(self._viewer_of, websocket)
        except psycopg.OperationalError as error:
            log.warning("viewer_unknown", error=type(error).__name__)
            return FAILED
        if viewer is None:
            return NOT_LOGGED_IN
        if self._screens >= MOST_SCREENS:
            log.warning("too_many_screens", screens=self._screens)
            metrics.DROPPED.labels("full").inc()
            return TRY_LATER
        self._screens += 1
        metrics.VIEWERS.set(self._screens)
        try:
            beds = await run_in_threadpool(self._beds_of, viewer)
            with self._hub.viewing(beds) as view:
                return await _first(
                    self._send(websocket, view),
                    self._hear(websocket, view, viewer),
                    self._check(websocket, view, viewer),
                )
        except psycopg.Error as error:
            log.warning("beds_unknown", error=type(error).__name__)
            return FAILED
        finally:
            self._screens -= 1
            metrics.VIEWERS.set(self._screens)

    async def _send(self, websocket: WebSocket, view: View) -> int | None:
        while True:
            message = view.take(time.time_ns() / 1_000_000, self._hub.is_current)
            if message:
                try:
                    async with asyncio.timeout(STALL_S):
                        await websocket.send_bytes(message)
                except TimeoutError:
                    log.info("screen_stalled")
                    metrics.DROPPED.labels("stalled").inc()
                    return REFUSED
                except WebSocketDisconnect:
                    return None
            await asyncio.sleep(PACE_S if len(message) < _BEHIND_BYTES else 0)

    async def _hear(self, websocket: WebSocket, view: View, viewer: Viewer) -> int | None:
        noted: set[Watch] = set()
        while True:
            said = await websocket.receive()
            if said["type"] == "websocket.disconnect":
                return None
            try:
                wanted = wish(said.get("text") or "")
            except json.JSONDecodeError:
                return INVALID
            except ValueError:
                return REFUSED
            if new := {watch for watch in wanted if watch.device in view.beds} - noted:
                noted |= new
                whole = {watch.device for watch in new if watch.whole}
                await run_in_threadpool(self._reads.screen, viewer, {watch.device for watch in new}, whole)
            self._hub.show(view, wanted)
            await asyncio.sleep(_BREATH_S)

    async def _check(self, websocket: WebSocket, view: View, viewer: Viewer) -> int | None:
        asked_s = time.monotonic()
        while True:
            await asyncio.sleep(CHECK_S)
            await run_in_threadpool(self._reads.catch_up)
            try:
                found = await run_in_threadpool(self._viewer_of, websocket)
                if found is None or found.account != viewer.account:
                    return NOT_LOGGED_IN
                if not view.is_away and time.monotonic() - asked_s < ACCESS_S:
                    continue
                asked_s = time.monotonic()
                self._hub.allow(view, await run_in_threadpool(self._beds_of, viewer))
                view.is_away = False
            except psycopg.OperationalError as error:
                view.is_away = True
                log.warning("beds_unknown", error=type(error).__name__)


def is_of_this_site(connection: HTTPConnection) -> bool:
    """Return whether a page of this very host asks; browsers always say which page does."""
    origin = urlsplit(connection.headers.get("origin", ""))
    return origin.scheme in ("http", "https") and origin.netloc == connection.headers.get("host")


def wish(text: str) -> list[Watch]:
    """Return what a screen wants to show.

    >>> wish('{"show": ["sim-02"], "whole": ["sim-03"]}')
    [Watch(device='sim-02', whole=False), Watch(device='sim-03', whole=True)]

    Raises:
        json.JSONDecodeError: this is no JSON.
        ValueError: it is, and wants something else.
    """
    try:
        said = json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(said, dict) or not {"show"} <= said.keys() <= {"show", "whole"}:
        raise ValueError("not {'show': …, 'whole': …}")
    shown, whole = _devices(said["show"], MOST_SHOWN), _devices(said.get("whole", []), MOST_WHOLE)
    return [*(Watch(name) for name in shown), *(Watch(name, whole=True) for name in whole)]


def _devices(said: Any, most: int) -> list[str]:
    if not isinstance(said, list) or len(said) > most:
        raise ValueError(f"no list of at most {most}")
    if not all(isinstance(name, str) for name in said):
        raise ValueError("a device that is no text")
    return said


async def _first(*works: Any) -> int | None:
    """Return what the first to end returns, and end the others."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        code: int | None = next(iter(done)).result()
        return code
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
