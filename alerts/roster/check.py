"""What is wrong with a roster, in words for who keeps it: all of it, each with its entry and its dates.

``references`` holds at any time, and no roster that breaks it is ever used. ``problems`` adds what follows
from the shifts as they fall in the year ahead; a roster that is in use may come to have them as time goes by.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator

from alerts.roster.civil import DAY_NS, local
from alerts.roster.duty import Span, left_ns, period_ns, planned, spans_of, with_stand_ins
from alerts.roster.model import LONGEST_SHIFT, LONGEST_STAND_IN, Dated, Roster, StandIn, Team, Weekly

AHEAD_DAYS = 366
"""How far shifts are looked at: a year, in which each weekly shift meets each change of summer time."""
_ENTRIES = {Weekly: "weekly", Dated: "dated", StandIn: "stand_in"}


def problems(roster: Roster, now_ns: int, facilities: Collection[str] | None = None) -> list[str]:
    """Return all that is wrong with a roster, from now to a year ahead; empty: nothing.

    Args:
        roster: of the right shape (``read.shape``).
        now_ns: UTC ns.
        facilities: the codes of the facilities that there are; none: regions are not compared with any.
    """
    found = references(roster)
    for team in roster.teams:
        found += _overlaps(roster, team, now_ns)
        found += _leavers(roster, team, now_ns)
        found += _idle(roster, team)
    if facilities is not None:
        found += _regions(roster, facilities)
    return found


def references(roster: Roster) -> list[str]:
    """Return what does not fit together at any time: people, teams, lists that are not there, and so on."""
    return [
        *_twice("person", "account", (person.account for person in roster.people)),
        *_twice("team", "name", (team.name for team in roster.teams)),
        *(
            line
            for i, team in enumerate(roster.teams, 1)
            for line in _team(roster, f"team {i} ({team.name})", team)
        ),
        *_same_duty(roster),
        *_fallback(roster),
        *(line for where, entry in _entries(roster) for line in _entry(roster, where, entry)),
    ]


def _twice(what: str, key: str, names: Iterable[str]) -> Iterator[str]:
    return (f"{what}: {n} have the {key} {name!r}" for name, n in Counter(names).items() if n > 1)


def _unknown(roster: Roster, account: str) -> str:
    return "" if account in roster.person_of else f"{account!r} is unknown: no [[person]] has this account"


def _team(roster: Roster, where: str, team: Team) -> Iterator[str]:
    for key, accounts in (("members", team.members), ("backup", team.backup)):
        yield from (f"{where}: {key}: {said}" for account in accounts if (said := _unknown(roster, account)))
    if team.holidays and team.holidays not in roster.holidays:
        yield f"{where}: holidays: there is no list {team.holidays!r} in [holidays]"


def _same_duty(roster: Roster) -> Iterator[str]:
    seen: dict[tuple[str, str, bool], str] = {}
    for team in roster.teams:
        duty = (team.region, team.skill, team.green_channel)
        if seen.setdefault(duty, team.name) != team.name:
            yield f"team {team.name}: has the region and duty of team {seen[duty]}, {team.region}: keep one"


def _fallback(roster: Roster) -> Iterator[str]:
    team = roster.team_of.get(roster.fallback)
    if team is None:
        yield f"fallback: there is no team {roster.fallback!r}"
        return
    if team.part_time or team.skill or team.green_channel:
        yield f"fallback: team {team.name} must not be part_time, nor have a skill or the green_channel"
    people = [roster.person_of.get(account) for account in team.members]
    if all(person is not None and person.left is not None for person in people):
        yield f"fallback: all members of team {team.name} leave: one must stay, to be paged"


def _entries(roster: Roster) -> Iterator[tuple[str, Weekly | Dated | StandIn]]:
    tables: tuple[tuple[Weekly | Dated | StandIn, ...], ...] = (roster.weekly, roster.dated, roster.stand_ins)
    for entries in tables:
        for i, entry in enumerate(entries, 1):
            yield f"{_ENTRIES[type(entry)]} {i} ({entry.team}, {entry.person})", entry


def _entry(roster: Roster, where: str, entry: Weekly | Dated | StandIn) -> Iterator[str]:
    team = roster.team_of.get(entry.team)
    if team is None:
        yield f"{where}: there is no team {entry.team!r}"
    named = [entry.person, entry.instead_of if isinstance(entry, StandIn) else entry.backup]
    unknown = [said for account in named if account and (said := _unknown(roster, account))]
    yield from (f"{where}: {said}" for said in unknown)
    if team is not None and not unknown:
        yield from _duty(roster, where, entry, team)
    if isinstance(entry, StandIn) and entry.person == entry.instead_of:
        yield f"{where}: nobody stands in for oneself"
    if isinstance(entry, Weekly):
        if entry.since and entry.until and entry.since > entry.until:
            yield f"{where}: since {entry.since} is after until {entry.until}"
        return
    for key, moment in (("from", entry.from_), ("to", entry.to)):
        if (
            team is not None
            and moment.tzinfo
            and moment.utcoffset() != moment.astimezone(team.clock).utcoffset()
        ):
            there = moment.astimezone(team.clock).isoformat()
            yield f"{where}: {key}: {moment.isoformat()} is not of the team's zone, where it is {there}"
    if team is not None:
        yield from _length(where, entry, team)


def _duty(roster: Roster, where: str, entry: Weekly | Dated | StandIn, team: Team) -> Iterator[str]:
    if entry.person not in team.members and not isinstance(entry, StandIn):
        yield f"{where}: {entry.person} is no member of team {team.name}"
    if team.skill and team.skill not in roster.person_of[entry.person].skills:
        yield f"{where}: {entry.person} lacks the skill {team.skill} of team {team.name}"


def _length(where: str, entry: Dated | StandIn, team: Team) -> Iterator[str]:
    begins, ends = period_ns(entry, team.clock)
    longest = LONGEST_STAND_IN if isinstance(entry, StandIn) else LONGEST_SHIFT
    if begins >= ends:
        yield f"{where}: to {entry.to:%Y-%m-%d %H:%M} is not after from {entry.from_:%Y-%m-%d %H:%M}"
    elif ends - begins > longest.days * DAY_NS:
        yield f"{where}: {entry.from_:%Y-%m-%d} to {entry.to:%Y-%m-%d} is longer than {longest.days} days"


def _overlaps(roster: Roster, team: Team, now_ns: int) -> Iterator[str]:
    """Yield each pair of entries that put two people on duty at once: when first, and how often more."""
    seen: dict[tuple[str, str], list[tuple[Span, Span]]] = {}
    on: list[Span] = []
    for span in spans_of(roster, team, now_ns, now_ns + AHEAD_DAYS * DAY_NS):
        on = [other for other in on if other.until_ns > span.from_ns]
        for other in on:
            if other.account != span.account and not (other.joint or span.joint):
                first, second = sorted((other, span), key=lambda s: s.entry)
                seen.setdefault((first.entry, second.entry), []).append((first, second))
        on.append(span)
    for pairs in seen.values():
        a, b = pairs[0]
        when = _between(team, max(a.from_ns, b.from_ns), min(a.until_ns, b.until_ns))
        more = f", and {len(pairs) - 1} times more within a year" if len(pairs) > 1 else ""
        both = f"{a.account} ({a.entry}) and {b.account} ({b.entry}) are both on duty"
        yield f"team {team.name}: {both} {when}{more}: end one, or mark one joint = true"


def _leavers(roster: Roster, team: Team, now_ns: int) -> Iterator[str]:
    """Yield who has left and is still named, and whose shifts go on behind the day on which they leave."""
    end_ns = now_ns + AHEAD_DAYS * DAY_NS
    for account in dict.fromkeys((*team.members, *team.backup)):
        if left_ns(roster, account, team) <= now_ns:
            left = roster.person_of[account].left
            yield f"team {team.name}: {account} left on {left}: take the account out of members and backup"
    told = set()
    stand_ins = [stand_in for stand_in in roster.stand_ins if stand_in.team == team.name]
    for span in with_stand_ins(planned(roster, team, now_ns, end_ns), stand_ins, team.clock):
        for account in (span.account, span.backup):
            gone_ns = left_ns(roster, account, team)
            if gone_ns < span.until_ns and (span.entry, account) not in told:
                told.add((span.entry, account))
                when = _between(team, max(span.from_ns, int(gone_ns)), span.until_ns)
                left = roster.person_of[account].left
                yield f"team {team.name}: {account} leaves on {left}, but {span.entry} has the account {when}"


def _idle(roster: Roster, team: Team) -> Iterator[str]:
    """Yield who stands in for nobody's duty: mostly a wrong date."""
    before: list[StandIn] = []
    for i, stand_in in enumerate(roster.stand_ins, 1):
        begins, ends = period_ns(stand_in, team.clock)
        if stand_in.team != team.name or not 0 < ends - begins <= LONGEST_STAND_IN.days * DAY_NS:
            continue
        duties = with_stand_ins(planned(roster, team, begins, ends), before, team.clock)
        before.append(stand_in)
        named = {name for span in duties for name in (span.account, span.backup)}
        if stand_in.instead_of not in named | set(team.backup):
            who, when = stand_in.instead_of, _between(team, begins, ends)
            yield f"team {team.name}: stand_in {i}: {who} has no duty {when}: is the time right?"


def _regions(roster: Roster, facilities: Collection[str]) -> Iterator[str]:
    for team in roster.teams:
        if team.region not in facilities:
            yield f"team {team.name}: there is no facility {team.region!r}"
    for code in roster.wards:
        if code not in facilities:
            yield f"wards: there is no facility {code!r}"


def _between(team: Team, from_ns: int, until_ns: int) -> str:
    begins, ends = local(from_ns, team.clock), local(until_ns, team.clock)
    last = f"{ends:%H:%M}" if begins.date() == ends.date() else f"{ends:%Y-%m-%d %H:%M}"
    return f"{begins:%Y-%m-%d %H:%M} to {last}"
