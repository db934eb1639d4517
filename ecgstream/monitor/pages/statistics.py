"""Alarms by condition and facility: how many, how soon answered, how many false, beside what is aimed at."""

import csv
import io
from datetime import UTC, datetime

from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute

from ecgstream import budget
from ecgstream.monitor.guard import Asked
from ecgstream.monitor.read.sites import names_of
from ecgstream.monitor.shell import Shell
from ecgstream.monitor.stored import Stored


class Statistics:
    """The page, and the same as CSV and JSON."""

    def __init__(self, shell: Shell, stored: Stored) -> None:
        self._shell = shell
        self._stored = stored

    @property
    def routes(self) -> list[BaseRoute]:
        """Where it is: before the page of one alert, whose address it would match."""
        return [self._shell.guard.page("/alarms/statistics", self._page)]

    def _page(self, asked: Asked) -> Response:
        days = next((one for one in budget.DAYS if str(one) == asked.query.get("days", "")), budget.DAYS[0])
        now = datetime.now(UTC)
        with self._stored.as_person(asked.viewer.account) as connection:
            found = budget.counted(connection, days, now)
            names = names_of(connection, [one.of for one in found.facilities])
        form = asked.query.get("form", "")
        if form == "json":
            return JSONResponse(found.told(), headers=_saved(f"alarms-{days}d.json"))
        if form == "csv":
            return Response(_csv(found), media_type="text/csv", headers=_saved(f"alarms-{days}d.csv"))
        aims = {"most": budget.MOST_FALSE_PERCENT, "aim": budget.AIM_FALSE_PERCENT}
        return self._shell.draw(
            asked, "statistics.html", found=found, names=names, aims=aims, choices=budget.DAYS, now=now
        )


def _saved(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}


def _csv(found: budget.Budget) -> str:
    """Return a row for all, for each condition and for each facility.

    Conditions and codes of facilities are of letters, digits, - and _: no text is somebody's.
    """
    to = io.StringIO()
    kinds = {"all": [found.whole], "condition": found.conditions, "facility": found.facilities}
    writer = csv.DictWriter(to, ["by", *found.whole.told()])
    writer.writeheader()
    for by, rows in kinds.items():
        writer.writerows({"by": by, **row.told()} for row in rows)
    return to.getvalue()
