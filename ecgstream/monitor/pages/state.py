"""How the system stands: gateways, what waits for whom, the database, versions."""

from collections.abc import Callable
from datetime import UTC, datetime

from starlette.responses import Response
from starlette.routing import BaseRoute

from ecgstream import __version__
from ecgstream.monitor.guard import Asked
from ecgstream.monitor.progress import Seen
from ecgstream.monitor.read import audit, centre
from ecgstream.monitor.shell import Shell
from ecgstream.monitor.stored import Stored

SILENT_S = 60.0
"""A gateway that has said nothing for so long is shown as silent; it says something every 10 s."""


class State:
    """The page.

    Args:
        shell: draws it.
        stored: says who sees what.
        seen: what Kafka shows.
    """

    def __init__(self, shell: Shell, stored: Stored, seen: Callable[[], Seen]) -> None:
        self._shell = shell
        self._stored = stored
        self._seen = seen

    @property
    def routes(self) -> list[BaseRoute]:
        """Where it is."""
        return [self._shell.guard.page("/state", self._page)]

    def _page(self, asked: Asked) -> Response:
        with self._stored.as_person(asked.viewer.account) as connection:
            known = centre.gateways(connection, asked.viewer.account)
            database = centre.database(connection)
            is_auditor = audit.is_auditor(connection)
        seen = self._seen()
        gateways = [one for one in seen.gateways if known is None or one.gateway in known]
        return self._shell.draw(
            asked,
            "state.html",
            seen=seen,
            gateways=gateways,
            database=database,
            version=__version__,
            silent_s=SILENT_S,
            is_auditor=is_auditor,
            now=datetime.now(UTC),
        )
