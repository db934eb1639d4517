"""One case of consultation: the question, its ECG, what was done with it, and what may be done."""

import json
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
import structlog
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from ecgstream.consulting import store
from ecgstream.consulting.case import Act, State
from ecgstream.consulting.level import above
from ecgstream.consulting.store import LONGEST_WORDS, Kept, Step
from ecgstream.monitor.guard import Asked, RefusedError
from ecgstream.monitor.live.words import words_of
from ecgstream.monitor.pages.duty import Newest, roster_of
from ecgstream.monitor.pages.report import LONGEST_FORM, conclusion_of
from ecgstream.monitor.pages.reports import field, id_of
from ecgstream.monitor.read import alerts, consultations, patient, signal
from ecgstream.monitor.shell import Shell
from ecgstream.monitor.stored import Stored
from ecgstream.monitor.wording import WORDINGS

log = structlog.get_logger()


class Strip(NamedTuple):
    """The ECG of a stretch in the page, which reads it by itself (``pages.ecg``), as far as one may.

    Attributes:
        device: whose signal it shows; ``others``: what else the patient wore in the stretch.
        since_ms, until_ms: the stretch, ms since 1970.
        words: of its script, as JSON.
    """

    device: str
    others: list[str]
    since_ms: int
    until_ms: int
    words: str


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
            strip = _strip(connection, asked, one)
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
            "strip": strip,
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


def _strip(connection: psycopg.Connection, asked: Asked, one: Kept) -> Strip | None:
    """Return what the page needs to show the stretch; None: somebody sees nothing that was worn in it."""
    known = patient.known(connection, one.patient)
    if known is None:
        return None
    names = {worn.device for worn in known.worn}
    found = {name: signal.worn(known, name, one.since, one.until) for name in names}
    devices = sorted((name for name in names if found[name]), key=lambda name: (found[name], name))
    if not devices:
        return None
    named = asked.query.get("device", "")
    device = named if named in devices else devices[0]
    told = words_of(asked.viewer.language, lambda language, code: WORDINGS[language].condition(code))
    since_ms, until_ms = (int(time.timestamp() * 1000) for time in (one.since, one.until))
    others = [name for name in devices if name != device]
    return Strip(device, others, since_ms, until_ms, json.dumps(told, ensure_ascii=False))


def _has_answered(steps: list[Step], account: str) -> bool:
    return any(step.act == Act.ANSWERED and step.said_by == account for step in steps)
