"""``ecgstream alert budget``: how many alerts call people, how soon they answer, and how many were false."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from cyclopts import Parameter

from ecgstream import budget as counting
from ecgstream.budget import Counted
from ecgstream.commands.common import (
    Json,
    SettingsFlags,
    clear_errors,
    person_connection,
    print_json,
    say,
    show,
)


def budget(
    *,
    days: Annotated[Literal[1, 7, 30], Parameter(help="of how many days, 24 hours each.")] = 30,
    json: Json = False,
    settings: SettingsFlags = None,
) -> None:
    """Count alerts by condition and facility, and how many of what called people was judged false.

    It reads as one person (ECGSTREAM_ACCOUNT; docs/access.md has how), and counts what that person sees: the
    same as Alarms, Statistics in the monitor.

    For instance:

        ecgstream alert budget --days 7
    """
    with clear_errors(), person_connection(settings, "alert budget", ("list", "")) as connection:
        found = counting.counted(connection, days, datetime.now(UTC))
    if json:
        print_json(found.told())
        return
    say(
        f"at most {counting.MOST_FALSE_PERCENT:g} % of what pages people may be false, the aim is"
        f" {counting.AIM_FALSE_PERCENT:g} %; {found.whole.bed_days:.1f} bed-days of ECG"
    )
    rows = [_row("all", found.whole), *(_row(one.of, one) for one in found.conditions)]
    if len(found.facilities) > 1:
        rows += [_row(f"at {one.of or 'not known'}", one) for one in found.facilities]
    show(rows, json=False)


def _row(name: str, one: Counted) -> dict[str, object]:
    return {
        "alerts of": name,
        "n": one.alerts,
        "paged": one.paged,
        "a bed-day": _told(one.pages_per_bed_day),
        "answered s (median)": _told(one.median_s),
        "(90 %)": _told(one.ninetieth_s),
        "true": one.true,
        "false": one.false,
        "unclear": one.unclear,
        "not judged": one.not_judged,
        "false of judged pages": _share(one),
    }


def _told(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _share(one: Counted) -> str:
    """Return the share of false ones with its exact 95 % interval, and where it stands.

    >>> _share(Counted("", 9, 9, 1.0, None, None, 3, 1, 0, 3, 1))
    '25.0 % (0.6 to 80.6 %), within'
    """
    if one.false_percent is None or one.false_interval is None:
        return "-"
    low, high = one.false_interval
    return f"{one.false_percent:.1f} % ({low:.1f} to {high:.1f} %), {one.standing}"
