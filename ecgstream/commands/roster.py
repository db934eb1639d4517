"""``ecgstream roster``: who is on duty, and whom a page goes to; from the roster's file alone."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from alerts.notify import iso
from alerts.roster.calendar import shifts_of
from alerts.roster.check import problems
from alerts.roster.civil import DAY_NS, SECOND_NS, local, midnight_ns
from alerts.roster.duty import Watch, holes, watches
from alerts.roster.imported import with_imported
from alerts.roster.model import Roster, Team
from alerts.roster.read import RosterError, parse, shape, tables_of, version_of
from alerts.roster.steps import Where, steps
from ecgstream.commands.by_name import by_name
from ecgstream.commands.common import Json, print_json, say, show
from ecgstream.registry import facility_csv, text
from ecgstream.registry.errors import RegistryError
from schemas.records import Priority

app = App(
    name="roster",
    help="""The duty roster: who is on duty where and when, and whom a page goes to.

    A roster is a file, fixtures/roster.toml for instance; docs/roster.md says what stands in it. The pager
    calls people by the one that was published last: publish, told, test and handover need Kafka; all others
    read the file alone. Nothing here needs a database. Times are those of the team's zone.
    """,
)

for _name, (_where, _help) in {
    "publish": ("told:publish", "Give the pager a roster: it calls people by it from now on."),
    "test": ("trial:trial", "Send a test page to who is on duty in a team, and tell how far it comes."),
    "told": ("told:told", "Tell which roster the pager calls people by."),
    "handover": ("told:handover", "Tell what one shift hands over to the next."),
}.items():
    by_name(app, f"roster_{_where}", _name, _help)  # all else here needs no Kafka client

File = Annotated[Path, Parameter(help="the roster's file (TOML).")]
TeamName = Annotated[str, Parameter(name="--team", help="name of the team.")]
_MOST_BYTES = 5_000_000
_COLUMNS = ("team", "from", "to", "hours")


@app.command
def check(
    file: File,
    /,
    *,
    facilities: Annotated[
        Path | None, Parameter(help="compare regions with this file of `ecgstream facility export`.")
    ] = None,
    json: Json = False,
) -> None:
    """Tell all that is wrong with a roster, for the year ahead; the exit status is 1 if anything is.

    For instance:

        ecgstream roster check roster.toml --facilities tree.csv
    """
    with _clear_errors():
        codes = None if facilities is None else _codes(facilities)
        toml, version = _read(file).decode(), ""
        try:
            roster = shape(tables_of(toml))
            found = problems(roster, time.time_ns(), codes)
            version = version_of(roster)
        except RosterError as error:
            found = list(error.problems)
    if json:
        print_json({"version": None if found else version, "problems": found})
    elif not found:
        say(f"{file}: nothing is wrong; version {version}")
    if found:
        sys.exit(1 if json else refused(file, found))


@app.command(name="show")
def show_(
    file: File,
    /,
    *,
    team: Annotated[str | None, Parameter(help="only this team.")] = None,
    days: Annotated[int, Parameter(help="how many days, today first.")] = 7,
    json: Json = False,
) -> None:
    """Show who is on duty, by day and team.

    For instance:

        ecgstream roster show roster.toml --team henan --days 14
    """
    with _clear_errors():
        roster, now_ns = roster_of(file), time.time_ns()
        teams = roster.teams if team is None else (team_of(roster, team),)
        rows = [row for one in teams for row in _days(roster, one, now_ns, _at_least_one(days), json=json)]
    show(rows, json=json)


@app.command
def who(
    file: File,
    /,
    *,
    facility: Annotated[
        str,
        Parameter(help="codes of the facilities from the root to the patient's: henan/zhengzhou/h1."),
    ],
    at: Annotated[str | None, Parameter(help="when, as 2026-10-01T02:00:00+08:00; otherwise now.")] = None,
    priority: Annotated[Priority, Parameter(help="priority of the alert.")] = Priority.HIGH,
    skill: Annotated[str, Parameter(help="what the condition needs of who looks at it.")] = "",
    green_channel: Annotated[
        bool, Parameter(negative="", help="an ambulance, or a patient who is marked.")
    ] = False,
    json: Json = False,
) -> None:
    """Tell whom an alert goes to, step by step, while nobody takes it.

    For instance:

        ecgstream roster who roster.toml --facility henan/zhengzhou/h1 --priority high
    """
    with _clear_errors():
        roster = roster_of(file)
        path = tuple(text.code(code, "--facility") for code in facility.split("/"))
        at_ns = time.time_ns() if at is None else int(text.moment(at, "--at").timestamp()) * SECOND_NS
        found = steps(roster, Where(path, skill, green_channel), priority, at_ns)
    rows: list[dict[str, object]] = []
    for n, step in enumerate(found, 1):
        paged_ns = at_ns + step.after_s * SECOND_NS
        told = list(step.accounts) if json else ", ".join(step.accounts)
        when = (
            iso(paged_ns) if json else f"{local(paged_ns, roster.team_of[step.team].clock):%Y-%m-%d %H:%M:%S}"
        )
        rows.append(
            {"step": n, "after_s": step.after_s, "at": when, "who": told, "team": step.team, "why": step.why}
        )
    show(rows, json=json)


@app.command(name="holes")
def holes_(
    file: File,
    /,
    *,
    days: Annotated[int, Parameter(help="how many days from now.")] = 7,
    json: Json = False,
) -> None:
    """Tell when nobody is on duty in a team that is not part-time; the exit status is 1 if that happens.

    For instance:

        ecgstream roster holes roster.toml --days 31
    """
    with _clear_errors():
        roster, now_ns = roster_of(file), time.time_ns()
        found = holes(roster, now_ns, now_ns + _at_least_one(days) * DAY_NS)
    if found or json:
        show([_hole(roster, hole, json=json) for hole in found], json=json, columns=_COLUMNS)
    if found:
        sys.exit(1)
    say(f"somebody is on duty in every team for {days} days")


@app.command
def import_ics(
    file: Annotated[Path, Parameter(help="the calendar (iCalendar, RFC 5545).")],
    /,
    *,
    team: TeamName,
    into: Annotated[Path, Parameter(help="the roster's file, which is changed.")],
    days: Annotated[int, Parameter(help="how far ahead events are read; the running one is the first.")] = 92,
    dry_run: Annotated[bool, Parameter(negative="", help="only list the shifts; write nothing.")] = False,
    json: Json = False,
) -> None:
    """Take the shifts of a team from a calendar into the roster.

    They replace what an earlier import has brought for the team; all else of the file stays as it is. An
    event names one account: as attendee (before the @), in its summary, or as organizer. If anything is wrong
    with an event, or with the roster as it would be, nothing is written.

    For instance:

        ecgstream roster import-ics cardiology.ics --team henan --into roster.toml
    """
    with _clear_errors():
        roster, now_ns = roster_of(into), time.time_ns()
        wanted = team_of(roster, team)
        until_ns = now_ns + _at_least_one(days) * DAY_NS
        try:
            shifts = shifts_of(_read(file), roster, wanted, now_ns, until_ns)
        except RosterError as error:
            sys.exit(refused(file, error.problems))
        if not shifts:
            raise RegistryError(f"{file} has no shift in the {days} days from now: nothing was written")
        try:
            new = with_imported(_read(into).decode(), team, shifts)
        except ValueError as error:
            raise RegistryError(f"{into}: {error}") from None
        if found := problems(shape(tables_of(new)), now_ns):
            sys.exit(refused(into, found) + "\nNothing was written.")
        if not dry_run:
            _replace(into, new)
    rows = [{"who": s.account, "from": s.begins.isoformat(), "to": s.ends.isoformat()} for s in shifts]
    if dry_run or json:
        show(rows, json=json, columns=("who", "from", "to"))
    say(f"{'would be imported' if dry_run else 'imported'} for team {team}: {len(shifts)} shifts")


@contextmanager
def _clear_errors() -> Iterator[None]:
    """What is refused inside ends the program: said on stderr, exit status 1."""
    try:
        yield
    except (RegistryError, RosterError) as error:
        sys.exit(f"ecgstream: {error}")


def refused(file: Path, found: tuple[str, ...] | list[str]) -> str:
    """Return what is wrong with a roster's file, for a person."""
    n = len(found)
    return "\n  ".join([f"ecgstream: {file}: {n:,} error{'s' if n != 1 else ''}:", *found])


def _read(file: Path) -> bytes:
    """Return what a file holds, as UTF-8 without a byte order mark."""
    try:
        with file.open("rb") as opened:
            data = opened.read(_MOST_BYTES + 1)
    except OSError as error:
        raise RegistryError(f"{file} cannot be read: {error.strerror}") from None
    if len(data) > _MOST_BYTES:
        raise RegistryError(f"{file} is larger than 5 MB: is it the right file?")
    try:
        return data.decode("utf-8-sig").encode()
    except UnicodeDecodeError:
        raise RegistryError(f"{file} is no text in UTF-8: save it as UTF-8") from None


def roster_of(file: Path) -> Roster:
    """Return the roster of a file; one that is refused ends the program."""
    try:
        return parse(tables_of(_read(file).decode()))
    except RosterError as error:
        sys.exit(refused(file, error.problems))


def _replace(file: Path, new: str) -> None:
    """Write a file so that whoever reads it finds the old or the new one, whole."""
    beside = file.with_name(f".{file.name}.new")
    try:
        beside.write_text(new, "utf-8")
        beside.chmod(file.stat().st_mode)
        beside.replace(file)
    except OSError as error:
        raise RegistryError(f"{file} cannot be written: {error.strerror}") from None


def _codes(file: Path) -> frozenset[str]:
    facilities, _ = facility_csv.gather(facility_csv.rows(file))
    return frozenset(facility.code for facility in facilities)


def team_of(roster: Roster, name: str) -> Team:
    """Return a team; raise ``RegistryError`` where there is none of that name."""
    if name not in roster.team_of:
        raise RegistryError(f"there is no team {text.shown(name)}; there are {', '.join(roster.team_of)}")
    return roster.team_of[name]


def _at_least_one(days: int) -> int:
    if not 1 <= days <= 366:
        raise RegistryError(f"--days: {days} is not 1 to 366")
    return days


def _days(roster: Roster, team: Team, now_ns: int, days: int, *, json: bool) -> Iterator[dict[str, object]]:
    """Yield who is on duty on each local day from today on; a night is on two of them."""
    today = local(now_ns, team.clock).date()
    for n in range(days):
        day = today + timedelta(days=n)
        begins_ns, ends_ns = (midnight_ns(d, team.clock) for d in (day, day + timedelta(days=1)))
        for watch in watches(roster, team, begins_ns, ends_ns):
            of_shift = [span.backup for span in watch.spans if span.backup]
            backup = [account for account in of_shift or team.backup if account not in watch.accounts]
            yield {
                "day": f"{day:%Y-%m-%d}" if json else f"{day:%Y-%m-%d %a}",
                "team": team.name,
                **_stretch(team, watch, json=json),
                "on duty": list(watch.accounts) if json else ", ".join(watch.accounts) or _empty(team),
                "back-up": backup if json else ", ".join(backup),
            }


def _empty(team: Team) -> str:
    return "(the enclosing region's team)" if team.part_time else "NOBODY"


def _stretch(team: Team, watch: Watch, *, json: bool) -> dict[str, Any]:
    if json:
        return {"from": iso(watch.from_ns), "to": iso(watch.until_ns)}
    begins, ends = local(watch.from_ns, team.clock), local(watch.until_ns, team.clock)
    return {"from": f"{begins:%H:%M}", "to": f"{ends:%H:%M}"}


def _hole(roster: Roster, hole: Watch, *, json: bool) -> dict[str, Any]:
    team, hours = roster.team_of[hole.team], (hole.until_ns - hole.from_ns) / (3600 * SECOND_NS)
    if json:
        return {
            "team": team.name,
            "from": iso(hole.from_ns),
            "to": iso(hole.until_ns),
            "hours": round(hours, 2),
        }
    begins, ends = local(hole.from_ns, team.clock), local(hole.until_ns, team.clock)
    row = {"team": team.name, "from": f"{begins:%Y-%m-%d %H:%M}", "to": f"{ends:%Y-%m-%d %H:%M}"}
    return {**row, "hours": f"{hours:g}" if hours >= 0.1 else "< 0.1"}
