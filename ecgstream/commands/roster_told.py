"""``ecgstream roster publish``, ``told`` and ``handover``: the roster that the pager calls people by."""

import sys
import time
from datetime import datetime
from typing import Annotated

from cyclopts import Parameter

from alerts.notify import iso
from alerts.roster.check import problems
from alerts.roster.handover import handover as handed_over
from alerts.roster.handover import lines_of
from alerts.roster.model import Roster
from alerts.roster.read import from_json
from alerts.route import where_of
from ecgstream import desk, duty_roster
from ecgstream.broker.access import Service
from ecgstream.broker.ready import check
from ecgstream.commands.alert import connected
from ecgstream.commands.common import By, Json, SettingsFlags, acting, print_json, say
from ecgstream.commands.roster import File, TeamName, refused, roster_of, team_of
from ecgstream.desk import DeskError
from ecgstream.registry import text
from ecgstream.settings import Settings
from schemas.records import Roster as Told


def publish(file: File, /, *, by: By, settings: SettingsFlags = None) -> None:
    """Give the pager a roster: it calls people by it from now on. It needs Kafka.

    For instance:

        ecgstream roster publish roster.toml --by li
    """
    with connected(settings) as found:
        account, roster = acting(by), roster_of(file)
        if wrong := problems(roster, time.time_ns()):
            sys.exit(refused(file, wrong))
        check(found, Service.DESK)
        told = duty_roster.publish(found, roster, account)
    say(f"published: version {told.version}; the pager calls people by it from now on")


def told(*, json: Json = False, settings: SettingsFlags = None) -> None:
    """Tell which roster the pager calls people by, or print it as JSON. It needs Kafka.

    For instance:

        ecgstream roster told --json > roster.json
    """
    with connected(settings) as found:
        newest = _newest(found)
    if json:
        print_json(from_json(newest.content).model_dump(mode="json"))
    else:
        say(f"version {newest.version}, published by {newest.published_by} at {iso(newest.published_ns)}")


def handover(
    *,
    team: TeamName,
    at: Annotated[str | None, Parameter(help="when, as 2026-10-01T08:00:00+08:00; otherwise now.")] = None,
    settings: SettingsFlags = None,
) -> None:
    """Tell what one shift hands over to the next: who comes, and the team's open alerts. It needs Kafka.

    For instance:

        ecgstream roster handover --team henan --at 2026-10-01T08:00:00+08:00
    """
    with connected(settings) as found:
        moment = datetime.now().astimezone() if at is None else text.moment(at, "--at")
        roster = _roster(found)
        alerts = ((alert, where_of(alert)) for alert in desk.alerts(found).values())
        lines = lines_of(handed_over(roster, team_of(roster, team), alerts, round(moment.timestamp() * 1e9)))
    print("\n".join(lines))  # noqa: T201


def _newest(settings: Settings) -> Told:
    check(settings, Service.DESK)
    found = duty_roster.newest(settings)
    if found is None:
        raise DeskError("no roster is published: `ecgstream roster publish FILE` does that")
    return found


def _roster(settings: Settings) -> Roster:
    return from_json(_newest(settings).content)
