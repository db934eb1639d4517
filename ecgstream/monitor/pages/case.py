"""One case of consultation: the question, what was done with it, and what may be done."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from uuid import UUID

import structlog
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from ecgstream.consulting import store
from ecgstream.consulting.case import Act, State
from ecgstream.consulting.level import above
from ecgstream.consulting.store import LONGEST_WORDS, Step
from ecgstream.monitor.guard import Asked, RefusedError
from ecgstream.monitor.pages.duty import Newest, roster_of
from ecgstream.monitor.pages.report import LONGEST_FORM, conclusion_of
from ecgstream.monitor.pages.reports import field, id_of
from ecgstream.monitor.read import alerts, consultations
from ecgstream.monitor.shell import Shell
from ecgstream.monitor.stored import Stored

log = structlog.get_logger()


class CasePage:
    """The page.

    Args:
        shell: draws it.
        stored: knows what somebody sees, and writes what they do.
        newest: the roster that holds.
    """

    def __init__(self, shell: Shell, stored: Stored, newest: Newest) -> None:
        self._shell = shell
        self._stored = stored
        self._newest = newest

    @property
    def routes(self) -> list[BaseRoute]:
        """Where it is."""
        guard = self._shell.guard
        return [
            guard.page("/consultation/{id}", self._page, shows="consultation"),
            guard.act("/consultation/{id}/{act}", self._go_on, LONGEST_FORM),
        ]

    def _page(self, asked: Asked, fault: str = "", status: HTTPStatus = HTTPStatus.OK) -> Response:
        account, id_ = asked.viewer.account, id_of(asked)
        with self._stored.as_person(account) as connection:
            one = consultations.one(connection, id_)
            if one is None:
                raise RefusedError(HTTPStatus.NOT_FOUND, "refused.unknown")
            done = consultations.steps(connection, id_)
            may = one.case.possible(account, consultations.positions(connection, account))
            names = consultations.names(connection, [one])
            answers = consultations.answers(connection, one, account) if Act.ANSWERED in may else []
            way = self._above(one.case.at) if Act.PASSED_UP in may else ()
            higher = alerts.facility(connection, way[-1]) if way else None
        said = asked.query.get("done", "")
        zone = asked.viewer.zone
        told: dict[str, Any] = {
            "one": one,
            "is_overdue": one.case.is_overdue(one.due_at, datetime.now(UTC)),
            "steps": done,
            "may": {str(act) for act in may},
            "names": names,
            "answers": answers,
            "higher": higher,
            "at_ms": int(one.since.timestamp() * 1000),
            "since": field(one.since, zone),
            "until": field(one.until, zone),
            "may_teach": one.state == State.ANSWERED and _has_answered(done, account),
            "fault": fault,
            "done": said if said in tuple(Act) else "",
            "typed": asked.form.get("words", ""),
            "typed_act": asked.path.get("act", ""),
            "longest": LONGEST_WORDS,
        }
        return self._shell.page(asked.request, "consultation.html", told, status)

    def _above(self, at: tuple[str, ...]) -> tuple[str, ...]:
        _, roster = roster_of(self._newest)
        return above(roster, at)

    def _go_on(self, asked: Asked) -> Response:
        account, id_, form = asked.viewer.account, id_of(asked), asked.form
        try:
            act, seen = Act(asked.path["act"]), int(form.get("seen", ""))
            report = UUID(form["report"]) if act is Act.ANSWERED and form.get("report") else None
        except ValueError:
            raise RefusedError(HTTPStatus.BAD_REQUEST, "refused.form") from None
        words = conclusion_of(form.get("words", ""))
        if form.get("words", "").strip() and not words:
            return self._page(asked, "consult.fault.question", HTTPStatus.UNPROCESSABLE_ENTITY)
        up_to = None
        if act is Act.PASSED_UP:
            with self._stored.as_person(account) as connection:
                one = consultations.one(connection, id_)
            up_to = next(reversed(self._above(one.case.at)), None) if one else None
        with self._stored.as_web() as web:
            refused = store.go_on(web, id_, account, seen, act, words, up_to=up_to, report=report)
        if refused:
            return self._page(asked, "consult.fault." + refused, HTTPStatus.CONFLICT)
        log.info("consultation", account=account, case=str(id_), act=str(act))
        # What it had opened to them may be closed by now.
        where = "/consultations" if act in (Act.CLOSED, Act.WITHDRAWN) else f"/consultation/{id_}"
        return RedirectResponse(f"{where}?done={act}", HTTPStatus.SEE_OTHER)


def _has_answered(steps: list[Step], account: str) -> bool:
    return any(step.act == Act.ANSWERED and step.said_by == account for step in steps)
