"""The one who is paged: a webhook that keeps what it was told, and fails at times.

How it answers follows from the seed, the key and how often that key came before, so that a run that is
repeated meets the same. It never fails a key more than twice in a row: a page comes late, but it comes.
"""

import json
import threading
from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from alerts.channels.http import IDEMPOTENCY_KEY

_FAILURES_IN_A_ROW = 2
_SHARES = ((0.15, "refused"), (0.30, "unheard"))


class Answer(StrEnum):
    """What the receiver does with a request.

    ``UNHEARD``: it takes the page and hangs up before it says so. The sender cannot know, and sends it again.
    """

    TAKEN = "taken"
    REFUSED = "refused"
    UNHEARD = "unheard"


@dataclass(frozen=True, slots=True)
class Post:
    """A request: its idempotency key, its body, how it was answered."""

    key: str
    body: dict[str, Any]
    answer: Answer


class Receiver:
    """Listens on loopback.

    Args:
        seed: of its failures.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._lock = threading.Lock()
        self._posts: list[Post] = []
        self._tries: dict[str, int] = {}
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver._take(self)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, name="receiver", daemon=True)

    @property
    def url(self) -> str:
        """Where pages are posted to."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/page"

    def posts(self) -> list[Post]:
        """Return all requests so far."""
        with self._lock:
            return list(self._posts)

    def __enter__(self) -> "Receiver":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _take(self, handler: BaseHTTPRequestHandler) -> None:
        body = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
        key = handler.headers[IDEMPOTENCY_KEY]
        with self._lock:
            tried = self._tries.get(key, 0)
            self._tries[key] = tried + 1
            answer = answer_to(self._seed, key, tried)
            self._posts.append(Post(key, body, answer))
        if answer is Answer.UNHEARD:
            handler.close_connection = True
            return
        handler.send_response(204 if answer is Answer.TAKEN else 503)
        handler.send_header("Content-Length", "0")
        handler.end_headers()


def answer_to(seed: int, key: str, tried: int) -> Answer:
    """Return how a request is answered whose key came ``tried`` times before.

    >>> [answer_to(1, "a key", tried) for tried in (2, 3)]
    [<Answer.TAKEN: 'taken'>, <Answer.TAKEN: 'taken'>]
    """
    if tried >= _FAILURES_IN_A_ROW:
        return Answer.TAKEN
    drawn = int.from_bytes(blake2b(f"{seed} {key} {tried}".encode(), digest_size=4).digest()) / 2**32
    return next((Answer(name) for share, name in _SHARES if drawn < share), Answer.TAKEN)
