"""How a command of the registry runs: its connection, what it prints, what it asks, how it fails."""

import getpass
import json as json_module
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, TypeVar

import psycopg
from cyclopts import Parameter
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.types.json import Jsonb
from rich.cells import cell_len
from rich.console import Console
from rich.progress import track
from rich.tree import Tree

from ecgstream.audit import pgaudit
from ecgstream.commands.flags import SettingsFlags as SettingsFlags
from ecgstream.registry import people, roles, text
from ecgstream.registry.errors import RegistryError
from ecgstream.settings import PREFIX, Settings
from ecgstream.store.connection import connect

Json = Annotated[bool, Parameter(name="--json", negative="", help="print JSON instead of a table.")]
Yes = Annotated[bool, Parameter(name="--yes", negative="", help="do not ask before something is destroyed.")]
DryRun = Annotated[
    bool, Parameter(name="--dry-run", negative="", help="only list what would change; write nothing.")
]
By = Annotated[
    str,
    Parameter(
        name="--by", env_var=f"{PREFIX}ACCOUNT", help="the account that the change is recorded as made by."
    ),
]
OPERATOR = "operator"
"""Default of ``By``."""

_T = TypeVar("_T")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")

_ROLE = "ecg_registry"
_LIMITS_OF_READING = {
    "statement_timeout": "600s",
    "idle_in_transaction_session_timeout": "600s",
    "idle_session_timeout": "0",
}
"""A report takes longer than a page, for which the monitor's login is made."""
_NO_ROLE = re.compile(r'role "ecg_\w+" does not exist')
_NOT_MIGRATED = "the database is not of this version yet: `ecgstream migrate` brings it there"
_NO_ADDRESS = f"no database address. Set {PREFIX}DATABASE or --database"
_UNREADABLE = (
    "the database address cannot be read. It has the form postgresql://USER:PASSWORD@HOST:PORT/NAME,"
    " with @ : / inside of a part as %40 %3A %2F"
)


@contextmanager
def clear_errors() -> Iterator[None]:
    """What the registry or the database refuses inside ends the program: said on stderr, exit status 1."""
    try:
        yield
    except RegistryError as error:
        sys.exit(f"ecgstream: {error}")
    except psycopg.Error as error:
        sys.exit(f"ecgstream: {explained(error)}")


@contextmanager
def registry_connection(settings: Settings | None, role: str = _ROLE) -> Iterator[psycopg.Connection]:
    """Give a connection as a role, in one transaction: committed at the end or undone.

    Errors end the program as with ``clear_errors``.
    """
    with clear_errors():
        url = (settings or Settings()).database.get_secret_value()
        with _connected(url, role) as connection:
            yield connection


@contextmanager
def person_connection(
    settings: Settings | None, command: str, *reads: tuple[str, str], autocommit: bool = False
) -> Iterator[psycopg.Connection]:
    """Give a connection with one person's rights, that writes nothing and leaves an entry in the audit log.

    The database address is of a person's own login, whose reads the server itself logs; or of the monitor's,
    which becomes the person whom ``ECGSTREAM_ACCOUNT`` names as it does for a page, once that is noted.

    Args:
        settings: as they were given.
        command: as the entry, and the server's own views, show it.
        reads: kind and key of what is read: ``("device", "mon-17")``.
        autocommit: for work of hours, which must hold no snapshot.

    Raises:
        RegistryError: there is no address, it cannot be read, it is of neither login, there is no such
            account, or the server does not log what the person's own login reads.
    """
    found = settings or Settings()
    url = _address(found.database.get_secret_value() or found.monitor_database.get_secret_value())
    with connect(url, name=f"ecgstream {command}", autocommit=True) as connection:
        login = connection.info.user
        if not login.startswith("person_"):
            _become(connection, reading(), command, reads)
        elif why := pgaudit.lacking(connection, login):
            raise RegistryError(f"of what this login reads, nothing would be in the audit log: {why}")
        connection.execute("SET default_transaction_read_only = on")
        connection.autocommit = autocommit
        yield connection


def _become(
    connection: psycopg.Connection, account: str, command: str, reads: Sequence[tuple[str, str]]
) -> None:
    """Note what an account is about to read, then give the connection its rights and no others."""
    try:
        connection.execute("SET ROLE ecg_web")
    except psycopg.errors.InsufficientPrivilege:
        raise RegistryError(
            "people see what is of patients, services do not: the database address must be of a person's own"
            f" login (`ecgstream person sql-login`), or of the monitor's, with {PREFIX}ACCOUNT"
        ) from None
    if not people.may_log_in(connection, account):
        raise RegistryError(
            f"there is no account {text.shown(account)}, or it is disabled: {PREFIX}ACCOUNT names who reads"
        )
    more = Jsonb({"command": command, "machine_login": machine_login()})
    for kind, object_ in reads:
        connection.execute("SELECT api.note(%s, 'read', %s, %s, %s)", (account, kind, object_, more))
    for limit, value in _LIMITS_OF_READING.items():
        connection.execute("SELECT set_config(%s, %s, false)", (limit, value))
    connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(roles.role_of(account))))


def _connected(url: str, role: str) -> psycopg.Connection:
    return connect(_address(url), name="ecgstream registry", role=role)


def _address(url: str) -> str:
    if not url:
        raise RegistryError(_NO_ADDRESS)
    try:
        # An unescaped @ in the password makes the rest of it part of the host, which errors would show.
        readable = "@" not in str(conninfo_to_dict(url).get("host", ""))
    except psycopg.ProgrammingError:
        readable = False
    if not readable:
        raise RegistryError(_UNREADABLE)
    return url


def noted(connection: psycopg.Connection, kind: str, object_: str, command: str, **detail: object) -> None:
    """Put into the audit log that somebody reads with a command; it holds if the transaction does.

    Who that is, they may say by ``ECGSTREAM_ACCOUNT``; the name of their login at this machine goes along.
    """
    more = Jsonb({"command": command, "machine_login": machine_login(), **detail})
    connection.execute("SELECT ecg.note(%s, 'read', %s, %s, %s)", (reading(), kind, object_, more))


def reading() -> str:
    """Return the account that reads, as it says."""
    return os.environ.get(f"{PREFIX}ACCOUNT") or OPERATOR


def machine_login() -> str:
    """Return whose process this is."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # in a container, which knows a number only
        return str(os.getuid())


def explained(error: psycopg.Error) -> str:
    """Return what the database said, in one line without the values of any row."""
    said = error.diag.message_primary
    if isinstance(error, psycopg.errors.UndefinedTable) or _NO_ROLE.search(str(error)):
        return _NOT_MIGRATED
    if said is None:  # while connecting
        return "database: " + " ".join(str(error).split())
    if isinstance(error, psycopg.DataError):  # quotes the value
        return f"the database refused a value ({type(error).__name__})"
    return f"the database refused this: {' '.join(said.split())}"


def acting(by: str) -> str:
    """Return the account a change is recorded as made by.

    Raises:
        RegistryError: no account can have this name.
    """
    return text.account(by, "--by")


def show(rows: Sequence[Mapping[str, object]], *, json: bool, columns: Sequence[str] = ()) -> None:
    """Print rows on stdout, as a table or as one JSON array.

    A table is as wide as its values need: the same on a terminal and in a pipe.

    Args:
        rows: column to value; times as ISO 8601 in JSON.
        json: JSON rather than a table.
        columns: what a table has where there are no rows; otherwise the keys of the first row.
    """
    if json:
        print_json([dict(row) for row in rows])
        return
    names = list(rows[0]) if rows else list(columns)
    lines = [names, *([_cell(row[name]) for name in names] for row in rows)]
    # Not rich's table: that takes a minute for 100,000 rows.
    widths = [max(map(cell_len, column)) for column in zip(*lines, strict=True)]
    _print("".join(_aligned(line, widths) for line in lines), sys.stdout.encoding)


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell + " " * (width - cell_len(cell)) for cell, width in zip(cells, widths, strict=True))
    return "  ".join(padded).rstrip() + "\n"


def print_json(value: object) -> None:
    """Print a value as JSON on stdout, in UTF-8 whatever the terminal speaks."""
    _print(json_module.dumps(value, ensure_ascii=False, indent=2, default=_plain) + "\n", "utf-8")


def print_tree(tree: Tree) -> None:
    """Draw a tree of ``rich.text.Text`` on stdout, as wide as it needs where stdout is no terminal."""
    console = Console()
    if not console.is_terminal:
        console.width = 10_000
    with console.capture() as drawn:
        console.print(tree)
    _print(drawn.get(), sys.stdout.encoding)


def _print(said: str, encoding: str) -> None:
    """Write to stdout; what its encoding does not have, as escapes."""
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(said.encode(encoding, "backslashreplace"))
        sys.stdout.buffer.flush()
    except BrokenPipeError:  # who reads it has seen enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say(what: str) -> None:
    """Tell a person on stderr, who may have sent the output elsewhere."""
    print(what, file=sys.stderr)  # noqa: T201


def say_counts(counts: Mapping[str, int], *, json: bool, dry_run: bool) -> None:
    """Tell how many of what an import has changed or, dry, would change; as JSON on stdout if it is to be."""
    if json and not dry_run:  # dry, JSON lists each of them
        print_json([dict(counts)])
        return
    say(("Would be: " if dry_run else "") + ", ".join(f"{n:,} {what}" for what, n in counts.items()))


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    return _CONTROL.sub("?", str(value))


def confirm(question: str, yes: bool) -> None:
    """Ask before something is destroyed; return only where the answer is yes.

    Raises:
        RegistryError: the answer is not yes, or there is nobody to ask.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise RegistryError(f"{question} There is no terminal to ask: add --yes")
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)  # noqa: T201
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise RegistryError("nothing was changed")


def progress(items: Iterable[_T], title: str, total: int | None = None) -> Iterable[_T]:
    """Show on the terminal, where stderr is one, how far a long run over ``items`` has come.

    ``total``: how many they are, where they do not know it themselves.
    """
    shown = Console(stderr=True)
    is_off = not shown.is_terminal
    return track(items, title, total, console=shown, transient=True, disable=is_off)
