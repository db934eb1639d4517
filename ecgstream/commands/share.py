"""``ecgstream share``: grants that open a patient's data to others for a time."""

from typing import Annotated
from uuid import UUID

from cyclopts import App, Parameter

from ecgstream.commands.common import (
    OPERATOR,
    By,
    Json,
    SettingsFlags,
    Yes,
    acting,
    confirm,
    noted,
    print_json,
    registry_connection,
    show,
)
from ecgstream.registry import shares, text
from ecgstream.registry.shares import Share

app = App(
    name="share",
    help="""Grants that open a patient's data of a time to one account, or to all clinics, cardiologists and
    experts at one facility, until they expire or are revoked.
    """,
)

Account = Annotated[str | None, Parameter(help="the account to which the data are opened.")]
Facility = Annotated[str | None, Parameter(help="code of the facility to whose people they are opened.")]


@app.command
def grant(
    patient: Annotated[str, Parameter(help="pseudonym.")],
    /,
    *,
    since: Annotated[str, Parameter(help="first moment of the data, as 2026-07-01T08:00:00+08:00.")],
    until: Annotated[str, Parameter(help="moment behind the last of the data; may lie ahead.")],
    account: Account = None,
    facility: Facility = None,
    expires: Annotated[str, Parameter(help="when the grant ends by itself.")],
    reason: Annotated[str, Parameter(help="why; whoever may see the grant reads it.")],
    json: Json = False,
    by: By = OPERATOR,
    settings: SettingsFlags = None,
) -> None:
    """Open a patient's data of a time to one account or one facility; print the grant's id.

    For instance:

        ecgstream share grant P-ABCDE23456 --account wang_wei --since 2026-07-01T00:00Z
        --until 2026-08-01T00:00Z --expires 2026-08-15T00:00Z --reason "second opinion"
    """
    with registry_connection(settings) as connection:
        made = shares.grant(
            connection,
            patient,
            since=text.moment(since, "since"),
            until=text.moment(until, "until"),
            account=account,
            facility=facility,
            expires=text.moment(expires, "expires"),
            reason=reason,
            by=acting(by),
        )
    if json:
        print_json([{"id": made}])
    else:
        print(made)  # noqa: T201


@app.command
def revoke(
    share: Annotated[UUID, Parameter(help="id of the grant.")],
    /,
    *,
    yes: Yes = False,
    by: By = OPERATOR,
    settings: SettingsFlags = None,
) -> None:
    """End a grant before it expires; what it opened is closed at once.

    For instance:

        ecgstream share revoke 3f0c8a52-6c1d-4c0e-9d4b-0e6a1b8a7a11 --yes
    """
    with registry_connection(settings) as connection:
        confirm(f"Revoke share {share}?", yes)
        shares.revoke(connection, share, acting(by))


@app.command(name="list")
def list_(
    *,
    patient: Annotated[str | None, Parameter(help="only grants of this patient.")] = None,
    account: Account = None,
    facility: Facility = None,
    all: Annotated[bool, Parameter(negative="", help="also those that are over.")] = False,  # noqa: A002
    json: Json = False,
    settings: SettingsFlags = None,
) -> None:
    """List the grants that are live.

    For instance:

        ecgstream share list --facility 410200-H1 --all --json
    """
    with registry_connection(settings) as connection:
        found = shares.load(connection, patient=patient, account=account, facility=facility, all=all)
        noted(
            connection, "list", facility or "", "share list", patients=sorted({one.patient for one in found})
        )
    show([share._asdict() for share in found], json=json, columns=Share._fields)
