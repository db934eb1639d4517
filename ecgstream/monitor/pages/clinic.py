"""Today's patients, the worst first: what a cardiologist's clinic goes through; of the database alone."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from starlette.responses import Response
from starlette.routing import BaseRoute

from ecgstream.monitor.charts import Frame
from ecgstream.monitor.guard import Asked
from ecgstream.monitor.read import patients
from ecgstream.monitor.read.sites import SILENT_S
from ecgstream.monitor.shell import Shell
from ecgstream.monitor.stored import Stored

_RATES = (40.0, 140.0)
"""The scale of the heart rate's line, /min, the same for all, so that lines compare."""
_LINE = (120, 28)


class Clinic:
    """The page."""

    def __init__(self, shell: Shell, stored: Stored) -> None:
        self._shell = shell
        self._stored = stored

    @property
    def routes(self) -> list[BaseRoute]:
        """Where it is."""
        return [self._shell.guard.page("/clinic", self._page, shows="list")]

    def _page(self, asked: Asked) -> Response:
        now = datetime.now(UTC)
        since = midnight(now, asked.viewer.zone)
        with self._stored.as_person(asked.viewer.account) as connection:
            found = patients.today(connection, since)

        day = Frame(since, since + timedelta(days=1), timedelta(hours=1), *_RATES, *_LINE)

        def is_silent(one: patients.Today) -> bool:
            return one.last_seen is not None and (now - one.last_seen).total_seconds() > SILENT_S

        return self._shell.draw(
            asked, "clinic.html", patients=found, day=day, is_silent=is_silent, now=now, since=since
        )


def midnight(now: datetime, zone: str) -> datetime:
    """Return when the day began in a zone, UTC."""
    local = now.astimezone(ZoneInfo(zone))
    return local.replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)
