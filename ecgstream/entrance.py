"""Where connections come in: how many there may be, and who gives way to whom.

Bounds stand at the socket, before TLS and any protocol, so that they hold for all of them. Who comes in is a
**stranger** until a device was admitted on the connection. Where there are as many as may be, the stranger
who has waited the longest gives way to who comes next, so that ten thousand connections that say nothing keep
no device out. Where there are devices only, who comes next is turned away.

All of it is called from the loop of asyncio that accepts.
"""

import math
import resource
import socket
import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST = 2000
"""Connections of an entrance."""
SILENT_S = 60.0
"""How long one of HTTP may go without an answer."""
BACKLOG = 256
"""How many may wait to come in, and how many asyncio lets in at a turn of its loop.

Somebody who speaks at once is heard some turns later, while far fewer than ``MOST`` have come behind them.
"""
_CLOSING = 4 * BACKLOG
"""How many may be on their way out beside them: a connection that was ended is closed some turns later."""
_OTHER_FILES = 256
"""What a gateway has open beside connections."""
_SAY_S = 10.0

Peer = tuple[str, int]
"""Host and port at the other end, which are one connection's as long as it is there."""

log = structlog.get_logger()


class Visitor(socket.socket):
    """A connection that came in; ``heard_s``: when it last was of use, by the entrance's clock."""

    def __init__(self, accepted: socket.socket, heard_s: float, left: Callable[["Visitor"], None]) -> None:
        super().__init__(fileno=accepted.detach())
        self.heard_s = heard_s
        self._left = left

    def close(self) -> None:
        """Close it, which its entrance hears of."""
        if self.fileno() >= 0:
            super().close()
            self._left(self)


class Entrance(socket.socket):
    """A socket that listens, whose ``accept`` keeps the bounds.

    Args:
        listening: what it takes over.
        most: connections at once.
        silent_s: a connection that was of no use for longer is closed by ``look``.
        now_s: a clock that never goes back, s.
    """

    def __init__(
        self,
        listening: socket.socket,
        most: int = MOST,
        *,
        silent_s: float = math.inf,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(fileno=listening.detach())
        self._most = most
        self._silent_s = silent_s
        self._now_s = now_s
        self._strangers: OrderedDict[Peer, Visitor] = OrderedDict()
        self._guests: dict[Peer, Visitor] = {}
        self._open = 0
        self._closed_why: Counter[str] = Counter()
        self._said_s = -math.inf

    @property
    def visitors(self) -> int:
        """How many connections there are."""
        return len(self._strangers) + len(self._guests)

    def accept(self) -> tuple[socket.socket, Any]:
        """Let the next one in.

        Raises:
            ConnectionAbortedError: it was turned away; asyncio goes on.
            OSError: as that of any socket.
        """
        accepted, address = super().accept()
        is_full = self.visitors >= self._most
        if self._open >= self._most + _CLOSING or (is_full and not self._make_room()):
            accepted.close()
            self._closed_why["turned_away"] += 1
            raise ConnectionAbortedError("there are as many as may be")
        peer = address[:2]
        visitor = Visitor(accepted, self._now_s(), lambda gone: self._forget(peer, gone))
        self._strangers[peer] = visitor
        self._open += 1
        return visitor, address

    def admit(self, peer: Peer) -> None:
        """Hear that a device was admitted on a connection, or is being answered there."""
        visitor = self._strangers.pop(peer, None) or self._guests.get(peer)
        if visitor is not None:
            visitor.heard_s = self._now_s()
            self._guests[peer] = visitor

    def doubt(self, peer: Peer) -> None:
        """Hear that nobody was admitted there after all."""
        visitor = self._guests.pop(peer, None)
        if visitor is not None:
            self._strangers[peer] = visitor

    def look(self) -> None:
        """Close what was of no use for too long; say now and then how many were closed, and why."""
        now_s = self._now_s()
        for visitor in [*self._strangers.values(), *self._guests.values()]:
            if now_s - visitor.heard_s > self._silent_s:
                self._end(visitor, "silent")
        if self._closed_why and now_s - self._said_s >= _SAY_S:
            self._said_s = now_s
            log.warning("connections_closed", port=self.getsockname()[1], **self._closed_why)
            self._closed_why.clear()

    def _make_room(self) -> bool:
        """Let the first stranger go; return whether there is one."""
        if not self._strangers:
            return False
        _, visitor = self._strangers.popitem(last=False)
        self._end(visitor, "gave_way")
        return True

    def _end(self, visitor: Visitor, why: str) -> None:
        """End a connection: its own transport finds it ended, and closes it."""
        self._closed_why[why] += 1
        visitor.heard_s = math.inf  # once is enough
        with suppress(OSError):
            visitor.shutdown(socket.SHUT_RDWR)

    def _forget(self, peer: Peer, gone: Visitor) -> None:
        self._open -= 1
        for known in (self._strangers, self._guests):
            if known.get(peer) is gone:
                del known[peer]


class Answering:
    """An application whose answers tell an entrance who is a device: only those are answered below 400.

    What is asked for without a key (GET) makes nobody a guest.
    """

    def __init__(self, app: ASGIApp, entrance: Entrance) -> None:
        self._app = app
        self._entrance = entrance

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        peer = scope.get("client")
        if scope["type"] != "http" or peer is None:
            await self._app(scope, receive, send)
            return
        status = 500

        async def with_status(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        self._entrance.admit(peer)  # who is being answered gives way to nobody
        try:
            await self._app(scope, receive, with_status)
        finally:
            self._entrance.admit(peer)
            if scope["method"] != "POST" or status >= 400:
                self._entrance.doubt(peer)


def connections_for(entrances: int) -> int:
    """Return how many connections each entrance may have; let the process open as many files."""
    wanted = entrances * (MOST + _CLOSING) + _OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < limit:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    if limit == wanted:
        return MOST
    each = max(1, (limit - _OTHER_FILES) // max(1, entrances) - _CLOSING)
    log.warning("few_connections", each=each, files=limit, wanted_files=wanted)
    return each
