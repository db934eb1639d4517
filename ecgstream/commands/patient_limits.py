"""``ecgstream patient limits`` and ``limit``: the alarm limits of a patient."""

from collections.abc import Sequence
from typing import Annotated

from cyclopts import Parameter

from ecgstream.commands.common import (
    OPERATOR,
    By,
    Json,
    SettingsFlags,
    acting,
    noted,
    registry_connection,
    show,
)
from ecgstream.commands.patient_words import Pseudonym, at
from ecgstream.registry import identity, patients, text
from ecgstream.registry import limits as kept
from ecgstream.registry.errors import RegistryError
from ecgstream.registry.limits import Bound, Standing

Number = Annotated[str, Parameter(help=f"which number: {', '.join(kept.NUMBERS)}.")]
Side = Annotated[str | None, Parameter(help="in the number's unit; “off”: no limit; otherwise it stays.")]


def limits(patient: Pseudonym, /, *, json: Json = False, settings: SettingsFlags = None) -> None:
    """Show the alarm limits in force, and where each comes from.

    For instance:

        ecgstream patient limits P-ABCDEFGHIJ
    """
    with registry_connection(settings) as connection:
        pseudonym = identity.pseudonym(patient)
        found = kept.standing(connection, pseudonym)
        zone = patients.time_zone_of(connection, pseudonym)
        noted(connection, "patient", pseudonym, "patient limits")
    _print(found, zone, json=json)


def limit(
    patient: Pseudonym,
    number: Number,
    /,
    *,
    low: Side = None,
    high: Side = None,
    default: Annotated[
        bool, Parameter(negative="", help="let the limits of the category hold again.")
    ] = False,
    reason: Annotated[str, Parameter(help="why; no name of a patient.")] = "",
    json: Json = False,
    by: By = OPERATOR,
    settings: SettingsFlags = None,
) -> None:
    """Set the alarm limits of one number. They hold from the next sample on, and until they are set again.

    For instance:

        ecgstream patient limit P-ABCDEFGHIJ hr --low 40 --high 150 --reason "trained athlete"

        ecgstream patient limit P-ABCDEFGHIJ hr --default
    """
    with registry_connection(settings) as connection:
        pseudonym, account = identity.pseudonym(patient), acting(by)
        why = text.clean(reason, "--reason", empty=True, secret=True)
        if default == (low is not None or high is not None):
            raise RegistryError("say --low, --high or both, or --default")
        if default:
            kept.take_back(connection, pseudonym, number, account, reason=why)
        else:
            sides = {"low": _bound(low, "--low"), "high": _bound(high, "--high")}
            kept.change(connection, pseudonym, number, account, **sides, reason=why)
        found = [s for s in kept.standing(connection, pseudonym) if s.number == number]
        zone = patients.time_zone_of(connection, pseudonym)
    _print(found, zone, json=json)


def _bound(value: str | None, what: str) -> Bound:
    if value is None:
        return "keep"
    try:
        found = kept.side_of(value)
    except ValueError as error:
        raise RegistryError(f"{what}: {error}") from None
    return "off" if found is None else found


def _print(found: Sequence[Standing], zone: str, *, json: bool) -> None:
    rows: list[dict[str, object]] = [
        {
            "number": s.number,
            "low": s.limit.low if json else _shown(s.limit.low),
            "high": s.limit.high if json else _shown(s.limit.high),
            "unit": kept.NUMBERS[s.number].unit,
            "origin": "default" if s.is_default else "by hand",
            "said_by": s.said_by,
            "said_at": s.said_at if json else at(s.said_at, zone),
            "reason": s.reason,
        }
        for s in found
    ]
    show(rows, json=json)


def _shown(side: float | None) -> str:
    return "off" if side is None else f"{side:g}"
