"""How a roster is read from its file, and how it travels: as JSON of one form, with a hash that names it.

Both are the same tables, and pass the same checks: nobody has to trust what has travelled.
"""

import json
import tomllib
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from alerts.roster import check
from alerts.roster.model import Dated, Green, Person, Roster, StandIn, Team, Times, Weekday, Weekly

_TABLES: dict[str, type[BaseModel]] = {
    "person": Person,
    "team": Team,
    "weekly": Weekly,
    "dated": Dated,
    "stand_in": StandIn,
    "green": Green,
}
_WORDS = {
    "missing": "is missing",
    "string_type": "is no text",
    "tuple_type": 'is no list, as ["li", "wang"] is',
    "bool_type": "is neither true nor false",
    "int_type": "is no whole number",
    "dict_type": "is no table",
    "model_type": "is no table",
}


class RosterError(ValueError):
    """A roster is refused; ``problems`` are all that was found, each one line."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


def tables_of(toml: str) -> dict[str, Any]:
    """Return the tables of a roster's file.

    Raises:
        RosterError: it is no TOML.
    """
    try:
        return tomllib.loads(toml)
    except tomllib.TOMLDecodeError as error:
        raise RosterError([f"this is no TOML: {error}"]) from None


def shape(tables: Mapping[str, Any]) -> Roster:
    """Return the roster that tables describe, each value in order; for ``check``, and nothing else.

    Raises:
        RosterError: what is missing, unknown, or no account, time, zone and so on; all of it.
    """
    try:
        return Roster.model_validate(dict(tables))
    except ValidationError as error:
        found = [_in_words(one, tables) for one in error.errors(include_url=False)]
        raise RosterError(list(dict.fromkeys(found))) from None  # a value of two kinds fails twice


def parse(tables: Mapping[str, Any]) -> Roster:
    """Return the roster that tables describe, in which everybody and everything that is named is there.

    Raises:
        RosterError: all that is wrong. What hangs on time, such as overlaps, ``check.problems`` finds.
    """
    found = shape(tables)
    if wrong := check.references(found):
        raise RosterError(wrong)
    return found


def to_json(roster: Roster) -> bytes:
    """Return a roster as it travels: the same roster has the same bytes."""
    tables = roster.model_dump(mode="json", by_alias=True)
    return json.dumps(tables, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def from_json(data: bytes) -> Roster:
    """Return the roster that has travelled.

    Raises:
        RosterError: it is no roster.
    """
    try:
        tables = json.loads(data)
    except (ValueError, RecursionError):
        raise RosterError(["this is no JSON"]) from None
    if not isinstance(tables, dict):
        raise RosterError(["this is no roster"])
    return parse(tables)


def version_of(roster: Roster) -> str:
    """Return the name of what a roster says: a hash over its JSON, 32 hexadecimal digits."""
    return blake2b(to_json(roster), digest_size=16).hexdigest()


def _in_words(error: ErrorDetails, tables: Mapping[str, Any]) -> str:
    where, found = [str(part) for part in error["loc"]], error["type"]
    if found == "extra_forbidden":
        said = f"is not known here; known are {', '.join(_known(error['loc']))}"
    elif found == "value_error":
        said = error["msg"].removeprefix("Value error, ")
    elif found == "enum":
        said = f"{str(error['input'])[:40]!r} is none of {', '.join(Weekday)}"
    elif found == "literal_error" and where == ["version"]:
        said = "is not 1, the only form of a roster that this version reads"
    else:
        said = _WORDS.get(found, error["msg"])
    return f"{_place(error['loc'], tables)}: {said}"


def _known(loc: tuple[int | str, ...]) -> list[str]:
    model: type[BaseModel] = Roster if len(loc) == 1 else _TABLES[str(loc[0])]
    model = Times if "escalate_after_s" in loc[:-1] else model
    return [field.alias or name for name, field in model.model_fields.items()]


def _place(loc: tuple[int | str, ...], tables: Mapping[str, Any]) -> str:
    """Return where an error is, as a person finds it: weekly 2 (henan, li): days 1."""
    parts, rest = [], list(loc)
    if len(rest) > 1 and rest[0] in _TABLES and isinstance(rest[1], int):
        entry = tables[str(rest[0])][rest[1]]
        names = (
            [entry.get(key) for key in ("account", "name", "team", "person")]
            if isinstance(entry, dict)
            else []
        )
        said = ", ".join(name[:60] for name in names if isinstance(name, str) and name.isprintable())
        parts.append(f"{rest[0]} {rest[1] + 1}" + (f" ({said})" if said else ""))
        rest = rest[2:]
    inner = [part for part in rest if isinstance(part, int) or not part.startswith(("literal[", "function-"))]
    said = " ".join(str(part + 1) if isinstance(part, int) else part for part in inner)
    return ": ".join([*parts, said] if said else parts)
