"""``ecgstream evidence``: all of one alert in one signed file."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from ecgstream.audit import archive, evidence, keys
from ecgstream.commands.audit import Key, refused, say_who_signed
from ecgstream.commands.common import Json, SettingsFlags, noted, print_json, registry_connection, say
from ecgstream.settings import Settings

app = App(
    name="evidence",
    help="""All of one alert in one signed file, and whether such a file is as it was signed.

    To make one takes the key of the audit log, and a login of the database that is a member of ecg_evidence.
    """,
)


@app.default
def make(
    alert: Annotated[str, Parameter(help="its id, or enough of its beginning.")],
    /,
    *,
    file: Annotated[Path | None, Parameter(help="the archive; by default evidence-ALERT.zip here.")] = None,
    before: Annotated[float, Parameter(help="seconds of signal before the onset.")] = evidence.BEFORE_S,
    after: Annotated[float, Parameter(help="seconds of signal behind the end.")] = evidence.AFTER_S,
    settings: SettingsFlags = None,
) -> None:
    """Write what was measured, found, told and seen of an alert into a signed archive.

    The signal around it, beats, conditions, the alert's life, pages, who saw what when, versions and hashes.

    For instance:

        ecgstream evidence 3f2a91c0 --file case-17.zip
    """
    with refused():
        signs = keys.load((settings or Settings()).audit_key)[-1]
        with registry_connection(settings, evidence.ROLE) as connection:
            found = evidence.gather(connection, alert, before, after)
            to = file or Path(f"evidence-{found.alert}.zip")
            noted(connection, "alert", found.alert, "evidence")
            archive.write(to, evidence.KIND, found.about, found.files, signs)
    say(f"{len(found.files)} files in {to}, signed by {keys.fingerprint(signs.public)}")


@app.command
def verify(
    file: Annotated[Path, Parameter(help="the archive.")], /, *, key: Key = "", json: Json = False
) -> None:
    """Check such a file anywhere: it takes the file, and the key's fingerprint. Exit status 0: it is whole.

    For instance:

        ecgstream evidence verify case-17.zip --key 6668-7aad-…
    """
    with refused():
        found = archive.check(file, evidence.KIND, key)
    if json:
        print_json(
            {"about": found.about, "key": keys.fingerprint(found.key), "key_was_named": found.is_trusted}
        )
        return
    about = found.about
    say(f"{file} is as it was signed: {len(found.files)} files of alert {about.get('alert')}")
    say(
        f"{about.get('condition')} on {about.get('device')}, patient {about.get('patient')},"
        f" {about.get('onset')}"
    )
    say_who_signed(found.key, about, is_named=found.is_trusted)
