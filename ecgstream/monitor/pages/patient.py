"""One patient: numbers with their age, limits, trends, and what happened."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from urllib.parse import quote

import structlog
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from ecgstream.monitor.charts import Frame, Point
from ecgstream.monitor.guard import Asked, RefusedError
from ecgstream.monitor.pages import limits
from ecgstream.monitor.read import alerts, patient
from ecgstream.monitor.read import limits as kept
from ecgstream.monitor.read.sites import SILENT_S
from ecgstream.monitor.shell import Shell
from ecgstream.monitor.stored import Stored
from schemas import mdc
from schemas.records import Limit

SPANS = {
    1: timedelta(minutes=1),
    6: timedelta(minutes=2),
    24: timedelta(minutes=10),
    168: timedelta(hours=1),
    720: timedelta(hours=4),
}
"""Hours of trends that may be chosen, with the time from one point to the next."""
_WIDTH, _HEIGHT = 800, 130
_OLD_S = {
    **dict.fromkeys((mdc.NIBP_SYS, mdc.NIBP_DIA, mdc.TEMPERATURE), 3600.0),
    **dict.fromkeys((mdc.VPC_RATE, *mdc.ST_LEADS.values()), 180.0),
}
"""After so long a number is shown as old: what is taken now and then, what is counted by minutes."""
_OLD_OTHERS_S = 10.0
_DIGITS = {"Cel": 1, "mV": 2}
"""Behind the point, by unit; of others none."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Number:
    """A number as the page shows it; ``newest`` None: there is none of today."""

    code: int
    unit: str
    newest: patient.Newest | None
    is_old: bool
    limit: Limit | None

    @property
    def digits(self) -> int:
        """How many stand behind the point."""
        return _DIGITS.get(self.unit, 0)

    @property
    def is_beyond(self) -> bool:
        """Whether it passes a limit."""
        if self.newest is None or self.limit is None:
            return False
        low, high, value = self.limit.low, self.limit.high, self.newest.value
        return (low is not None and value < low) or (high is not None and value > high)


@dataclass(frozen=True, slots=True)
class Chart:
    """A trend as the page shows it."""

    code: int
    unit: str
    frame: Frame
    points: list[Point]
    limit: Limit | None

    @property
    def digits(self) -> int:
        """How many stand behind the point."""
        return _DIGITS.get(self.unit, 0)

    @property
    def range(self) -> tuple[float, float]:
        """The least and greatest value of all."""
        lows = [p.low for p in self.points if p.low is not None]
        highs = [p.high for p in self.points if p.high is not None]
        return min(lows, default=float("nan")), max(highs, default=float("nan"))


class Patient:
    """The page."""

    def __init__(self, shell: Shell, stored: Stored) -> None:
        self._shell = shell
        self._stored = stored

    @property
    def routes(self) -> list[BaseRoute]:
        """Where it is."""
        guard = self._shell.guard
        return [
            guard.page("/patient/{patient:path}", self._page, shows="patient"),
            guard.act("/patient/{patient:path}", self._change),
        ]

    def _change(self, asked: Asked) -> Response:
        with self._stored.as_person(asked.viewer.account, writes=True) as connection:
            done = limits.take(connection, asked.path["patient"], asked.form)
        if done is None:
            raise RefusedError(HTTPStatus.BAD_REQUEST, "refused.form")
        if isinstance(done, limits.Refused):
            return self._page(asked, done)
        log.info("limit_changed", account=asked.viewer.account, number=done)
        hours = _hours(asked)
        where = f"/patient/{quote(asked.path['patient'])}?hours={hours}&changed={done}#limits"
        return RedirectResponse(where, HTTPStatus.SEE_OTHER)

    def _page(self, asked: Asked, refused: limits.Refused | None = None) -> Response:
        hours = _hours(asked)
        now = datetime.now(UTC)
        since = _whole(now - timedelta(hours=hours), SPANS[hours])
        with self._stored.as_person(asked.viewer.account) as connection:
            one = patient.known(connection, asked.path["patient"])
            if one is None:
                raise RefusedError(HTTPStatus.NOT_FOUND, "refused.unknown")
            standing = kept.standing(connection, one)
            may_change = kept.may_change(connection, asked.viewer.account, one)
            newest = patient.newest(connection, one, list(patient.NUMBERS))
            found = patient.trends(connection, one, list(patient.NUMBERS), since, SPANS[hours])
            events = alerts.past(connection, since, now, patient=one.patient)
        bounds = {code: said.limit for code, said in standing.items()}
        charts = [
            _chart(code, points, bounds.get(code), since, now, hours)
            for code in patient.NUMBERS
            if (points := found.get(code))
        ]
        shown = {
            "one": one,
            "numbers": [
                _number(code, newest.get(code), bounds.get(code), now)
                for code in patient.NUMBERS
                if code in newest or code not in patient.SELDOM
            ],
            "limits": limits.rows(standing, refused),
            "may_change": may_change,
            "longest": limits.LONGEST_REASON,
            "changed": next((code for code in standing if str(code) == asked.query.get("changed")), None),
            "charts": charts,
            "events": events,
            "hours": hours,
            "spans": SPANS,
            "most": alerts.MOST,
            "silent_s": SILENT_S,
            "now": now,
        }
        status = HTTPStatus.OK if refused is None else HTTPStatus.UNPROCESSABLE_ENTITY
        return self._shell.page(asked.request, "patient.html", shown, status)


def _hours(asked: Asked) -> int:
    return next((one for one in SPANS if str(one) == asked.query.get("hours", "")), 24)


def _number(code: int, newest: patient.Newest | None, limit: Limit | None, now: datetime) -> Number:
    age_s = 0.0 if newest is None else (now - newest.time).total_seconds()
    return Number(code, mdc.UNITS[code], newest, age_s > _OLD_S.get(code, _OLD_OTHERS_S), limit)


def _chart(
    code: int, points: list[Point], limit: Limit | None, since: datetime, now: datetime, hours: int
) -> Chart:
    least, greatest = patient.NUMBERS[code]
    least = min([least, *(p.low for p in points if p.low is not None)])
    greatest = max([greatest, *(p.high for p in points if p.high is not None)])
    frame = Frame(since, now, SPANS[hours], least, greatest, _WIDTH, _HEIGHT)
    return Chart(code, mdc.UNITS[code], frame, points, limit)


def _whole(time: datetime, bucket: timedelta) -> datetime:
    """Return where a bucket begins, so that one is the same whenever the page is opened."""
    size_s = bucket.total_seconds()
    return datetime.fromtimestamp(time.timestamp() // size_s * size_s, UTC)
