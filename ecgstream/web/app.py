"""Which address leads where, and what every answer carries."""

from pathlib import Path

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates
from starlette.types import ASGIApp

from ecgstream.serving import Headers
from ecgstream.web import metrics

_HERE = Path(__file__).parent

HEADERS = {
    # Nothing from elsewhere, no script, no frame around it (OWASP Secure Headers).
    "Content-Security-Policy": "default-src 'none'; img-src 'self'; style-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",  # the address of a page is its link
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
    "Cache-Control": "no-store",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def templates() -> Jinja2Templates:
    """Return the templates; what is put into one is escaped."""
    return Jinja2Templates(directory=_HERE / "templates")


def make_app(routes: list[BaseRoute]) -> ASGIApp:
    """Return the application with these routes, and the files that pages use."""
    static = Mount("/static", StaticFiles(directory=_HERE / "static"), name="static")
    app = Starlette(routes=[*routes, static])
    app.router.redirect_slashes = False  # it would lead to whatever host the request names
    return Headers(app, HEADERS, metrics.ANSWERS)
