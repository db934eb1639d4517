"""``ecgstream patient associate``, ``end``, ``correct`` and ``history``: who wears what."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated

import psycopg
from cyclopts import Parameter

from ecgstream.commands.common import (
    OPERATOR,
    By,
    Json,
    SettingsFlags,
    acting,
    noted,
    registry_connection,
    say,
    show,
)
from ecgstream.commands.patient_words import Device, Pseudonym, at, facts
from ecgstream.registry import associations, identity, patients, text
from ecgstream.registry.associations import FOREVER, Place, PlaceKind, Worn
from ecgstream.registry.errors import RegistryError

Since = Annotated[str | None, Parameter(help="time as 2026-07-01T08:00+08:00; otherwise now.")]
Until = Annotated[str | None, Parameter(help="time when it is known to end; otherwise no end.")]
Where = Annotated[str, Parameter(help="which bed or ambulance; no name of a patient.")]
_KIND = Parameter(help="where the device is worn.")


def associate(
    patient: Pseudonym,
    device: Device,
    /,
    *,
    place_kind: Annotated[PlaceKind, _KIND] = PlaceKind.BED,
    place: Where = "",
    since: Since = None,
    until: Until = None,
    replace: Annotated[
        bool, Parameter(negative="", help="take the device over from whoever wears it.")
    ] = False,
    json: Json = False,
    by: By = OPERATOR,
    settings: SettingsFlags = None,
) -> None:
    """Say that a patient wears a device, from now on or another time.

    For instance:

        ecgstream patient associate P-ABCDEFGHIJ mon-17 --place 12

        ecgstream patient associate P-ABCDEFGHIJ holter-3 --place-kind home --since 2026-07-01T08:00+08:00
    """
    with registry_connection(settings) as connection:
        pseudonym, worn = identity.pseudonym(patient), text.device(device)
        said_at = associations.associate(
            connection,
            worn,
            pseudonym,
            acting(by),
            place=_place(place_kind, place),
            since=_time(since, "--since"),
            until=_time(until, "--until") or FOREVER,
            replace=replace,
        )
        rows = _said(connection, worn, said_at, json=json)
        (found,) = patients.load(connection, [pseudonym])
    _print(rows, json=json)
    others = [other for other in found.devices if other != worn]
    if others:
        say(f"{pseudonym} also wears {', '.join(others)}")


def end(
    device: Device,
    /,
    *,
    at: Annotated[str | None, Parameter(help="time as 2026-07-01T08:00+08:00; otherwise now.")] = None,
    json: Json = False,
    by: By = OPERATOR,
    settings: SettingsFlags = None,
) -> None:
    """Say that whoever wears a device wears it no longer.

    For instance:

        ecgstream patient end mon-17
    """
    with registry_connection(settings) as connection:
        worn = text.device(device)
        said_at = associations.end(connection, worn, acting(by), at=_time(at, "--at"))
        rows = _said(connection, worn, said_at, json=json)
    _print(rows, json=json)


def correct(
    device: Device,
    /,
    *,
    patient: Annotated[str | None, Parameter(help="pseudonym of who wore it then.")] = None,
    nobody: Annotated[bool, Parameter(negative="", help="nobody wore it then.")] = False,
    since: Annotated[
        str, Parameter(help="time as 2026-07-01T08:00+08:00 from which what was said is wrong.")
    ],
    until: Annotated[str | None, Parameter(help="time to which it is wrong; otherwise to this day.")] = None,
    reason: Annotated[str, Parameter(help="how it is known; no name of a patient.")],
    place_kind: Annotated[PlaceKind | None, _KIND] = None,
    place: Where = "",
    json: Json = False,
    by: By = OPERATOR,
    settings: SettingsFlags = None,
) -> None:
    """Put right who wore a device. What was said before stays on record, with who corrected it and why.

    For instance:

        ecgstream patient correct mon-17 --patient P-ABCDEFGHIJ --since 2026-07-01T08:00+08:00
        --until 2026-07-01T09:30+08:00 --reason "beds 11 and 12 were swapped"

        ecgstream patient correct mon-17 --nobody --since 2026-07-01T08:00+08:00 --reason "it lay in a drawer"
    """
    with registry_connection(settings) as connection:
        if nobody == (patient is not None):
            raise RegistryError("say either --patient or --nobody")
        if place and place_kind is None:
            raise RegistryError("--place needs --place-kind")
        worn = text.device(device)
        said_at = associations.correct(
            connection,
            worn,
            None if patient is None else identity.pseudonym(patient),
            acting(by),
            since=text.moment(since, "--since"),
            until=_time(until, "--until") or FOREVER,
            reason=text.clean(reason, "--reason", secret=True),
            place=None if place_kind is None else _place(place_kind, place),
        )
        rows = _said(connection, worn, said_at, json=json)
    _print(rows, json=json)


def history(
    patient: Annotated[str | None, Parameter(help="pseudonym.")] = None,
    /,
    *,
    device: Annotated[str | None, Parameter(help="of this device rather than of a patient.")] = None,
    json: Json = False,
    settings: SettingsFlags = None,
) -> None:
    """Show all that is and was said about who wore what, with what was corrected, by whom and why.

    For instance:

        ecgstream patient history P-ABCDEFGHIJ

        ecgstream patient history --device mon-17
    """
    with registry_connection(settings) as connection:
        if (patient is None) == (device is None):
            raise RegistryError("say either a pseudonym or --device")
        if device is not None:
            found = associations.of_device(connection, text.device(device))
            noted(connection, "device", device, "patient history")
        else:
            pseudonym = identity.pseudonym(patient or "")
            patients.facility_of(connection, pseudonym)  # or say that there is none
            found = associations.of_patient(connection, pseudonym)
            noted(connection, "patient", pseudonym, "patient history")
        rows = _rows(connection, found, json=json)
    _print(rows, json=json)
    if not rows:
        say("nothing was ever said")


def _place(kind: PlaceKind, place: str) -> Place:
    return Place(kind, text.clean(place, "--place", empty=True, secret=True))


def _time(value: str | None, what: str) -> datetime | None:
    return None if value is None else text.moment(value, what)


def _said(
    connection: psycopg.Connection, device: str, said_at: datetime, *, json: bool
) -> list[dict[str, object]]:
    """Return what was said of a device at a time."""
    rows = associations.of_device(connection, device)
    return _rows(connection, [row for row in rows if row.said_at == said_at], json=json)


def _rows(connection: psycopg.Connection, found: Sequence[Worn], *, json: bool) -> list[dict[str, object]]:
    zones = associations.time_zones(connection, {row.device for row in found})
    return [_row(row, zones[row.device], json=json) for row in found]


def _row(row: Worn, zone: str, *, json: bool) -> dict[str, object]:
    if json:
        until = None if row.until == FOREVER else row.until
        fields = ("id", "device", "patient", "since", "place_kind", "place", "said_by", "said_at", "reason")
        past = ("superseded_at", "superseded_by", "superseded_why")
        return {name: getattr(row, name) for name in (*fields, *past)} | {"until": until, "time_zone": zone}
    found = {
        "device": f"{row.device}, {row.where}",
        "patient": row.patient or "nobody",
        "since": at(row.since, zone),
        "until": at(row.until, zone),
        "said": f"by {row.said_by}, {at(row.said_at, zone)}",
        "reason": row.reason,
    }
    if row.superseded_at is not None:
        found["superseded"] = f"by {row.superseded_by}, {at(row.superseded_at, zone)}"
        found["because"] = row.superseded_why or ""
    return {name: value for name, value in found.items() if value}


def _print(rows: Sequence[Mapping[str, object]], *, json: bool) -> None:
    """Print rows; for people each as lines of its own, which fit on any screen."""
    if json or not rows:
        show(rows, json=json, columns=("field", "value"))
        return
    blank: Mapping[str, object] = {"field": "", "value": ""}
    show([line for row in rows for line in (*facts(row), blank)][:-1], json=False)
