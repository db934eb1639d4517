"""A patient's reports: which there are, asking for one, and how far it is while it is made."""

from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import structlog
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from ecgstream.monitor.guard import BY_ITSELF, Asked, RefusedError
from ecgstream.monitor.making import Order
from ecgstream.monitor.read import patient, reports
from ecgstream.monitor.shell import Shell
from ecgstream.monitor.stored import Stored
from ecgstream.monitor.workshop import BusyError, Workshop
from ecgstream.reports.kind import Kind
from ecgstream.reports.resting.leads import STRETCH

SHORTEST, LONGEST = timedelta(minutes=1), timedelta(days=14)
LAST = {"day": timedelta(days=1), "hour": timedelta(hours=1)}
"""Stretches that end now; another one is given by its two times."""
_UNSTORED = timedelta(minutes=1)
"""The newest of the signal, which may not be stored yet."""
_MINUTE = timedelta(minutes=1)

log = structlog.get_logger()


class Reports:
    """The pages.

    Args:
        shell: draws them.
        stored: knows whom somebody sees.
        workshop: makes reports.
    """

    def __init__(self, shell: Shell, stored: Stored, workshop: Workshop) -> None:
        self._shell = shell
        self._stored = stored
        self._workshop = workshop

    @property
    def routes(self) -> list[BaseRoute]:
        """Where they are."""
        guard = self._shell.guard
        return [
            guard.page("/reports/{patient:path}", self._list, shows="patient"),
            guard.act("/reports/{patient:path}", self._ask),
            guard.page("/making/{id}", self._making),
        ]

    def _list(self, asked: Asked, fault: str = "", status: HTTPStatus = HTTPStatus.OK) -> Response:
        with self._stored.as_person(asked.viewer.account) as connection:
            one = patient.known(connection, asked.path["patient"])
            if one is None:
                raise RefusedError(HTTPStatus.NOT_FOUND, "refused.unknown")
            found = reports.of_patient(connection, one.patient)
        now = datetime.now(UTC)
        typed = typed_stretch(asked, now)
        shown = {
            "one": one,
            "reports": found,
            "most": reports.MOST,
            "fault": fault,
            "typed": typed,
            "now": now,
        }
        return self._shell.page(asked.request, "reports.html", shown, status)

    def _ask(self, asked: Asked) -> Response:
        kind = Kind.RESTING if asked.form.get("stretch") == Kind.RESTING else Kind.STRETCH
        stretch = stretch_of(asked, datetime.now(UTC), kind)
        if stretch is None:
            return self._list(asked, "report.fault.times", HTTPStatus.UNPROCESSABLE_ENTITY)
        with self._stored.as_person(asked.viewer.account) as connection:
            one = patient.known(connection, asked.path["patient"])
        if one is None:
            raise RefusedError(HTTPStatus.NOT_FOUND, "refused.unknown")
        return begun(self._workshop, asked, kind, one.patient, stretch, None)

    def _making(self, asked: Asked) -> Response:
        id_ = str(id_of(asked))
        job = self._workshop.job(id_)
        if job is None or job.order.account != asked.viewer.account:
            # Made long ago, or before the monitor was started: if it is kept, its page says all.
            return RedirectResponse(f"/report/{id_}", HTTPStatus.SEE_OTHER)
        outcome = job.outcome
        if outcome == "" and BY_ITSELF not in asked.request.headers:
            return RedirectResponse(f"/report/{id_}", HTTPStatus.SEE_OTHER)
        return self._shell.draw(
            asked,
            "making.html",
            order=job.order,
            outcome=outcome,
            percent=round(100 * self._workshop.done(job)),
            lasting=self._workshop.lasting_s(job),
        )


def begun(
    workshop: Workshop,
    asked: Asked,
    kind: Kind,
    whom: str,
    stretch: tuple[datetime, datetime],
    amends: UUID | None,
) -> Response:
    """Begin to make a report, and lead to the page that says how far it is."""
    order = Order(uuid4(), asked.viewer.account, kind, whom, *stretch, amends)
    try:
        workshop.make(order)
    except BusyError:
        raise RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, "refused.busy") from None
    log.info("report_asked", account=asked.viewer.account)
    return RedirectResponse(f"/making/{order.id}", HTTPStatus.SEE_OTHER)


def id_of(asked: Asked) -> UUID:
    """Return the id of an address."""
    try:
        return UUID(asked.path["id"])
    except ValueError:
        raise RefusedError(HTTPStatus.NOT_FOUND, "refused.unknown") from None


def typed_stretch(asked: Asked, now: datetime, first: str = "day") -> dict[str, str]:
    """Return what the fields of a stretch show: what was typed, or the last of it."""
    until = _floor(now - _UNSTORED)
    return {
        "stretch": asked.form.get("stretch", first),
        "since": asked.form.get("since") or field(until - LAST[first], asked.viewer.zone),
        "until": asked.form.get("until") or field(until, asked.viewer.zone),
        "at": asked.form.get("at", ""),
    }


def stretch_of(asked: Asked, now: datetime, kind: Kind = Kind.STRETCH) -> tuple[datetime, datetime] | None:
    """Return what a form asks for; None: it is no stretch, not over, too short or too long.

    It is in whole minutes, but of a resting ECG.
    """
    form, newest = asked.form, _floor(now - _UNSTORED)
    if (last := LAST.get(form.get("stretch", ""))) is not None:
        return newest - last, newest
    zone = ZoneInfo(asked.viewer.zone)
    is_resting = kind is Kind.RESTING
    try:
        since, until = (
            datetime.fromisoformat(form.get(name, "")).replace(tzinfo=zone).astimezone(UTC)
            for name in (("at", "at") if is_resting else ("since", "until"))
        )
        until += STRETCH if is_resting else timedelta(0)
    except (ValueError, OverflowError):
        return None
    if is_resting:
        return (since, until) if until <= now else None
    since, until = _floor(since), _floor(until)
    return (since, until) if SHORTEST <= until - since <= LONGEST and until <= now else None


def _floor(time: datetime) -> datetime:
    return time.replace(second=0, microsecond=0)


def field(time: datetime, zone: str) -> str:
    """Return a time as a field of a form has it."""
    return time.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%dT%H:%M")
