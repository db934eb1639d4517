"""A POST that ends in time, and what its end means."""

import logging
import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Any

import httpx

from alerts.notify import NotifyError, Reason

IDEMPOTENCY_KEY = "Idempotency-Key"
"""The header that carries a page's key (draft-ietf-httpapi-idempotency-key-header)."""
_CLIENT_ERRORS_THAT_PASS = (httpx.codes.REQUEST_TIMEOUT, httpx.codes.TOO_EARLY)

for _name in ("httpx", "httpcore"):  # they log addresses
    logging.getLogger(_name).setLevel(logging.WARNING)


class Poster:
    """Posts to an address; one thread at a time.

    Args:
        url: http or https.
        timeout_s: of an attempt as a whole, from the connection to the answer.
        client: another HTTP client than its own, for tests.

    Raises:
        ValueError: the address is none.
    """

    def __init__(self, url: str, *, timeout_s: float, client: httpx.Client | None = None) -> None:
        self._url = _address(url)
        self._timeout_s = timeout_s
        # A connection a page: pages are rare, and one that was kept open is closed when it is needed.
        self._client = client or httpx.Client(
            timeout=timeout_s, limits=httpx.Limits(max_keepalive_connections=0)
        )

    def post(self, content: bytes, headers: dict[str, str]) -> None:
        """Post; return when the receiver has taken it, which only a status of 2xx says.

        Raises:
            NotifyError: it has not, or not said so.
        """
        with _Deadline(self._timeout_s) as deadline:
            try:
                status = self._status(content, headers, deadline)
            except httpx.HTTPError as error:
                # From None: the error knows the address.
                raise _failure(error, timed_out=deadline.has_passed) from None
        check(status)

    def _status(self, content: bytes, headers: dict[str, str], deadline: "_Deadline") -> int:
        with self._client.stream(
            "POST", self._url, content=content, headers=headers, extensions={"trace": deadline.watch}
        ) as response:
            return response.status_code  # whatever else it says, it may take as long as it likes to say

    def close(self) -> None:
        """Close connections."""
        self._client.close()


def check(status: int) -> None:
    """Say what a status means that is no success.

    The receiver that refuses what we say (4xx) will refuse it again, and a redirected POST may arrive without
    its body: somebody must mend the address.

    Raises:
        NotifyError: it is none.
    """
    if 200 <= status < 300:
        return
    if status == httpx.codes.TOO_MANY_REQUESTS:
        raise NotifyError(Reason.TOO_MANY, retryable=True)
    if status >= 500 or status in _CLIENT_ERRORS_THAT_PASS:
        raise NotifyError(Reason.SERVER_ERROR, retryable=True)
    if status >= 400:
        raise NotifyError(Reason.REFUSED, retryable=False)
    raise NotifyError(Reason.REDIRECTED, retryable=False)


def _address(url: str) -> httpx.URL:
    try:
        found = httpx.URL(url)
    except httpx.InvalidURL:
        found = httpx.URL("")
    if found.scheme not in ("http", "https") or not found.host:
        raise ValueError("a webhook's address has the form https://host/path")
    return found


def _failure(error: httpx.HTTPError, *, timed_out: bool) -> NotifyError:
    """Return what an error on the way means; all of them may pass."""
    if timed_out or isinstance(error, httpx.TimeoutException):
        return NotifyError(Reason.TIMEOUT, retryable=True)
    if isinstance(error, httpx.ConnectError | httpx.ProxyError):
        return NotifyError(Reason.UNREACHABLE, retryable=True)
    if isinstance(error, httpx.NetworkError):
        return NotifyError(Reason.BROKEN_OFF, retryable=True)
    return NotifyError(Reason.NO_HTTP, retryable=True)


class _Deadline:
    """Hangs up when a time is over: httpx's own limits begin anew with each byte that a receiver sends."""

    def __init__(self, after_s: float) -> None:
        self.has_passed = False
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(after_s, self._hang_up)
        self._timer.daemon = True

    def __enter__(self) -> "_Deadline":
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()

    def watch(self, event: str, info: dict[str, Any]) -> None:
        """Take note of the connection; httpx calls this at each step of a request."""
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            self._socket = info["return_value"].get_extra_info("socket")

    def _hang_up(self) -> None:
        self.has_passed = True
        if self._socket is not None:
            with suppress(OSError):  # it is closed already
                # Not TLS's own farewell: the other thread is reading.
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
