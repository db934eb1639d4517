"""``ecgstream report``: what a day of ECG was like."""

import os
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal
from uuid import UUID

import psycopg
from cyclopts import Parameter

from ecgstream.commands.common import SettingsFlags, clear_errors, person_connection, progress, say
from ecgstream.registry import identity, text
from ecgstream.registry.errors import RegistryError

SHORTEST, LONGEST = timedelta(minutes=1), timedelta(days=14)
_MINUTE = timedelta(minutes=1)
_KINDS = (".fhir.json", ".json", ".pdf")
Language = Literal["en", "zh"]


def report(
    file: Path,
    /,
    *,
    device: str = "",
    patient: str = "",
    begin: Annotated[str, Parameter(name="--from")] = "",
    end: Annotated[str, Parameter(name="--to")] = "",
    stored: str = "",
    language: Language = "en",
    settings: SettingsFlags = None,
) -> None:
    """Write a report of one minute to 14 days of ECG, as of a Holter recording.

    It is preliminary. It reads as one person (ECGSTREAM_ACCOUNT; docs/access.md has how), and of a patient
    only what was measured while the patient wore it. It counts whole minutes. What each figure means, and
    what it is a share of: docs/reports.md.

    For instance:

        ecgstream report day.pdf --device mon-17 --from 2026-11-27T08:00+08:00 --to 2026-11-28T08:00+08:00

    With --stored it is one that the monitor keeps, as it stands: with its conclusion, where it is signed.

    Args:
        file: what is written: NAME.pdf, NAME.json or NAME.fhir.json (FHIR R5). What is there is replaced.
        device: id of the device; this or --patient, or --stored.
        patient: the patient's pseudonym.
        begin: as 2026-11-27T08:00:00+08:00.
        end: as --from.
        stored: id of a report that is kept; nothing else is then said of it.
        language: of a PDF: en or zh.
        settings: see `ecgstream settings`.
    """
    from ecgstream.reports import make  # not for `ecgstream --help`, which looks at this function
    from ecgstream.reports.make import Wanted

    with clear_errors():
        kind = _kind(file)
        if stored:
            if device or patient or begin or end:
                raise RegistryError("--stored names a report that is kept: say no device, patient or times")
            with person_connection(settings, "report", ("report", stored)) as connection:
                content, status = _stored(connection, stored, kind, language)
        else:
            since, until = stretch(begin, end)
            if bool(device) == bool(patient):
                raise RegistryError("say one of --device and --patient")
            whose = identity.pseudonym(patient) if patient else ""
            read = ("patient", whose) if whose else ("device", device)
            with person_connection(settings, "report", read) as connection:
                found = make.made(connection, Wanted(device, whose, (since, until)), progress)
                content, status = make.drawn(found, kind, language), "preliminary"
        try:
            _put(file, content)
        except OSError as error:
            raise RegistryError(f"the file cannot be written: {error.strerror}") from None
    say(f"written: {file.name}, {status}")


def _stored(connection: psycopg.Connection, id_: str, kind: str, language: Language) -> tuple[bytes, str]:
    """Return a report that is kept as a file, and how it stands.

    Raises:
        RegistryError: there is none, or not for this person; or its document is not the one that was made.
    """
    from ecgstream.monitor.read import reports
    from ecgstream.reports import document, make

    try:
        found = reports.kept(connection, UUID(id_))
    except (ValueError, psycopg.errors.InsufficientPrivilege):
        found = None
    if found is None:
        raise RegistryError("there is no such report, or it is not for you to see")
    if found.is_altered:
        raise RegistryError("the document is not the one that was made: its SHA-256 differs")
    standing = found.standing
    status = f"{standing.status}, re-associated since" if standing.moved else standing.status
    if kind == ".json":
        return found.document, status
    return make.drawn(document.read(found.document), kind, language, standing), status


def stretch(begin: str, end: str) -> tuple[datetime, datetime]:
    """Return the whole minutes between two times.

    Raises:
        RegistryError: they cannot be read, or are too near or too far from each other.

    >>> [str(time.time()) for time in stretch("2026-11-28T10:00:30Z", "2026-11-28T10:59:59Z")]
    ['10:01:00', '10:59:00']
    """
    since, until = text.moment(begin, "--from"), text.moment(end, "--to")
    first = since.replace(second=0, microsecond=0)
    first += _MINUTE if first < since else timedelta(0)
    last = until.replace(second=0, microsecond=0)
    if not SHORTEST <= last - first <= LONGEST:
        raise RegistryError("a report is of one minute to 14 days, of whole minutes: --to comes after --from")
    return first, last


def _kind(file: Path) -> str:
    for kind in _KINDS:
        if file.name.lower().endswith(kind):
            return kind
    raise RegistryError("the file is called NAME.pdf, NAME.json or NAME.fhir.json")


def _put(file: Path, content: bytes) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    handle, name = tempfile.mkstemp(dir=file.parent or Path(), prefix=f".{file.name}.")
    try:
        with os.fdopen(handle, "wb") as opened:
            opened.write(content)
        Path(name).replace(file)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
