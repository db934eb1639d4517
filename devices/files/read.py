"""A file of an ECG device as a source, whatever its format is; nothing of the patient comes along."""

import stat
import warnings
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

from devices.errors import MessageError, RecordingError
from devices.files import kit
from devices.files.content import BEYOND, MAX_SAMPLES, Content, is_meant
from devices.files.dicom import read_dicom
from devices.files.edf import BDF_MAGIC, EDF_MAGIC, read_edf
from devices.files.physionet import is_header, read_wfdb
from devices.source import Session, Source
from schemas.checks import MAX_CHANNELS, MAX_TIME_NS
from schemas.records import ECG_KIND

MAX_BYTES = 2**29
"""Of a file."""
HEAD_BYTES = 4096
"""What the format is told by; ecgdatakit looks at as many."""
_MOST_LEFT_OUT, _LONGEST = 64, 120
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def read(path: Path, *, device: str, shard: int, zone: tzinfo | None = None) -> Source:
    """Return what the file holds as a device with one session; ECG leads come first.

    The readers are other people's code, and files are other people's data: ``devices.files.child`` calls this
    in a process of its own, under limits.

    Args:
        path: a file; of a WFDB record, its header.
        device: its device id.
        shard: the shard it is enrolled in.
        zone: of the device's clock, where the file names none; without it, such a file has no start.

    Raises:
        MessageError: no format that is known here, damaged, nothing in it that can be played, or more than
            memory holds. It shows neither what the file holds nor its name.
    """
    name, reader = _format(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of libraries, with a file's text in them
            content = reader(path)
    except RecordingError as error:
        raise MessageError(f"{name}: {error}") from None
    except ImportError as error:
        raise MessageError(f"{name}: {error.name} is not installed (extra files)") from None
    except MemoryError as error:
        raise MessageError(f"{name}: reading it takes more memory than there is") from error
    except Exception as error:  # what the libraries raise on a broken file is not documented
        raise MessageError(
            f"{name}: damaged, or of a kind that is not read ({type(error).__name__})"
        ) from None
    try:
        return _source(name, content, device, shard, zone)
    except ValueError as error:
        raise MessageError(f"{name}: {error}") from None


def _format(path: Path) -> tuple[str, Callable[[Path], Content]]:
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise MessageError("not a file")
        if found.st_size > MAX_BYTES:
            raise MessageError(f"more than {MAX_BYTES >> 20} MB")
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise MessageError(f"it cannot be opened ({type(error).__name__})") from None
    if head[128:132] == b"DICM":
        return "DICOM", read_dicom
    if head.startswith((EDF_MAGIC, BDF_MAGIC)):
        return "BDF" if head.startswith(BDF_MAGIC) else "EDF", read_edf
    if path.suffix == ".hea" and is_header(head):
        return "WFDB", lambda header: read_wfdb(header.with_suffix(""))
    try:
        name = kit.format_of(path, head)
    except ImportError as error:
        raise MessageError(f"{error.name} is not installed (extra files)") from None
    if name is None:
        raise MessageError("no format of ECGs that is known here")
    return name, kit.reader(name)


def _source(name: str, content: Content, device: str, shard: int, zone: tzinfo | None) -> Source:
    meant = [wave for wave in content.waves if is_meant(wave)]
    content.left_out += [f"{wave.name}: {BEYOND}" for wave in content.waves if not is_meant(wave)]
    waves = sorted(meant, key=lambda w: w.kind != ECG_KIND)  # stable
    if not waves or waves[0].kind != ECG_KIND:
        raise MessageError(f"no ECG lead ({'; '.join(content.left_out[:MAX_CHANNELS]) or 'no channels'})")
    if len(waves) > MAX_CHANNELS or sum(w.samples.size for w in waves) > MAX_SAMPLES:
        raise MessageError(f"more than {MAX_CHANNELS} channels, or {MAX_SAMPLES} samples")
    if not waves[0].samples.size:
        raise MessageError("no samples")
    left_out = [reason[:_LONGEST] for reason in content.left_out[:_MOST_LEFT_OUT]]
    start_ns = _start_ns(content.start, zone)
    if content.start is not None and start_ns is None:
        left_out.append("its start: the file's clock has no zone, and none is given, or it is no time")
    return Source(
        device,
        shard,
        f"File: {name}, {' '.join(w.name for w in waves)}",
        simulated=False,
        sessions=(Session(tuple(waves)),),
        left_out=tuple(left_out),
        start_ns=start_ns,
    )


def _start_ns(start: datetime | None, zone: tzinfo | None) -> int | None:
    """Return UTC ns. Of an hour that a clock shows twice in autumn, the first is meant.

    >>> _start_ns(datetime(1970, 1, 1, 0, 0, 1), UTC), _start_ns(datetime(1970, 1, 1), None)
    (1000000000, None)
    """
    if start is None or (start.tzinfo is None and zone is None):
        return None
    aware = start if start.tzinfo is not None else start.replace(tzinfo=zone)
    nanoseconds = (aware - _EPOCH) // timedelta(microseconds=1) * 1000
    return nanoseconds if 0 <= nanoseconds < MAX_TIME_NS else None
