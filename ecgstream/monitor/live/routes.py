"""The wall's page and its socket, to be put among the monitor's routes."""

import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from urllib.parse import quote

import psycopg
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.templating import Jinja2Templates

from ecgstream.monitor.live.hub import Hub
from ecgstream.monitor.live.socket import LiveSocket
from ecgstream.monitor.live.view import Bed
from ecgstream.monitor.live.words import SECTORS, words_of
from ecgstream.monitor.reads import Reads
from ecgstream.monitor.viewer import Viewer

DEFAULT_SECTORS = 16
_AGAIN_S = 10


def routes(
    hub: Hub,
    viewer_of: Callable[[HTTPConnection], Viewer | None],
    beds_of: Callable[[Viewer], Mapping[str, Bed]],
    templates: Jinja2Templates,
    condition: Callable[[str, str], str],
    reads: Reads,
) -> list[BaseRoute]:
    """Return the routes of the wall.

    Args:
        hub: what is shown.
        viewer_of: who looks; None: nobody who is logged in. It may wait for the database.
        beds_of: the devices that they may see, see ``LiveSocket``.
        templates: ``wall.html`` is among them; the page's modules are served from ``/static``.
        condition: returns what, in a language, a condition's code is called.
        reads: notes who sees what.
    """

    async def page(request: Request) -> Response:
        """``?at=`` keeps to a facility, by its code, and those below it; ``?sectors=``: how many at once.

        A screen that was left as a wall has a facility and a number of its own.
        """
        try:
            viewer = await run_in_threadpool(viewer_of, request)
        except psycopg.OperationalError:  # a screen that nobody sits at asks again
            response = templates.TemplateResponse(
                request, "refused.html", {"said": "refused.database"}, HTTPStatus.SERVICE_UNAVAILABLE
            )
            response.headers["Refresh"] = str(_AGAIN_S)
            return response
        if viewer is None:
            return RedirectResponse(f"/login?to={quote(_here(request), safe='')}", HTTPStatus.SEE_OTHER)
        words = words_of(viewer.language, condition)
        left = viewer.wall
        wanted = request.query_params
        wall = {
            "words": words,
            "told": json.dumps(words, ensure_ascii=False),
            "language": "zh-Hans" if viewer.language == "zh" else "en",
            "at": left.facility if left else wanted.get("at", ""),
            "sectors": left.sectors if left else _sectors(wanted.get("sectors", "")),
            "left": left.name if left else "",
            "choices": SECTORS,
        }
        return templates.TemplateResponse(request, "wall.html", {"wall": wall})

    socket = LiveSocket(hub, viewer_of, beds_of, reads)
    return [Route("/wall", page, methods=["GET"]), WebSocketRoute("/live", socket.serve)]


def _here(request: Request) -> str:
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def _sectors(wanted: str) -> int:
    return int(wanted) if wanted in map(str, SECTORS) else DEFAULT_SECTORS
