"""``ecgstream device``: enrol devices, change, move and disable them, see how they are."""

from dataclasses import asdict, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import psycopg
from cyclopts import App, Parameter

from ecgstream.commands.common import (
    OPERATOR,
    By,
    DryRun,
    Json,
    SettingsFlags,
    Yes,
    acting,
    clear_errors,
    confirm,
    print_json,
    progress,
    registry_connection,
    say,
    say_counts,
    show,
)
from ecgstream.registry import device_csv, device_store, devices, facility_store, text
from ecgstream.registry.csv_file import Encoding
from ecgstream.registry.device_store import Status
from ecgstream.registry.devices import Kind, Plan, State, as_texts
from ecgstream.registry.errors import RegistryError
from ecgstream.settings import Settings
from schemas import mdc

app = App(
    name="device",
    help="Devices: which there are, where they stand, whether they may send. Gateways and workers hear of"
    " every change through `ecgstream registry`.",
)

Id = Annotated[str, Parameter(help="id of the device: 1 to 64 printable ASCII characters without space.")]
File = Annotated[
    Path,
    Parameter(
        help="CSV file; columns device, facility, kind, leads and, if wanted, shard, certificate_subject,"
        " disabled (yes or no)."
    ),
]
Facility = Annotated[str, Parameter(help="code of the facility where it stands.")]
Under = Annotated[str | None, Parameter(help="only at this facility and below it.")]
_KIND = Parameter(help="what it is.", name_transform=str.lower)
_LEADS = Parameter(help='leads that it is expected to send, as "I II V1".')
_SUBJECT = Parameter(help="of its certificate, as CN=mon-1,O=Hospital,C=CN (RFC 4514).")

_LISTED = ("device", "facility", "kind", "state", "last_seen", "skew_ms", "battery_percent", "patient")


@app.command
def enrol(
    device: Id,
    /,
    *,
    facility: Facility,
    kind: Annotated[Kind, _KIND],
    leads: Annotated[str, _LEADS] = "",
    certificate_subject: Annotated[str, _SUBJECT] = "",
    key: Annotated[bool, Parameter(negative="", help="also make a key for it and print it, once.")] = False,
    shard: Annotated[
        int | None, Parameter(help="0 to 4095, for ever; otherwise chosen by its facility.")
    ] = None,
    json: Json = False,
    by: By = OPERATOR,
    settings: SettingsFlags = None,
) -> None:
    """Enrol one device. It proves who it is by a key or by its certificate.

    For instance:

        ecgstream device enrol mon-17 --facility 410100-H1 --kind bedside_monitor --leads "I II V1" --key
    """
    with registry_connection(settings) as connection:
        account = acting(by)
        place = {"device": device, "facility": facility, "kind": kind.value, "leads": leads}
        number = "" if shard is None else str(shard)
        given = {"shard": number, "certificate_subject": certificate_subject, "disabled": "no"}
        wanted = devices.parse({**place, **given})
        device_store.lock(connection)
        if device_store.load(connection, [wanted.device]):
            raise RegistryError(
                f"device {wanted.device} is enrolled already: `ecgstream device set` and `move` change it"
            )
        found = device_store.planned(connection, [wanted], account)
        device_store.apply(connection, found, account)
        made = device_store.new_key(connection, wanted.device, account) if key else ""
    if json:
        print_json([{**as_texts(found.added[0]), **({"key": made} if key else {})}])
        return
    say(f"{wanted.device} is enrolled at {wanted.facility}, in shard {found.added[0].shard}")
    if key:
        _print_key(made)


@app.command(name="import")
def import_(
    file: File,
    /,
    *,
    encoding: Annotated[Encoding, Parameter(help="GB 2312 and GBK are parts of gb18030.")] = "utf-8",
    dry_run: DryRun = False,
    json: Json = False,
    yes: Yes = False,
    by: By = OPERATOR,
    settings: SettingsFlags = None,
) -> None:
    """Enrol and change the devices of a CSV file: all of them or, if anything is wrong, none.

    A device whose facility differs moves, now. Where shard, certificate_subject or disabled is empty or
    missing, what is there stays. Devices that the file does not name stay as they are. Keys are in no file:
    see `device key`.

    For instance:

        ecgstream device import devices.csv --dry-run
    """
    with clear_errors():
        wanted, lines = device_csv.gather(
            progress(device_csv.rows(file, encoding=encoding), f"Reading {file.name}")
        )
    with registry_connection(settings) as connection:
        account = acting(by)
        found = device_store.planned(connection, wanted, account, lines)
        if not dry_run:
            if found.disabled:
                confirm(f"Disable {len(found.disabled):,} devices? Their monitoring stops.", yes)
            device_store.lock(connection)  # not before: people take their time
            found = device_store.planned(connection, wanted, account, lines)
            device_store.apply(connection, found, account)
    _report(found, json=json, dry_run=dry_run)


@app.command
def export(file: File, /, *, under: Under = None, settings: SettingsFlags = None) -> None:
    """Write devices to a CSV file, which `import` reads again; not their keys. An existing file is replaced.

    For instance:

        ecgstream device export devices.csv --under 410100
    """
    n = device_csv.write(file, [status.device for status in _statuses(settings, under)])
    say(f"{n:,} devices written to {file}")


@app.command(name="list")
def list_(
    *,
    under: Under = None,
    silent_for: Annotated[
        timedelta | None, Parameter(help="only those that have streamed, but not for so long: 10m, 2h, 1d.")
    ] = None,
    json: Json = False,
    settings: SettingsFlags = None,
) -> None:
    """List devices with how they are: streaming, silent, never seen, or disabled.

    skew_ms is how far a device's clock is ahead of its gateway's.

    For instance:

        ecgstream device list --under 410100 --silent-for 10m --json
    """
    rows = [_row(status, json=json) for status in _statuses(settings, under, silent_for)]
    if not json:
        rows = [{name: row[name] for name in _LISTED} for row in rows]
    show(rows, json=json, columns=_LISTED)


@app.command(name="show")
def show_(device: Id, /, *, json: Json = False, settings: SettingsFlags = None) -> None:
    """Show one device, how it is, and where it has stood.

    For instance:

        ecgstream device show mon-17
    """
    with registry_connection(settings) as connection:
        status = _status(connection, device)
        placements = device_store.placements(connection, device)
    found = _row(status, json=json)
    if json:
        print_json([{**found, "placements": [asdict(placement) for placement in placements]}])
        return
    show([{"field": name, "value": value} for name, value in found.items()], json=False)
    show([asdict(placement) for placement in placements], json=False)


@app.command(name="set")
def set_(
    device: Id,
    /,
    *,
    kind: Annotated[Kind | None, _KIND] = None,
    leads: Annotated[str | None, _LEADS] = None,
    certificate_subject: Annotated[str | None, _SUBJECT] = None,
    by: By = OPERATOR,
    settings: SettingsFlags = None,
) -> None:
    """Change what is given of one device; an empty text takes its leads or its certificate away.

    For instance:

        ecgstream device set mon-17 --kind telemetry --leads "II V5"
    """
    values: dict[str, Any] = {}
    with clear_errors():
        if kind is not None:
            values["kind"] = kind
        if leads is not None:
            values["leads"] = devices.leads(leads)
        if certificate_subject is not None:
            values["certificate_subject"] = devices.subject(certificate_subject)
    _alter(settings, by, device, values)


@app.command
def move(
    device: Id,
    facility: Facility,
    /,
    *,
    since: Annotated[
        str | None, Parameter(help="when it moved, with offset from UTC; otherwise now.")
    ] = None,
    by: By = OPERATOR,
    settings: SettingsFlags = None,
) -> None:
    """Say that a device stands in another facility. Its shard stays, and so does who wears it.

    Its data from then on is seen by the other facility, its data of before by the former.

    For instance:

        ecgstream device move mon-17 410100-H2 --since 2026-07-01T08:00:00+08:00
    """
    with clear_errors():
        values = {"facility": text.code(facility, "facility")}
        at = None if since is None else text.moment(since, "--since")
    _alter(settings, by, device, values, at)


@app.command
def disable(device: Id, /, *, yes: Yes = False, by: By = OPERATOR, settings: SettingsFlags = None) -> None:
    """Let gateways refuse a device. Its monitoring stops.

    For instance:

        ecgstream device disable mon-17
    """
    with registry_connection(settings) as connection:
        status = _status(connection, device)
    worn = f", worn by {status.patient}" if status.patient else ""
    with clear_errors():
        confirm(f"Disable {device} ({status.state}{worn})? Its monitoring stops.", yes)
    _alter(settings, by, device, {"disabled": True})


@app.command
def enable(device: Id, /, *, by: By = OPERATOR, settings: SettingsFlags = None) -> None:
    """Let gateways take a device again that was disabled.

    For instance:

        ecgstream device enable mon-17
    """
    _alter(settings, by, device, {"disabled": False})


@app.command
def key(
    device: Id,
    /,
    *,
    json: Json = False,
    yes: Yes = False,
    by: By = OPERATOR,
    settings: SettingsFlags = None,
) -> None:
    """Make a new key for a device and print it, once: the database keeps its SHA-256 only.

    For instance:

        ecgstream device key mon-17 --yes
    """
    with registry_connection(settings) as connection:
        account = acting(by)
        if _status(connection, device).has_key:
            confirm(f"{device} has a key. Until it is given the new one, it is refused. Go on?", yes)
        made = device_store.new_key(connection, device, account)
    if json:
        print_json([{"device": device, "key": made}])
    else:
        _print_key(made)


def _alter(
    settings: Settings | None,
    by: str,
    device: str,
    values: dict[str, Any],
    since: datetime | None = None,
) -> None:
    """Give fields of one device other values, in one transaction; say what has changed."""
    with registry_connection(settings) as connection:
        account = acting(by)
        device_store.lock(connection)
        wanted = replace(device_store.get(connection, device), **values)
        found = device_store.planned(connection, [wanted], account)
        device_store.apply(connection, found, account, since)
    changes = [*found.moved, *found.changed]
    for change in changes:
        say(f"{device}: {change.field} {change.before or 'none'} → {change.after or 'none'}")
    if not changes:
        say(f"{device}: nothing to change")


def _report(found: Plan, *, json: bool, dry_run: bool) -> None:
    if dry_run:
        rows = [("added", d.device, "", "", d.facility) for d in found.added]
        rows += [("moved", c.device, c.field, c.before, c.after) for c in found.moved]
        rows += [("changed", c.device, c.field, c.before, c.after) for c in found.changed]
        columns = ("change", "device", "field", "before", "after")
        show([dict(zip(columns, row, strict=True)) for row in rows], json=json, columns=columns)
    counts = {
        "added": len(found.added),
        "changed": len({change.device for change in found.changed}),
        "moved": len(found.moved),
        "unchanged": found.unchanged,
    }
    say_counts(counts, json=json, dry_run=dry_run)


def _statuses(
    settings: Settings | None, under: str | None, silent_for: timedelta | None = None
) -> list[Status]:
    with registry_connection(settings) as connection:
        if under is not None:
            facility_store.path(connection, under)  # or say that there is none
        return device_store.statuses(connection, under=under, silent_for=silent_for)


def _status(connection: psycopg.Connection, device: str) -> Status:
    device_store.get(connection, device)  # or say that there is none
    return device_store.statuses(connection, device=device)[0]


def _row(status: Status, *, json: bool) -> dict[str, object]:
    """Return what is printed of a device; of leads and states what a machine or a person reads better."""
    d = status.device
    names = [mdc.lead_name(code) for code in d.leads]
    state = str(status.state)
    if status.state is State.SILENT and not json:
        state += f" since {status.last_seen:%Y-%m-%d %H:%M:%S}Z"
    measured = asdict(status)
    if status.patient is None and not json:
        measured["patient"] = "unassigned"
    if status.skew_ms is not None:
        measured["skew_ms"] = round(status.skew_ms, 1)
    return {
        "device": d.device,
        "facility": d.facility,
        "kind": str(d.kind),
        "state": state,
        "leads": names if json else " ".join(names),
        "shard": d.shard,
        "certificate_subject": d.certificate_subject,
        "disabled": bool(d.disabled),
        **{name: value for name, value in measured.items() if name not in ("device", "state")},
    }


def _print_key(made: str) -> None:
    print(made)  # noqa: T201
    say("This key is shown once, and kept nowhere: put it into the device now.")
