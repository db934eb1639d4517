"""``ecgstream alert``: which alerts are open, and what people say of them."""

import logging
import math
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from cyclopts import App, Parameter

from alerts.notify import iso
from alerts.page import condition_text, evidence_text
from alerts.priority import MARKS
from ecgstream import desk
from ecgstream.commands.by_name import by_name
from ecgstream.commands.common import (
    Json,
    SettingsFlags,
    acting,
    machine_login,
    print_json,
    reading,
    say,
    show,
)
from ecgstream.commands.flags import addressed
from ecgstream.lifecycle import set_up_logging
from ecgstream.registry.errors import RegistryError
from ecgstream.settings import PREFIX, Settings
from schemas.records import Act, Alert, AlertState, Priority

app = App(
    name="alert",
    help="Alerts: which are open, and taking them on. It needs Kafka, and no database, but for budget.",
)
_COUNTS = "Count alerts, and how many of what called people was judged false. It needs the database."
by_name(app, "alert_budget:budget", "budget", _COUNTS)  # all else here needs no client of a database

Who = Annotated[
    str,
    Parameter(
        name="--by",
        env_var=f"{PREFIX}ACCOUNT",
        help="the account of who takes the alert on; never a person's name.",
    ),
]
Why = Annotated[str, Parameter(name="--reason", help="why, in a few words; never a patient's name.")]

Which = Annotated[str, Parameter(help="its id, or enough of its beginning.")]

_WORDS = {
    AlertState.ACTIVE: "ACTIVE",
    AlertState.CHECK: "CHECK PATIENT, other evidence speaks against it",
    AlertState.LATE: "LATE, known only when it was over",
    AlertState.LATCHED: "over, not acknowledged",
    AlertState.SILENCED: "silenced for a time",
    AlertState.ACKNOWLEDGED: "acknowledged",
    AlertState.ENDED: "ended",
}
"""In the order of the list."""
_PRIORITIES, _STATES = list(Priority), list(_WORDS)


@app.command(name="list")
def list_(
    *,
    device: Annotated[str | None, Parameter(help="only of this device.")] = None,
    all: Annotated[bool, Parameter(negative="", help="also those that ended in the last hour.")] = False,  # noqa: A002
    json: Json = False,
    settings: SettingsFlags = None,
) -> None:
    """List the alerts that are open, the worst first.

    For instance:

        ecgstream alert list --device mon-17
    """
    with connected(settings) as found:
        known = desk.alerts(found)
    shown = [alert for alert in known.values() if all or alert.state is not AlertState.ENDED]
    wanted = sorted((alert for alert in shown if device in (None, alert.device)), key=_order)
    with connected(settings) as found:
        about: dict[str, object] = {"command": "alert list", "machine_login": machine_login()}
        about |= {"device": device or "", "patients": sorted({alert.patient for alert in wanted})}
        desk.note(found, reading(), "list", "", "", **about)
    if json:
        print_json([_as_json(alert) for alert in wanted])
        return
    n, now_ns = desk.prefix_length(known), time.time_ns()
    rows = [_row(alert, n, now_ns) for alert in wanted]
    if rows:
        show(rows, json=False)
    else:
        say("no alert is open" if not all else "there are no alerts")


@app.command
def acknowledge(alert: Which, /, *, by: Who, reason: Why, settings: SettingsFlags = None) -> None:
    """Acknowledge an alert: somebody takes it on. The first who does holds.

    For instance:

        ecgstream alert acknowledge 3f2a91c0 --by li --reason "at the bedside"
    """
    _say(settings, alert, by, reason, Act.ACKNOWLEDGE)


@app.command
def reject(alert: Which, /, *, by: Who, reason: Why, settings: SettingsFlags = None) -> None:
    """Say that somebody cannot come: the next on duty are called at once.

    For instance:

        ecgstream alert reject 3f2a91c0 --by li --reason "in theatre"
    """
    _say(settings, alert, by, reason, Act.REJECT)


@app.command
def silence(
    alert: Which,
    /,
    *,
    by: Who,
    reason: Why,
    seconds: Annotated[float, Parameter(name="--for", help="for how many seconds.")] = 60.0,
    settings: SettingsFlags = None,
) -> None:
    """Silence an alert for a time: nobody is called, then people are called again.

    At most 2 minutes where its priority is high, 15 where it is medium, an hour where it is low.

    For instance:

        ecgstream alert silence 3f2a91c0 --by li --reason "on my way" --for 90
    """
    _say(settings, alert, by, reason, Act.SILENCE, seconds)


@app.command(name="show")
def show_(alert: Which, /, *, json: Json = False, settings: SettingsFlags = None) -> None:
    """Show an alert and what became of it: who was called, who said what, and when.

    For instance:

        ecgstream alert show 3f2a91c0
    """
    with connected(settings) as found:
        known = desk.find(desk.alerts(found), alert)
        about = {"device": known.device, "patient": known.patient, "machine_login": machine_login()}
        desk.note(found, reading(), "alert", known.id, known.facility, command="alert show", **about)
    if json:
        print_json(_as_json(known))
        return
    say(f"{MARKS[known.priority]} {_named(known)}: {_WORDS[known.state]}")
    say(f"device {known.device}, patient {known.patient or 'unassigned'}")
    if measured := evidence_text(known.evidence):
        say(measured)
    rows = [
        {"when": iso(turn.at_ns), "what": turn.what, "by": turn.by or "the pager", "": turn.why}
        for turn in known.history
    ]
    show(rows, json=False)


def _say(
    settings: Settings | None, prefix: str, by: str, reason: str, act: Act, silent_s: float = 0.0
) -> None:
    """Write down what somebody says of an alert, and tell what became of it."""
    with connected(settings) as found:
        account, why = acting(by), desk.reason_of(reason)
        known = desk.find(desk.alerts(found), prefix)
        if known.acknowledged_ns is None:
            if known.state is AlertState.ENDED:
                say(f"nothing to {act.lower()}: {_named(known)} has ended by itself")
                return
            answer = desk.say_of(found, known, account, why, act, silent_s)
            if answer is None:
                say(f"written down; the pager has not answered yet, it will when it runs: {_named(known)}")
                return
            known = answer
    say(f"{_outcome(known, account, why, act)}: {_named(known)}")


def _outcome(alert: Alert, account: str, why: str, act: Act) -> str:
    if alert.acknowledged_ns is None:
        if act is Act.SILENCE:
            return f"silenced until {iso(alert.silenced_until_ns or 0)}; then people are called again"
        return "rejected; the next on duty are called now, if the roster knows any"
    at = iso(alert.acknowledged_ns)
    if (alert.acknowledged_by, alert.reason) == (account, why):
        return f"acknowledged at {at}"
    return f"acknowledged already by {alert.acknowledged_by} ({alert.reason}) at {at}"


def _named(alert: Alert) -> str:
    return f"{condition_text(alert.condition)} on {alert.device}, {iso(alert.onset_ns)}"


@contextmanager
def connected(settings: Settings | None) -> Iterator[Settings]:
    """Give the settings; what is refused inside ends the program: said on stderr, exit status 1."""
    found = addressed(settings, "kafka")
    set_up_logging(
        found, "alert", at_least=logging.ERROR
    )  # records that cannot be read: services tell of them
    try:
        yield found
    except (RegistryError, *desk.REFUSALS) as error:
        sys.exit(f"ecgstream: {error}")


def _order(alert: Alert) -> tuple[int, int, int]:
    return _PRIORITIES.index(alert.priority), _STATES.index(alert.state), -alert.onset_ns


def _row(alert: Alert, n: int, now_ns: int) -> dict[str, object]:
    taken = f"{alert.acknowledged_by}: {alert.reason}" if alert.acknowledged_by else ""
    return {
        "": MARKS[alert.priority],
        "alert": alert.id[:n],
        "state": _WORDS[alert.state],
        "condition": condition_text(alert.condition),
        "device": alert.device,
        "patient": alert.patient or "unassigned",
        "since": iso(alert.onset_ns),
        "ago": _ago(now_ns - alert.onset_ns),
        "called": _called(alert),
        "acknowledged by": taken,
    }


def _called(alert: Alert) -> str:
    """Return whom the last call was for, and how many there were."""
    names = [one.account for one in alert.called if one.call == alert.calls and one.account]
    if alert.inhibited_by:
        return "nobody: another alert says more"
    if alert.grouped:
        return "with others of the site"
    return ", ".join(names) + (f" (call {alert.calls})" if alert.calls > 1 else "")


def _ago(ns: int) -> str:
    """Return a time as a person says it.

    >>> [_ago(int(s * 1e9)) for s in (4.2, 200, 7500, 200_000)]
    ['4 s', '3 min', '2 h 5 min', '2 d 7 h']
    """
    seconds = ns // 1_000_000_000
    minutes, hours = seconds // 60, seconds // 3600
    if minutes < 1:
        return f"{seconds} s"
    if hours < 1:
        return f"{minutes} min"
    return f"{hours} h {minutes % 60} min" if hours < 24 else f"{hours // 24} d {hours % 24} h"


def _as_json(alert: Alert) -> dict[str, Any]:
    over, taken = alert.end_ns, alert.acknowledged_ns
    return {
        "alert": alert.id,
        "priority": str(alert.priority),
        "state": str(alert.state),
        "condition": alert.condition,
        "device": alert.device,
        "patient": alert.patient or None,
        "session": alert.session,
        "onset": iso(alert.onset_ns),
        "end": None if over is None else iso(over),
        "delay_s": alert.delay_s,
        "evidence": {k: v if math.isfinite(v) else None for k, v in alert.evidence.items()},
        "raised": iso(alert.raised_ns),
        "acknowledged": None if taken is None else iso(taken),
        "acknowledged_by": alert.acknowledged_by or None,
        "reason": alert.reason or None,
        "silenced_until": None if alert.silenced_until_ns is None else iso(alert.silenced_until_ns),
        "joined": alert.joined or None,
        "inhibited_by": alert.inhibited_by or None,
        "grouped": alert.grouped or None,
        "others": alert.others,
        "calls": alert.calls,
        "next_call": None if alert.call_ns is None else iso(alert.call_ns),
        "called": [one.account for one in alert.called if one.call == alert.calls and one.account],
        "history": [
            {"at": iso(turn.at_ns), "by": turn.by or None, "what": turn.what, "why": turn.why}
            for turn in alert.history
        ],
    }
