"""A server on loopback for a test."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from starlette.types import ASGIApp

from ecgstream.serving import make_server


@contextmanager
def served(app: ASGIApp) -> Iterator[httpx.Client]:
    """Give a client of an application that is served."""
    server, listening = make_server(app), socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    try:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with httpx.Client(base_url=url, trust_env=False, timeout=60) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()
        listening.close()
