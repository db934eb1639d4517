"""Alarm limits on a patient's page: what holds, since when and why; and the form that changes it.

What cannot be meant is refused beside its field. The form brings what was seen, so that of two who change a
limit at once the second learns what the first has said, and overwrites nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import psycopg

from ecgstream import desk
from ecgstream.monitor.read import limits
from ecgstream.monitor.read.limits import Standing
from ecgstream.registry.limits import NUMBERS, Number, fault, side_of
from schemas import mdc
from schemas.records import Limit

LONGEST_REASON = 200
OFF = "off"
"""What the form says, and is told, of a side without a limit."""
_WHOLE_ID = 2**63

# What alarms although a limit is off, and at which sides the limit would have been.
_STILL = {
    mdc.HEART_RATE: ("rate", ("low", "high")),
    mdc.SPO2: ("spo2", ("low",)),
    mdc.RESP_RATE: ("resp", ("low",)),
    mdc.VPC_RATE: ("vpc", ("high",)),
    mdc.RR: ("pause", ("high",)),
}


@dataclass(frozen=True, slots=True)
class Refused:
    """What somebody has typed for a number, and why nothing was written.

    Attributes:
        at: the field whose value is wrong: low, high or reason; empty: none is.
        why: ``limit.fault.…`` are its words, which take ``values``.
    """

    code: int
    typed: Mapping[str, str]
    at: str
    why: str
    values: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Row:
    """A number with its limits, and what was refused of it just now."""

    number: Number
    standing: Standing
    refused: Refused | None

    @property
    def low(self) -> str:
        """As the form shows it: what was typed, or else what holds."""
        return self.refused.typed["low"] if self.refused else shown(self.standing.limit.low)

    @property
    def high(self) -> str:
        """As the form shows it."""
        return self.refused.typed["high"] if self.refused else shown(self.standing.limit.high)

    @property
    def still(self) -> str:
        """What alarms although a side is off, ``limit.still.…`` are its words; empty: nothing to say."""
        name, sides = _STILL.get(self.number.code, ("", ()))
        return name if any(getattr(self.standing.limit, side) is None for side in sides) else ""


def shown(side: float | None) -> str:
    """Return one side of limits as it is typed.

    >>> shown(38.5), shown(40.0), shown(None)
    ('38.5', '40', 'off')
    """
    return OFF if side is None else f"{side:g}"


def rows(standing: Mapping[int, Standing], refused: Refused | None) -> list[Row]:
    """Return the table, in the order of the registry's numbers; nothing where no limits are seen."""
    return [
        Row(number, standing[number.code], refused if refused and refused.code == number.code else None)
        for number in NUMBERS.values()
        if number.code in standing
    ]


def take(connection: psycopg.Connection, patient: str, form: Mapping[str, str]) -> int | Refused | None:
    """Do what a form says; return the code of the number that was changed, or what is refused and why.

    None: it is no form of ours.

    Raises:
        psycopg.errors.InsufficientPrivilege: this person may not.
    """
    name = next((name for name, one in NUMBERS.items() if str(one.code) == form.get("number", "")), None)
    seen = form.get("seen", "")
    if name is None or not (seen.isascii() and seen.isdigit() and int(seen) < _WHOLE_ID):
        return None
    number, to_default = NUMBERS[name], form.get("act") == "default"
    typed = {key: form.get(key, "").strip() for key in ("low", "high", "reason")}
    limit = Limit(number.code, None, None) if to_default else _limit(name, typed)
    if isinstance(limit, Refused):
        return limit
    try:
        reason = desk.reason_of(typed["reason"])
    except desk.DeskError:
        reason = ""
    if not 1 <= len(reason) <= LONGEST_REASON:
        return Refused(number.code, typed, "reason", "reason")
    if not limits.change(connection, patient, limit, int(seen), reason, to_default=to_default):
        return Refused(number.code, typed, "", "first")
    return number.code


def _limit(name: str, typed: Mapping[str, str]) -> Limit | Refused:
    """Return the limits that somebody has typed; a side that the number has not is not asked for."""
    number, sides = NUMBERS[name], dict[str, float | None]()
    for side in ("low", "high"):
        try:
            sides[side] = side_of(typed[side]) if side == "high" or number.both_sides else None
        except ValueError:
            return Refused(number.code, typed, side, "text")
    limit = Limit(number.code, **sides)
    found = fault(name, limit)
    if found is None:
        return limit
    values = {"lowest": f"{number.lowest:g}", "highest": f"{number.highest:g}"}
    return Refused(number.code, typed, found.side, found.why, values)
