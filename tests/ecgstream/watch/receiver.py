"""Whoever is told: an HTTP server that notes what it was asked, and answers as it is made to."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Request:
    at_s: float
    method: str
    path: str
    key: str
    page: dict[str, Any]


class Receiver:
    """A server on loopback, as long as it is entered."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.status = 200
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._take("GET", {})

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self._take("POST", json.loads(body))

            def _take(self, method: str, page: dict[str, Any]) -> None:
                key = self.headers.get("Idempotency-Key") or ""
                receiver.requests.append(Request(time.monotonic(), method, self.path, key, page))
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def __enter__(self) -> Receiver:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def url(self, path: str = "/hook") -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}{path}"

    def pages(self, condition: str = "", what: str = "") -> list[Request]:
        """Return the pages taken, those repeated under the same key once."""
        first = {r.key: r for r in reversed(self.requests) if r.method == "POST"}
        found = sorted(first.values(), key=lambda r: r.at_s)
        return [r for r in found if condition in ("", r.page["condition"]) and what in ("", r.page["what"])]

    def beats(self) -> list[Request]:
        return [r for r in self.requests if r.method == "GET"]


def until(
    holds: Callable[[], object], why: Callable[[], object] = lambda: "", patience_s: float = 10
) -> None:
    deadline = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < deadline, why()
        time.sleep(0.02)
