"""Test pages (``alerts.trial``): who answers alarms at a place sees that calls reach who is on duty there."""

import time
from collections.abc import Callable
from http import HTTPStatus
from typing import NoReturn
from urllib.parse import urlencode

import structlog
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from alerts.state import is_test
from alerts.trial import refusal
from ecgstream import desk
from ecgstream.monitor.guard import Asked, RefusedError
from ecgstream.monitor.pages.alarms import Following, Say
from ecgstream.monitor.pages.duty import Newest, roster_of
from ecgstream.monitor.read import alerts
from ecgstream.monitor.shell import Shell
from ecgstream.monitor.stored import Stored
from schemas.records import Act, Alert

Ask = Callable[[str, str], Alert | None]
"""From a team and an account to the test page; None: the pager has not answered yet."""

log = structlog.get_logger()


class Trials:
    """What the page of those on duty does.

    Args:
        shell: knows who asks.
        stored: says who may.
        newest: the roster that holds.
        board: the alerts as they stand.
        ask: sends a test page.
        say: writes down that somebody has one.
    """

    def __init__(
        self, shell: Shell, stored: Stored, newest: Newest, board: Following, ask: Ask, say: Say
    ) -> None:
        self._shell = shell
        self._stored = stored
        self._newest = newest
        self._board = board
        self._ask = ask
        self._say = say

    @property
    def routes(self) -> list[BaseRoute]:
        """Where it is."""
        guard = self._shell.guard
        return [guard.act("/duty/test", self._send), guard.act("/duty/test/{id}", self._answer)]

    def _send(self, asked: Asked) -> Response:
        name, account = asked.form.get("team", ""), asked.viewer.account
        _, roster = roster_of(self._newest)
        team = None if roster is None else roster.team_of.get(name)
        with self._stored.as_person(account) as connection:
            region = None if team is None else alerts.facility(connection, team.region)
            if region is None:
                raise RefusedError(HTTPStatus.NOT_FOUND, "refused.unknown")
            if not alerts.may_answer(connection, account, region.path):
                raise RefusedError(HTTPStatus.FORBIDDEN, "refused.position")
        tests = [alert for alert in self._board.alerts() if is_test(alert)]
        if refusal(tests, name, time.time_ns()) is not None:
            return _back("again")
        try:
            sent = self._ask(name, account)
        except desk.REFUSALS as error:
            _away(error)
        log.info("test_page", team=name, by=account, answered=sent is not None)
        return _back("waits" if sent is None else "sent")

    def _answer(self, asked: Asked) -> Response:
        alert, account = self._board.alert(asked.path["id"]), asked.viewer.account
        if alert is None or not is_test(alert) or account not in {one.account for one in alert.called}:
            raise RefusedError(HTTPStatus.NOT_FOUND, "refused.unknown")
        try:
            told = self._say(alert, account, "received", Act.ACKNOWLEDGE, 0.0)
        except desk.REFUSALS as error:
            _away(error)
        return _back("waits" if told is None else "received")


def _back(said: str) -> Response:
    return RedirectResponse(f"/duty?{urlencode({'said': said})}", HTTPStatus.SEE_OTHER)


def _away(error: Exception) -> NoReturn:
    log.warning("not_said", error=type(error).__name__)
    raise RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, "refused.kafka") from None
