"""A receiver of pages: a real HTTP server on loopback that can be slow, wrong, or away."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

Answer = Callable[["Handler"], None]


def status(code: int, body: bytes = b"{}") -> Answer:
    def answer(handler: Handler) -> None:
        handler.send_response(code)
        handler.send_header("Content-Length", str(len(body)))
        if code == 302:
            handler.send_header("Location", "/elsewhere")
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def hang_up(handler: Handler) -> None:
    """End the connection without a word."""
    handler.connection.shutdown(socket.SHUT_RDWR)


def say_nothing(handler: Handler) -> None:
    """Take the page, and answer when the test is over."""
    handler.server.receiver.over.wait(30)  # type: ignore[attr-defined]


def drip(handler: Handler) -> None:
    """Answer a byte at a time, for as long as somebody listens."""
    for byte in b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 10_000:
        if handler.server.receiver.over.wait(0.05):  # type: ignore[attr-defined]
            return
        try:
            handler.wfile.write(bytes([byte]))
        except OSError:
            return


def slow(handler: Handler) -> None:
    """Take the page, and answer late, but in time."""
    handler.server.receiver.over.wait(0.2)  # type: ignore[attr-defined]
    status(200)(handler)


def twice(handler: Handler) -> None:
    """Answer once too often."""
    status(200)(handler)
    status(500)(handler)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        receiver: Receiver = self.server.receiver  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers["Content-Length"]))
        receiver.take(self, json.loads(body))

    def log_message(self, *_: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    def handle_error(self, *_: Any) -> None:
        pass  # who has hung up hears no answer


class Receiver:
    """Answers requests with what ``answers`` gives, then with 200; keeps the pages that it took.

    Attributes:
        raw: every page that came, with its key.
        pages: those it said that it took, without repeats, by key.
    """

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.raw: list[tuple[str, dict[str, Any]]] = []
        self.pages: dict[str, dict[str, Any]] = {}
        self.headers: list[dict[str, str]] = []
        self.over = threading.Event()
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.receiver = self  # type: ignore[attr-defined]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/hook/secret-token"

    def take(self, handler: Handler, page: dict[str, Any]) -> None:
        key = handler.headers["Idempotency-Key"]
        with self._lock:
            self.raw.append((key, page))
            self.headers.append(dict(handler.headers))
            answer = self.next_answer(page)
            if answer is not hang_up and answer is not say_nothing:
                self.pages.setdefault(key, page)
        answer(handler)

    def next_answer(self, page: dict[str, Any]) -> Answer:
        return self.answers.pop(0) if self.answers else status(200)

    def __enter__(self) -> Receiver:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)
