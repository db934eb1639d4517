"""Who is on duty in a team, from its shifts; and when nobody is.

A roster holds no times but local ones, so each question unrolls the shifts around the moments it asks about.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from alerts.roster.civil import DAY_NS, local, midnight_ns, moment_ns
from alerts.roster.model import Dated, Roster, StandIn, Team, Weekday, Weekly

_WEEKDAYS = tuple(Weekday)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Span:
    """A shift as it falls: [``from_ns``, ``until_ns``) in UTC ns; ``entry`` says where the file has it."""

    account: str
    from_ns: int
    until_ns: int
    backup: str
    joint: bool
    entry: str


@dataclass(frozen=True, slots=True)
class Watch:
    """A stretch in which the same people are on duty in a team; none: nobody is."""

    team: str
    from_ns: int
    until_ns: int
    spans: tuple[Span, ...]

    @property
    def accounts(self) -> tuple[str, ...]:
        """Who is on duty."""
        return tuple(dict.fromkeys(span.account for span in self.spans))


def watches(roster: Roster, team: Team, from_ns: int, until_ns: int) -> list[Watch]:
    """Return who is on duty in a team from one moment to another, without a break and in order."""
    spans = [
        replace(span, from_ns=max(span.from_ns, from_ns), until_ns=min(span.until_ns, until_ns))
        for span in spans_of(roster, team, from_ns, until_ns)
    ]
    edges = sorted({from_ns, until_ns, *(s.from_ns for s in spans), *(s.until_ns for s in spans)})
    found, on, waiting = [], list[Span](), spans[::-1]
    for begins, ends in pairwise(edges):
        on = [span for span in on if span.until_ns > begins]
        while waiting and waiting[-1].from_ns <= begins:
            on.append(waiting.pop())
        found.append(Watch(team.name, begins, ends, tuple(on)))
    return found


def on_duty(roster: Roster, team: Team, at_ns: int) -> tuple[Span, ...]:
    """Return the shifts that run in a team at a moment; empty: nobody is on duty."""
    return watches(roster, team, at_ns, at_ns + 1)[0].spans


def holes(roster: Roster, from_ns: int, until_ns: int) -> list[Watch]:
    """Return when nobody is on duty in a team that is not part-time, as whole holes, the earliest first.

    Whoever looks every day, a day and some hours ahead, knows of each a day before it begins.
    """
    found: list[Watch] = []
    for team in roster.teams:
        empty = [w for w in watches(roster, team, from_ns, until_ns) if not w.spans and not team.part_time]
        for watch in empty:
            if found and found[-1].team == team.name and found[-1].until_ns == watch.from_ns:
                found[-1] = replace(found[-1], until_ns=watch.until_ns)
            else:
                found.append(watch)
    return sorted(found, key=lambda hole: hole.from_ns)


def is_there(roster: Roster, account: str, team: Team, at_ns: int) -> bool:
    """Return whether a person has not left by then."""
    return at_ns < left_ns(roster, account, team)


def left_ns(roster: Roster, account: str, team: Team) -> float:
    """Return from when on a person has left, by the time of a team; never: infinity."""
    person = roster.person_of.get(account)
    return float("inf") if person is None or person.left is None else midnight_ns(person.left, team.clock)


def stands_in(roster: Roster, team: Team, account: str, at_ns: int) -> str:
    """Return who does the duties of an account at a moment: another one, or itself."""
    for stand_in in roster.stand_ins:
        if (stand_in.team, stand_in.instead_of) == (team.name, account):
            begins, ends = period_ns(stand_in, team.clock)
            account = stand_in.person if begins <= at_ns < ends else account
    return account


def spans_of(roster: Roster, team: Team, from_ns: int, until_ns: int) -> list[Span]:
    """Return the shifts that run between two moments, by who does them; without those who have left."""
    stand_ins = [stand_in for stand_in in roster.stand_ins if stand_in.team == team.name]
    spans = with_stand_ins(planned(roster, team, from_ns, until_ns), stand_ins, team.clock)
    ends = {span.account: left_ns(roster, span.account, team) for span in spans}
    there = [replace(span, until_ns=int(min(span.until_ns, ends[span.account]))) for span in spans]
    return sorted((s for s in there if _meets(s, from_ns, until_ns)), key=lambda span: span.from_ns)


def planned(roster: Roster, team: Team, from_ns: int, until_ns: int) -> list[Span]:
    """Return the shifts that run between two moments as planned, whoever stands in or has left."""
    zone = team.clock
    # A day more on either side: a weekly shift may have begun the day before.
    first, last = local(from_ns - DAY_NS, zone).date(), local(until_ns + DAY_NS, zone).date()
    found: list[Span] = []
    holidays = frozenset(roster.holidays.get(team.holidays, ()))
    for entry, weekly in roster.weekly_of.get(team.name, ()):
        found += _unrolled(weekly, entry, first, last, holidays, zone)
    for entry, dated in roster.dated_of.get(team.name, ()):
        if dated.from_.date() <= last and dated.to.date() >= first:
            begins, ends = period_ns(dated, zone)
            found.append(Span(dated.person, begins, ends, dated.backup, dated.joint, entry))
    return [span for span in found if _meets(span, from_ns, until_ns)]


def period_ns(entry: Dated | StandIn, zone: ZoneInfo) -> tuple[int, int]:
    """Return from when to when an entry holds, UTC ns."""
    return moment_ns(entry.from_, zone), moment_ns(entry.to, zone)


def with_stand_ins(spans: list[Span], stand_ins: Iterable[StandIn], zone: ZoneInfo) -> list[Span]:
    """Return shifts of a team once those who stand in have taken theirs, in the order of the file."""
    for stand_in in stand_ins:
        spans = [part for span in spans for part in _replaced(span, stand_in, zone)]
    return spans


def _replaced(span: Span, stand_in: StandIn, zone: ZoneInfo) -> Iterator[Span]:
    """Yield the parts of a shift before, in and behind the time in which somebody stands in."""
    begins, ends = period_ns(stand_in, zone)
    if span.account != stand_in.instead_of or not _meets(span, begins, ends):
        yield span
        return
    if span.from_ns < begins:
        yield replace(span, until_ns=begins)
    begins, behind = max(span.from_ns, begins), min(span.until_ns, ends)
    yield replace(span, account=stand_in.person, from_ns=begins, until_ns=behind)
    if ends < span.until_ns:
        yield replace(span, from_ns=ends)


def _meets(span: Span, from_ns: int, until_ns: int) -> bool:
    return span.from_ns < until_ns and from_ns < span.until_ns and span.from_ns < span.until_ns


def _unrolled(
    weekly: Weekly, entry: str, first: date, last: date, holidays: frozenset[date], zone: ZoneInfo
) -> Iterator[Span]:
    day, last = max(first, weekly.since or first), min(last, weekly.until or last)
    while day <= last:
        kind = Weekday.HOLIDAY if day in holidays else _WEEKDAYS[day.weekday()]
        if kind in weekly.days:
            ends_on = day if weekly.to > weekly.from_ else day + _DAY
            begins = moment_ns(datetime.combine(day, weekly.from_), zone)
            ends = moment_ns(datetime.combine(ends_on, weekly.to), zone)
            yield Span(weekly.person, begins, ends, weekly.backup, weekly.joint, entry)
        day += _DAY
