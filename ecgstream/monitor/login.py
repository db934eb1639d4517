"""Logging in with a password, logging out, and the language, which may be chosen before."""

import secrets
from http import HTTPStatus

import psycopg
import structlog
from anyio import CapacityLimiter, to_thread
from psycopg_pool import PoolTimeout
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from ecgstream.body import form_of
from ecgstream.monitor import metrics
from ecgstream.monitor.guard import LONGEST_FORM, Asked, here
from ecgstream.monitor.shell import Shell
from ecgstream.monitor.stored import Stored
from ecgstream.monitor.wording import COOKIE, LANGUAGES
from ecgstream.tries import Tries

_AT_ONCE = 2
"""Passwords are looked at by so many threads: each takes 64 MiB for 0.1 s."""
_YEAR_S = 31_536_000
_TOKEN = "login"  # noqa: S105 - the name of a cookie

log = structlog.get_logger()


class Login:
    """The login's pages.

    Args:
        shell: draws them.
        stored: knows the accounts.
        first: the page that somebody sees first.
        tries: how often a password may be wrong.
        provider: the host of one that may be asked instead; empty: none.
    """

    def __init__(
        self, shell: Shell, stored: Stored, first: str, tries: Tries | None = None, provider: str = ""
    ) -> None:
        self._shell = shell
        self._guard = shell.guard
        self._stored = stored
        self._first = first
        self._tries = tries or Tries()
        self._provider = provider
        self._limit = CapacityLimiter(_AT_ONCE)

    @property
    def routes(self) -> list[BaseRoute]:
        """Where they are."""
        return [
            Route("/", self._start, methods=["GET"]),
            Route("/login", self._ask, methods=["GET"]),
            Route("/login", self._take, methods=["POST"]),
            Route("/language/{language}", self._language, methods=["GET"]),
            Route("/alive", self._alive, methods=["GET"]),
            self._guard.act("/logout", self._logout),
        ]

    async def _start(self, _request: Request) -> Response:
        return RedirectResponse(self._first, HTTPStatus.SEE_OTHER)

    async def _alive(self, request: Request) -> Response:
        """Answer a page that asks whether it is still connected; ``used``: somebody has touched it since."""
        session = self._guard.session_of(request)
        return Response(status_code=HTTPStatus.UNAUTHORIZED if session is None else HTTPStatus.NO_CONTENT)

    async def _language(self, request: Request) -> Response:
        language = request.path_params["language"]
        response = RedirectResponse(here(request.query_params.get("to", "/")), HTTPStatus.SEE_OTHER)
        if language in LANGUAGES:
            response.set_cookie(COOKIE, language, max_age=_YEAR_S, **self._guard.cookie_flags)
        return response

    async def _ask(self, request: Request) -> Response:
        if self._guard.session_of(request) is not None:
            return RedirectResponse(here(request.query_params.get("to", "/")), HTTPStatus.SEE_OTHER)
        return self.form(request, here(request.query_params.get("to", "/")))

    def form(self, request: Request, to: str, said: str = "", status: HTTPStatus = HTTPStatus.OK) -> Response:
        """Return the login's page; ``said``: the key of what became of the try before."""
        # Before there is a session, cookie and form bring the same number: no other site logs anybody in.
        token = request.cookies.get(_TOKEN) or secrets.token_urlsafe(32)
        shown = {"to": to, "said": said, "token": token, "provider": self._provider}
        response = self._shell.page(request, "login.html", shown, status)
        response.set_cookie(_TOKEN, token, **self._guard.cookie_flags)
        return response

    async def _take(self, request: Request) -> Response:
        form = await form_of(request, LONGEST_FORM) or {}
        to, token = here(form.get("to", "/")), form.get("token", "").encode("utf-8", "replace")
        meant = request.cookies.get(_TOKEN, "").encode("utf-8", "replace")
        if not meant or not secrets.compare_digest(meant, token) or not self._guard.is_ours(request):
            return self.form(request, to, "login.again", HTTPStatus.FORBIDDEN)
        account, password = form.get("account", "").strip(), form.get("password", "")
        try:
            said, status, zone = await to_thread.run_sync(
                self._looked_at, account, password, limiter=self._limit
            )
        except (psycopg.OperationalError, PoolTimeout) as error:
            log.warning("database_away", error=type(error).__name__)
            return self.form(request, to, "refused.database", HTTPStatus.SERVICE_UNAVAILABLE)
        if said:
            return self.form(request, to, said, status)
        response = RedirectResponse(to, HTTPStatus.SEE_OTHER)
        self._guard.let_in(response, account, zone)
        response.delete_cookie(_TOKEN, **self._guard.cookie_flags)
        return response

    def _looked_at(self, account: str, password: str) -> tuple[str, HTTPStatus, str]:
        """Return why somebody is not let in, empty if they are; and their time zone."""
        if not self._tries.take(account[:64]):
            metrics.LOGINS.labels("not_looked_at").inc()
            log.warning("too_many_passwords", account=self._named(account))
            return "login.too_many", HTTPStatus.TOO_MANY_REQUESTS, ""
        if not self._stored.check_password(account, password):
            metrics.LOGINS.labels("wrong").inc()
            log.warning("wrong_password", account=self._named(account))
            return "login.wrong", HTTPStatus.FORBIDDEN, ""
        self._tries.right(account)
        metrics.LOGINS.labels("right").inc()
        self._guard.reads.login(account, "password")
        log.info("logged_in", account=account)
        return "", HTTPStatus.OK, self._stored.zone_of(account)

    def _named(self, account: str) -> str:
        # What is no account may be a password that was typed in the wrong place.
        return account if self._stored.knows(account) else "unknown"

    def _logout(self, asked: Asked) -> Response:
        response = RedirectResponse("/login", HTTPStatus.SEE_OTHER)
        self._guard.let_out(asked.request, response)
        log.info("logged_out", account=asked.viewer.account)
        return response
