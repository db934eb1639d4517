"""``ecgstream person``: accounts, their positions, and how they log in."""

import getpass
import sys
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from ecgstream.audit import pgaudit
from ecgstream.commands.common import (
    OPERATOR,
    By,
    DryRun,
    Json,
    SettingsFlags,
    Yes,
    acting,
    clear_errors,
    confirm,
    registry_connection,
    say,
    say_counts,
    show,
)
from ecgstream.registry import facility_store, passwords, people, people_csv, roles, text
from ecgstream.registry.csv_file import Encoding
from ecgstream.registry.errors import RegistryError
from ecgstream.registry.people import Person, Position
from ecgstream.registry.roles import Kind

app = App(
    name="person",
    help="""People: accounts, and what they may do where.

    What a person may see follows from positions: a kind (clinic, cardiologist, expert, auditor, operator,
    service) at a facility, which reaches to all that is below it. docs/access.md has the whole of it.
    """,
)
position = App(name="position", help="What an account is at which facility.")
app.command(position)

Account = Annotated[str, Parameter(help="a lower-case letter and 1 to 40 letters, digits or underscores.")]
Facility = Annotated[str, Parameter(help="code of the facility.")]
Name = Annotated[str, Parameter(help="the person's name.")]
Issuer = Annotated[str, Parameter(help="https address of the OpenID Connect provider that knows the person.")]
Subject = Annotated[str, Parameter(help="the person's subject there.")]
PasswordFile = Annotated[
    Path | None,
    Parameter(name="--file", help="read the password from the first line of a file; otherwise ask."),
]

_COLUMNS = ("account", "name", "positions", "login", "disabled")


@app.command
def add(
    account: Account,
    /,
    *,
    name: Name,
    kind: Annotated[Kind | None, Parameter(help="what the person is at --facility.")] = None,
    facility: Facility | None = None,
    oidc_issuer: Issuer = "",
    oidc_subject: Subject = "",
    by: By = OPERATOR,
    settings: SettingsFlags = None,
) -> None:
    """Add an account, with a position if one is given. It has no password yet: see `person password`.

    For instance:

        ecgstream person add wang_wei --name 王伟 --kind cardiologist --facility 410100
    """
    with registry_connection(settings) as connection:
        if (kind is None) != (facility is None):
            raise RegistryError("--kind and --facility go together")
        held = () if kind is None or facility is None else (Position(kind, facility),)
        found = Person(account, name, held, people.oidc(oidc_issuer, oidc_subject))
        people.add(connection, [found], acting(by))


@app.command(name="list")
def list_(
    *,
    under: Annotated[str | None, Parameter(help="only those at this facility or below it.")] = None,
    kind: Annotated[Kind | None, Parameter(help="only those with a position of this kind.")] = None,
    json: Json = False,
    settings: SettingsFlags = None,
) -> None:
    """List accounts.

    For instance:

        ecgstream person list --under 410100 --kind cardiologist
    """
    with registry_connection(settings) as connection:
        if under is not None:
            facility_store.path(connection, under)  # or say that there is none
        found = people.load(connection, under=under, kind=kind)
    show([_row(person, json=json) for person in found], json=json, columns=_COLUMNS)


@app.command(name="show")
def show_(account: Account, /, *, json: Json = False, settings: SettingsFlags = None) -> None:
    """Show one account.

    For instance:

        ecgstream person show wang_wei
    """
    with registry_connection(settings) as connection:
        found = _row(people.get(connection, account), json=json)
    show([found] if json else [{"field": k, "value": v} for k, v in found.items()], json=json)


@app.command(name="set")
def set_(
    account: Account,
    /,
    *,
    name: Name | None = None,
    oidc_issuer: Issuer | None = None,
    oidc_subject: Subject | None = None,
    by: By = OPERATOR,
    settings: SettingsFlags = None,
) -> None:
    """Change what is given of an account; both OIDC texts empty take that login away.

    For instance:

        ecgstream person set wang_wei --oidc-issuer https://login.example --oidc-subject 7f3a
    """
    with registry_connection(settings) as connection:
        now = people.get(connection, account)
        was = now.oidc or ("", "")
        issuer = was[0] if oidc_issuer is None else oidc_issuer
        subject = was[1] if oidc_subject is None else oidc_subject
        people.change(
            connection, account, name=name or now.name, oidc=people.oidc(issuer, subject), by=acting(by)
        )


@position.command(name="add")
def position_add(
    account: Account, kind: Kind, facility: Facility, /, *, by: By = OPERATOR, settings: SettingsFlags = None
) -> None:
    """Give an account a position besides those it has.

    For instance:

        ecgstream person position add wang_wei expert 410200-H1
    """
    with registry_connection(settings) as connection:
        people.place(connection, [(account, Position(kind, facility))], acting(by))


@position.command(name="remove")
def position_remove(
    account: Account,
    kind: Kind,
    facility: Facility,
    /,
    *,
    yes: Yes = False,
    by: By = OPERATOR,
    settings: SettingsFlags = None,
) -> None:
    """Take a position away, and with it at once what it let the account see.

    For instance:

        ecgstream person position remove wang_wei expert 410200-H1 --yes
    """
    with registry_connection(settings) as connection:
        confirm(f"Take position {kind} at {facility} away from account {account}?", yes)
        people.displace(connection, account, Position(kind, facility), acting(by))


@app.command
def disable(
    account: Account, /, *, yes: Yes = False, by: By = OPERATOR, settings: SettingsFlags = None
) -> None:
    """Take all access away at once: by the web, and with SQL, whose sessions end. History keeps the account.

    For instance:

        ecgstream person disable wang_wei --yes
    """
    with registry_connection(settings) as connection:
        confirm(f"Disable account {account} and end its sessions?", yes)
        people.disable(connection, account, acting(by))
        connection.commit()
        roles.end_sessions(connection, account)


@app.command
def enable(account: Account, /, *, by: By = OPERATOR, settings: SettingsFlags = None) -> None:
    """Give a disabled account its access back, except for a login with SQL.

    For instance:

        ecgstream person enable wang_wei
    """
    with registry_connection(settings) as connection:
        people.enable(connection, account, acting(by))


@app.command(name="import")
def import_(
    file: Annotated[
        Path,
        Parameter(
            help="CSV file; columns account, name, and optionally kind, facility, oidc_issuer, oidc_subject."
        ),
    ],
    /,
    *,
    encoding: Annotated[Encoding, Parameter(help="GB 2312 and GBK are parts of gb18030.")] = "utf-8",
    dry_run: DryRun = False,
    json: Json = False,
    by: By = OPERATOR,
    settings: SettingsFlags = None,
) -> None:
    """Add the accounts and positions of a CSV file, a line a position: all or, if anything is wrong, nothing.

    Takes nothing away, and sets no password.

    For instance:

        ecgstream person import staff.csv --dry-run
    """
    with clear_errors():
        wanted = people_csv.read(file, encoding=encoding)
    with registry_connection(settings) as connection:
        account = acting(by)
        codes = {facility.code for facility in facility_store.load(connection)}
        found = people_csv.plan(people.load(connection), wanted, codes)
        people_csv.apply(connection, found, account)
        if dry_run:
            connection.rollback()
    if dry_run:
        show(_listed(found), json=json, columns=("change", "account", "what"))
    counts = {
        "added": len(found.added),
        "changed": len(found.changed),
        "positions": len(found.placed) + sum(len(person.positions) for person in found.added),
        "unchanged": found.unchanged,
    }
    say_counts(counts, json=json, dry_run=dry_run)


@app.command
def password(
    account: Account,
    /,
    *,
    file: PasswordFile = None,
    remove: Annotated[bool, Parameter(negative="", help="take the password away instead.")] = False,
    yes: Yes = False,
    by: By = OPERATOR,
    settings: SettingsFlags = None,
) -> None:
    """Set the password of an account: at least 15 characters, of any kind.

    For instance:

        ecgstream person password wang_wei
    """
    with registry_connection(settings) as connection:
        people.get(connection, account)
        if remove:
            confirm(f"Take the password of account {account} away?", yes)
        people.set_password(connection, account, None if remove else _password(file), acting(by))


@app.command
def code(account: Account, /, *, file: PasswordFile = None) -> None:
    """Make a line of the file of personal codes, by which people answer pages on the web.

    It asks for the code, 6 characters or more, and prints the line on stdout. It needs no database.
    docs/web.md has the whole of it.

    For instance:

        ecgstream person code wang_wei >> codes
    """
    with clear_errors():
        known = text.account(account)
        found = passwords.accepted_code(_password(file, "code"), known)
        print(f"{known} {passwords.hashed(found)}")  # noqa: T201 - what was asked for


@app.command(name="sql-login")
def sql_login(
    account: Account, /, *, file: PasswordFile = None, by: By = OPERATOR, settings: SettingsFlags = None
) -> None:
    """Let an account log in to the database itself, or change the password that it has there.

    It is another password than the account's own. The database sees what verifies it, never the password.
    What such a login reads, the server must log with pgaudit (docs/audit.md): else none is made. What it can
    find out beyond its rows is in docs/access.md: give few.

    For instance:

        ecgstream person sql-login wang_wei
    """
    with registry_connection(settings) as connection:
        people.get(connection, account)
        people.open_sql(connection, account, _password(file), acting(by))
        if why := pgaudit.lacking(connection, roles.role_of(account)):  # then it is undone
            raise RegistryError(f"of what this login reads, nothing would be in the audit log: {why}")
    say(f"log in as {roles.role_of(account)}")


@app.command(name="sql-logout")
def sql_logout(
    account: Account, /, *, yes: Yes = False, by: By = OPERATOR, settings: SettingsFlags = None
) -> None:
    """Take an account's login to the database away, and end its sessions.

    For instance:

        ecgstream person sql-logout wang_wei --yes
    """
    with registry_connection(settings) as connection:
        confirm(f"Take the login of account {account} to the database away and end its sessions?", yes)
        people.close_sql(connection, account, acting(by))
        connection.commit()
        roles.end_sessions(connection, account)


def _password(file: Path | None, what: str = "password") -> str:
    """Return a password or a code from a file or, twice the same, from the terminal."""
    if file is not None:
        try:
            with file.open(encoding="utf-8") as lines:
                return lines.readline().rstrip("\r\n")
        except OSError as error:
            raise RegistryError(f"{file}: {error.strerror}") from None
        except UnicodeDecodeError:
            raise RegistryError(f"{file}: is not UTF-8") from None
    if not sys.stdin.isatty():
        raise RegistryError(f"there is no terminal to ask for the {what}: add --file")
    found = getpass.getpass(f"New {what}: ")
    if getpass.getpass("Again: ") != found:
        raise RegistryError("the two differ")
    return found


def _row(person: Person, *, json: bool) -> dict[str, object]:
    logins = {"password": person.password, "oidc": person.oidc is not None, "sql": person.sql_login}
    found: dict[str, object] = {
        "account": person.account,
        "name": person.name,
        "positions": [held._asdict() for held in person.positions],
        "login": [login for login, there in logins.items() if there],
        "disabled": person.disabled,
    }
    if not json:
        found["positions"] = ", ".join(f"{held.kind} at {held.facility}" for held in person.positions)
        found["login"] = ", ".join(login for login, there in logins.items() if there)
        found["disabled"] = "disabled" if person.disabled else ""
    return found


def _listed(found: people_csv.Plan) -> list[dict[str, object]]:
    rows = [("added", person.account, person.name) for person in found.added]
    rows += [("changed", person.account, person.name) for person in found.changed]
    placed = [(person.account, held) for person in found.added for held in person.positions]
    rows += [
        ("placed", account, f"{held.kind} at {held.facility}") for account, held in (*placed, *found.placed)
    ]
    return [dict(zip(("change", "account", "what"), row, strict=True)) for row in rows]
