"""``ecgstream patient keys`` and ``rekey``: the keys of identifiers, and their renewal."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from ecgstream.commands.common import (
    OPERATOR,
    By,
    SettingsFlags,
    acting,
    clear_errors,
    progress,
    registry_connection,
    say,
)
from ecgstream.commands.patient_words import ring
from ecgstream.registry import identifiers, key_source
from ecgstream.settings import PREFIX

app = App(name="keys", help="The file of keys that patients' identifiers are kept and found with.")

File = Annotated[Path, Parameter(help="the key file.")]


@app.command
def new(file: File, /) -> None:
    """Make a key file that only its owner may read.

    For instance:

        ecgstream patient keys new /etc/ecgstream/keys
    """
    with clear_errors():
        name = key_source.create(file)
    say(
        f"key {name} made in {file}: set {PREFIX}KEYS to it. Keep a copy in a safe place, apart from the"
        " database's: what is sealed with a lost key is lost"
    )


@app.command
def add(file: File, /) -> None:
    """Add a new key to a key file. It seals from then on; the older ones still open and find.

    For instance:

        ecgstream patient keys add /etc/ecgstream/keys && ecgstream patient rekey
    """
    with clear_errors():
        name = key_source.add(file)
    say(f"key {name} added to {file}: renew the safe copy, then `ecgstream patient rekey` seals all with it")


def rekey(*, by: By = OPERATOR, settings: SettingsFlags = None) -> None:
    """Seal all identifiers with the newest key. A run that was interrupted goes on where it stood.

    For instance:

        ecgstream patient rekey
    """
    with registry_connection(settings) as connection:
        keys, account = ring(settings), acting(by)
        n = identifiers.old(connection, keys)
        done = sum(progress(identifiers.rekey(connection, keys, account), "Sealing anew"))
    say(
        f"{done:,} of {n:,} identifiers sealed anew with key {keys.newest}. Older keys are needed for older"
        " backups of the database only"
    )
