"""Shifts from a calendar in a roster's file: a part of its text that the next import replaces.

The rest of the file stays as a person has written it, with its comments. TOML lets tables of a list follow
anything, so the part stands at the end.
"""

import json
from collections.abc import Sequence
from itertools import chain

from alerts.roster.calendar import Shift


def with_imported(toml: str, team: str, shifts: Sequence[Shift]) -> str:
    """Return a roster's file with the shifts of a team in place of those that it had from a calendar before.

    Raises:
        ValueError: the part that was imported before has lost its last line.
    """
    first = f"# Imported from a calendar for team {team}: the next import replaces all up to the end."
    last = f"# End of what was imported for team {team}."
    lines = toml.split("\n")
    known = [line.rstrip() for line in lines]
    if first in known:
        begins = known.index(first)
        if last not in known[begins:]:
            raise ValueError(
                f"the line {last!r} is missing behind line {begins + 1}: put it back where the import ended"
            )
        del lines[begins : known.index(last, begins) + 1]
    while lines and not lines[-1].strip():
        lines.pop()
    tables = chain.from_iterable(_table(team, shift) for shift in shifts)
    return "\n".join([*lines, "", first, *tables, last, ""])


def _table(team: str, shift: Shift) -> list[str]:
    return [
        "[[dated]]",
        f"team = {json.dumps(team, ensure_ascii=False)}",
        f'person = "{shift.account}"',
        f"from = {shift.begins.isoformat()}",
        f"to = {shift.ends.isoformat()}",
        "",
    ]
