"""Cases of consultation: those that wait, and asking the level above."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from uuid import UUID, uuid4

import psycopg
import structlog
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from ecgstream.consulting import store
from ecgstream.consulting.case import CARE
from ecgstream.consulting.level import above
from ecgstream.consulting.store import LONGEST_WORDS, Asking, Terms, Urgency
from ecgstream.monitor.guard import Asked, RefusedError
from ecgstream.monitor.pages.duty import Newest, roster_of
from ecgstream.monitor.pages.report import LONGEST_FORM, conclusion_of
from ecgstream.monitor.pages.reports import stretch_of, typed_stretch
from ecgstream.monitor.read import alerts, consultations, patient
from ecgstream.monitor.shell import Shell
from ecgstream.monitor.stored import Stored

log = structlog.get_logger()


class Consultations:
    """The pages.

    Args:
        shell: draws them.
        stored: knows what somebody sees, and asks.
        newest: the roster that holds.
        terms: by when an answer is wanted.
    """

    def __init__(self, shell: Shell, stored: Stored, newest: Newest, terms: Terms) -> None:
        self._shell = shell
        self._stored = stored
        self._newest = newest
        self._terms = terms

    @property
    def routes(self) -> list[BaseRoute]:
        """Where they are."""
        guard = self._shell.guard
        return [
            guard.page("/consultations", self._list, shows="consultation"),
            guard.page("/consult/{patient:path}", self._form, shows="patient"),
            guard.act("/consult/{patient:path}", self._ask, LONGEST_FORM),
        ]

    def _list(self, asked: Asked) -> Response:
        also_over = asked.query.get("all") == "1"
        with self._stored.as_person(asked.viewer.account) as connection:
            cases = consultations.waiting(connection, also_over=also_over)
            names = consultations.names(connection, cases)
        return self._shell.draw(
            asked,
            "consultations.html",
            cases=cases,
            names=names,
            also_over=also_over,
            most=consultations.MOST,
            now=datetime.now(UTC),
        )

    def _form(self, asked: Asked, fault: str = "", status: HTTPStatus = HTTPStatus.OK) -> Response:
        now = datetime.now(UTC)
        with self._stored.as_person(asked.viewer.account) as connection:
            one = patient.known(connection, asked.path["patient"])
            if one is None:
                raise RefusedError(HTTPStatus.NOT_FOUND, "refused.unknown")
            ways = self._ways(connection, asked)
        typed = typed_stretch(asked, now, "hour")
        typed |= {name: asked.form.get(name, "") for name in ("question", "facility")}
        # One id a page: a form that is sent twice asks once.
        typed |= {
            "urgency": asked.form.get("urgency", Urgency.URGENT),
            "id": asked.form.get("id") or str(uuid4()),
        }
        shown: dict[str, Any] = {"one": one, "ways": ways, "typed": typed, "fault": fault}
        shown |= {"urgencies": {u: self._terms.due(u) for u in Urgency}, "longest": LONGEST_WORDS}
        return self._shell.page(asked.request, "consult.html", shown, status)

    def _ways(
        self, connection: psycopg.Connection, asked: Asked
    ) -> dict[str, tuple[alerts.Place, str, alerts.Place]]:
        """Return for which facilities somebody may ask: by code the name, who is asked, and their name."""
        _, roster = roster_of(self._newest)
        found = {}
        places = consultations.positions(connection, asked.viewer.account)
        for code in sorted({p.facility for p in places if p.kind in CARE}):
            own = alerts.facility(connection, code)
            way = () if own is None else above(roster, tuple(own.path.split(".")))
            asks = alerts.facility(connection, way[-1]) if way else None
            if own is not None and asks is not None:
                found[code] = (own.place, way[-1], asks.place)
        return found

    def _ask(self, asked: Asked) -> Response:
        form, account = asked.form, asked.viewer.account
        stretch, question = stretch_of(asked, datetime.now(UTC)), conclusion_of(form.get("question", ""))
        if stretch is None or not question:
            fault = "report.fault.times" if stretch is None else "consult.fault.question"
            return self._form(asked, fault, HTTPStatus.UNPROCESSABLE_ENTITY)
        try:
            id_, urgency = UUID(form.get("id", "")), Urgency(form.get("urgency", ""))
        except ValueError:
            raise RefusedError(HTTPStatus.BAD_REQUEST, "refused.form") from None
        with self._stored.as_person(account) as connection:
            one = patient.known(connection, asked.path["patient"])
            ways = self._ways(connection, asked)
        place = form.get("facility", "")
        if one is None:
            raise RefusedError(HTTPStatus.NOT_FOUND, "refused.unknown")
        if place not in ways:
            return self._form(asked, "consult.fault.nobody", HTTPStatus.CONFLICT)
        asking = Asking(id_, account, one.patient, *stretch, place, ways[place][1], urgency, question)
        with self._stored.as_web() as web:
            refused = store.ask(web, asking, self._terms)
        if refused:
            return self._form(asked, "consult.fault." + refused, HTTPStatus.CONFLICT)
        log.info("consultation_asked", account=account, case=str(id_))
        return RedirectResponse(f"/consultation/{id_}?done=asked", HTTPStatus.SEE_OTHER)
