"""Telling people: pages by the webhook, and the dead man's switch. Neither needs Kafka or the database."""

import threading
from collections.abc import Callable, Sequence

import httpx
import structlog

from alerts.notify import NotifyError, Page
from ecgstream.watch import metrics
from ecgstream.watch.book import Book

FIRST_BACKOFF_S = 1.0
MAX_BACKOFF_S = 15.0
WAIT_S = 1.0
CALL_TIMEOUT_S = 5.0
LOOK_AROUND_S = 60
"""How long a watch may take for its first looks, before it says that it is blind."""

log = structlog.get_logger()


class Teller:
    """Sends what the book holds, again and again until the receiver has it.

    Args:
        send: raises ``NotifyError``.
        clock: s.
    """

    def __init__(self, book: Book, send: Callable[[Page], None], clock: Callable[[], float]) -> None:
        self._book = book
        self._send = send
        self._clock = clock
        self._failing_since_s: float | None = None

    @property
    def failing_s(self) -> float:
        """For how long nothing could be told; 0: it can, as far as is known."""
        since_s = self._failing_since_s
        return 0.0 if since_s is None else self._clock() - since_s

    def run(self, stop: threading.Event) -> None:
        """Send until ``stop`` is set."""
        backoff_s = 0.0
        while not stop.wait(backoff_s):
            page = self._book.next(WAIT_S)
            if page is not None:
                backoff_s = self._attempt(page, backoff_s)

    def _attempt(self, page: Page, backoff_s: float) -> float:
        """Send one; return the s to wait before the next attempt."""
        try:
            self._send(page)
        except NotifyError as error:
            if self._failing_since_s is None:
                self._failing_since_s = self._clock()
            metrics.PAGES.labels("failed", str(error.reason)).inc()
            # What cannot help now may help later: somebody mends the receiver. A page is never given up.
            wait_s = (
                min(max(2 * backoff_s, FIRST_BACKOFF_S), MAX_BACKOFF_S) if error.retryable else MAX_BACKOFF_S
            )
            log.warning(
                "page_not_taken", alert=page.alert, condition=page.condition, reason=str(error.reason)
            )
            return wait_s
        self._failing_since_s = None
        self._book.told(page)
        metrics.PAGES.labels("sent", "").inc()
        log.info("page_taken", alert=page.alert, condition=page.condition, what=page.what)
        return 0.0


class Heartbeat:
    """Calls the dead man's switch while the watch works and can see; else it is silent, and that is the news.

    Args:
        url: called by GET; it holds a token, and is part of no log line.
        blind: says why the watch cannot see, or cannot tell; nothing: it can.
    """

    def __init__(self, url: str, every_s: float, blind: Callable[[], Sequence[str]]) -> None:
        self._url = url
        self._every_s = every_s
        self._blind = blind
        self._said: Sequence[str] = ()
        self._client = httpx.Client(timeout=CALL_TIMEOUT_S, limits=httpx.Limits(max_keepalive_connections=0))

    def run(self, stop: threading.Event) -> None:
        """Call until ``stop`` is set; a watch that has just started looks around first."""
        waited = 0
        while self._blind() and waited < LOOK_AROUND_S and not stop.wait(1.0):
            waited += 1
        while not stop.is_set():
            self.beat()
            stop.wait(self._every_s)
        self._client.close()

    def beat(self) -> None:
        """Call once, if all is well with the watch."""
        blind = self._blind()
        metrics.BLIND.set(bool(blind))
        if blind and blind != self._said:
            log.error("watch_is_blind", reasons=list(blind))
        self._said = blind
        if blind or not self._url:
            return
        try:
            with self._client.stream("GET", self._url) as answer:
                taken, why = answer.is_success, f"status {answer.status_code}"
        except httpx.HTTPError as error:
            taken, why = False, type(error).__name__
        metrics.HEARTBEATS.labels("taken" if taken else "failed").inc()
        if not taken:
            log.warning("heartbeat_not_taken", reason=why)
