"""How a command of the registry runs: its connection, what it prints, what it asks, how it fails."""

import json as json_module
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, TypeVar

import psycopg
from cyclopts import Parameter
from psycopg.conninfo import conninfo_to_dict
from rich.console import Console
from rich.progress import track
from rich.table import Table
from rich.text import Text

from ecgstream.registry import text
from ecgstream.registry.errors import RegistryError
from ecgstream.settings import PREFIX, Settings
from ecgstream.store.connection import connect

SettingsFlags = Annotated[Settings | None, Parameter(name="*")]
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

_ROLE = "ecg_registry"
_NOT_MIGRATED = "the database has no registry yet: `ecgstream migrate` brings it to this version"
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
def registry_connection(settings: Settings | None) -> Iterator[psycopg.Connection]:
    """Give a connection as role ``ecg_registry``, in one transaction: committed at the end or undone.

    Errors end the program as with ``clear_errors``.
    """
    with clear_errors():
        url = (settings or Settings()).database.get_secret_value()
        with _connected(url) as connection:
            yield connection


def _connected(url: str) -> psycopg.Connection:
    if not url:
        raise RegistryError(_NO_ADDRESS)
    try:
        # An unescaped @ in the password makes the rest of it part of the host, which errors would show.
        readable = "@" not in str(conninfo_to_dict(url).get("host", ""))
    except psycopg.ProgrammingError:
        readable = False
    if not readable:
        raise RegistryError(_UNREADABLE)
    return connect(url, name="ecgstream registry", role=_ROLE)


def explained(error: psycopg.Error) -> str:
    """Return what the database said, in one line without the values of any row."""
    said = error.diag.message_primary
    if isinstance(error, psycopg.errors.UndefinedTable) or f'role "{_ROLE}" does not exist' in str(error):
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

    Args:
        rows: column to value; times as ISO 8601 in JSON.
        json: JSON rather than a table.
        columns: what a table has where there are no rows; otherwise the keys of the first row.
    """
    if json:
        print_json([dict(row) for row in rows])
        return
    table = Table(box=None, header_style="bold")
    names = list(rows[0]) if rows else list(columns)
    for name in names:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(Text(_cell(row[name])) for name in names))
    console().print(table)


def print_json(value: object) -> None:
    """Print a value as JSON on stdout, in UTF-8 whatever the terminal speaks."""
    said = json_module.dumps(value, ensure_ascii=False, indent=2, default=_plain)
    sys.stdout.flush()
    sys.stdout.buffer.write(said.encode() + b"\n")
    sys.stdout.buffer.flush()


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    return str(value)


def console() -> Console:
    """Return a console on stdout that takes every text literally; as wide as needed where no terminal is."""
    made = Console(markup=False, emoji=False, highlight=False)
    if not made.is_terminal:
        made.width = 10_000
    return made


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


def progress(items: Iterable[_T], title: str) -> Iterable[_T]:
    """Show on the terminal, where stderr is one, how far a long run over ``items`` has come."""
    shown = Console(stderr=True)
    return track(items, description=title, console=shown, transient=True, disable=not shown.is_terminal)
