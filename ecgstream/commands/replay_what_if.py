"""``ecgstream replay what-if``: alerts then, and as they would be with other limits."""

import json as json_module
import sys
import time
from typing import Annotated

from cyclopts import Parameter

from ecgstream.commands.common import SettingsFlags, clear_errors, person_connection, progress, say, show
from ecgstream.commands.flags import Names
from ecgstream.commands.replay import JsonFile, check_folders, devices_of, moment_ns
from ecgstream.registry import limits as kept
from ecgstream.registry import text
from ecgstream.registry.errors import RegistryError
from ecgstream.replay.burden import Burden, beside
from ecgstream.replay.device import replay
from ecgstream.replay.errors import ReplayError
from ecgstream.replay.settings import with_limits
from ecgstream.replay.source import FromStore, Stretch
from schemas.records import Limit

_MOST_DAYS = 90.0
_DAY_NS = 86_400 * 10**9
Facility = Annotated[str, Parameter(help="all devices of this facility, and of those below it.")]
Wanted = Annotated[
    Names,
    Parameter(
        name="--limit",
        help=f"NUMBER=LOW:HIGH, commas between several; off: none. Numbers: {', '.join(kept.NUMBERS)}.",
    ),
]


def what_if(
    *,
    facility: Facility,
    limit: Wanted,
    days: Annotated[float, Parameter(help="the last so many days, of 24 hours each.")] = 7.0,
    to: Annotated[str, Parameter(help="their end: 2026-07-01T08:00+08:00; otherwise now.")] = "",
    json: JsonFile = None,
    settings: SettingsFlags = None,
) -> None:
    """Count the alerts of a facility's last days, as they were and as they would be with other limits.

    The limits that are named hold for everybody instead of what was set; all others stay as they were. Both
    counts are of replays, on the signal's clock, with everybody on duty. Nothing is changed, and nobody is
    called.

    For instance:

        ecgstream replay what-if --facility CN-31-0115 --days 7 --limit spo2=86:off,hr=45:130
    """
    with clear_errors():
        limits = [_limit(one) for one in limit]
        if not limits:
            raise RegistryError("which limits? --limit spo2=86:off says it")
        if not 0 < days <= _MOST_DAYS:
            raise RegistryError(f"--days is above 0, and at most {_MOST_DAYS:g}")
        check_folders(json)
        until_ns = moment_ns(to, "--to") if to else time.time_ns()
        stretch = Stretch(until_ns - int(days * _DAY_NS), until_ns)
        then, now = Burden(), Burden()
        left_out: list[str] = []
        where = ("facility", facility)
        with person_connection(settings, "replay what-if", where, autocommit=True) as connection:
            for device in progress(devices_of(connection, facility), "Replaying"):
                try:
                    was = replay(connection, device, stretch, any_version=True)
                    others = FromStore(connection, with_limits(device, limits))
                    is_ = replay(connection, device, stretch, source=others, any_version=True)
                except ReplayError as error:
                    left_out.append(str(error))
                    continue
                then.add(was.pages, was.stretch_s)
                now.add(is_.pages, is_.stretch_s)
    rows = beside(then, now)
    for why in left_out:
        say(f"left out: {why}")
    if json is not None:
        told = {"days": days, "bed_days": then.signal_s * 1e9 / _DAY_NS, "burden": rows, "left_out": left_out}
        json.write_text(json_module.dumps(told, indent=2) + "\n", "utf-8")
    say(f"{then.signal_s * 1e9 / _DAY_NS:.2f} bed-days of ECG")
    show(rows, json=False)
    if not then.signal_s:
        sys.exit(1)


def _limit(told: str) -> Limit:
    name, _, sides = told.partition("=")
    low, colon, high = sides.partition(":")
    if name not in kept.NUMBERS or not colon:
        raise RegistryError(
            f"--limit: {text.shown(told)} is none, as spo2=86:off is; numbers: {', '.join(kept.NUMBERS)}"
        )
    try:
        limit = Limit(kept.NUMBERS[name].code, kept.side_of(low), kept.side_of(high))
    except ValueError as error:
        raise RegistryError(f"--limit: {name}: {error}") from None
    kept.check(name, limit)
    return limit
