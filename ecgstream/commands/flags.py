"""Flags of several commands. What the settings mean, `ecgstream settings` explains: no other help has to."""

import sys
from collections.abc import Sequence
from typing import Annotated

from cyclopts import Parameter, Token

from ecgstream.settings import PREFIX, Settings

SettingsFlags = Annotated[Settings | None, Parameter(name="*", show=False)]


def _names(_type: object, tokens: Sequence[Token]) -> tuple[str, ...]:
    return tuple(part for token in tokens for part in token.value.split(",") if part)


Names = Annotated[tuple[str, ...], Parameter(converter=_names, n_tokens=1, negative=())]
"""Names, separated by commas."""


def addressed(settings: Settings | None, *names: str) -> Settings:
    """Return the settings; or end the program, said on stderr, exit status 1, where an address is missing.

    Args:
        settings: as they were given.
        names: settings that must be there, such as ``kafka``.
    """
    found = settings if settings is not None else Settings()
    for name in names:
        value = getattr(found, name)
        if not (value if isinstance(value, str) else value.get_secret_value()):
            sys.exit(
                f"ecgstream: no {name} address. Set {PREFIX}{name.upper()} or --{name.replace('_', '-')}, "
                "or use `ecgstream up`, which brings its own."
            )
    return found
