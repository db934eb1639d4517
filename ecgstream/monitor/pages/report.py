"""One report: what it says, its files, and what becomes of it: signed, amended, made anew, withdrawn."""

import unicodedata
from http import HTTPStatus
from typing import Any, cast

import structlog
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from ecgstream import desk
from ecgstream.monitor.confirm import Confirm
from ecgstream.monitor.guard import Asked, RefusedError
from ecgstream.monitor.pages.report_figures import figures
from ecgstream.monitor.pages.reports import begun, id_of
from ecgstream.monitor.read import reports
from ecgstream.monitor.shell import Shell
from ecgstream.monitor.stored import Stored
from ecgstream.monitor.wording import LANGUAGES
from ecgstream.monitor.workshop import BusyError, Workshop
from ecgstream.registry.errors import RegistryError
from ecgstream.reports import make
from ecgstream.reports.kind import Kind
from ecgstream.reports.standing import AMENDED, FINAL, LONGEST_CONCLUSION, LONGEST_REASON, PRELIMINARY
from ecgstream.reports.words import Language

LONGEST_FORM = 49_152
"""Bytes: of a conclusion each character may be sent as twelve."""
KINDS = {
    "pdf": (".pdf", "application/pdf", "inline"),
    "json": (".json", "application/json", "attachment"),
    "fhir": (".fhir.json", "application/fhir+json", "attachment"),
}
"""What a report may be had as: the end of the name, the type, and whether it is looked at or kept."""

log = structlog.get_logger()


class ReportPage:
    """The page.

    Args:
        shell: draws it.
        stored: knows what somebody sees.
        workshop: makes reports and draws them.
        confirm: asks again who somebody is.
    """

    def __init__(self, shell: Shell, stored: Stored, workshop: Workshop, confirm: Confirm) -> None:
        self._shell = shell
        self._stored = stored
        self._workshop = workshop
        self._confirm = confirm

    @property
    def routes(self) -> list[BaseRoute]:
        """Where it is."""
        guard = self._shell.guard
        return [
            guard.page("/report/{id}", self._page, shows="report"),
            guard.page("/report/{id}/{kind}", self._file, shows="report"),
            guard.act("/report/{id}/sign", self._sign, LONGEST_FORM),
            guard.act("/report/{id}/withdraw", self._withdraw),
            guard.act("/report/{id}/anew", self._anew),
        ]

    def _page(self, asked: Asked, fault: str = "", status: HTTPStatus = HTTPStatus.OK) -> Response:
        kept, signs = self._kept(asked)
        standing = kept.standing
        found = None if kept.is_altered else make.read(kept.document)
        can_be_signed = standing.status == PRELIMINARY and not standing.moved and not kept.is_altered
        done = asked.query.get("done", "")
        told: dict[str, Any] = {
            "kept": kept,
            "standing": standing,
            "report": None if found is None else found.report,
            "software": "" if found is None else found.software,
            "is_resting": kept.kind == Kind.RESTING,
            "figures": [] if found is None else figures(asked, found),
            "may_sign": signs and can_be_signed,
            "may_withdraw": signs and not standing.reason,
            "is_signed": standing.status in (FINAL, AMENDED),
            "by": self._confirm.by(asked) if signs else "",
            "provider": self._confirm.provider,
            "typed": {name: asked.form.get(name, "") for name in ("conclusion", "reason")},
            "fault": fault,
            "done": done if done in ("signed", "withdrawn") else "",
            "longest": LONGEST_CONCLUSION,
            "longest_reason": LONGEST_REASON,
            "languages_of": LANGUAGES,
        }
        return self._shell.page(asked.request, "report.html", told, status)

    def _file(self, asked: Asked) -> Response:
        kind, language = asked.path["kind"], asked.query.get("language", asked.viewer.language)
        if kind not in KINDS or language not in LANGUAGES:
            raise RefusedError(HTTPStatus.NOT_FOUND, "refused.unknown")
        kept, _ = self._kept(asked)
        if kept.is_altered:
            raise RefusedError(HTTPStatus.CONFLICT, "refused.altered")
        end, type_, how = KINDS[kind]
        name = f"ecg-report-{kept.standing.report}-{kept.standing.status}{end}"
        try:
            content = (
                kept.document
                if kind == "json"
                else self._workshop.draw(kept.document, end, cast(Language, language), kept.standing)
            )
        except BusyError:
            raise RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, "refused.busy") from None
        except RegistryError:
            raise RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, "refused.font") from None
        headers = {"Content-Disposition": f'{how}; filename="{name}"', "Report-Status": kept.standing.status}
        return Response(content, media_type=type_, headers=headers)

    def _sign(self, asked: Asked) -> Response:
        conclusion = conclusion_of(asked.form.get("conclusion", ""))
        if not conclusion:
            return self._page(asked, "report.fault.conclusion", HTTPStatus.UNPROCESSABLE_ENTITY)
        try:
            seen = bytes.fromhex(asked.form.get("seen", ""))
        except ValueError:
            raise RefusedError(HTTPStatus.BAD_REQUEST, "refused.form") from None
        if why := self._confirm.fault(asked):
            return self._page(asked, why, HTTPStatus.FORBIDDEN)
        account = asked.viewer.account
        with self._stored.as_web() as web:
            outcome = reports.sign(web, account, id_of(asked), seen, conclusion)
        if outcome:
            log.warning("report_not_signed", account=account, why=outcome)
            return self._page(asked, "report.unsigned." + outcome, HTTPStatus.CONFLICT)
        log.info("report_signed", account=account)
        return RedirectResponse(f"/report/{id_of(asked)}?done=signed", HTTPStatus.SEE_OTHER)

    def _withdraw(self, asked: Asked) -> Response:
        try:
            reason = desk.reason_of(asked.form.get("reason", ""))
        except desk.DeskError:
            reason = ""
        if not 1 <= len(reason) <= LONGEST_REASON:
            return self._page(asked, "report.fault.reason", HTTPStatus.UNPROCESSABLE_ENTITY)
        if why := self._confirm.fault(asked):
            return self._page(asked, why, HTTPStatus.FORBIDDEN)
        account = asked.viewer.account
        with self._stored.as_web() as web:
            done = reports.withdraw(web, account, id_of(asked), reason)
        if not done:
            return self._page(asked, "report.unsigned.withdrawn", HTTPStatus.CONFLICT)
        log.info("report_withdrawn", account=account)
        return RedirectResponse(f"/report/{id_of(asked)}?done=withdrawn", HTTPStatus.SEE_OTHER)

    def _anew(self, asked: Asked) -> Response:
        """Make a report of the same stretch: an amendment, where this one is signed and stands."""
        kept, _ = self._kept(asked)
        standing = kept.standing
        amends = standing.status in (FINAL, AMENDED) and not standing.amended_by
        of = id_of(asked) if amends else None
        return begun(self._workshop, asked, kept.kind, kept.patient, (kept.since, kept.until), of)

    def _kept(self, asked: Asked) -> tuple[reports.Kept, bool]:
        account = asked.viewer.account
        with self._stored.as_person(account) as connection:
            kept = reports.kept(connection, id_of(asked))
            signs = reports.signs(connection, account)
        if kept is None:
            raise RefusedError(HTTPStatus.NOT_FOUND, "refused.unknown")
        return kept, signs


def conclusion_of(typed: str) -> str:
    r"""Return a conclusion as it is kept; empty: there is none, it is too long, or cannot be read.

    >>> conclusion_of("  Sinus rhythm.\r\n窦性心律 ")
    'Sinus rhythm.\n窦性心律'
    >>> conclusion_of(" \n"), conclusion_of("a\x00b"), conclusion_of("a" * 4001)
    ('', '', '')
    """
    text = typed.replace("\r\n", "\n").strip()
    is_readable = all(c == "\n" or unicodedata.category(c) not in ("Cc", "Cs") for c in text)
    return text if len(text) <= LONGEST_CONCLUSION and is_readable else ""
