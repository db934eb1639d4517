"""What the registry refuses, in words for the person who asked.

No message holds a patient's identifier or name, a key or a password: messages reach terminals, logs, tickets.
"""

from collections.abc import Sequence

_SHOWN = 20


class RegistryError(ValueError):
    """The registry refuses this; nothing was changed."""


class RegistryErrors(RegistryError):  # noqa: N818 - it is many
    """Many things are wrong at once; ``found`` has them all as (line number or key, message).

    >>> print(RegistryErrors([(2, "no name"), ("H-1", "no parent")]))
    2 errors:
      line 2: no name
      H-1: no parent
    """

    def __init__(self, found: Sequence[tuple[int | str, str]]) -> None:
        self.found = tuple(found)
        super().__init__(self.found)

    def __str__(self) -> str:
        """Show the first 20, and how many more there are."""
        n = len(self.found)
        lines = [f"{n:,} error{'s' if n != 1 else ''}:"]
        for where, message in self.found[:_SHOWN]:
            lines.append(f"  {f'line {where}' if isinstance(where, int) else where}: {message}")
        if n > _SHOWN:
            lines.append(f"  … and {n - _SHOWN:,} more")
        return "\n".join(lines)
