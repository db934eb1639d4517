"""The teaching collection: putting an answered case in, the list, one case and its record."""

import tempfile
from http import HTTPStatus
from pathlib import Path
from uuid import uuid4

import structlog
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from ecgstream.consulting import teaching
from ecgstream.consulting.store import LONGEST_WORDS, Kept
from ecgstream.exchange.errors import ExchangeError
from ecgstream.exchange.recording import Recording
from ecgstream.exchange.stored import recording
from ecgstream.monitor.guard import Asked, RefusedError
from ecgstream.monitor.pages.report import LONGEST_FORM, conclusion_of
from ecgstream.monitor.pages.reports import id_of
from ecgstream.monitor.read import consultations
from ecgstream.monitor.read import teaching as kept
from ecgstream.monitor.shell import Shell
from ecgstream.monitor.stored import Stored
from ecgstream.registry.errors import RegistryError
from ecgstream.reports import stored as worn

log = structlog.get_logger()


class Teaching:
    """The pages.

    Args:
        shell: draws them.
        stored: knows what somebody sees, and writes.
    """

    def __init__(self, shell: Shell, stored: Stored) -> None:
        self._shell = shell
        self._stored = stored

    @property
    def routes(self) -> list[BaseRoute]:
        """Where they are."""
        guard = self._shell.guard
        return [
            guard.page("/teaching", self._list),
            guard.page("/teaching/{id}", self._page, shows="teaching"),
            guard.page("/teaching/{id}/wfdb", self._file, shows="teaching"),
            guard.page("/teach/{id}", self._form, shows="consultation"),
            guard.act("/teach/{id}", self._put_in, 2 * LONGEST_FORM),
        ]

    def _list(self, asked: Asked) -> Response:
        with self._stored.as_person(asked.viewer.account) as connection:
            found = kept.cases(connection)
        return self._shell.draw(asked, "teachings.html", cases=found, most=kept.MOST)

    def _page(self, asked: Asked) -> Response:
        with self._stored.as_person(asked.viewer.account) as connection:
            one = kept.case(connection, id_of(asked))
        if one is None:
            raise RefusedError(HTTPStatus.NOT_FOUND, "refused.unknown")
        return self._shell.draw(asked, "teaching.html", one=one)

    def _file(self, asked: Asked) -> Response:
        id_ = id_of(asked)
        with self._stored.as_person(asked.viewer.account) as connection:
            content = kept.record(connection, id_)
        if content is None:
            raise RefusedError(HTTPStatus.NOT_FOUND, "refused.unknown")
        headers = {"Content-Disposition": f'attachment; filename="teaching-{id_}.zip"'}
        return Response(content, media_type="application/zip", headers=headers)

    def _form(self, asked: Asked, fault: str = "", status: HTTPStatus = HTTPStatus.OK) -> Response:
        with self._stored.as_person(asked.viewer.account) as connection:
            one = consultations.one(connection, id_of(asked))
        if one is None:
            raise RefusedError(HTTPStatus.NOT_FOUND, "refused.unknown")
        typed = {name: asked.form.get(name, "") for name in ("question", "answer")}
        shown = {"one": one, "typed": typed, "fault": fault, "longest": LONGEST_WORDS}
        return self._shell.page(asked.request, "teach.html", shown, status)

    def _put_in(self, asked: Asked) -> Response:
        account, form, id_ = asked.viewer.account, asked.form, uuid4()
        question, answer = (conclusion_of(form.get(name, "")) for name in ("question", "answer"))
        with self._stored.as_person(account) as connection:
            one = consultations.one(connection, id_of(asked))
            if one is None:
                raise RefusedError(HTTPStatus.NOT_FOUND, "refused.unknown")
            known = kept.known(connection, one)
        if not (question and answer and form.get("sure") == "1"):
            return self._form(asked, "teach.fault.words", HTTPStatus.UNPROCESSABLE_ENTITY)
        found = teaching.faults(f"{question}\n{answer}", known)
        if found:
            return self._form(asked, "teach.fault." + min(found), HTTPStatus.UNPROCESSABLE_ENTITY)
        if one.until - one.since > teaching.LONGEST:
            return self._form(asked, "teach.fault.long", HTTPStatus.CONFLICT)
        try:
            with tempfile.TemporaryDirectory(prefix="ecgstream-teach-") as folder:
                whole = self._recording(account, one, Path(folder))
                copy = teaching.copy_of(teaching.without_person(whole, id_), Path(folder))
        except (ExchangeError, RegistryError) as error:
            log.warning("not_taught", error=type(error).__name__)
            return self._form(asked, "teach.fault.signal", HTTPStatus.CONFLICT)
        with self._stored.as_web() as web:
            kept.put_in(web, account, one.consultation, id_, question, answer, copy)
        log.info("taught", account=account)
        return RedirectResponse(f"/teaching/{id_}", HTTPStatus.SEE_OTHER)

    def _recording(self, account: str, one: Kept, folder: Path) -> Recording:
        with self._stored.as_person(account) as connection:
            parts = worn.apart(worn.worn(connection, one.patient, one.since, one.until))
            return recording(connection, parts, one.patient, folder)
