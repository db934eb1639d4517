"""All sites at a glance: a tile each, the worst first; gathered by a level of the tree on demand."""

from datetime import UTC, datetime

from starlette.responses import Response
from starlette.routing import BaseRoute

from ecgstream.monitor.guard import Asked
from ecgstream.monitor.read.sites import Site, sites
from ecgstream.monitor.shell import Shell
from ecgstream.monitor.stored import Stored
from ecgstream.registry.facilities import Level


class Overview:
    """The page.

    Args:
        shell: draws it.
        stored: says who sees what.
        opens: the page that a tile opens, of the facility that ``at`` names.
    """

    def __init__(self, shell: Shell, stored: Stored, opens: str) -> None:
        self._shell = shell
        self._stored = stored
        self._opens = opens

    @property
    def routes(self) -> list[BaseRoute]:
        """Where it is."""
        return [self._shell.guard.page("/overview", self._page)]

    def _page(self, asked: Asked) -> Response:
        wanted = asked.query.get("level", "")
        level = next((one for one in Level if one.name.lower() == wanted), None)
        with self._stored.as_person(asked.viewer.account) as connection:
            found = sites(connection, level)
        shown = {"sites": found, "level": level, "levels": list(Level), "opens": self._opens}
        return self._shell.draw(asked, "overview.html", **shown, sums=_sums(found), now=datetime.now(UTC))


def _sums(found: list[Site]) -> dict[str, int]:
    counted = ("patients", "devices", "down", "high", "medium", "low")
    return {name: sum(getattr(site, name) for site in found) for name in counted}
