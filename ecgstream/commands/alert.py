"""``ecgstream alert``: which alerts are open, and acknowledging them."""

import logging
import math
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

from cyclopts import App, Parameter

from alerts.notify import iso
from alerts.page import condition_text
from alerts.priority import MARKS
from ecgstream import desk
from ecgstream.commands.common import Json, SettingsFlags, acting, print_json, say, show
from ecgstream.lifecycle import set_up_logging
from ecgstream.registry.errors import RegistryError
from ecgstream.settings import PREFIX, Settings
from schemas.records import Alert, AlertState, Priority

app = App(
    name="alert",
    help="Alerts: which are open, and acknowledging them. It needs Kafka, and no database.",
)

Who = Annotated[
    str,
    Parameter(
        name="--by",
        env_var=f"{PREFIX}ACCOUNT",
        help="the account of who takes the alert on; never a person's name.",
    ),
]
Why = Annotated[str, Parameter(name="--reason", help="why, in a few words; never a patient's name.")]

_WORDS = {
    AlertState.ACTIVE: "ACTIVE",
    AlertState.LATE: "LATE, known only when it was over",
    AlertState.LATCHED: "over, not acknowledged",
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
    with _clear_errors(settings) as found:
        known = desk.alerts(found)
    shown = [alert for alert in known.values() if all or alert.state is not AlertState.ENDED]
    wanted = sorted((alert for alert in shown if device in (None, alert.device)), key=_order)
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
def acknowledge(
    alert: Annotated[str, Parameter(help="its id, or enough of its beginning.")],
    /,
    *,
    by: Who,
    reason: Why,
    settings: SettingsFlags = None,
) -> None:
    """Acknowledge an alert: somebody takes it on. The first who does holds.

    For instance:

        ecgstream alert acknowledge 3f2a91c0 --by li --reason "at the bedside"
    """
    with _clear_errors(settings) as found:
        account, why = acting(by), desk.reason_of(reason)
        known = desk.find(desk.alerts(found), alert)
        named = f"{condition_text(known.condition)} on {known.device}, {iso(known.onset_ns)}"
        if known.acknowledged_ns is None and known.state is AlertState.ENDED:
            say(f"nothing to acknowledge: {named} has ended by itself")
            return
        if known.acknowledged_ns is None:
            answer = desk.acknowledge(found, known, account, why)
            if answer is None:
                say(f"written down, but the pager has not answered yet; it will when it runs: {named}")
                return
            known = answer
    at = iso(known.acknowledged_ns or 0)
    ours = (known.acknowledged_by, known.reason) == (account, why)
    said = "acknowledged" if ours else f"acknowledged already by {known.acknowledged_by} ({known.reason})"
    say(f"{said} at {at}: {named}")


@contextmanager
def _clear_errors(settings: Settings | None) -> Iterator[Settings]:
    """Give the settings; what is refused inside ends the program: said on stderr, exit status 1."""
    found = settings or Settings()
    set_up_logging(
        found, "alert", at_least=logging.ERROR
    )  # records that cannot be read: services tell of them
    if not found.kafka:
        sys.exit(f"ecgstream: no kafka address. Set {PREFIX}KAFKA or --kafka")
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
        "acknowledged by": taken,
    }


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
    }
