"""Whom a page goes to, step by step, as long as nobody takes the alert.

First who is on duty in the most specific team whose region covers the patient; then their back-up; then the
whole team and the patient's ward. Where nobody is on duty, the team of the enclosing region is asked, and the
next one, and at last the roster's fallback team, as a whole if need be. So there is always somebody, and
never somebody who has left.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from alerts.roster.duty import Span, is_there, on_duty, stands_in
from alerts.roster.model import Roster, Team
from schemas.records import Priority


@dataclass(frozen=True, slots=True)
class Where:
    """What decides whose a patient is.

    Attributes:
        path: codes of the facilities from the root to the patient's; empty: it is not known.
        skill: what the condition needs of who looks at it; empty: nothing.
        green: the green channel: an ambulance, or a patient who is marked.
    """

    path: tuple[str, ...]
    skill: str = ""
    green: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """Whom to page ``after_s`` from the first page; also again, where an earlier step has paged them."""

    after_s: int
    accounts: tuple[str, ...]
    team: str
    why: str


def steps(roster: Roster, where: Where, priority: Priority, at_ns: int) -> tuple[Step, Step, Step]:
    """Return the three steps of an alert that is told at a moment (UTC ns); none of them is without accounts.

    All of it is as of ``at_ns``: whoever comes to a later step after a change of shift asks anew.
    """
    order = teams_for(roster, where)
    found = list(_on_duty(roster, where, order, at_ns))
    if not found:
        return _nobody(roster, where, order[0], priority, at_ns)
    team, spans = found[0]
    first = tuple(dict.fromkeys(span.account for span in spans))
    backup, who = _backup(roster, where, found, at_ns)
    t1_s, t2_s = team.escalate_after_s.of(priority)
    ward = _ward(roster, where, team, at_ns)
    whole = _once(_present(roster, team, team.members, at_ns), first, ward)
    passed = "" if team is order[0] else f"; nobody was found in {order[0].name}"
    return (
        Step(0, first, team.name, f"on duty{passed}"),
        Step(t1_s, backup, team.name, who),
        Step(t2_s, whole, team.name, "the whole team" + (" and the ward" if ward else "")),
    )


def called_for_a_test(roster: Roster, team: str, at_ns: int) -> tuple[str, ...]:
    """Return who is on duty in a team; where nobody is, the whole team; of no such team, the fallback's."""
    fallback = roster.team_of[roster.fallback]
    wanted = roster.team_of.get(team, fallback)
    on = _once(span.account for span in on_duty(roster, wanted, at_ns))
    return (
        on
        or _present(roster, wanted, wanted.members, at_ns)
        or _present(roster, fallback, fallback.members, at_ns)
    )


def teams_for(roster: Roster, where: Where) -> tuple[Team, ...]:
    """Return the teams that a page may go to, in the order in which they are asked, the fallback among them.

    The green channel's come first where it is meant; then the nearest region; in a region, who has the skill.
    """
    depth = {code: i for i, code in enumerate(where.path)}
    covering = [
        team
        for team in roster.teams
        if team.region in depth
        and team.skill in ("", where.skill)
        and (where.green or not team.green_channel)
    ]
    covering.sort(key=lambda team: (not team.green_channel, -depth[team.region], not team.skill))
    fallback = roster.team_of[roster.fallback]
    return tuple(covering) if fallback in covering else (*covering, fallback)


def _on_duty(
    roster: Roster, where: Where, order: Sequence[Team], at_ns: int
) -> Iterator[tuple[Team, tuple[Span, ...]]]:
    """Yield the teams with somebody on duty, in order; of each channel, who has the skill first."""
    there = [(team, spans) for team in order if (spans := on_duty(roster, team, at_ns))]
    for green in (True, False):
        channel = [(team, spans) for team, spans in there if team.green_channel is green]
        for team, spans in channel:
            able = tuple(span for span in spans if _able(roster, where, span.account))
            if where.skill and able:
                yield team, able
        yield from channel


def _backup(
    roster: Roster,
    where: Where,
    found: Sequence[tuple[Team, tuple[Span, ...]]],
    at_ns: int,
) -> tuple[tuple[str, ...], str]:
    """Return who is paged second, and why: somebody else than the first, if there is anybody."""
    team, spans = found[0]
    first = {span.account for span in spans}

    def free(accounts: Iterable[str]) -> tuple[str, ...]:
        standing = (stands_in(roster, team, account, at_ns) for account in accounts if account)
        return tuple(a for a in _present(roster, team, standing, at_ns) if a not in first)

    if own := free(span.backup for span in spans):
        return own, "back-up of the shift"
    if listed := free(team.backup):
        return (next((a for a in listed if _able(roster, where, a)), listed[0]),), "back-up of the team"
    for other, on_there in found[1:]:
        if on := tuple(span.account for span in on_there if span.account not in first):
            return _once(on), f"on duty in {other.name}, as no back-up is there"
    fallback = roster.team_of[roster.fallback]
    for members in (team.members, fallback.members):
        if others := tuple(a for a in _present(roster, team, members, at_ns) if a not in first):
            return others, "the others, as no back-up is there"
    return tuple(sorted(first)), "again, as nobody else is there"


def _nobody(
    roster: Roster, where: Where, nearest: Team, priority: Priority, at_ns: int
) -> tuple[Step, Step, Step]:
    """Return the steps where nobody is on duty anywhere: whole teams are paged."""
    fallback = roster.team_of[roster.fallback]
    whole = _present(roster, fallback, fallback.members, at_ns)
    own = _present(roster, nearest, nearest.members, at_ns) or whole
    t1_s, t2_s = fallback.escalate_after_s.of(priority)
    return (
        Step(0, whole, fallback.name, "nobody is on duty: the whole fallback team"),
        Step(t1_s, own, nearest.name, "the whole team"),
        Step(
            t2_s,
            _once(whole, own, _ward(roster, where, fallback, at_ns)),
            fallback.name,
            "all of them, and the ward",
        ),
    )


def _able(roster: Roster, where: Where, account: str) -> bool:
    return not where.skill or where.skill in roster.person_of[account].skills


def _present(roster: Roster, team: Team, accounts: Iterable[str], at_ns: int) -> tuple[str, ...]:
    return _once(account for account in accounts if is_there(roster, account, team, at_ns))


def _ward(roster: Roster, where: Where, team: Team, at_ns: int) -> tuple[str, ...]:
    """Return the account of the patient's ward: of the facility, or the nearest above it that has one."""
    wards = (roster.wards[code] for code in reversed(where.path) if code in roster.wards)
    return _present(roster, team, wards, at_ns)[:1]


def _once(*accounts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(chain(*accounts)))
