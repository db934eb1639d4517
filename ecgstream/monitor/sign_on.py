"""Logging in by an OpenID Connect provider: it says who somebody is, never what they may see or do.

The browser goes there and comes back from another site, which a cookie with ``SameSite=Strict`` does not
survive. So a login that has begun has a cookie of its own, ``Lax`` and good once; and the answer is a page of
ours that leads on, for browsers send a new session's cookie only where one of our own pages leads.
"""

import hashlib
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, NamedTuple

import psycopg
import structlog
from anyio import to_thread
from psycopg_pool import PoolTimeout
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from ecgstream.monitor import metrics
from ecgstream.monitor.guard import here
from ecgstream.monitor.login import Login
from ecgstream.monitor.provider import Asked, AwayError, Provider, Told, UntrueError
from ecgstream.monitor.shell import Shell
from ecgstream.monitor.stored import Stored
from ecgstream.monitor.wording import language_of

BACK = "/login/provider/back"
BEGUN_S = 600.0
"""So long somebody may take at the provider."""
MOST_BEGUN = 10_000
"""Logins that have begun; the oldest is forgotten."""

log = structlog.get_logger()


class Begun:
    """Logins that have begun, by the digest of their cookie; each is good once.

    Args:
        clock_s: steady.
    """

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._lock = threading.Lock()

    def keep(self, asked: Asked) -> str:
        """Return the cookie of a login that begins."""
        cookie = secrets.token_urlsafe(32)
        with self._lock:
            self._kept[_digest(cookie)] = _Kept(asked, self._clock_s())
            while len(self._kept) > MOST_BEGUN:
                self._kept.popitem(last=False)
        return cookie

    def take(self, cookie: str, state: str) -> Asked | None:
        """Return the login that an answer belongs to, and forget it; None: there is none."""
        with self._lock:
            kept = self._kept.pop(_digest(cookie), None)
        if kept is None or self._clock_s() - kept.began_s >= BEGUN_S:
            return None
        return kept.asked if secrets.compare_digest(kept.asked.state.encode(), state.encode()) else None


class _Kept(NamedTuple):
    asked: Asked
    began_s: float


class SignOn:
    """The way to the provider and back.

    Args:
        shell: draws pages.
        stored: knows the accounts.
        login: what is shown to whom is not let in.
        provider: who is asked.
        begun: what has begun.
    """

    def __init__(
        self, shell: Shell, stored: Stored, login: Login, provider: Provider, begun: Begun | None = None
    ) -> None:
        self._shell = shell
        self._guard = shell.guard
        self._stored = stored
        self._login = login
        self._provider = provider
        self._begun = begun or Begun()

    @property
    def routes(self) -> list[BaseRoute]:
        """Where they are."""
        return [
            Route("/login/provider", self._ask, methods=["GET"]),
            Route(BACK, self._hear, methods=["GET"]),
        ]

    async def _ask(self, request: Request) -> Response:
        to = here(request.query_params.get("to", "/"))
        if not self._guard.is_ours(request):
            return self._refused(request, to, "login.provider.again", HTTPStatus.FORBIDDEN)
        try:
            asked = await self._provider.ask(self._guard.address_of(request) + BACK, to, language_of(request))
        except AwayError as error:
            return self._away(request, to, error)
        response = RedirectResponse(asked.url, HTTPStatus.SEE_OTHER)
        cookie = self._begun.keep(asked)
        response.set_cookie(self._cookie, cookie, max_age=int(BEGUN_S), **self._flags)
        return response

    async def _hear(self, request: Request) -> Response:
        said = request.query_params
        asked = self._begun.take(request.cookies.get(self._cookie, ""), said.get("state", ""))
        if asked is None:
            log.warning("login_not_begun")
            return self._refused(request, "/", "login.provider.again", HTTPStatus.FORBIDDEN)
        try:
            told = await self._told(asked, said.get("code", ""), said.get("iss", self._provider.issuer))
            zone = await to_thread.run_sync(self._zone, told)
        except AwayError as error:
            return self._away(request, asked.to, error)
        except UntrueError as error:
            log.warning("provider_not_believed", why=str(error))
            return self._refused(request, asked.to, "login.provider.untrue", HTTPStatus.FORBIDDEN)
        except (psycopg.OperationalError, PoolTimeout) as error:
            log.warning("database_away", error=type(error).__name__)
            return self._refused(request, asked.to, "refused.database", HTTPStatus.SERVICE_UNAVAILABLE)
        if zone is None:
            log.warning("unknown_at_provider")  # the name is somebody's, of whom we know nothing
            return self._refused(request, asked.to, "login.provider.unknown", HTTPStatus.FORBIDDEN)
        metrics.LOGINS.labels("right").inc()
        log.info("logged_in", account=told.name, by="provider")
        response = self._shell.page(request, "arrived.html", {"to": asked.to})
        self._guard.let_in(response, told.name, zone)
        response.delete_cookie(self._cookie, **self._flags)
        return response

    async def _told(self, asked: Asked, code: str, issuer: str) -> Told:
        if issuer != self._provider.issuer:  # RFC 9207
            raise UntrueError("an answer of another issuer")
        if not code:  # somebody has turned back there, or may not use this
            raise UntrueError("an answer without code")
        return await self._provider.hear(asked, code)

    def _zone(self, told: Told) -> str | None:
        """Return the time zone of whom the provider names, None: they have no account that is open."""
        if not self._stored.is_at(*told):
            return None
        self._guard.reads.login(told.name, "provider")
        return self._stored.zone_of(told.name)

    def _away(self, request: Request, to: str, error: AwayError) -> Response:
        log.warning("provider_away", why=str(error))
        return self._refused(request, to, "login.provider.away", HTTPStatus.SERVICE_UNAVAILABLE)

    def _refused(self, request: Request, to: str, said: str, status: HTTPStatus) -> Response:
        metrics.LOGINS.labels("wrong").inc()
        response = self._login.form(request, to, said, status)
        response.delete_cookie(self._cookie, **self._flags)
        return response

    @property
    def _flags(self) -> dict[str, Any]:
        return self._guard.cookie_flags | {"samesite": "lax"}

    @property
    def _cookie(self) -> str:
        return "__Host-begun" if self._guard.cookie_flags["secure"] else "begun"


def _digest(cookie: str) -> str:
    return hashlib.sha256(cookie.encode("utf-8", "replace")).hexdigest()
