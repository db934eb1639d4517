"""One alert by the link of its page: shown to who has the link, taken on by who has a personal code, too.

Opening the link changes nothing, however often and by whatever program: mail scanners and chats fetch links
before people do. Words are said by POST, with the code in its body; there is no cookie, so that no other site
can say anything in somebody's name.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import parse_qs

import structlog
from anyio import CapacityLimiter, to_thread
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.templating import Jinja2Templates

from alerts.link import PATH, LinkError, Links, Ticket
from alerts.notify import Strip, iso
from alerts.page import condition_text, evidence_text
from alerts.priority import MARKS
from alerts.state import is_no_alarm, is_test
from ecgstream import desk
from ecgstream.board import Board
from ecgstream.body import body_of
from ecgstream.web.codes import Doorkeeper, Outcome
from ecgstream.web.reads import Reads
from schemas.records import Act, Alert, AlertState

Say = Callable[[Alert, str, str, Act], Alert | None]
"""Writes down what an account says of an alert, and why; returns what the pager made of it, None: not yet."""
StripOf = Callable[[Alert, float], Strip | None]
"""Gives an alert's strip by a time of ``time.monotonic``, s; None: it cannot be had by then."""
STRIP_PATIENCE_S = 5.0

LONGEST_FORM = 4096
_AT_ONCE = 4
"""Codes that are looked at beside each other: each takes 64 MiB."""
_STRIPS_AT_ONCE = 16
"""Requests that wait for a strip; they are drawn one by one."""
_REASON = "by the link of the page"
_STATES = {
    AlertState.ACTIVE: "It lasts.",
    AlertState.CHECK: "Check the patient: other evidence speaks against it.",
    AlertState.LATE: "A late finding: it was over when it became known.",
    AlertState.LATCHED: "It is over, and nobody has taken it on.",
    AlertState.SILENCED: "Silenced for a time; nobody has taken it on.",
    AlertState.ACKNOWLEDGED: "It lasts.",
    AlertState.ENDED: "It has ended.",
}
_NOT_LET_IN = {
    Outcome.WRONG: (HTTPStatus.FORBIDDEN, "Account and code do not go together. Nothing was done."),
    Outcome.NOT_LOOKED_AT: (
        HTTPStatus.TOO_MANY_REQUESTS,
        "Too many wrong codes: none is looked at for up to 15 minutes. Call the centre.",
    ),
    Outcome.UNUSABLE: (
        HTTPStatus.SERVICE_UNAVAILABLE,
        "Personal codes cannot be read now. Call the centre.",
    ),
}

log = structlog.get_logger()


class RefusedError(Exception):
    """What was asked for is not done; the words tell a person why, and what to do."""

    def __init__(self, status: HTTPStatus, words: str, alert: Alert | None = None) -> None:
        super().__init__(words)
        self.status = status
        self.alert = alert


@dataclass(frozen=True, slots=True)
class Said:
    """What came by POST; ``account``: of the link, or as it was typed where the link is for nobody."""

    account: str
    code: str
    reason: str
    act: Act


class AlertPage:
    """The addresses below ``/page/``.

    Args:
        templates: of the web.
        links: reads tickets.
        doorkeeper: knows personal codes; None: there are none, nobody can say anything here.
        board: knows the alerts.
        say: tells the pager.
        strip_of: draws.
        reads: notes who has opened a link.
    """

    def __init__(
        self,
        templates: Jinja2Templates,
        links: Links,
        doorkeeper: Doorkeeper | None,
        board: Board,
        say: Say,
        strip_of: StripOf,
        reads: Reads,
    ) -> None:
        self._templates = templates
        self._links = links
        self._doorkeeper = doorkeeper
        self._board = board
        self._say = say
        self._strip_of = strip_of
        self._reads = reads
        self._limit = CapacityLimiter(_AT_ONCE)
        self._strip_limit = CapacityLimiter(_STRIPS_AT_ONCE)

    @property
    def routes(self) -> list[Route]:
        """What is served; HEAD and OPTIONS change as little as GET."""
        return [
            Route(f"{PATH}{{ticket}}", self._show, methods=["GET"], name="page"),
            Route(f"{PATH}{{ticket}}", self._hear, methods=["POST"], name="say"),
            Route(f"{PATH}{{ticket}}/strip.{{form}}", self._strip, methods=["GET"], name="strip"),
        ]

    async def _show(self, request: Request) -> Response:
        try:
            ticket, alert = self._asked(request)
        except RefusedError as refusal:
            return self._refused(request, refusal)
        await to_thread.run_sync(self._reads.page, ticket, alert, "page")
        return self._page(request, ticket, alert)

    async def _hear(self, request: Request) -> Response:
        try:
            ticket, alert = self._asked(request)
            said = _said(ticket, await _form(request))
            found = await to_thread.run_sync(self._take, alert, said, limiter=self._limit)
        except RefusedError as refusal:
            return self._refused(request, refusal)
        if found is None:
            words = "Written down. The pager has not answered yet: look again in a moment."
            return self._page(request, ticket, alert, words, HTTPStatus.ACCEPTED)
        # See other: going back or loading again says nothing a second time.
        return RedirectResponse(request.url.path, HTTPStatus.SEE_OTHER)

    async def _strip(self, request: Request) -> Response:
        try:
            ticket, alert = self._asked(request)
        except RefusedError as refusal:
            return self._refused(request, refusal)
        form = request.path_params["form"]
        if form not in ("png", "pdf"):
            return Response(status_code=HTTPStatus.NOT_FOUND)
        by_s = time.monotonic() + STRIP_PATIENCE_S
        strip = await to_thread.run_sync(self._strip_of, alert, by_s, limiter=self._strip_limit)
        if strip is None:
            return Response(status_code=HTTPStatus.NOT_FOUND)
        await to_thread.run_sync(self._reads.page, ticket, alert, "strip")
        if form == "png":
            return Response(strip.png, media_type="image/png")
        return Response(strip.pdf, media_type="application/pdf")

    def _asked(self, request: Request) -> tuple[Ticket, Alert]:
        try:
            ticket = self._links.read(request.path_params["ticket"])
        except LinkError as error:
            status = HTTPStatus.GONE if error.expired else HTTPStatus.NOT_FOUND
            raise RefusedError(
                status, f"{error}. `ecgstream alert list` shows what is open.".capitalize()
            ) from None
        alert = self._board.alert(ticket.alert)
        if alert is None and not self._board.is_current:
            raise RefusedError(
                HTTPStatus.SERVICE_UNAVAILABLE, "The alerts cannot be read now. Try again, or call."
            )
        if alert is None:
            raise RefusedError(HTTPStatus.GONE, "The alert ended more than an hour ago; the history has it.")
        return ticket, alert

    def _take(self, alert: Alert, said: Said) -> Alert | None:
        """Say it, if the code is right; return what became of it."""
        self._check(said, alert)
        if alert.acknowledged_ns is None and alert.state is not AlertState.ENDED:
            try:
                found = self._say(alert, said.account, said.reason, said.act)
            except desk.REFUSALS as error:
                log.warning("not_said", error=type(error).__name__, alert=alert.id)
                words = "It could not be written down: NOBODY HAS BEEN TOLD. Try again, or call."
                raise RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, words, alert) from None
            if found is None:
                return None
            alert = found
        if said.act is Act.ACKNOWLEDGE and alert.acknowledged_by != said.account:
            raise RefusedError(HTTPStatus.CONFLICT, _too_late(alert), alert)
        return alert

    def _check(self, said: Said, alert: Alert) -> None:
        if self._doorkeeper is None:
            words = "Nobody has a personal code here: use `ecgstream alert acknowledge`, or call."
            raise RefusedError(HTTPStatus.FORBIDDEN, words, alert)
        outcome = self._doorkeeper.ask(said.account, said.code)
        if outcome is not Outcome.RIGHT:
            raise RefusedError(*_NOT_LET_IN[outcome], alert)

    def _refused(self, request: Request, refusal: RefusedError) -> Response:
        if refusal.alert is None:
            shown = {"words": str(refusal)}
            return self._templates.TemplateResponse(request, "refused.html", shown, refusal.status)
        ticket = self._links.read(request.path_params["ticket"])
        # As it is by now: somebody may have taken it on meanwhile.
        alert = self._board.alert(refusal.alert.id) or refusal.alert
        newer = max(alert, refusal.alert, key=lambda one: one.updated_ns)
        return self._page(request, ticket, newer, str(refusal), refusal.status)

    def _page(
        self,
        request: Request,
        ticket: Ticket,
        alert: Alert,
        words: str = "",
        status: HTTPStatus = HTTPStatus.OK,
    ) -> Response:
        shown = {
            "alert": alert,
            "mark": MARKS[alert.priority],
            "condition": condition_text(alert.condition),
            "measured": evidence_text(alert.evidence),
            "state": _STATES[alert.state],
            "is_open": alert.acknowledged_ns is None and alert.state is not AlertState.ENDED,
            "is_current": self._board.is_current,
            "account": ticket.account,
            "is_test": is_test(alert),
            "is_no_alarm": is_no_alarm(alert),
            "path": request.url.path,
            "iso": iso,
            "words": words,
        }
        return self._templates.TemplateResponse(request, "page.html", shown, status)


def _too_late(alert: Alert) -> str:
    if alert.acknowledged_ns is None:
        return "There is nothing to take on: it has ended by itself."
    return f"{alert.acknowledged_by} was first, at {iso(alert.acknowledged_ns)}. You need not go."


async def _form(request: Request) -> dict[str, str]:
    """Return the fields of a form; where one comes twice, the first."""
    if request.headers.get("content-type", "").partition(";")[0] != "application/x-www-form-urlencoded":
        raise RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Use the form of the page.")
    body = await body_of(request, LONGEST_FORM)
    if body is None:
        raise RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "That is too much for the form.")
    return {name: found[0] for name, found in parse_qs(body.decode("utf-8", "replace")).items()}


def _said(ticket: Ticket, form: dict[str, str]) -> Said:
    account = ticket.account or form.get("account", "").strip()
    code = form.get("code", "")
    if not account or not code:
        raise RefusedError(HTTPStatus.FORBIDDEN, "It takes a personal code. Nothing was done.")
    try:
        act, reason = Act(form.get("act", "")), desk.reason_of(form.get("reason", "").strip() or _REASON)
    except ValueError:  # of an act that there is not, or a reason that is too long
        raise RefusedError(HTTPStatus.UNPROCESSABLE_ENTITY, "Use the form of the page.") from None
    if act is Act.SILENCE:
        raise RefusedError(HTTPStatus.UNPROCESSABLE_ENTITY, "Use the form of the page.")
    return Said(account, code, reason, act)
