"""Sees what apprise's plugins ask the web, and what the web answers.

A plugin says no more than whether it believes that it has sent: not why not, and some believe so whatever the
answer says. All of them go through ``requests``, which has no hook for a whole process; so its one door is
watched here, for the threads that have a ``Witness`` and for no other.
"""

import functools
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import requests
import urllib3

from alerts.channels.http import IDEMPOTENCY_KEY
from alerts.notify import NotifyError, Reason

for _name in ("urllib3", "requests", "requests_oauthlib"):  # they log addresses
    logging.getLogger(_name).setLevel(logging.CRITICAL + 1)


class Witness:
    """What was seen of one attempt.

    Args:
        key: idempotency key, for the header of every request.

    Attributes:
        statuses: of the answers, in their order.
        answer: the last one, decoded; None: it is no JSON, or there was none.
        failure: the last one on the way.
    """

    def __init__(self, key: str) -> None:
        self.key = key
        self.statuses: list[int] = []
        self.answer: Any = None
        self.failure: NotifyError | None = None

    def take(self, response: requests.Response) -> None:
        """Take note of an answer."""
        self.statuses.append(response.status_code)
        try:
            self.answer = json.loads(response.content)
        except ValueError:
            self.answer = None


_WITNESS: ContextVar[Witness | None] = ContextVar("witness", default=None)


@contextmanager
def watching(witness: Witness) -> Iterator[None]:
    """Let a witness see what this thread asks."""
    token = _WITNESS.set(witness)
    try:
        yield
    finally:
        _WITNESS.reset(token)


def _watched(send: Callable[..., requests.Response]) -> Callable[..., requests.Response]:
    @functools.wraps(send)
    def watched(
        session: requests.Session, request: requests.PreparedRequest, **kwargs: Any
    ) -> requests.Response:
        witness = _WITNESS.get()
        if witness is None:
            return send(session, request, **kwargs)
        request.headers[IDEMPOTENCY_KEY] = witness.key
        try:
            # A redirected POST may arrive without its body.
            response = send(session, request, **kwargs | {"allow_redirects": False})
        except requests.RequestException as error:
            witness.failure = _failure(error)
            raise
        witness.take(response)
        return response

    return watched


requests.Session.send = _watched(requests.Session.send)  # type: ignore[method-assign]


def _failure(error: requests.RequestException) -> NotifyError:
    """Return what an error on the way means; all of them may pass."""
    if isinstance(error, requests.Timeout):
        return NotifyError(Reason.TIMEOUT, retryable=True)
    if not isinstance(error, requests.ConnectionError):
        return NotifyError(Reason.NO_HTTP, retryable=True)
    cause = error.args[0] if error.args else None
    broken = isinstance(cause, urllib3.exceptions.ProtocolError)
    return NotifyError(Reason.BROKEN_OFF if broken else Reason.UNREACHABLE, retryable=True)
