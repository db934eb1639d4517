"""Who is on duty now and in the next week, by the pager's roster; and what a shift hands over."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from http import HTTPStatus

import psycopg
import structlog
from starlette.responses import Response
from starlette.routing import BaseRoute

from alerts.roster.duty import Watch, holes, watches
from alerts.roster.handover import Handover, handover
from alerts.roster.model import Roster, Team
from alerts.roster.read import RosterError, from_json
from alerts.route import where_of
from alerts.state import is_test
from ecgstream import desk
from ecgstream.monitor.guard import Asked, RefusedError
from ecgstream.monitor.pages.alarms import Following
from ecgstream.monitor.read import alerts
from ecgstream.monitor.shell import Shell
from ecgstream.monitor.stored import Stored
from schemas.records import Alert
from schemas.records import Roster as Told

Newest = Callable[[], Told | None]
DAYS = 7
SAID = ("sent", "again", "waits", "received")
"""What may have become of a test page; ``trial.…`` are their words."""
_DAY_NS = 86_400 * 10**9

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class OnDuty:
    """A team: who is on duty now and until when, and who follows.

    Attributes:
        region: the team's.
        may_test: whether whoever looks may send it a test page.
        test: its newest one of the last hour.
    """

    team: Team
    region: alerts.Facility
    now: Watch
    next: list[Watch]
    may_test: bool = False
    test: Alert | None = None


class Duty:
    """The page.

    Args:
        shell: draws it.
        stored: knows the names of facilities.
        newest: the roster that holds.
        board: the alerts as they stand.
    """

    def __init__(self, shell: Shell, stored: Stored, newest: Newest, board: Following) -> None:
        self._shell = shell
        self._stored = stored
        self._newest = newest
        self._board = board

    @property
    def routes(self) -> list[BaseRoute]:
        """Where it is."""
        guard = self._shell.guard
        return [guard.page("/duty", self._page), guard.page("/duty/handover", self._handover)]

    def _page(self, asked: Asked) -> Response:
        told, roster = roster_of(self._newest)
        now_ns, account, said = time.time_ns(), asked.viewer.account, asked.query.get("said", "")
        with self._stored.as_person(account) as connection:
            teams = [] if roster is None else _teams(connection, roster, now_ns)
            teams = [self._tested(connection, account, one) for one in teams]
        seen = {one.team.name for one in teams}
        empty = [] if roster is None else holes(roster, now_ns, now_ns + DAYS * _DAY_NS)
        return self._shell.draw(
            asked,
            "duty.html",
            told=told,
            teams=teams,
            holes=[hole for hole in empty if hole.team in seen],
            days=DAYS,
            said=said if said in SAID else "",
            now=datetime.now(UTC),
        )

    def _tested(self, connection: psycopg.Connection, account: str, one: OnDuty) -> OnDuty:
        tests = (alert for alert in self._board.alerts() if is_test(alert) and alert.device == one.team.name)
        newest = max(tests, key=lambda alert: alert.raised_ns, default=None)
        may_test = alerts.may_answer(connection, account, one.region.path)
        return replace(one, may_test=may_test, test=newest)

    def _handover(self, asked: Asked) -> Response:
        _, roster = roster_of(self._newest)
        now_ns = time.time_ns()
        with self._stored.as_person(asked.viewer.account) as connection:
            teams = [] if roster is None else _teams(connection, roster, now_ns)
            seen = [(alert, where_of(alert)) for alert in alerts.visible(connection, self._board.alerts())]
            names = alerts.names(connection, {alert.facility for alert, _ in seen})
        found: list[Handover] = []
        if roster is not None:
            found = [handover(roster, one.team, seen, change_ns(one, now_ns)) for one in teams]
        is_current = self._board.is_current
        now = datetime.now(UTC)
        return self._shell.draw(
            asked, "handover.html", found=found, names=names, is_current=is_current, now=now
        )


def roster_of(newest: Newest) -> tuple[Told | None, Roster | None]:
    """Return the roster as it was told, and as it is read; None: there is none.

    Raises:
        RefusedError: it cannot be read.
    """
    try:
        told = newest()
        return told, None if told is None else from_json(told.content)
    except desk.REFUSALS as error:
        log.warning("roster_not_read", error=type(error).__name__)
        raise RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, "refused.away") from None
    except RosterError:
        raise RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, "duty.unreadable") from None


def change_ns(one: OnDuty, now_ns: int) -> int:
    """Return when others come on duty; now, where nobody else does soon."""
    now = [span.account for span in one.now.spans]
    others = (watch for watch in one.next if [span.account for span in watch.spans] != now)
    return next((watch.from_ns for watch in others), now_ns)


def _teams(connection: psycopg.Connection, roster: Roster, now_ns: int) -> list[OnDuty]:
    """Return the teams of the regions that one sees, on the way to the root and below one's own."""
    found = []
    for team in roster.teams:
        region = alerts.facility(connection, team.region)
        if region is None:
            continue
        now, *later = watches(roster, team, now_ns, now_ns + DAYS * _DAY_NS)
        found.append(OnDuty(team, region, now, later[:6]))
    return found
