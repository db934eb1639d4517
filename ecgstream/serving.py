"""What servers of ours have in common: how they listen, what bounds them, what every answer carries.

They speak plain HTTP, on loopback unless told otherwise: TLS is the business of what stands in front.
"""

import socket
import sys
from collections.abc import Mapping
from typing import Any

import h11
import uvicorn
from prometheus_client import Counter
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from ecgstream.settings import PREFIX

_AT_ONCE = 500
"""Connections; further ones are answered 503."""
_BACKLOG = 1024


def listen(service: str, host: str, port: int) -> socket.socket:
    """Return a socket that listens, or end the process with one line that says what to do."""
    try:
        return listening(host, port)
    except OSError as error:
        sys.exit(
            f"ecgstream {service}: cannot listen on {host}:{port} ({error.strerror}): "
            f"set {PREFIX}{service.upper()}_PORT"
        )


def listening(host: str, port: int) -> socket.socket:
    """Return a socket of TCP that listens.

    It names its protocol, which ``socket.create_server`` leaves open: only then asyncio sets TCP_NODELAY on
    what it accepts, and without that small answers wait for the other side's delayed acknowledgement.

    Raises:
        OSError: nobody can listen there.

    >>> with listening("127.0.0.1", 0) as made:
    ...     made.proto == socket.IPPROTO_TCP
    True
    """
    wanted = {"type": socket.SOCK_STREAM, "proto": socket.IPPROTO_TCP, "flags": socket.AI_PASSIVE}
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, **wanted)[0]
    made = socket.socket(family, kind, protocol)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
        made.listen(_BACKLOG)
    except OSError:
        made.close()
        raise
    return made


class Http(H11Protocol):
    """Uvicorn's HTTP, which also closes a request of which the rest is none after it has been answered.

    Uvicorn would answer it once more, which its own parser refuses with an error that nobody catches.
    """

    def send_400_response(self, msg: str) -> None:
        """Refuse, if there is no answer yet; close."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            super().send_400_response(msg)
        else:
            self.transport.close()


def make_server(app: ASGIApp, at_once: int | None = _AT_ONCE, **more: Any) -> uvicorn.Server:
    """Return a server; it is run on a thread of its own with the socket that it listens on.

    Args:
        app: what answers.
        at_once: connections; further ones are answered 503. None: they are bounded where they come in.
        more: settings of uvicorn's.
    """
    config = uvicorn.Config(
        app,
        http=Http,
        log_config=None,
        access_log=False,  # an address that is asked for may be a link, which is a secret
        server_header=False,
        proxy_headers=False,
        limit_concurrency=at_once,
        timeout_keep_alive=10,
        timeout_graceful_shutdown=5,
        lifespan="off",
        **more,
    )
    return uvicorn.Server(config)


class Headers:
    """Puts headers on every answer, errors too, and counts answers by status.

    Args:
        app: what answers.
        headers: name to value.
        answers: has the label ``status``.
    """

    def __init__(self, app: ASGIApp, headers: Mapping[str, str], answers: Counter) -> None:
        self._app = app
        self._headers = headers
        self._answers = answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self._headers)
                self._answers.labels(message["status"]).inc()
            await send(message)

        await self._app(scope, receive, with_headers)
