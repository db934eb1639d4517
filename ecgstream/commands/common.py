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
from psycopg.conninfo import conninfo_to_dict
from psycopg.types.json import Jsonb
from rich.cells import cell_len
from rich.console import Console
from rich.progress import track
from rich.tree import Tree

from ecgstream.commands.flags import SettingsFlags as SettingsFlags
from ecgstream.registry import text
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
    settings: Settings | None, name: str, *, autocommit: bool = False
) -> Iterator[psycopg.Connection]:
    """Give a connection of the person whose login the database address has, that writes nothing.

    Args:
        settings: as they were given.
        name: of the command, as the database shows it.
        autocommit: for work of hours, which must hold no snapshot.

    Raises:
        RegistryError: there is no address, it cannot be read, or it is of no person.
    """
    url = _address((settings or Settings()).database.get_secret_value())
    with connect(url, name=name, autocommit=autocommit) as connection:
        if not connection.info.user.startswith("person_"):
            raise RegistryError(
                "people see what is of patients, services do not: the database address must be of a person's"
                " own login (`ecgstream person sql-login`)"
            )
        connection.execute("SET default_transaction_read_only = on")
        connection.commit()
        yield connection


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
