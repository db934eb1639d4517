"""Who is let in: every page but the login asks here first, and whatever changes something, once more."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlsplit

import psycopg
import structlog
from anyio import to_thread
from psycopg_pool import PoolTimeout
from starlette.datastructures import QueryParams
from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from ecgstream.body import form_of
from ecgstream.monitor.reads import Reads
from ecgstream.monitor.sessions import WHOLE_S, Session, Sessions
from ecgstream.monitor.stored import GoneError
from ecgstream.monitor.viewer import Viewer
from ecgstream.monitor.wording import WORDINGS, Wording, language_of

BY_ITSELF = "x-by-itself"
"""The header of what a page fetches without anybody having touched it."""
LONGEST_FORM = 8192
_LOOPBACK = ("127.0.0.1", "localhost", "::1")

log = structlog.get_logger()


class RefusedError(Exception):
    """What was asked for is not done; ``key``: of the words that say why."""

    def __init__(self, status: HTTPStatus, key: str) -> None:
        super().__init__(key)
        self.status = status
        self.key = key


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody who is let in asks for.

    Attributes:
        viewer: who.
        words: in their language.
        query: of the address.
        path: what the address's pattern names.
        form: of a POST, each field once.
    """

    request: Request
    viewer: Viewer
    words: Wording
    query: QueryParams
    path: Mapping[str, str]
    form: Mapping[str, str]


Answer = Callable[[Asked], Response]
"""It runs on a thread, so it may wait for the database."""


class Guard:
    """Lets those in who have a session.

    Args:
        sessions: those that are open.
        address: where people reach the monitor; empty: this machine only.
        refuse: draws the page that says why something is refused.
        reads: notes who sees what.
    """

    def __init__(
        self,
        sessions: Sessions,
        address: str,
        refuse: Callable[[Request, HTTPStatus, str], Response],
        reads: Reads,
    ) -> None:
        self.sessions = sessions
        self.reads = reads
        self._origin = address.rstrip("/")
        self._refuse = refuse
        self._is_secure = address.startswith("https:")
        # The prefix has browsers refuse the cookie where another host of the domain has set it (RFC 6265bis).
        self._cookie = "__Host-session" if self._is_secure else "session"

    @property
    def cookie_flags(self) -> dict[str, Any]:
        """How cookies are set: no script reads them, no other site sends them."""
        return {"httponly": True, "samesite": "strict", "secure": self._is_secure, "path": "/"}

    def session_of(self, connection: HTTPConnection) -> Session | None:
        """Return the session that a request or a socket comes with."""
        used = connection.scope["type"] == "http" and BY_ITSELF not in connection.headers
        return self.sessions.look(connection.cookies.get(self._cookie, ""), used=used)

    def viewer_of(self, connection: HTTPConnection) -> Viewer | None:
        """Return who is behind a request or a socket; None: nobody who is logged in."""
        session = self.session_of(connection)
        if session is None:
            return None
        return Viewer(session.account, language_of(connection), session.zone)

    def is_ours(self, connection: HTTPConnection) -> bool:
        """Return whether a request comes from a page of ours, as browsers say in ``Origin``."""
        origin = connection.headers.get("origin")
        if self._origin:
            return origin in (None, self._origin)
        host = connection.headers.get("host", "")
        if urlsplit(f"//{host}").hostname not in _LOOPBACK:  # a name that somebody has pointed here
            return False
        return origin in (None, f"http://{host}")

    def address_of(self, request: Request) -> str:
        """Return where a request that is ours has reached the monitor, without a slash at its end."""
        return self._origin or f"http://{request.headers.get('host', '')}"

    def let_in(self, response: Response, account: str, zone: str) -> None:
        """Begin a session, whose cookie the response takes along."""
        cookie = self.sessions.begin(account, zone)
        response.set_cookie(self._cookie, cookie, max_age=int(WHOLE_S), **self.cookie_flags)

    def let_out(self, request: Request, response: Response) -> None:
        """End the session of a request."""
        self.sessions.end(request.cookies.get(self._cookie, ""))
        response.delete_cookie(self._cookie, **self.cookie_flags)

    def page(self, path: str, answer: Answer, shows: str = "") -> Route:
        """Return the route of a page for those who are logged in.

        Args:
            path: the address's pattern; what it names is what is shown.
            answer: draws it.
            shows: whose data: patient, alert, report, list. Who sees it is noted. Empty: nobody's.
        """
        if shows:
            answer = self._noted(path, answer, shows)

        async def get(request: Request) -> Response:
            viewer = self.viewer_of(request)
            if viewer is None:
                return _to_login(request)
            return await self._answered(request, viewer, answer, {})

        return Route(path, get, methods=["GET"])

    def act(self, path: str, answer: Answer, longest: int = LONGEST_FORM) -> Route:
        """Return the route of a form that changes something: it must come from a page of the same session.

        Args:
            path: the address's pattern.
            answer: does what the form says.
            longest: bytes that the form may have.
        """

        async def post(request: Request) -> Response:
            session, viewer = self.session_of(request), self.viewer_of(request)
            if session is None or viewer is None:
                return _to_login(request)
            form = await form_of(request, longest)
            if form is None:
                return self._refuse(request, HTTPStatus.BAD_REQUEST, "refused.form")
            # Compared as bytes, which may be any.
            if not self.is_ours(request) or not _same(session.csrf, form.get("csrf", "")):
                log.warning("foreign_form", account=viewer.account, path=path)
                return self._refuse(request, HTTPStatus.FORBIDDEN, "refused.csrf")
            return await self._answered(request, viewer, answer, form)

        return Route(path, post, methods=["POST"])

    def _noted(self, path: str, answer: Answer, shows: str) -> Answer:
        """Return an answer that is only given once it is noted to whom."""

        def noted(asked: Asked) -> Response:
            account, object_ = (
                asked.viewer.account,
                next(iter(asked.path.values()), asked.query.get("at", "")),
            )
            try:
                response = answer(asked)
            except RefusedError as refusal:
                if refusal.status in (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND):
                    self.reads.refused(account, shows, object_, path)
                raise
            by_itself = BY_ITSELF in asked.request.headers
            self.reads.page(account, shows, object_, path, asked.query, by_itself=by_itself)
            return response

        return noted

    async def _answered(
        self, request: Request, viewer: Viewer, answer: Answer, form: Mapping[str, str]
    ) -> Response:
        words = WORDINGS[viewer.language].at(viewer.zone)
        asked = Asked(request, viewer, words, request.query_params, request.path_params, form)
        try:
            return await to_thread.run_sync(answer, asked)
        except GoneError:
            response = _to_login(request)
            self.let_out(request, response)
            return response
        except RefusedError as refusal:
            return self._refuse(request, refusal.status, refusal.key)
        except psycopg.errors.InsufficientPrivilege:
            return self._refuse(request, HTTPStatus.FORBIDDEN, "refused.position")
        except psycopg.DataError:  # an address that no database can hold, as one with a NUL
            return self._refuse(request, HTTPStatus.NOT_FOUND, "refused.unknown")
        except (psycopg.OperationalError, PoolTimeout) as error:
            log.warning("database_away", error=type(error).__name__)
            return self._refuse(request, HTTPStatus.SERVICE_UNAVAILABLE, "refused.database")


def _same(one: str, other: str) -> bool:
    return secrets.compare_digest(one.encode(), other.encode("utf-8", "surrogatepass"))


def _to_login(request: Request) -> Response:
    if BY_ITSELF in request.headers:
        return Response(status_code=HTTPStatus.UNAUTHORIZED)
    if request.method != "GET":
        return RedirectResponse("/login", HTTPStatus.SEE_OTHER)
    whole = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"/login?to={quote(whole, safe='')}", HTTPStatus.SEE_OTHER)


def here(path: str) -> str:
    r"""Return a path of this site, the first page where it is anything else.

    >>> here("/patient/p-1?hours=6"), here("//evil.example"), here("https://evil.example"), here("/\\evil")
    ('/patient/p-1?hours=6', '/', '/', '/')
    """
    parts = urlsplit(path)
    strange = not path.startswith("/") or path.startswith("//") or "\\" in path or not path.isprintable()
    return "/" if strange or parts.scheme or parts.netloc else path
