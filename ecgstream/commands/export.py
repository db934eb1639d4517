"""``ecgstream export``: stored ECG as files of standard formats."""

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from ecgstream.commands.common import SettingsFlags, clear_errors, person_connection, progress, say
from ecgstream.registry import identity, text
from ecgstream.registry.errors import RegistryError

if TYPE_CHECKING:
    from ecgstream.exchange.recording import Recording

Format = Literal["wfdb", "edf", "dicom", "aecg"]
LONGEST = timedelta(hours=24)
_SUFFIX = {".edf": "edf", ".dcm": "dicom", ".xml": "aecg"}
"""Of a target that is a file; a WFDB record is several."""


def export(
    target: Path,
    /,
    *,
    device: str = "",
    patient: str = "",
    begin: Annotated[str, Parameter(name="--from")],
    end: Annotated[str, Parameter(name="--to")],
    format: Format,  # noqa: A002 - the flag's name
    settings: SettingsFlags = None,
) -> None:
    """Write up to 24 hours of stored ECG, with its beats and rhythms, as WFDB, EDF+, DICOM or HL7 aECG.

    Samples are written as they are stored, to the bit. It reads as one person (ECGSTREAM_ACCOUNT;
    docs/access.md has how), and of a patient only what was measured while the patient wore it; no name is in
    it, only the pseudonym. What each format holds, and what becomes of gaps:
    docs/exchange.md.

    For instance:

        ecgstream export night --format wfdb --device mon-17 --from 2026-11-27T20:00Z --to 2026-11-28T06:00Z

    Args:
        target: a folder that is made, and must not be there; or, where one file holds it all, NAME.edf,
            NAME.dcm or NAME.xml, which replaces what is there.
        device: id of the device; this or --patient.
        patient: the patient's pseudonym.
        begin: as 2026-11-27T08:00:00+08:00.
        end: as --from.
        format: wfdb, edf, dicom or aecg.
        settings: see `ecgstream settings`.
    """
    from ecgstream.exchange.errors import ExchangeError  # not for `ecgstream --help`
    from ecgstream.exchange.stored import recording
    from ecgstream.reports import stored

    with clear_errors():
        since, until = _stretch(begin, end)
        _check(target, format)
        if bool(device) == bool(patient):
            raise RegistryError("say one of --device and --patient")
        whose = identity.pseudonym(patient) if patient else ""
        read = ("patient", whose) if whose else ("device", device)
        write = import_module(f"ecgstream.exchange.{format}").write
        try:
            with (
                person_connection(settings, "export", read) as connection,
                _staged(target) as (folder, scratch),
            ):
                if whose:
                    parts = stored.apart(stored.worn(connection, whose, since, until))
                else:
                    parts = stored.device_parts(connection, device, since, until)
                found = recording(connection, parts, whose, scratch, progress)
                files = _written(target, found, write, folder)
        except ExchangeError as error:
            raise RegistryError(str(error)) from None
        except ModuleNotFoundError as error:
            raise RegistryError(f'{error.name} is not installed: pip install "ecgstream[files]"') from None
        except OSError as error:
            raise RegistryError(f"it cannot be written: {error.strerror or type(error).__name__}") from None
    seconds = sum(segment.frames / segment.rate_hz for segment in found.segments)
    say(f"written: {', '.join(files)}; {seconds:,.0f} s of signal in {len(found.segments)} parts")


def _stretch(begin: str, end: str) -> tuple[datetime, datetime]:
    since, until = text.moment(begin, "--from"), text.moment(end, "--to")
    if not timedelta(0) < until - since <= LONGEST:
        raise RegistryError("an export is of up to 24 hours: --to comes after --from")
    return since, until


def _check(target: Path, format_: Format) -> None:
    """Refuse a target that is of another format, or is there and no file."""
    suffix = target.suffix.lower()
    if suffix in _SUFFIX and _SUFFIX[suffix] != format_:
        raise RegistryError(f"{suffix} is not a file of {format_}")
    if suffix not in _SUFFIX and target.exists():
        raise RegistryError(f"{target.name} is there already: name a folder that is not")
    if target.is_dir():
        raise RegistryError(f"{target.name} is a folder: name a file, or a folder that is not there")
    if not target.absolute().parent.is_dir():
        raise RegistryError("there is no such folder to write it into")


@contextmanager
def _staged(target: Path) -> Iterator[tuple[Path, Path]]:
    """Give a folder for files and one for what is needed meanwhile, beside the target and gone at the end."""
    with tempfile.TemporaryDirectory(dir=target.absolute().parent, prefix=".export-") as name:
        folder, scratch = Path(name, "files"), Path(name, "scratch")
        folder.mkdir(mode=0o700)
        scratch.mkdir(mode=0o700)
        yield folder, scratch


def _written(
    target: Path,
    found: "Recording",
    write: "Callable[[Recording, Path], list[Path]]",
    folder: Path,
) -> list[str]:
    """Write files that only their owner may read, and bring them where they belong, whole or not at all."""
    files: list[Path] = []
    for one in progress([found], "Writing"):
        files += write(one, folder)
    for file in files:
        file.chmod(0o600)
        with file.open("rb") as opened:
            os.fsync(opened.fileno())
    if target.suffix.lower() not in _SUFFIX:
        folder.rename(target)
        return [file.name for file in files]
    if len(files) > 1:
        raise RegistryError(f"of this stretch there are {len(files)} files: name a folder, not a file")
    files[0].replace(target)
    return [target.name]
