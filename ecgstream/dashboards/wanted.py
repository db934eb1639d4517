"""What is to stand in a Grafana: by the facilities that it shows, and the registry's people and tree.

A facility has a folder with its dashboards, a data source that logs in as an account of that facility and
of no other, and a team of those who care for patients there. A folder is seen by the teams of its facility
and of those above it, and by nobody else: as the database has it.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

from ecgstream.dashboards.boards import OF_A_FACILITY, OPERATIONS
from ecgstream.dashboards.build import Setting, model
from ecgstream.dashboards.chart import Board
from ecgstream.dashboards.errors import DashboardsError
from ecgstream.dashboards.shown import Login, Shown
from ecgstream.dashboards.sql import PLUGIN
from ecgstream.dashboards.things import Kind, Thing, digest, team, uid
from ecgstream.registry import rights, roles
from ecgstream.registry.facilities import Facility
from ecgstream.registry.people import Person

_OPERATIONS = "Operations · 运维"
_LOGIN_KINDS = {roles.Kind.CLINIC, roles.Kind.SERVICE}


def wanted(
    shown: Shown, tree: Sequence[Facility], people: Sequence[Person], users: Collection[str], *, apart: bool
) -> list[Thing]:
    """Return everything that is to stand there.

    Args:
        shown: what the file says.
        tree: all facilities, parents before children.
        people: all accounts.
        users: logins that Grafana knows in this organisation; others become members once they have come.
        apart: whether this Grafana can keep a data source from those who are not in its teams.

    Raises:
        DashboardsError: a facility or its account is not there, an account reads more than its facility,
            or people would reach the data of others.
    """
    _check_audience(shown, apart=apart)
    places = {facility.code: facility for facility in tree}
    accounts = {person.account: person for person in people}
    logins = {login.account for login in shown.facilities.values()}
    members = [person for person in people if not person.disabled and person.account not in logins]
    things: list[Thing] = []
    for code, login in shown.facilities.items():
        if code not in places:
            raise DashboardsError(f"there is no facility {code}")
        readers = [team(above) for above in _way_up(places, code) if above in shown.facilities]
        things.append(_team(code, rights.CARE, code, members, users))
        things.append(_folder(code, f"{places[code].name} ({code})", readers))
        kinds = _kinds(accounts.get(login.account), code, login)
        things.append(_source(shown, code, login, kinds, {"readers": sorted(readers)} if apart else {}))
        things += _dashboards(OF_A_FACILITY, shown, code, uid("source", code), places[code].time_zone)
    if shown.prometheus:
        root = next((facility.code for facility in tree if facility.parent is None), "")
        things.append(_team("", (roles.Kind.OPERATOR,), root, members, users))
        things.append(_folder("", _OPERATIONS, [team("")]))
        things += _dashboards((OPERATIONS,), shown, "", shown.prometheus, "")
    return things


def _check_audience(shown: Shown, *, apart: bool) -> None:
    if len(shown.facilities) > 1 and not (apart or shown.one_audience):
        raise DashboardsError(
            "this Grafana lets everybody in an organisation query every data source of it, whatever the"
            " folders say: give each facility an organisation and a file of its own, or say one_audience ="
            " true if all who are let in may see all of these facilities (docs/dashboards.md)"
        )


def _way_up(places: Mapping[str, Facility], code: str) -> Iterator[str]:
    above: str | None = code
    while above is not None:
        yield above
        above = places[above].parent


def _kinds(person: Person | None, code: str, login: Login) -> set[roles.Kind]:
    """Return what the account of a data source is; it may read its own facility and no other."""
    if person is None or person.disabled or not person.sql_login:
        raise DashboardsError(
            f"facility {code}: account {login.account} cannot log in to the database:"
            f" `ecgstream person add` and `ecgstream person sql-login {login.account}` make one that can"
        )
    kinds = {position.kind for position in person.positions}
    elsewhere = {position.facility for position in person.positions} - {code}
    if elsewhere or roles.Kind.CLINIC not in kinds or kinds - _LOGIN_KINDS:
        raise DashboardsError(
            f"facility {code}: account {login.account} is to be of kind clinic at {code}, perhaps also"
            " service there, and nothing else anywhere: else the dashboards show more than the facility's"
        )
    return kinds


def _team(
    of: str, kinds: Collection[str], at: str, people: Sequence[Person], users: Collection[str]
) -> Thing:
    held = {
        person.account
        for person in people
        for position in person.positions
        if position.facility == at and position.kind in kinds
    }
    return Thing(Kind.TEAM, team(of), team(of), {"members": sorted(held & set(users))})


def _folder(of: str, title: str, readers: Sequence[str]) -> Thing:
    return Thing(Kind.FOLDER, uid("folder", of), title, {"title": title, "readers": sorted(readers)})


def _source(
    shown: Shown, code: str, login: Login, kinds: Collection[roles.Kind], readers: Mapping[str, list[str]]
) -> Thing:
    connections = max(roles.LIMITS[kind].connections for kind in kinds)
    settings = {
        "database": shown.name,
        "sslmode": shown.tls,
        "maxOpenConns": connections,
        "maxIdleConns": 1,
        "connMaxLifetime": 600,
        "timescaledb": False,  # no macro of it is used
    }
    state = {
        "name": team(code),
        "url": shown.server,
        "user": roles.role_of(login.account),
        "settings": settings,
        "password": True,
        **readers,
    }
    body = {"type": PLUGIN, "access": "proxy", "password": login.password}
    return Thing(Kind.SOURCE, uid("source", code), team(code), state, body)


def _dashboards(
    boards: Collection[Board], shown: Shown, of: str, source: str, time_zone: str
) -> Iterator[Thing]:
    for language in shown.languages:

        def known(name: str, tongue: str = language) -> str:
            return uid(f"{name}-{tongue}", of)

        for board in boards:
            made = model(board, Setting(language, source, known, of, time_zone))
            state = {"folder": uid("folder", of), "content": digest(made)}
            yield Thing(Kind.DASHBOARD, known(board.name), made["title"], state, {"model": made})
