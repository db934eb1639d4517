"""What the commands about patients have in common: identifiers typed in, times as people read them."""

import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cyclopts import CycloptsError, CycloptsPanel, MissingArgumentError, Parameter, UnknownOptionError
from rich.console import RenderableType

from ecgstream.registry import identity, key_source
from ecgstream.registry.associations import FOREVER
from ecgstream.registry.errors import RegistryError
from ecgstream.registry.identity import Kind
from ecgstream.registry.keys import KeyRing
from ecgstream.settings import Settings

Pseudonym = Annotated[str, Parameter(help="the patient's pseudonym, as P-ABCDEFGHIJ.")]
Device = Annotated[str, Parameter(help="id of the device.")]

_TYPED = (
    "“-”: asked for, or the next line of standard input. What is typed here others on this machine may see."
)


def _identifier(help_: str) -> Parameter:
    return Parameter(help=help_, allow_leading_hyphen=True)  # for “-”; nothing else that begins so is taken


Name = Annotated[str | None, _identifier(f"the patient's name. {_TYPED}")]
NationalId = Annotated[str | None, _identifier("number of the identity card; as --name.")]
RecordNumber = Annotated[str | None, _identifier("the facility's own number for the patient; as --name.")]
Telephone = Annotated[str | None, _identifier("telephone number; as --name.")]


def identifiers(
    name: str | None, national_id: str | None, record_number: str | None, telephone: str | None
) -> dict[Kind, str]:
    """Return the identifiers that are given, checked; each “-” is asked for or read from standard input.

    Raises:
        RegistryError: one cannot be what it should be.
    """
    given = {
        Kind.NAME: name,
        Kind.NATIONAL_ID: national_id,
        Kind.RECORD_NUMBER: record_number,
        Kind.TELEPHONE: telephone,
    }
    return {
        kind: identity.check(kind, _asked(kind) if text == "-" else text)
        for kind, text in given.items()
        if text is not None
    }


def ring(settings: Settings | None) -> KeyRing:
    """Return the key ring that the settings name.

    Raises:
        RegistryError: they name none.
    """
    found = settings or Settings()
    return key_source.load(found.keys, found.key_command)


def at(time: datetime | None, zone: str) -> str:
    """Return a time as people at a place read it, and in UTC.

    >>> from datetime import UTC
    >>> at(datetime(2026, 7, 1, 23, 30, tzinfo=UTC), "Asia/Shanghai")
    '2026-07-02 07:30:00 Asia/Shanghai = 2026-07-01 23:30:00 UTC'
    """
    if time is None:
        return ""
    if time == FOREVER:
        return "no end"
    utc = f"{time:%Y-%m-%d %H:%M:%S} UTC"
    try:
        local = time.astimezone(ZoneInfo(zone))
    except ZoneInfoNotFoundError:
        return utc  # this machine knows fewer zones than the one where the facility was entered
    return utc if zone == "UTC" else f"{local:%Y-%m-%d %H:%M:%S} {zone} = {utc}"


def facts(row: Mapping[str, object]) -> list[dict[str, object]]:
    """Return one row of a table as lines of another."""
    return [{"field": name, "value": value} for name, value in row.items()]


def without_words(error: CycloptsError) -> RenderableType:
    """Say what is wrong with a command line without repeating it: any word may be a part of a name."""
    if isinstance(error, MissingArgumentError):
        return CycloptsPanel(error)
    if isinstance(error, UnknownOptionError):
        where = "an option that is not known here"
    elif error.argument:
        where = f"what {error.argument.name} is given"
    else:
        where = "a word too many, or in the wrong place"
    return CycloptsPanel(
        f"Not understood: {where}. A name with blanks stands in quotation marks; --help tells what may be"
        " given."
    )


def _asked(kind: Kind) -> str:
    if sys.stdin.isatty():
        print(f"{kind.replace('_', ' ')}: ", end="", file=sys.stderr, flush=True)  # noqa: T201
    try:
        line = sys.stdin.readline()
    except UnicodeDecodeError:
        raise RegistryError(f"{kind}: standard input is not in {sys.stdin.encoding}") from None
    if not line:
        raise RegistryError(f"{kind}: standard input has ended")
    return line
