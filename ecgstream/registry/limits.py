"""The alarm limits of a patient: those of the category, and over them what somebody has changed.

A change stays until it is taken back, whatever becomes of the category.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

import psycopg

from ecgstream.registry.errors import RegistryError
from ecgstream.registry.patients import facility_of
from ecgstream.registry.rights import CARE, require
from schemas import mdc
from schemas.limits import DEFAULTS
from schemas.records import Category, Limit

_DECIMAL = re.compile(r"-?[0-9]{1,9}([.][0-9]{1,9})?")


class Number(NamedTuple):
    """A number with limits; those beyond the lowest and highest value are refused as mistakes in typing.

    Without ``both_sides`` only too much of it is an alarm.
    """

    code: int
    lowest: float
    highest: float
    both_sides: bool = True

    @property
    def unit(self) -> str:
        """UCUM."""
        return mdc.UNITS[self.code]


# What can be worth an alarm at any age. Our own choice: no standard says what nobody may set.
NUMBERS = {
    "hr": Number(mdc.HEART_RATE, 15, 300),
    "pulse": Number(mdc.PULSE_RATE, 15, 300),
    "spo2": Number(mdc.SPO2, 50, 100),
    "resp": Number(mdc.RESP_RATE, 3, 150),
    "nibp-sys": Number(mdc.NIBP_SYS, 20, 300),
    "temp": Number(mdc.TEMPERATURE, 25, 45),
    "vpc": Number(mdc.VPC_RATE, 1, 200, both_sides=False),
    "pause": Number(mdc.RR, 1, 10, both_sides=False),
    "st": Number(mdc.ST, -2, 2),
}
"""What people call the numbers with limits."""

Bound = float | Literal["off", "keep"]
"""One side of a limit: a value in the number's unit, no limit, or whatever is in force."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A limit in force and where it comes from."""

    number: str
    limit: Limit
    is_default: bool
    said_by: str | None
    """Who set it, or took a change back; ``None``: nobody ever."""
    said_at: datetime | None
    reason: str | None


def in_force(connection: psycopg.Connection, patients: Collection[str]) -> dict[str, tuple[Limit, ...]]:
    """Return all limits that hold for each patient, in the order of the defaults.

    Those who are not registered are left out.
    """
    rows = connection.execute(
        "SELECT p.patient, p.category, l.code, l.low, l.high FROM ecg.patient AS p"
        " LEFT JOIN LATERAL (SELECT DISTINCT ON (code) code, low, high, is_default FROM ecg.limit_change"
        "  WHERE patient = p.patient ORDER BY code, id DESC) AS l ON NOT l.is_default"
        " WHERE p.patient = ANY(%s)",
        (list(patients),),
    )
    found: dict[str, dict[int, Limit]] = {}
    for patient, category, code, low, high in rows:
        limits = found.setdefault(patient, {limit.code: limit for limit in DEFAULTS[Category(category)]})
        if code is not None:
            limits[code] = Limit(code, low, high)
    return {patient: tuple(limits.values()) for patient, limits in found.items()}


def standing(connection: psycopg.Connection, patient: str) -> list[Standing]:
    """Return the limits of one patient, each with its origin.

    Raises:
        RegistryError: there is no such patient.
    """
    facility_of(connection, patient)
    limits = {limit.code: limit for limit in in_force(connection, [patient])[patient]}
    rows = connection.execute(
        "SELECT DISTINCT ON (code) code, is_default, said_by, said_at, reason FROM ecg.limit_change"
        " WHERE patient = %s ORDER BY code, id DESC",
        (patient,),
    )
    origins = {code: origin for code, *origin in rows}
    return [
        Standing(name, limits[number.code], *origins.get(number.code, (True, None, None, None)))
        for name, number in NUMBERS.items()
    ]


class Fault(NamedTuple):
    """Why limits cannot be meant, and at which side of them.

    ``beyond``: of what the number can be; ``crossed``: low is not below high; ``one_sided``: only too much of
    it is an alarm.
    """

    side: Literal["low", "high"]
    why: Literal["beyond", "crossed", "one_sided"]


def fault(name: str, limit: Limit) -> Fault | None:
    """Return why limits of a number (a key of ``NUMBERS``) cannot be meant; None: they can."""
    number = NUMBERS[name]
    if limit.low is not None and not number.both_sides:
        return Fault("low", "one_sided")
    # Asked this way round, NaN and infinity are beyond, too.
    if limit.low is not None and not number.lowest <= limit.low <= number.highest:
        return Fault("low", "beyond")
    if limit.high is not None and not number.lowest <= limit.high <= number.highest:
        return Fault("high", "beyond")
    if limit.low is not None and limit.high is not None and not limit.low < limit.high:
        return Fault("low", "crossed")
    return None


def check(name: str, limit: Limit) -> None:
    """Make sure that limits of a number (a key of ``NUMBERS``) can be meant.

    Raises:
        RegistryError: one is beyond what the number can be, or low is not below high.
    """
    number, found = NUMBERS[name], fault(name, limit)
    if found is None:
        return
    value = limit.low if found.side == "low" else limit.high
    raise RegistryError(
        {
            "one_sided": f"{name}: has no low limit; set the high one",
            "beyond": f"{name}: {found.side} {value:g} {number.unit} cannot be meant: limits are"
            f" {number.lowest:g} to {number.highest:g} {number.unit}",
            "crossed": f"{name}: low {limit.low or 0:g} is not below high {limit.high or 0:g} {number.unit}",
        }[found.why]
    )


def side_of(text: str) -> float | None:
    """Return one side of limits as somebody has typed it; "off": none.

    Raises:
        ValueError: it is neither a number nor "off".

    >>> side_of(" 38.5 "), side_of("-0.1"), side_of("OFF")
    (38.5, -0.1, None)
    """
    typed = text.strip().lower()
    if typed == "off":
        return None
    if not _DECIMAL.fullmatch(typed):
        raise ValueError("is neither a number, as 38.5 is, nor off")
    return float(typed)


def change(
    connection: psycopg.Connection,
    patient: str,
    number: str,
    by: str,
    *,
    low: Bound = "keep",
    high: Bound = "keep",
    reason: str = "",
) -> Limit:
    """Set the limits of one number (a key of ``NUMBERS``); return what is in force from now on.

    Raises:
        RegistryError: there is no such patient or number, a value cannot be meant, or the account may not do
            so.
    """
    found = _number(number)
    _lock(connection, patient, by)
    now = next(limit for limit in in_force(connection, [patient])[patient] if limit.code == found.code)
    limit = Limit(found.code, _side(low, now.low), _side(high, now.high))
    check(number, limit)
    connection.execute(
        "INSERT INTO ecg.limit_change (patient, code, low, high, reason, said_by)"
        " VALUES (%s, %s, %s, %s, %s, %s)",
        (patient, limit.code, limit.low, limit.high, reason, by),
    )
    return limit


def take_back(
    connection: psycopg.Connection, patient: str, number: str, by: str, *, reason: str = ""
) -> None:
    """Let the limits of the category hold again for one number.

    Raises:
        RegistryError: there is no such patient or number, or the account may not do so.
    """
    found = _number(number)
    _lock(connection, patient, by)
    connection.execute(
        "INSERT INTO ecg.limit_change (patient, code, is_default, reason, said_by)"
        " VALUES (%s, %s, true, %s, %s)",
        (patient, found.code, reason, by),
    )


def _number(name: str) -> Number:
    if name not in NUMBERS:
        raise RegistryError(f"no limits are kept of this number; they are of {', '.join(NUMBERS)}")
    return NUMBERS[name]


def _lock(connection: psycopg.Connection, patient: str, by: str) -> None:
    """Let nobody else change the patient's limits until this transaction ends."""
    require(connection, by, CARE, facility_of(connection, patient))
    connection.execute("SELECT FROM ecg.patient WHERE patient = %s FOR NO KEY UPDATE", (patient,))


def _side(bound: Bound, now: float | None) -> float | None:
    if bound == "keep":
        return now
    return None if bound == "off" else float(bound)
