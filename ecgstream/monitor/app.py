"""Which address leads where, and what every answer carries."""

from collections.abc import Sequence
from pathlib import Path

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from ecgstream.monitor import metrics
from ecgstream.serving import Headers

HEADERS = {
    # Our own modules and styles, nothing in line or from elsewhere, no frame around (OWASP Secure Headers).
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    # With no-referrer browsers say Origin: null of our own forms, too, which then look like anybody's.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
    "Cache-Control": "no-store",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def make_app(routes: Sequence[BaseRoute]) -> ASGIApp:
    """Return the application with these routes, and the files that pages use."""
    static = Mount("/static", StaticFiles(directory=Path(__file__).parent / "static"), name="static")
    app = Starlette(routes=[*routes, static])
    app.router.redirect_slashes = False  # it would lead to whatever host the request names
    return Headers(app, HEADERS, metrics.ANSWERS)
