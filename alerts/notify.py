"""A page, and the channel that takes it to people.

An attempt succeeds, or fails with an error that says whether a retry can help and why, as in Prometheus
Alertmanager's ``notify`` package. A channel may take a page and fail to say so, and a process may end before
it has written down that a page was taken: then the page is sent again, with the same idempotency key, by
which the receiver drops the repeat.

Neither an address nor anything else that a webhook's address holds is ever part of an error or a log line:
addresses of hooks hold tokens.
"""

import json
import logging
import math
import socket
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import blake2b
from types import TracebackType
from typing import Any
from uuid import UUID

import httpx

from schemas.records import Priority

IDEMPOTENCY_KEY = "Idempotency-Key"
"""The header that carries a page's key (draft-ietf-httpapi-idempotency-key-header)."""
_CLIENT_ERRORS_THAT_PASS = (httpx.codes.REQUEST_TIMEOUT, httpx.codes.TOO_EARLY)

for _name in ("httpx", "httpcore"):  # they log addresses
    logging.getLogger(_name).setLevel(logging.WARNING)


class Reason(StrEnum):
    """Why an attempt failed; a label of metrics."""

    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    BROKEN_OFF = "broken_off"
    TOO_MANY = "too_many_requests"
    SERVER_ERROR = "server_error"
    REFUSED = "refused"
    REDIRECTED = "redirected"
    NO_HTTP = "no_http"
    OTHER = "other"


class NotifyError(Exception):
    """An attempt failed.

    Args:
        reason: why.
        retryable: whether a retry can help.
    """

    def __init__(self, reason: Reason, *, retryable: bool) -> None:
        super().__init__(str(reason))
        self.reason = reason
        self.retryable = retryable


@dataclass(frozen=True, slots=True)
class Page:
    """What is told; never a patient's name.

    Attributes:
        key: idempotency key (``key_of``).
        what: RAISED, LATE, …
        alert: its id.
        patient: pseudonym; empty: unassigned.
        condition: name in the catalogue of ``schemas.conditions``.
        text: all of it for a person.
        onset_ns, decided_ns: device time, UTC ns.
        evidence: what was measured, names with unit.
    """

    key: str
    what: str
    alert: str
    device: str
    patient: str
    condition: str
    priority: Priority
    text: str
    onset_ns: int
    decided_ns: int
    facility: str = ""
    evidence: dict[str, float] = field(default_factory=dict)


def key_of(alert: str, what: str, channel: str) -> str:
    """Return the idempotency key of what is told of an alert over a channel: each repeat has the same.

    >>> key_of("f7cccd15-398d-9263-f452-554e2cbfbcb9", "RAISED", "webhook")
    'c907ba9a-7b83-7608-163c-54b8ca0ecbf9'
    """
    text = f"{alert}\n{what}\n{channel}"
    return str(UUID(bytes=blake2b(text.encode(), digest_size=16).digest()))


def iso(time_ns: int) -> str:
    """Return a time as people read it, in UTC.

    >>> iso(1_700_000_000_250_000_000)
    '2023-11-14T22:13:20.250Z'
    """
    seconds, ns = divmod(time_ns, 1_000_000_000)
    moment = datetime.fromtimestamp(seconds, UTC).replace(microsecond=ns // 1000)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Webhook:
    """Posts pages as JSON to an address; one thread at a time.

    Args:
        url: http or https.
        timeout_s: of an attempt as a whole, from the connection to the answer.
        client: another HTTP client than its own, for tests.

    Raises:
        ValueError: the address is none.
    """

    def __init__(self, url: str, *, timeout_s: float = 5.0, client: httpx.Client | None = None) -> None:
        self._url = _address(url)
        self._timeout_s = timeout_s
        # A connection a page: pages are rare, and one that was kept open is closed when it is needed.
        self._client = client or httpx.Client(
            timeout=timeout_s, limits=httpx.Limits(max_keepalive_connections=0)
        )

    def send(self, page: Page) -> None:
        """Post a page; return when the receiver has taken it, which only a status of 2xx says.

        Raises:
            NotifyError: it has not, or not said so.
        """
        with _Deadline(self._timeout_s) as deadline:
            try:
                status = self._post(page, deadline)
            except httpx.HTTPError as error:
                # From None: the error knows the address.
                raise _failure(error, timed_out=deadline.has_passed) from None
        _check(status)

    def _post(self, page: Page, deadline: "_Deadline") -> int:
        with self._client.stream(
            "POST",
            self._url,
            content=body(page),
            headers={"Content-Type": "application/json", IDEMPOTENCY_KEY: page.key},
            extensions={"trace": deadline.watch},
        ) as response:
            return response.status_code  # whatever else it says, it may take as long as it likes to say

    def close(self) -> None:
        """Close connections."""
        self._client.close()


def body(page: Page) -> bytes:
    """Return a page as JSON; a number that was not measured (NaN), which JSON does not have, as null."""
    evidence = {name: v if math.isfinite(v) else None for name, v in page.evidence.items()}
    told = asdict(page) | {"evidence": evidence, "onset": iso(page.onset_ns), "decided": iso(page.decided_ns)}
    return json.dumps(told, ensure_ascii=False, allow_nan=False).encode()


def _address(url: str) -> httpx.URL:
    try:
        found = httpx.URL(url)
    except httpx.InvalidURL:
        found = httpx.URL("")
    if found.scheme not in ("http", "https") or not found.host:
        raise ValueError("a webhook's address has the form https://host/path")
    return found


def _check(status: int) -> None:
    """Say what a status means that is no success.

    The receiver that refuses what we say (4xx) will refuse it again, and a redirected POST may arrive without
    its body: somebody must mend the address.
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
