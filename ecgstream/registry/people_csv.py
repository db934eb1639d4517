"""People from CSV files: a line a position, so that who has several positions has several lines.

An import adds accounts and positions and changes names and providers' subjects. It takes nothing away and
sets no password. Names of people appear in no message.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg

from ecgstream.registry import csv_file, people, text
from ecgstream.registry.csv_file import Encoding, Row
from ecgstream.registry.errors import RegistryError, RegistryErrors
from ecgstream.registry.people import Person, Position
from ecgstream.registry.roles import Kind

REQUIRED = ("account", "name")
OPTIONAL = ("kind", "facility", "oidc_issuer", "oidc_subject")


@dataclass(frozen=True, slots=True)
class Plan:
    """What an import does. ``changed``: as they will be, with the positions they have."""

    added: tuple[Person, ...]
    changed: tuple[Person, ...]
    placed: tuple[tuple[str, Position], ...]
    """New positions of accounts that are there."""
    unchanged: int


def read(path: Path, *, encoding: Encoding = "utf-8") -> list[tuple[int, Person]]:
    """Return the persons of a file, each with the line on which it comes first.

    Raises:
        RegistryErrors: everything that is wrong with it.
    """
    rows = csv_file.gather(csv_file.read(path, REQUIRED, OPTIONAL, encoding=encoding), _parsed)
    found: dict[str, tuple[int, Person]] = {}
    wrong: list[tuple[int | str, str]] = []
    subjects: dict[people.Oidc, str] = {}
    for line, person in rows:
        first, before = found.get(person.account, (line, replace(person, positions=())))
        if (before.name, before.oidc) != (person.name, person.oidc):
            wrong.append((line, f"account {person.account} has another name or subject than in line {first}"))
        if person.oidc and subjects.setdefault(person.oidc, person.account) != person.account:
            wrong.append((line, f"the subject belongs to account {subjects[person.oidc]} in another line"))
        if set(person.positions) & set(before.positions):
            wrong.append((line, f"account {person.account} has this position in another line"))
        found[person.account] = first, replace(before, positions=before.positions + person.positions)
    if wrong:
        raise RegistryErrors(wrong)
    return list(found.values())


def _parsed(row: Row) -> tuple[int, Person]:
    checks: dict[str, Callable[[Mapping[str, str]], object]] = {
        "account": lambda f: text.account(f["account"]),
        "name": lambda f: text.clean(f["name"], "name", secret=True),
        "positions": lambda f: _positions(f["kind"], f["facility"]),
        "oidc": lambda f: people.oidc(f["oidc_issuer"], f["oidc_subject"]),
    }
    made: dict[str, object] = {}
    wrong: list[tuple[int | str, str]] = []
    for field, check in checks.items():
        try:
            made[field] = check(row.fields)
        except RegistryError as error:
            wrong.append((row.line, str(error)))
    if wrong:
        raise RegistryErrors(wrong)
    return row.line, Person(**made)  # type: ignore[arg-type]


def _positions(kind: str, facility: str) -> tuple[Position, ...]:
    kind, facility = kind.strip(), facility.strip()
    if not kind and not facility:
        return ()
    if kind not in list(Kind):
        raise RegistryError(f"kind: {text.shown(kind)} is none of {', '.join(Kind)}")
    return (Position(Kind(kind), text.code(facility, "facility")),)


def plan(
    current: Sequence[Person], wanted: Sequence[tuple[int, Person]], facilities: Collection[str]
) -> Plan:
    """Return what has to be done so that the accounts are as a file wants them.

    Args:
        current: all accounts there are.
        wanted: what ``read`` returned.
        facilities: the codes of those there are.

    Raises:
        RegistryErrors: a facility is not there, or a subject belongs to an account that is not in the file.
    """
    there = {person.account: person for person in current}
    listed = {person.account for _, person in wanted}
    others = {
        person.oidc: person.account for person in current if person.oidc and person.account not in listed
    }
    wrong: list[tuple[int | str, str]] = []
    for line, person in wanted:
        wrong += [
            (line, f"account {person.account}: there is no facility {code}")
            for _, code in person.positions
            if code not in facilities
        ]
        if person.oidc in others:
            wrong.append((line, f"the subject of account {person.account} belongs to {others[person.oidc]}"))
    if wrong:
        raise RegistryErrors(wrong)
    changed = tuple(_changed(there, wanted))
    placed = [
        (person.account, position)
        for _, person in wanted
        if person.account in there
        for position in person.positions
        if position not in there[person.account].positions
    ]
    added = tuple(person for _, person in wanted if person.account not in there)
    touched = {person.account for person in (*added, *changed)} | {account for account, _ in placed}
    return Plan(added, changed, tuple(placed), unchanged=len(listed - touched))


def _changed(there: Mapping[str, Person], wanted: Sequence[tuple[int, Person]]) -> Iterator[Person]:
    for _, person in wanted:
        now = there.get(person.account)
        if now is None:
            continue
        will = replace(now, name=person.name, oidc=person.oidc or now.oidc)
        if will != now:
            yield will


def apply(connection: psycopg.Connection, plan: Plan, by: str) -> None:
    """Do what is planned; the caller commits.

    Raises:
        RegistryError: ``by`` may not do some of it.
    """
    for person in plan.changed:  # first: another may get the subject that one of these gives up
        people.change(connection, person.account, name=person.name, oidc=person.oidc, by=by)
    people.add(connection, plan.added, by)
    people.place(connection, plan.placed, by)
