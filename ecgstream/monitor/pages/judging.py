"""True or false, by one click: under an alert in the queue, on its page and in the history."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import psycopg
import structlog
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from ecgstream.monitor.guard import Asked, RefusedError, here
from ecgstream.monitor.read import judgements
from ecgstream.monitor.shell import Shell
from ecgstream.monitor.stored import Stored

_JUST_NOW = "judged"
"""Names in an address the alert that was judged by the click that led there."""

log = structlog.get_logger()


class Judging:
    """What takes the clicks."""

    def __init__(self, shell: Shell, stored: Stored) -> None:
        self._guard = shell.guard
        self._stored = stored

    @property
    def routes(self) -> list[BaseRoute]:
        """Where it is."""
        return [self._guard.act("/alarms/{id}/judge", self._judge)]

    def _judge(self, asked: Asked) -> Response:
        id_, verdict = asked.path["id"], asked.form.get("verdict", "")
        if verdict not in judgements.VERDICTS:
            raise RefusedError(HTTPStatus.UNPROCESSABLE_ENTITY, "refused.form")
        with self._stored.as_person(asked.viewer.account, writes=True) as connection:
            judgements.judge(connection, id_, verdict)
        log.info("judged", account=asked.viewer.account, verdict=verdict)
        back = urlsplit(here(asked.form.get("back", "/alarms")))
        query = [(key, value) for key, value in parse_qsl(back.query) if key != _JUST_NOW]
        where = f"{back.path}?{urlencode([*query, (_JUST_NOW, id_)])}"
        return RedirectResponse(where, HTTPStatus.SEE_OTHER)


def shown(connection: psycopg.Connection, asked: Asked, ids: Iterable[str]) -> dict[str, Any]:
    """Return what the pages show of verdicts: on these alerts, and on the one that was judged just now."""
    just_now = asked.query.get(_JUST_NOW, "")
    recorded = judgements.recorded(connection, just_now) if just_now else None
    found = judgements.judged(connection, [*ids, just_now])
    return {"judged": found, "recorded": recorded, "verdicts": judgements.VERDICTS}
