"""``ecgstream kafka``: who may come in at a closed broker, and what each may do there."""

import getpass
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from ecgstream.broker.access import Service
from ecgstream.broker.errors import BrokerError
from ecgstream.commands.common import Json, SettingsFlags, Yes, confirm, say, show
from ecgstream.commands.flags import addressed
from ecgstream.registry.errors import RegistryError
from ecgstream.settings import Settings

if TYPE_CHECKING:
    from kafka import KafkaAdminClient

app = App(name="kafka", help="A closed Kafka broker: its users, what each of them may do, and its topics.")

Generate = Annotated[bool, Parameter(name="--generate", negative="")]


@app.command
def grant(
    service: Service,
    user: str,
    /,
    *,
    password_file: Path | None = None,
    generate: Generate = False,
    settings: SettingsFlags = None,
) -> None:
    """Let a user in with the rights of a service, and no others. Granted again, only the password may change.

    Without a password's file and without --generate the password is asked for.

    Args:
        service: what the user is to the broker.
        user: its name. Every gateway has its own, for instance gateway-east-hospital.
        password_file: file that holds the password as its only line.
        generate: make a password and print it, this once.
        settings: see `ecgstream settings`.
    """
    from ecgstream.broker import accounts

    with _admin(settings) as admin:
        if generate and password_file is not None:
            raise BrokerError("either --generate or --password-file")
        if generate:
            password: str | None = accounts.generate_password()
        else:
            password = _from_file(password_file) if password_file is not None else _asked_for(user)
        accounts.grant(admin, service, user, password)
        if generate:
            print(password)  # noqa: T201 - what was asked for
        say(f"{user} may come in as {service}")


@app.command
def revoke(user: str, /, *, yes: Yes = False, settings: SettingsFlags = None) -> None:
    """Take a user's rights and password away. What it is doing at this moment is refused from now on.

    Args:
        user: its name.
        yes: do not ask.
        settings: see `ecgstream settings`.
    """
    from ecgstream.broker import accounts

    found = settings or Settings()
    with _admin(found) as admin:
        if user == found.kafka_user:
            raise BrokerError(f"you are {user}: come in as another admin to revoke it")
        confirm(f"Shall {user} lose all its rights at {found.kafka}?", yes)
        accounts.revoke(admin, user)
        say(f"{user} may do nothing any more")


@app.command(name="list")
def list_users(*, json: Json = False, settings: SettingsFlags = None) -> None:
    """List who may come in, and what each may do. A user without rights may be a super user of the brokers.

    Args:
        json: print JSON instead of a table.
        settings: see `ecgstream settings`.
    """
    from ecgstream.broker import accounts

    with _admin(settings) as admin:
        found = accounts.accounts(admin)
    show(
        [
            {
                "user": account.user,
                "service": account.service and str(account.service),
                "password": account.has_password,
                "rights": list(account.rights) if json else "\n".join(account.rights),
            }
            for account in found
        ],
        json=json,
        columns=("user", "service", "password", "rights"),
    )


@app.command
def topics(
    *,
    training: Annotated[bool, Parameter(negative="")] = False,
    settings: SettingsFlags = None,
) -> None:
    """Create the topics that are missing. Those that exist stay as they are.

    Args:
        training: mark the broker as one of a training room, where `ecgstream replay --publish ecg.ingest` may
            play recordings as live signals. Never at a broker to which devices of patients send.
        settings: see `ecgstream settings`; partitions and replication count.
    """
    from ecgstream.topics import create_topics
    from schemas.topics import ALL, TRAINING

    found = settings or Settings()
    with _admin(found):
        create_topics(found, (*ALL, TRAINING) if training else ALL)
        say(f"all topics are there, with {found.partitions} partitions")


@contextmanager
def _admin(settings: Settings | None) -> Iterator["KafkaAdminClient"]:
    """Give an admin's client; what is refused inside ends the program, said on stderr, exit status 1."""
    from ecgstream import clients
    from ecgstream.broker.greet import greet

    found = addressed(settings, "kafka")
    try:
        greet(found)
        admin = clients.admin(found)
        try:
            yield admin
        finally:
            admin.close()
    except (BrokerError, RegistryError) as error:
        sys.exit(f"ecgstream: {error}")


def _from_file(path: Path) -> str:
    try:
        return path.read_text("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise BrokerError(f"the password's file {path} cannot be read ({type(error).__name__})") from None


def _asked_for(user: str) -> str | None:
    """Return the password that a person types twice; ``None``: the present one stays."""
    if not sys.stdin.isatty():
        raise BrokerError("there is no terminal to ask for a password: add --password-file or --generate")
    password = getpass.getpass(f"Password of {user} (empty: as it is): ")
    if password and getpass.getpass("Once more: ") != password:
        raise BrokerError("the two differ; nothing was changed")
    return password or None
