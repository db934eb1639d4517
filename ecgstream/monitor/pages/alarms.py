"""Alarms: what is open, who takes it on; and what was, and how soon it was answered.

The queue is Kafka's, as the pager has it; who sees what of it, the database says. It is answered by the same
records as everywhere else (``desk``).
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Protocol
from urllib.parse import urlencode

import structlog
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from ecgstream import desk
from ecgstream.monitor.guard import Asked, RefusedError
from ecgstream.monitor.pages import judging
from ecgstream.monitor.read import alerts
from ecgstream.monitor.shell import Shell
from ecgstream.monitor.stored import Stored
from schemas.records import Act, Alert, AlertState, Priority

Say = Callable[[Alert, str, str, Act, float], Alert | None]
"""From an alert, by whom, why, what and for how many s, to the alert as the pager has it then."""

SILENCES_S = {Priority.HIGH: (60, 120), Priority.MEDIUM: (120, 300, 900), Priority.LOW: (300, 900, 3600)}
"""For how long an alert may be silenced, by its priority; the pager allows no more than the last."""
DAYS = (1, 7, 30)
"""Of a history."""
LONGEST_REASON = 200
_STATES = (
    AlertState.ACTIVE,
    AlertState.LATE,
    AlertState.LATCHED,
    AlertState.CHECK,
    AlertState.SILENCED,
    AlertState.ACKNOWLEDGED,
)
"""Of what is open, in the order of the queue."""

log = structlog.get_logger()


class Following(Protocol):
    """What knows the alerts: ``Board``."""

    def alert(self, id_: str) -> Alert | None: ...  # noqa: D102

    def alerts(self) -> list[Alert]: ...  # noqa: D102

    @property
    def is_current(self) -> bool: ...  # noqa: D102


class Alarms:
    """The pages.

    Args:
        shell: draws them.
        stored: says who sees what.
        board: the alerts as they stand.
        say: writes down what somebody says of one.
    """

    def __init__(self, shell: Shell, stored: Stored, board: Following, say: Say) -> None:
        self._shell = shell
        self._stored = stored
        self._board = board
        self._say = say

    @property
    def routes(self) -> list[BaseRoute]:
        """Where they are."""
        guard = self._shell.guard
        return [
            guard.page("/alarms", self._queue, shows="list"),
            guard.page("/alarms/history", self._history, shows="list"),
            guard.page("/alarms/{id}", self._one, shows="alert"),
            guard.act("/alarms/{id}", self._answer),
        ]

    def _queue(self, asked: Asked) -> Response:
        known = [alert for alert in self._board.alerts() if alert.state in _STATES]
        with self._stored.as_person(asked.viewer.account) as connection:
            at = alerts.facility(connection, asked.query.get("at", ""))
            if at is not None:
                known = [a for a in known if f"{a.facility}.".startswith(f"{at.path}.")]
            found = sorted(alerts.visible(connection, known), key=_order)
            names = alerts.names(connection, {alert.facility for alert in found})
            verdicts = judging.shown(connection, asked, [alert.id for alert in found])
        shown = {"alerts": found, "names": names, "is_current": self._board.is_current, "now": _now()}
        return self._shell.draw(asked, "alarms.html", **shown, **verdicts, at=at and at.place)

    def _one(self, asked: Asked) -> Response:
        alert, names, may_answer = self._seen(asked)
        with self._stored.as_person(asked.viewer.account) as connection:
            verdicts = judging.shown(connection, asked, [alert.id])
        shown = {"alert": alert, "names": names, "is_current": self._board.is_current, "now": _now()}
        is_open = alert.acknowledged_ns is None and alert.state is not AlertState.ENDED
        said = asked.query.get("said", "")
        return self._shell.draw(
            asked,
            "alarm.html",
            **shown,
            **verdicts,
            may_answer=may_answer and is_open,
            silences=SILENCES_S[alert.priority],
            said=said if said in _SAID else "",
            longest=LONGEST_REASON,
        )

    def _seen(self, asked: Asked) -> tuple[Alert, dict[str, alerts.Place], bool]:
        """Return an alert that one sees, the names of its place, and whether one may answer it."""
        alert = self._board.alert(asked.path["id"])
        if alert is None:
            raise RefusedError(HTTPStatus.NOT_FOUND, "refused.unknown")
        with self._stored.as_person(asked.viewer.account) as connection:
            if not alerts.visible(connection, [alert]):
                raise RefusedError(HTTPStatus.NOT_FOUND, "refused.unknown")
            may = alerts.may_answer(connection, asked.viewer.account, alert.facility)
            return alert, alerts.names(connection, {alert.facility}), may

    def _answer(self, asked: Asked) -> Response:
        alert, _, may_answer = self._seen(asked)
        if not may_answer:
            raise RefusedError(HTTPStatus.FORBIDDEN, "refused.position")
        act, reason, silent_s = _said(asked, alert)
        if alert.acknowledged_ns is None and alert.state is not AlertState.ENDED:
            try:
                told = self._say(alert, asked.viewer.account, reason, act, silent_s)
            except desk.REFUSALS as error:
                log.warning("not_said", error=type(error).__name__, alert=alert.id)
                raise RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, "refused.kafka") from None
            said = "waits" if told is None else _outcome(told, asked.viewer.account, act)
        else:
            said = _outcome(alert, asked.viewer.account, act)
        return RedirectResponse(f"/alarms/{alert.id}?{urlencode({'said': said})}", HTTPStatus.SEE_OTHER)

    def _history(self, asked: Asked) -> Response:
        days = _chosen(asked.query.get("days", ""), DAYS)
        wanted = asked.query.get("priority", "")
        priority = wanted if wanted in Priority.__members__ else None
        now = _now()
        with self._stored.as_person(asked.viewer.account) as connection:
            found = alerts.past(connection, now - timedelta(days=days), now, priority=priority)
            answers = alerts.answers(connection, now, timedelta(days=days))
            verdicts = judging.shown(connection, asked, [str(one.id) for one in found])
        return self._shell.draw(
            asked,
            "history.html",
            **verdicts,
            alerts=found,
            answers=answers,
            days=days,
            choices=DAYS,
            priority=priority,
            most=alerts.MOST,
            now=now,
        )


_SAID = ("acknowledged", "rejected", "silenced", "first", "ended", "waits")
"""What may have become of an answer; ``said.…`` are their words."""


def _said(asked: Asked, alert: Alert) -> tuple[Act, str, float]:
    """Return what somebody says of an alert, why, and for how many seconds."""
    try:
        act, reason = Act(asked.form.get("act", "")), desk.reason_of(asked.form.get("reason", ""))
        silent_s = float(asked.form.get("for", "0")) if act is Act.SILENCE else 0.0
    except ValueError:
        raise RefusedError(HTTPStatus.UNPROCESSABLE_ENTITY, "refused.reason") from None
    if len(reason) > LONGEST_REASON or (act is Act.SILENCE and silent_s not in SILENCES_S[alert.priority]):
        raise RefusedError(HTTPStatus.UNPROCESSABLE_ENTITY, "refused.reason")
    return act, reason, silent_s


def _outcome(alert: Alert, account: str, act: Act) -> str:
    if alert.acknowledged_ns is not None:
        is_own = act is Act.ACKNOWLEDGE and alert.acknowledged_by == account
        return "acknowledged" if is_own else "first"
    if alert.state is AlertState.ENDED:
        return "ended"
    return "silenced" if act is Act.SILENCE else "rejected"


def _order(alert: Alert) -> tuple[object, ...]:
    is_taken = alert.state is AlertState.ACKNOWLEDGED
    priority, state = list(Priority).index(alert.priority), _STATES.index(alert.state)
    return (is_taken, priority, state, alert.onset_ns, alert.id)


def _chosen(text: str, choices: tuple[int, ...]) -> int:
    return next((one for one in choices if str(one) == text), choices[0])


def _now() -> datetime:
    return datetime.now(UTC)
