"""A small network for tests of dashboards: W above H and S; each of the two has people and a login."""

from __future__ import annotations

from ecgstream.dashboards.shown import Shown
from ecgstream.dashboards.things import Thing
from ecgstream.dashboards.wanted import wanted
from ecgstream.registry import facilities
from ecgstream.registry.facilities import Facility, Level
from ecgstream.registry.people import Person, Position
from ecgstream.registry.roles import Kind

TREE = [
    Facility("W", None, Level.PROVINCE, facilities.Kind.AUTHORITY, "World", "世界", "Asia/Shanghai"),
    Facility("H", "W", Level.CITY, facilities.Kind.HOSPITAL, "Hospital", "医院", "Asia/Shanghai"),
    Facility("S", "W", Level.CITY, facilities.Kind.HOSPITAL, "Sister", "", "Asia/Urumqi"),
]


def person(
    account: str, *positions: tuple[Kind, str], sql_login: bool = False, disabled: bool = False
) -> Person:
    held = tuple(Position(*position) for position in positions)
    return Person(account, account, held, sql_login=sql_login, disabled=disabled)


PEOPLE = [
    person("grafana_h", (Kind.CLINIC, "H"), sql_login=True),
    person("grafana_s", (Kind.CLINIC, "S"), (Kind.SERVICE, "S"), sql_login=True),
    person("grafana_w", (Kind.CLINIC, "W"), sql_login=True),
    person("li", (Kind.CARDIOLOGIST, "H")),
    person("wang", (Kind.CLINIC, "S"), (Kind.OPERATOR, "W")),
    person("zhao", (Kind.CLINIC, "H")),
    person("admin", (Kind.CLINIC, "H"), disabled=True),
]


def shown(*codes: str, **more: object) -> Shown:
    """What a file says that names facilities."""
    logins = {code: {"account": f"grafana_{code.lower()}", "password": f"secret of {code}"} for code in codes}
    said = {"database": "db.example:5432/ecgstream", "one_audience": True, "facilities": logins, **more}
    return Shown.model_validate(said)


def things(
    *codes: str, users: tuple[str, ...] = ("li", "wang"), apart: bool = False, **more: object
) -> list[Thing]:
    """What is wanted for facilities."""
    return wanted(shown(*codes, **more), TREE, PEOPLE, users, apart=apart)
