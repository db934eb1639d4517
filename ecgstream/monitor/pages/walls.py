"""Walls that stand: which there are, leaving this screen as one, and ending one."""

from http import HTTPStatus
from uuid import UUID

import structlog
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from ecgstream.monitor import walls
from ecgstream.monitor.guard import Asked, RefusedError
from ecgstream.monitor.live.words import SECTORS
from ecgstream.monitor.shell import Shell
from ecgstream.monitor.stored import Stored

DAYS = (1, 7, 30, 90)
"""How long a wall may stand."""
LONGEST_NAME = 60

log = structlog.get_logger()


class WallsPage:
    """The page.

    Args:
        shell: draws it.
        stored: knows which walls and facilities somebody sees.
        kept: begins walls, and ends them.
    """

    def __init__(self, shell: Shell, stored: Stored, kept: walls.Walls) -> None:
        self._shell = shell
        self._stored = stored
        self._walls = kept

    @property
    def routes(self) -> list[BaseRoute]:
        """Where it is."""
        guard = self._shell.guard
        return [
            guard.page("/walls", self._page),
            guard.act("/walls", self._leave),
            guard.act("/walls/{id}/end", self._end),
        ]

    def _page(self, asked: Asked) -> Response:
        account = asked.viewer.account
        with self._stored.as_person(account) as connection:
            found, places = walls.standing(connection, account), walls.places(connection, account)
        choices = {"days": DAYS, "sectors": SECTORS, "longest": LONGEST_NAME}
        at, many = asked.query.get("at", ""), asked.query.get("sectors", "16")
        return self._shell.draw(asked, "walls.html", walls=found, places=places, at=at, many=many, **choices)

    def _leave(self, asked: Asked) -> Response:
        form, account = asked.form, asked.viewer.account
        name = " ".join(form.get("name", "").split())
        sectors, days = _one_of(SECTORS, form.get("sectors")), _one_of(DAYS, form.get("days"))
        if not 0 < len(name) <= LONGEST_NAME or not name.isprintable() or sectors is None or days is None:
            raise RefusedError(HTTPStatus.BAD_REQUEST, "refused.form")
        response = RedirectResponse("/wall", HTTPStatus.SEE_OTHER)
        if not self._walls.begin(response, account, name, form.get("facility", ""), sectors, days):
            raise RefusedError(HTTPStatus.FORBIDDEN, "refused.position")
        # Whoever comes by this screen must not find somebody logged in.
        self._shell.guard.let_out(asked.request, response)
        log.info("wall_left", account=account, days=days)
        return response

    def _end(self, asked: Asked) -> Response:
        try:
            which = UUID(asked.path["id"])
        except ValueError:
            raise RefusedError(HTTPStatus.NOT_FOUND, "refused.unknown") from None
        if not self._walls.end(which, asked.viewer.account):
            raise RefusedError(HTTPStatus.NOT_FOUND, "refused.unknown")
        log.info("wall_ended", account=asked.viewer.account)
        return RedirectResponse("/walls", HTTPStatus.SEE_OTHER)


def _one_of(choices: tuple[int, ...], said: str | None) -> int | None:
    return next((choice for choice in choices if str(choice) == said), None)
