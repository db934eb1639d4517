"""What all pages have around them: navigation, language, who is logged in, and the words."""

from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.templating import Jinja2Templates

from alerts.priority import MARKS
from ecgstream.monitor.guard import Asked, Guard
from ecgstream.monitor.reads import Reads
from ecgstream.monitor.sessions import Sessions
from ecgstream.monitor.wording import LANGUAGES, WORDINGS, language_of

_HERE = Path(__file__).parent


class Shell:
    """Draws pages.

    Args:
        sessions: those that are open.
        address: where people reach the monitor; empty: this machine only.
        pages: the paths of the navigation, in its order; ``nav.PATH`` are their words.
        reads: notes who sees what.
    """

    def __init__(self, sessions: Sessions, address: str, pages: Sequence[str], reads: Reads) -> None:
        self.guard = Guard(sessions, address, self._refuse, reads)
        self.templates = Jinja2Templates(_HERE / "templates", context_processors=[self._around])
        self._pages = pages

    def draw(self, asked: Asked, template: str, /, **shown: Any) -> Response:
        """Return a page."""
        return self.page(asked.request, template, shown)

    def page(
        self, request: Request, template: str, shown: dict[str, Any], status: HTTPStatus = HTTPStatus.OK
    ) -> Response:
        """Return a page for anybody."""
        drawn: Response = self.templates.TemplateResponse(request, template, shown, status)
        return drawn

    def _refuse(self, request: Request, status: HTTPStatus, key: str) -> Response:
        return self.page(request, "refused.html", {"said": key}, status)

    def _around(self, request: Request) -> dict[str, Any]:
        session = self.guard.session_of(request)
        language = language_of(request)
        zone = "UTC" if session is None else session.zone
        where = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return {
            "words": WORDINGS[language].at(zone),
            "language": language,
            "languages": LANGUAGES,
            "account": None if session is None else session.account,
            "csrf": "" if session is None else session.csrf,
            "pages": self._pages,
            "here": request.url.path,
            "where": where,
            "marks": MARKS,
        }
