"""``ecgstream roster test``: does a call reach who is on duty in a team?"""

import sys
import time
from typing import Annotated

from cyclopts import Parameter

from alerts.history import CALLED, FAILED, TAKEN
from alerts.notify import iso
from alerts.roster.read import from_json
from alerts.state import is_test
from alerts.trial import LASTS_S, refusal
from ecgstream import desk, duty_roster
from ecgstream.commands.alert import connected
from ecgstream.commands.common import By, SettingsFlags, acting, say
from ecgstream.commands.roster import team_of
from ecgstream.desk import DeskError
from ecgstream.settings import Settings
from schemas.records import Alert, AlertState, Turn

_WORDS = {
    AlertState.ACTIVE: "the pager has it",
    CALLED: "called",
    TAKEN: "taken by a channel",
    FAILED: "REFUSED BY A CHANNEL",
    "REJECTED": "cannot come",
    AlertState.ACKNOWLEDGED: "acknowledged",
    AlertState.ENDED: "over",
}
"""What may become of a test page."""


def trial(
    team: Annotated[str, Parameter(help="name of the team.")],
    /,
    *,
    by: By,
    wait: Annotated[float, Parameter(help="for how many seconds an answer is waited for.")] = LASTS_S,
    settings: SettingsFlags = None,
) -> None:
    """Send a test page to who is on duty in a team, and tell how far it comes. It needs Kafka.

    It is marked as a test, of no patient, and ends by itself after ten minutes; whoever gets it acknowledges
    it, as every page. The exit status is 1 if nobody has, or a channel has refused it.

    For instance:

        ecgstream roster test henan --by li
    """
    with connected(settings) as found:
        account = acting(by)
        _check(found, team)
        newest = _follow(found, team, account, min(max(wait, desk.ANSWER_S), LASTS_S + desk.ANSWER_S))
    if newest is None:
        sys.exit("ecgstream: the pager has not answered: is it running? It sends the page if it starts soon")
    has_failed = any(turn.what == FAILED for turn in newest.history)
    if newest.acknowledged_ns is None or has_failed:
        sys.exit("ecgstream: a channel has refused it" if has_failed else "ecgstream: NOBODY HAS ANSWERED")


def _check(settings: Settings, team: str) -> None:
    """Refuse a team that there is none of, and a second test beside the first."""
    told = duty_roster.newest(settings)
    if told is None:
        raise DeskError("no roster is published: `ecgstream roster publish FILE` does that")
    team_of(from_json(told.content), team)
    tests = [alert for alert in desk.alerts(settings).values() if is_test(alert)]
    if last := refusal(tests, team, time.time_ns()):
        sent = f"{last.history[0].by} has sent a test page to team {team} at {iso(last.onset_ns)}"
        raise DeskError(f"{sent}: it must be answered, and a minute old, before the next")


def _follow(settings: Settings, team: str, account: str, patience_s: float) -> Alert | None:
    """Send it, and tell what becomes of it; return it as it is in the end."""
    began, told, newest = time.monotonic(), 0, None
    say(f"a test page to team {team}; Ctrl-C ends the waiting, not the page")
    for newest in desk.ask_for_test(settings, team, account, patience_s):
        for turn in newest.history[told:]:
            say(f"{time.monotonic() - began:6.1f} s  {_told(turn)}")
        told = len(newest.history)
        if newest.state is AlertState.ENDED:
            break
    return newest


def _told(turn: Turn) -> str:
    words = [_WORDS.get(turn.what, turn.what), f"by {turn.by}" if turn.by else ""]
    said = " ".join(filter(None, words))
    return f"{said}: {turn.why}" if turn.why and turn.what != AlertState.ACTIVE else said
