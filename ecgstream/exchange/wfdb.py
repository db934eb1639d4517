"""Recordings as WFDB records (*WFDB Applications Guide*: header(5), signal(5), annot(5)), by wfdb.

Samples are in format 16, which is how they are stored; its lowest value is the sign of an invalid sample
there as here. A time in which no lead has a sample for ``recording.APART_S`` is a null segment (``~``) of a
record of several segments, whose first lays out the leads: WFDB's own way, and twelve hours without signal
take no room. What is shorter, or of some leads, is invalid samples.

Annotations are in ``.det``, since ``.atr`` would say that people had looked at them.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ecgstream.exchange.errors import ExchangeError
from ecgstream.exchange.plain import ascii_of
from ecgstream.exchange.recording import NS, Lead, Recording, Segment, joined, missing, moment, numbered
from schemas.wfdb import NOISE, RHYTHMS

SUFFIX = ".hea"
ANNOTATOR = "det"
_FORMAT = "16"
_BITS = 16
_UNITS = {"{counts}": "adu", "mm[Hg]": "mmHg"}
_QUALITY, _RHYTHM, _COMMENT = "~", "+", '"'
_UNREADABLE, _CLEAN = -1, 0
_LONGEST_NOTE = 255
_MOST_BASELINE = 2**31 - 1


class _Note(NamedTuple):
    """An annotation; ``sample`` of the first lead."""

    sample: int
    symbol: str
    subtype: int = 0
    text: str = ""


def write(recording: Recording, folder: Path, name: str = "ecg") -> list[Path]:
    """Write a recording; return its files, headers of records first.

    Args:
        recording: what.
        folder: of the files, which is there and has none of theirs.
        name: of the record: letters, digits, hyphens and underscores; of several, each with its number.

    Raises:
        ExchangeError: a lead's scale is none that WFDB has.
        OSError: it cannot be written.
    """
    if not re.fullmatch(r"[-\w]+", name, re.ASCII):
        raise ExchangeError("a record's name has letters, digits, hyphens and underscores only")
    groups = joined(recording.segments)
    heads: list[Path] = []
    rest: list[Path] = []
    for record, segments in zip(numbered(name, "", len(groups)), groups, strict=True):
        notes = recording.notes()
        if len(segments) == 1:
            heads.append(_segment(segments[0], folder, record, notes))
            rest.append(folder / f"{record}.dat")
        else:
            heads.append(_several(segments, folder, record, notes, rest))
        found = _notes(segments)
        if found:
            rest.append(_annotations(found, segments[0].leads[0].rate, folder, record))
    return heads + rest


def _segment(segment: Segment, folder: Path, name: str, notes: Sequence[str]) -> Path:
    """Write header and signals of a segment."""
    sums = np.zeros(segment.samples.shape[1], np.int64)
    with (folder / f"{name}.dat").open("wb") as file:
        for _, rows in segment.chunks():
            sums += rows.sum(axis=0, dtype=np.int64)
            file.write(rows.astype("<i2").tobytes())
    counts = segment.per_frame
    edges = np.cumsum((0, *counts))
    columns = list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))
    header = _header(segment.leads, counts, name, segment.rate_hz, segment.frames)
    header.file_name = [f"{name}.dat"] * len(segment.leads)
    header.init_value = [int(segment.samples[0, low]) for low, _ in columns]
    header.checksum = [int(sums[low:high].sum()) % 2**_BITS for low, high in columns]
    _begin(header, moment(segment.start_ns), [*notes, *_exact(segment.leads)])
    header.wrheader(write_dir=str(folder))
    return folder / f"{name}.hea"


def _header(leads: Sequence[Lead], counts: Sequence[int], name: str, rate_hz: float, frames: int) -> Any:
    import wfdb

    n = len(leads)
    return wfdb.Record(
        record_name=name,
        n_sig=n,
        fs=int(rate_hz) if rate_hz.is_integer() else rate_hz,
        sig_len=frames,
        fmt=[_FORMAT] * n,
        samps_per_frame=list(counts),
        adc_gain=[lead.gain for lead in leads],
        baseline=[_baseline(lead) for lead in leads],
        units=[_UNITS.get(lead.unit, lead.unit) for lead in leads],
        adc_res=[_BITS] * n,
        adc_zero=[0] * n,
        block_size=[0] * n,
        sig_name=[ascii_of(lead.name) for lead in leads],
    )


def _baseline(lead: Lead) -> int:
    found = round(lead.offset)
    if not (abs(found) <= _MOST_BASELINE and lead.gain > 0):
        raise ExchangeError(f"{ascii_of(lead.name)}: its zero is too far off for WFDB")
    return found


def _exact(leads: Sequence[Lead]) -> list[str]:
    """Return lines that say where a header's whole baseline is not all."""
    return [
        f"{ascii_of(lead.name)}: its zero is at {lead.offset!r}, the baseline is rounded to a whole step"
        for lead in leads
        if lead.offset != round(lead.offset)
    ]


def _begin(header: Any, start: datetime, notes: Sequence[str]) -> None:
    header.base_date, header.base_time = start.date(), start.time()
    header.comments = [ascii_of(note) for note in notes]


def _several(
    segments: Sequence[Segment], folder: Path, name: str, notes: Sequence[str], made: list[Path]
) -> Path:
    """Write a record of several segments: its layout, and null segments between; add what it takes."""
    import wfdb

    layout, first = f"{name}_layout", segments[0]
    _layout(first, folder, layout)
    names, lengths = [layout], [0]
    at = 0
    for number, segment in enumerate(segments, 1):
        begin = max(at, _frame(segment, first))
        if begin > at:
            names.append("~")
            lengths.append(begin - at)
        of_one = f"{name}_{number:04d}"
        made += [_segment(segment, folder, of_one, ()), folder / f"{of_one}.dat"]
        names.append(of_one)
        lengths.append(segment.frames)
        at = begin + segment.frames
    made.append(folder / f"{layout}.hea")
    fs = first.rate_hz
    record = wfdb.MultiRecord(
        record_name=name,
        n_sig=len(first.leads),
        fs=int(fs) if fs.is_integer() else fs,
        sig_len=at,
        seg_name=names,
        seg_len=lengths,
    )
    record.n_seg = len(names)
    _begin(record, moment(first.start_ns), notes)
    record.wrheader(write_dir=str(folder))
    return folder / f"{name}.hea"


def _layout(segment: Segment, folder: Path, name: str) -> None:
    """Write a header of no samples; by hand, since wfdb refuses the name of no file."""
    lines = [f"{name} {len(segment.leads)} {segment.rate_hz:.15g} 0"]
    lines += [
        f"~ 0x{count} {lead.gain!r}({_baseline(lead)})/{_UNITS.get(lead.unit, lead.unit)}"
        f" {_BITS} 0 0 0 0 {ascii_of(lead.name)}"
        for lead, count in zip(segment.leads, segment.per_frame, strict=True)
    ]
    (folder / f"{name}.hea").write_text("\n".join(lines) + "\n", "ascii")


def _frame(segment: Segment, first: Segment) -> int:
    return round((segment.start_ns - first.start_ns) / NS * first.rate_hz)


def _notes(segments: Sequence[Segment]) -> list[_Note]:
    """Return annotations of a record, in order."""
    found: list[_Note] = []
    begun = 0
    for segment in segments:
        at = max(begun, _frame(segment, segments[0])) * segment.per_frame[0]
        begun = at // segment.per_frame[0] + segment.frames
        letters = segment.beat_code.tobytes().decode("ascii")
        found += [
            _Note(at + sample, letter)
            for sample, letter in zip(segment.beat_sample.tolist(), letters, strict=True)
        ]
        found += _rhythms(segment, at)
        found += [
            _Note(at + mark.sample, _COMMENT, text=ascii_of(mark.text)[:_LONGEST_NOTE])
            for mark in segment.conditions
        ]
        found += _gaps(segment, at)
    return sorted(found, key=lambda note: note.sample)  # stable


def _rhythms(segment: Segment, at: int) -> list[_Note]:
    """Return changes of rhythm, and of quality where it is that nothing could be analysed."""
    found = []
    was_noise = False
    for mark in segment.rhythms:
        is_noise = mark.text == RHYTHMS[NOISE]
        if is_noise != was_noise:
            found.append(_Note(at + mark.sample, _QUALITY, _UNREADABLE if is_noise else _CLEAN))
        found.append(_Note(at + mark.sample, _RHYTHM, text=f"({mark.text}"))
        was_noise = is_noise
    return found


def _gaps(segment: Segment, at: int) -> list[_Note]:
    """Return where samples of leads are missing, and where they are there again."""
    found = []
    for lead, runs in zip(segment.leads, missing(segment), strict=True):
        ratio = segment.leads[0].rate / lead.rate
        name = ascii_of(lead.name)
        for run in runs:
            found.append(_Note(at + round(run.first * ratio), _QUALITY, _UNREADABLE, f"{name} missing"))
            if run.end < segment.frames * round(lead.rate / segment.rate_hz):
                found.append(_Note(at + round(run.end * ratio), _QUALITY, _CLEAN, f"{name} again"))
    return found


def _annotations(notes: Sequence[_Note], rate: float, folder: Path, name: str) -> Path:
    import wfdb

    wfdb.wrann(
        name,
        ANNOTATOR,
        np.array([note.sample for note in notes], np.int64),
        [note.symbol for note in notes],
        subtype=np.array([note.subtype for note in notes], np.int64),
        aux_note=[note.text for note in notes],
        fs=rate,
        write_dir=str(folder),
    )
    return folder / f"{name}.{ANNOTATOR}"
