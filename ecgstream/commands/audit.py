"""``ecgstream audit``: who did, read and changed what, and whether any of it was altered."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from kafka.errors import KafkaError

from ecgstream.audit import export as exported
from ecgstream.audit import keys, read, verify
from ecgstream.audit.errors import AuditError
from ecgstream.audit.read import Filter
from ecgstream.audit.sealer import ROLE
from ecgstream.broker.errors import BrokerError
from ecgstream.commands.common import (
    Json,
    SettingsFlags,
    noted,
    print_json,
    progress,
    registry_connection,
    say,
    show,
)
from ecgstream.registry import text
from ecgstream.settings import PREFIX, Settings

app = App(
    name="audit",
    help="""Who did, read and changed what; whether any of it was altered.

    It takes the login and the key of the service `sealer`, on its machine. An export is checked anywhere.
    docs/audit.md says what is logged, and how an authority checks it.
    """,
)

Key = Annotated[
    str,
    Parameter(
        name="--key",
        help="fingerprint of the key that must have signed, as `audit key` printed it.",
    ),
]
_SHOWN = 200
_LONGEST = 90


@app.command
def key(
    file: Annotated[Path, Parameter(help="the key file.")],
    /,
    *,
    rotate: Annotated[bool, Parameter(negative="", help="put a new key into it.")] = False,
) -> None:
    """Make the file of the key that signs, which only its owner may read; print the key's fingerprint.

    With --rotate a new key comes into it. The one before vouches for it, in the log, within a minute.

    For instance:

        ecgstream audit key /etc/ecgstream/audit.key
    """
    with refused():
        made = keys.rotate(file) if rotate else keys.create(file)
    sys.stdout.write(f"{keys.fingerprint(made.public)}\n")
    say(
        f"key in {file}: set {PREFIX}AUDIT_KEY to it for the sealer. Write the fingerprint down where nobody"
        " who may write to the database can change it: with it alone it can be told that the log is yours"
    )


@app.command(name="verify")
def verify_(*, key: Key = "", json: Json = False, settings: SettingsFlags = None) -> None:
    """Find what was edited, removed, moved, rewritten or cut off; exit status 0 only where nothing was.

    The heads that Kafka has are compared, too, unless no address of Kafka is named.

    For instance:

        ecgstream audit verify --key 6668-7aad-…
    """
    found = settings or Settings()
    with refused(), registry_connection(settings, ROLE) as connection:
        copied = read.copied_heads(found) if found.kafka else []
        size = read.size(connection)
        entries = progress(read.entries(connection), "Checking", total=size.entries)
        report = verify.verify(entries, read.heads(connection), copied, trusted=key)
        waiting = size.waiting
        about = {"faults": len(report.faults), "compared_with_kafka": bool(found.kafka)}
        noted(connection, "chain", "verify", "audit verify", **about)
    if json:
        print_json(report.as_json() | {"waiting": waiting, "compared_with_kafka": bool(found.kafka)})
    else:
        for line in report.lines(is_named=bool(key)):
            sys.stdout.write(f"{line}\n")
        if not found.kafka:
            say("Not compared with the heads in Kafka: no address of it is named")
        if waiting:
            say(f"{waiting:,} entries wait for the sealer")
    if report.faults:
        sys.exit(1)


@app.command(name="show")
def show_(
    *,
    since: Annotated[str | None, Parameter(help="time as 2026-07-01T08:00+08:00.")] = None,
    until: Annotated[str | None, Parameter(help="time before which.")] = None,
    who: Annotated[str | None, Parameter(help="account or service.")] = None,
    action: Annotated[str | None, Parameter(help="read, change, alert, page, answer, start …")] = None,
    kind: Annotated[str | None, Parameter(help="of what: patient, device, alert, person …")] = None,
    object: Annotated[str | None, Parameter(help="which: a pseudonym or an id.")] = None,  # noqa: A002
    facility: Annotated[str | None, Parameter(help="code of a facility: of it, and of those below.")] = None,
    most: Annotated[int, Parameter(help="so many, the newest.")] = _SHOWN,
    json: Json = False,
    settings: SettingsFlags = None,
) -> None:
    """Show entries. That somebody looks is an entry, too.

    For instance:

        ecgstream audit show --kind patient --object P-ABCDEFGHIJ
    """
    with refused(), registry_connection(settings, ROLE) as connection:
        wanted = _filter(since, until, who, action, kind, object, facility)
        found = read.newest(connection, wanted, most)
        noted(connection, "audit", "log", "audit show", filter=wanted.said())
    if json:
        print_json([entry.said for entry in found])
        return
    rows = [
        {
            "seq": entry.seq,
            "at": entry.at,
            "who": entry.who,
            "action": entry.action,
            "kind": entry.kind,
            "object": entry.object,
            "facility": entry.facility,
            "detail": _short(str(entry.said.get("detail", ""))),
        }
        for entry in found
    ]
    show(rows, json=False, columns=("seq", "at", "who", "action", "kind", "object", "facility", "detail"))


@app.command
def export(
    file: Annotated[Path, Parameter(help="the archive to be made.")],
    /,
    *,
    since: Annotated[str | None, Parameter(help="time as 2026-07-01T08:00+08:00.")] = None,
    until: Annotated[str | None, Parameter(help="time before which.")] = None,
    who: Annotated[str | None, Parameter(help="account or service.")] = None,
    action: Annotated[str | None, Parameter(help="read, change, alert, page, answer, start …")] = None,
    kind: Annotated[str | None, Parameter(help="of what: patient, device, alert, person …")] = None,
    object: Annotated[str | None, Parameter(help="which: a pseudonym or an id.")] = None,  # noqa: A002
    facility: Annotated[str | None, Parameter(help="code of a facility: of it, and of those below.")] = None,
    settings: SettingsFlags = None,
) -> None:
    """Write entries into a signed archive, for an authority. `audit verify-export` checks it anywhere.

    For instance:

        ecgstream audit export log.zip --since 2026-07-01T00:00+08:00 --facility 410100-H1
    """
    with refused():
        signs = keys.load((settings or Settings()).audit_key)[-1]
        with registry_connection(settings, ROLE) as connection:
            wanted = _filter(since, until, who, action, kind, object, facility)
            n = exported.write(file, progress(read.linked(connection, wanted), "Exporting"), wanted, signs)
            noted(connection, "audit", "log", "audit export", filter=wanted.said(), entries=n)
    say(f"{n:,} entries in {file}, signed by {keys.fingerprint(signs.public)}")


@app.command(name="verify-export")
def verify_export(
    file: Annotated[Path, Parameter(help="the archive.")], /, *, key: Key = "", json: Json = False
) -> None:
    """Check an exported archive: it takes the file, and the key's fingerprint. Exit status 0: it is whole.

    For instance:

        ecgstream audit verify-export log.zip --key 6668-7aad-…
    """
    with refused():
        found = exported.check(file, key)
    if json:
        print_json(
            {"about": found.about, "key": keys.fingerprint(found.key), "key_was_named": found.is_trusted}
        )
        return
    say(
        f"{file} is as it was signed: {found.about.get('entries')} entries of the audit log,"
        " each as it was sealed"
    )
    say_who_signed(found.key, found.about, is_named=found.is_trusted)


def say_who_signed(public: bytes, about: dict[str, object], *, is_named: bool) -> None:
    """Tell by whom an archive was signed, and what that is worth."""
    say(f"made {about.get('made')} by {about.get('software')}, signed by {keys.fingerprint(public)}")
    if not is_named:
        say("Anybody can sign: compare that with the fingerprint that the centre gave you, or name it, --key")


@contextmanager
def refused() -> Iterator[None]:
    """What is refused inside ends the program: said on stderr, exit status 1."""
    try:
        yield
    except (AuditError, BrokerError, KafkaError) as error:
        sys.exit(f"ecgstream: {error}")


def _filter(
    since: str | None,
    until: str | None,
    who: str | None,
    action: str | None,
    kind: str | None,
    object_: str | None,
    facility: str | None,
) -> Filter:
    return Filter(
        None if since is None else text.moment(since, "--since"),
        None if until is None else text.moment(until, "--until"),
        who,
        action,
        kind,
        object_,
        None if facility is None else text.code(facility, "--facility"),
    )


def _short(said: str) -> str:
    return said if len(said) <= _LONGEST else said[: _LONGEST - 1] + "…"
