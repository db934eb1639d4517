"""Flags of several commands. What the settings mean, `ecgstream settings` explains: no other help has to."""

from collections.abc import Sequence
from typing import Annotated

from cyclopts import Parameter, Token

from ecgstream.settings import Settings

SettingsFlags = Annotated[Settings | None, Parameter(name="*", show=False)]


def _names(_type: object, tokens: Sequence[Token]) -> tuple[str, ...]:
    return tuple(part for token in tokens for part in token.value.split(",") if part)


Names = Annotated[tuple[str, ...], Parameter(converter=_names, n_tokens=1, negative=())]
"""Names, separated by commas."""
